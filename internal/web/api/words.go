package api

import (
	"bytes"
	"errors"
	"net/http"
	"regexp"
	"strings"

	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/web/access"
)

// exampleTime is a time as the API takes and gives them.
const exampleTime = "2026-11-23T09:00:00+01:00"

// wrongTime is what is said of a time that can't be read.
const wrongTime = "must be a time as in " + exampleTime + " or 2026-11-23T08:00:00Z (RFC 3339)"

// words are ours for huma's of a field; field is what is added to the field's path.
var words = []struct {
	huma          *regexp.Regexp
	field, ourown string
}{
	{regexp.MustCompile(`^expected required property (\S+) to be present$`), "$1", "missing"},
	{regexp.MustCompile(`^required (\S+) parameter is missing$`), "", "missing"},
	{regexp.MustCompile(`^unexpected property$`), "", "there is no such field"},
	{regexp.MustCompile(`^unknown query parameter$`), "", "there is no such query parameter"},
	{regexp.MustCompile(`RFC 3339 date-time$|^invalid date/time for format`), "", wrongTime},
	{regexp.MustCompile(`^expected value to be one of "(.*)"$`), "", "must be one of: $1"},
	{regexp.MustCompile(`^expected number >= (\S+)$`), "", "must be at least $1"},
	{regexp.MustCompile(`^expected number <= (\S+)$`), "", "must be at most $1"},
	{regexp.MustCompile(`^expected length >= 1$|^expected array length >= 1$`), "", "must not be empty"},
	{regexp.MustCompile(`^expected length >= (\d+)$`), "", "must have at least $1 characters"},
	{regexp.MustCompile(`^expected length <= (\d+)$`), "", "must have at most $1 characters"},
	{regexp.MustCompile(`^expected array length >= (\d+)$`), "", "must have at least $1 items"},
	{regexp.MustCompile(`^expected array length <= (\d+)$`), "", "must have at most $1 items"},
	{regexp.MustCompile(`^expected string to match pattern \^\[a-z0-9\]\[a-z0-9_-\]\*\$$`), "", "must be made of a-z, 0-9, _ and -, and begin with a letter or digit"},
	{regexp.MustCompile(`^expected string to match pattern (\S+)$`), "", "must match $1"},
	{regexp.MustCompile(`^expected boolean$|^invalid boolean$`), "", "must be true or false"},
	{regexp.MustCompile(`^expected integer$|^invalid integer$`), "", "must be a whole number"},
	{regexp.MustCompile(`^expected number$|^invalid float$`), "", "must be a number"},
	{regexp.MustCompile(`^expected string$`), "", "must be a text"},
	{regexp.MustCompile(`^expected array$`), "", "must be a list"},
	{regexp.MustCompile(`^expected object$`), "", "must be an object"},
	{regexp.MustCompile(`^request body is required$`), "", "a body is needed"},
	{regexp.MustCompile(`^expected value to match exactly one schema but matched none$`), "", "must be a text or a number"},
}

// inWords is a fault of huma's in ours.
func inWords(field, message string) Fault {
	for _, w := range words {
		m := w.huma.FindStringSubmatchIndex(message)
		if m == nil {
			continue
		}
		if sub := string(w.huma.ExpandString(nil, w.field, message, m)); sub != "" {
			field = strings.TrimPrefix(field+"."+sub, ".")
		}
		return Fault{Field: field, Message: string(w.huma.ExpandString(nil, w.ourown, message, m))}
	}
	return Fault{Field: field, Message: message}
}

const noKey = "there is no key in the request: send it as Authorization: Bearer ho_…"

// refusedKey is what a caller reads whose key doesn't let them in. It says the same of
// a name that isn't there and of a wrong secret.
func refusedKey(r *http.Request, err error) *problemError {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	switch {
	case errors.As(err, new(*access.EndedError)):
		return problem(unauthorized, err.Error())
	case scheme == "":
		return problem(unauthorized, noKey)
	case !strings.EqualFold(scheme, "Bearer"):
		return problem(unauthorized, "the header Authorization isn't of the form Bearer ho_…")
	case !strings.HasPrefix(strings.TrimSpace(token), "ho_"):
		return problem(unauthorized, "what the header Authorization has isn't a key of handout: those begin with ho_")
	}
	return problem(unauthorized, "the key is wrong, or was revoked: handout key list shows those that are good")
}

// wrongType is the answer to a body of a type that the operation doesn't take.
func wrongType(r *http.Request, takes string) *problemError {
	detail := "the body must be " + takes
	if is := r.Header.Get("Content-Type"); strings.HasPrefix(is, "application/x-www-form-urlencoded") {
		detail += "; curl says application/x-www-form-urlencoded where no -H 'Content-Type: …' says otherwise"
	}
	return problem(mediaType, detail, Fault{Field: "Content-Type", Message: "must be " + takes})
}

// lineEnds sees whether what is read is a single line, with numbers in it: a list that
// has lost its line ends, and not a header alone.
type lineEnds struct{ digits, ends bool }

func (l *lineEnds) Write(b []byte) (int, error) {
	if !l.ends {
		l.digits, l.ends = l.digits || bytes.ContainsAny(b, "0123456789"), bytes.ContainsAny(b, "\r\n")
	}
	return len(b), nil
}

// lost is what to say of a list that can't be taken; err unless its line ends were lost.
func (l *lineEnds) lost(err error) error {
	if kind := operations.KindOf(err); l.ends || !l.digits || (err != nil && kind != operations.Refused) {
		return err
	}
	return problem(invalid, "", Fault{Line: 1, Message: "the list is a single line: its line ends were lost on the way. " +
		"curl -d drops them: send it with --data-binary @list.csv, or with -T list.csv"})
}
