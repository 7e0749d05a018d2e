package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/web/access"
)

// refusal is an error for the visitor, as the error page shows it.
type refusal struct {
	Status      int
	Title, Text string
	Field       string // of a form, that is at fault; empty: none, or several
}

func (r *refusal) Error() string { return r.Text }

func refuse(status int, format string, args ...any) error {
	if len(args) > 0 {
		format = fmt.Sprintf(format, args...)
	}
	return &refusal{Status: status, Title: titles[status], Text: format}
}

// wrong is what is wrong with a field of a form.
func wrong(field, text string) error {
	return &refusal{http.StatusUnprocessableEntity, titles[http.StatusUnprocessableEntity], text, field}
}

// titles are those of the error page, by status.
var titles = map[int]string{
	http.StatusBadRequest: "The request can't be read", http.StatusForbidden: "You may not do this",
	http.StatusNotFound: "It isn't here", http.StatusMethodNotAllowed: "That can't be done here",
	http.StatusConflict: "Nothing was done", http.StatusRequestEntityTooLarge: "It is too long",
	http.StatusUnprocessableEntity: "Something in the form is wrong", http.StatusInternalServerError: "Something went wrong here",
	http.StatusServiceUnavailable: "Redis can't be reached", http.StatusTooManyRequests: "Too many at once",
}

var (
	errNoPage = refuse(http.StatusNotFound, "There is no such page.")
	errAway   = refuse(http.StatusServiceUnavailable, "The ledger in Redis can't be reached. Nothing is lost: workers wait for it too. Load the page again in a moment.")
)

// judge is the one switch from errors to what a visitor reads.
func (c *Console) judge(ctx context.Context, err error) *refusal {
	var own *refusal
	if errors.As(err, &own) {
		return own
	}
	status, ok := statuses[operations.KindOf(err)]
	switch {
	case status == http.StatusServiceUnavailable:
		c.o.Logger.WarnContext(ctx, "the ledger can't be reached", "error", err)
		return errAway.(*refusal)
	case !ok:
		c.o.Logger.ErrorContext(ctx, "a page failed", "error", err)
		return refuse(http.StatusInternalServerError, "Something went wrong here; the console's log says what.").(*refusal)
	}
	told := refuse(status, "%s", sentence(err.Error())).(*refusal)
	var refused *operations.Error
	if errors.As(err, &refused) {
		told.Field = refused.Field
	}
	return told
}

var statuses = map[operations.Kind]int{
	operations.NotFound: http.StatusNotFound, operations.WrongPhase: http.StatusConflict, operations.Stale: http.StatusConflict,
	operations.Refused: http.StatusUnprocessableEntity, operations.OtherContent: http.StatusConflict, operations.Ambiguous: http.StatusConflict,
	operations.Busy: http.StatusConflict, operations.Denied: http.StatusForbidden, operations.Limited: http.StatusTooManyRequests,
	operations.Changed: http.StatusPreconditionFailed, operations.Unavailable: http.StatusServiceUnavailable,
}

func sentence(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + strings.TrimSuffix(s[1:], ".") + "."
}

// fail answers with an error: the login page for visitors without a key, a page
// of words for everyone else. v may be nil.
func (c *Console) fail(w http.ResponseWriter, r *http.Request, v *visit, err error) {
	if errors.Is(err, access.ErrRefused) {
		c.turnAway(w, r)
		return
	}
	told := c.judge(r.Context(), err)
	if v != nil {
		c.ops.TraceDenied(v.Context(), err)
	}
	if until := operations.Until(err); !until.IsZero() {
		w.Header().Set("Retry-After", until.UTC().Format(http.TimeFormat))
	}
	if c.showAgain(w, r, v, told, err) {
		return
	}
	if told.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "5")
	}
	c.render(w, v, told.Status, "error", told)
}

// turnAway answers who has no key, or a wrong one.
func (c *Console) turnAway(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Header.Get("Authorization") != "":
		w.Header().Set("WWW-Authenticate", `Basic realm="handout: a key as the password", charset="UTF-8"`)
		c.render(w, nil, http.StatusUnauthorized, "error", &refusal{Status: http.StatusUnauthorized, Title: "Wrong key", Text: "This key isn't good, or was revoked."})
	case r.Header.Get("HX-Request") != "":
		w.Header().Set("HX-Redirect", "/login")
		w.WriteHeader(http.StatusUnauthorized)
	case r.Method == http.MethodGet && r.Header.Get("Sec-Fetch-Site") == "cross-site":
		c.moment(w, r)
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		http.Redirect(w, r, "/login?next="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
	default:
		c.render(w, nil, http.StatusUnauthorized, "error", &refusal{Status: http.StatusUnauthorized, Title: "Not logged in", Text: "The session has ended. Nothing was done: log in and try again."})
	}
}

// moment has a browser ask once more. It comes from another site's page, and keeps our
// cookies back until a page of ours asks.
func (c *Console) moment(w http.ResponseWriter, r *http.Request) {
	to := inside(r.URL.RequestURI())
	w.Header().Set("Refresh", "0; url="+to)
	c.render(w, nil, http.StatusOK, "moment", to)
}
