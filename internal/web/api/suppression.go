package api

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/handout-dev/handout/internal/phone"
	"github.com/handout-dev/handout/internal/suppression"
	"github.com/handout-dev/handout/internal/web/access"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/producer"
)

func (a *API) registerSuppression() {
	huma.Register(a.huma, a.operation("list-suppressed", http.MethodGet, "/suppression", access.Read, "List the suppression list",
		"The numbers that are never sent to, in no order. What is on the list from the first answer to the last is seen; "+
			"a number may come twice while the list grows.", invalid), a.suppressed)
	huma.Register(a.huma, a.operation("get-suppressed", http.MethodGet, "/suppression/{phone}", access.Read, "Ask for one number",
		"When and why it came on the list; 404 if it isn't there.", notFound, invalid), a.lookSuppressed)
	put := a.operation("suppress", http.MethodPut, "/suppression/{phone}", access.Control, "Never send to a number again",
		"From the next claim on, in all campaigns. The first entry stays.", malformed, tooLarge, mediaType, invalid)
	put.DefaultStatus = http.StatusCreated
	a.also(&put, "200", "It was on the list already; nothing has changed.", reflect.TypeFor[Suppressed]())
	huma.Register(a.huma, put, a.suppress)
	huma.Register(a.huma, a.operation("unsuppress", http.MethodDelete, "/suppression/{phone}", access.Control, "Take a number off the list",
		"Who was left out because of it stays left out.", invalid), a.unsuppress)
	load := a.operation("import-suppressed", http.MethodPost, "/suppression", access.Control, "Put a file's numbers on the list",
		"CSV with a header: a column `phone` and, if you like, a column `why`; other columns are left alone, so that what "+
			"`handout suppress list` writes can be sent as it is. It is read as it comes: good rows are on the list at once, "+
			"whatever becomes of the others, since a number too many is mended more easily than a message too many. Bad rows are "+
			"answered with 422 and their lines, or, with `set_aside_bad_rows`, with 200. The same file again changes nothing.",
		malformed, tooSlow, tooLarge, mediaType, invalid, incomplete)
	load.RequestBody = &huma.RequestBody{
		Required: true, Description: "A line has at most 64 KiB.",
		Content: map[string]*huma.MediaType{"text/csv": {
			Schema: &huma.Schema{Type: huma.TypeString}, Example: "phone,why\n+12015550100,asked by letter\n",
		}},
	}
	huma.Register(a.huma, load, a.importSuppressed)
}

// Suppressed is a number of the suppression list.
type Suppressed struct {
	Phone    string    `json:"phone" example:"+*********00" doc:"masked unless the key has the scope people"`
	Since    time.Time `json:"since"`
	Why      string    `json:"why" example:"by hand: asked by letter" doc:"by hand, stop, blocked (3046) or blocklist (3052); after a colon a person's own words"`
	Campaign string    `json:"campaign" doc:"by whose message it came to this; empty when unknown"`
	By       string    `json:"by" example:"billing" doc:"by hand: a key's name or a person's login name"`
}

func newSuppressed(ctx context.Context, n suppression.Number) Suppressed {
	number := n.Phone
	if !caller(ctx).May(access.People) {
		number = phone.Mask(number)
	}
	return Suppressed{Phone: number, Since: n.At, Why: n.Reason(), Campaign: string(n.Campaign), By: n.By}
}

type suppressedInput struct {
	Cursor string `query:"cursor" pattern:"^[0-9]{1,20}$" doc:"next_cursor of the answer before"`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"about how many; an answer may have some more"`
}

type suppressedOutput struct {
	Body struct {
		Suppressed []Suppressed `json:"suppressed" nullable:"false"`
		NextCursor string       `json:"next_cursor,omitempty" doc:"there may be more: ask with it as cursor; an answer may be short, or empty, and still have one"`
	}
}

func (a *API) suppressed(ctx context.Context, in *suppressedInput) (*suppressedOutput, error) {
	cursor, err := strconv.ParseUint(in.Cursor, 10, 64)
	if err != nil && in.Cursor != "" {
		return nil, problem(invalid, "", Fault{Field: "cursor", Message: "isn't one of an answer"})
	}
	numbers, next, err := a.suppressions.Page(ctx, cursor, in.Limit)
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	out := new(suppressedOutput)
	out.Body.Suppressed = make([]Suppressed, len(numbers))
	for i, n := range numbers {
		out.Body.Suppressed[i] = newSuppressed(ctx, n)
	}
	if next != 0 {
		out.Body.NextCursor = strconv.FormatUint(next, 10)
	}
	return out, nil
}

// PhonePath is a path with a phone number.
type PhonePath struct {
	Phone string `path:"phone" minLength:"1" maxLength:"64" example:"+12015550100" doc:"in international form; a + may be written as it is, or as %2B"`
}

// number is the path's in E.164 form.
func (a *API) number(in *PhonePath) (string, error) {
	number, err := url.PathUnescape(in.Phone)
	if err == nil {
		number, err = phone.Normalize(number, a.o.Region)
	}
	if err != nil {
		return "", problem(invalid, "", Fault{Field: "phone", Message: err.Error()})
	}
	return number, nil
}

type oneSuppressedOutput struct {
	Status int
	Body   Suppressed
}

func (a *API) lookSuppressed(ctx context.Context, in *PhonePath) (*oneSuppressedOutput, error) {
	phone, err := a.number(in)
	if err != nil {
		return nil, err
	}
	s, on, err := a.suppressions.Find(ctx, phone)
	if err == nil && !on {
		err = ledger.ErrNotFound
	}
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	return &oneSuppressedOutput{http.StatusOK, newSuppressed(ctx, suppression.Number{Phone: phone, Entry: s})}, nil
}

// SuppressWhy is what a person says of an entry.
type SuppressWhy struct {
	Why string `json:"why,omitempty" maxLength:"200" example:"asked by letter" doc:"what for: one line of at most 200 bytes"`
}

type suppressInput struct {
	PhonePath
	Body *SuppressWhy
}

func (a *API) suppress(ctx context.Context, in *suppressInput) (*oneSuppressedOutput, error) {
	phone, err := a.number(&in.PhonePath)
	if err != nil {
		return nil, err
	}
	s := byHand(ctx)
	if in.Body != nil {
		s.Note = in.Body.Why
	}
	if err := s.Check(); err != nil {
		return nil, problem(invalid, "", Fault{Field: "why", Message: err.Error()})
	}
	added, err := a.suppressions.Add(ctx, phone, s)
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	out := &oneSuppressedOutput{Status: http.StatusCreated}
	if !added {
		out.Status = http.StatusOK
		stands, on, err := a.suppressions.Find(ctx, phone)
		if err != nil {
			return nil, a.fail(ctx, err)
		}
		if on { // else it was just taken off
			s = stands
		}
	}
	out.Body = newSuppressed(ctx, suppression.Number{Phone: phone, Entry: s})
	return out, nil
}

// byHand is an entry of the caller's.
func byHand(ctx context.Context) suppression.Entry {
	return suppression.Entry{At: time.Now().UTC().Truncate(time.Second), Why: suppression.WhyHand, By: caller(ctx).Name}
}

type unsuppressOutput struct {
	Body struct {
		Removed bool `json:"removed" doc:"it was on the list"`
	}
}

func (a *API) unsuppress(ctx context.Context, in *PhonePath) (*unsuppressOutput, error) {
	phone, err := a.number(in)
	if err != nil {
		return nil, err
	}
	out := new(unsuppressOutput)
	if out.Body.Removed, err = a.suppressions.Remove(ctx, phone); err != nil {
		return nil, a.fail(ctx, err)
	}
	return out, nil
}

type importInput struct {
	SetAsideBadRows bool `query:"set_aside_bad_rows" doc:"answer bad rows with 200 all the same"`
}

// Imported is what a file came to.
type Imported struct {
	Rows    int     `json:"rows" minimum:"0" doc:"all of them, bad ones included"`
	Added   int     `json:"added" minimum:"0" doc:"numbers that are new on the list"`
	BadRows int     `json:"bad_rows" minimum:"0"`
	Faults  []Fault `json:"faults,omitempty" nullable:"false" maxItems:"1000" doc:"what is wrong with the bad rows: the first 1,000"`
}

type importOutput struct{ Body Imported }

func (a *API) importSuppressed(ctx context.Context, in *importInput) (*importOutput, error) {
	format, err := listFormat(exchangeOf(ctx).r.Header.Get("Content-Type"))
	if err != nil || format != producer.CSV {
		return nil, problem(mediaType, "it has to be text/csv")
	}
	normalize, err := phone.Normalizer(a.o.Region)
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	var out importOutput
	var faults []producer.Fault
	file := &suppression.Reader{Normalize: normalize, Entry: byHand(ctx), Bad: func(f producer.Fault) {
		if len(faults) < mostFaults {
			faults = append(faults, f)
		}
	}}
	err = file.Each(ctx, a.body(ctx), func(numbers []suppression.Number) error {
		n, err := a.suppressions.AddAll(ctx, numbers)
		out.Body.Added += n
		return err
	})
	if err != nil {
		p := a.problem(ctx, err)
		if out.Body.Added > 0 {
			p.Detail += fmt.Sprintf("; %d numbers before it were added, and the same file again adds the others", out.Body.Added)
		}
		drain(a.body(ctx))
		return nil, p
	}
	out.Body.Rows, out.Body.BadRows, out.Body.Faults = file.Rows, file.BadRows, listFaults(faults)
	if file.BadRows > 0 && !in.SetAsideBadRows {
		p := problem(incomplete, fmt.Sprintf("bad rows: %d of %d; the numbers of all others are on the list, %d of them new", file.BadRows, file.Rows, out.Body.Added), out.Body.Faults...)
		p.Count = file.BadRows
		return nil, p
	}
	return &out, nil
}
