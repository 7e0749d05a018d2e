package api

import (
	"context"
	"net/url"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/phone"
	"github.com/handout-dev/handout/internal/web/access"
	"github.com/handout-dev/handout/producer"
)

func (a *API) registerSuppression() {
	add(a, a.operation("list-suppressed", "GET /suppression", access.Read, "List the suppression list",
		"The numbers that are never sent to, in no order. The answers together have all that are on the list from the first to the last; "+
			"a number may come twice while the list grows.", invalid), a.suppressed)
	one := a.operation("get-suppressed", "GET /suppression/{phone}", access.Read, "Ask for one number",
		"When and why it came on the list; 404 if it isn't there. Who knows numbers could ask who has opted out, so it takes the scope people.", notFound, invalid)
	one.Security[0][securityScheme] = append(one.Security[0][securityScheme], string(access.People))
	add(a, one, a.lookSuppressed)
	addCreating(a, a.operation("suppress", "PUT /suppression/{phone}", access.Control, "Never send to a number again",
		"From the next claim on, in all campaigns. The first entry stays.", malformed, tooLarge, mediaType, invalid),
		"It was on the list already; nothing has changed.", a.suppress)
	add(a, a.operation("unsuppress", "DELETE /suppression/{phone}", access.Control, "Take a number off the list",
		"People who were left out because of it stay left out.", invalid), a.unsuppress)
	load := a.operation("import-suppressed", "POST /suppression", access.Control, "Put a file's numbers on the list",
		"CSV with a header: a column `phone` and, optionally, columns `why` and `since`; other columns are ignored, and what "+
			"`handout suppress list` writes keeps its times and reasons. It is read as it comes: good rows are on the list at once, also "+
			"if there are bad ones, since a number too many is easier to correct than a message too many. Bad rows are "+
			"answered with 422 and their lines or, with `set_aside_bad_rows`, with 200. The same file again changes nothing.",
		malformed, tooSlow, tooLarge, mediaType, invalid, incomplete)
	load.RequestBody = &huma.RequestBody{
		Required: true, Description: "A line has at most 64 KiB.",
		Content: texts(map[string]string{"text/csv": "phone,why\n+12015550100,asked by letter\n"}),
	}
	add(a, load, a.importSuppressed)
	add(a, a.operation("list-optouts", "GET /optouts", access.Read, "List the STOPs whose number isn't known",
		"They came without a number, or from a WhatsApp user name, and answer no message that handout knows.", invalid), a.optOuts)
	add(a, a.operation("settle-optout", "POST /optouts/{reference}", access.Control, "Settle a STOP",
		"Puts its number on the suppression list or, without a number and with a reason, lets it go.", notFound, malformed, tooLarge, mediaType, invalid), a.settleOptOut)
}

// Suppressed is a number of the suppression list.
type Suppressed struct {
	Phone    string    `json:"phone" example:"+*********00" doc:"masked unless the key has the scope people"`
	Since    time.Time `json:"since"`
	Why      string    `json:"why" example:"by hand: asked by letter" doc:"by hand, stop, blocked (3046), blocklist (3052) or deactivated; after a colon a person's own words"`
	Campaign string    `json:"campaign" doc:"by whose message it came to this; empty when unknown"`
	By       string    `json:"by" example:"billing" doc:"by hand: a key's name or a person's login name"`

	History []SuppressionEvent `json:"history,omitempty" nullable:"false" doc:"of one number: all that is known of how it came on the list and off it, the oldest first"`
}

// SuppressionEvent is one change of the list about a number.
type SuppressionEvent struct {
	At       time.Time `json:"at"`
	Why      string    `json:"why" example:"start" doc:"as in why of a number, and: start or removed by hand, which took it off the list"`
	Campaign string    `json:"campaign"`
	By       string    `json:"by"`
}

// withHistory is newSuppressed with the number's history.
func withHistory(ctx context.Context, s *operations.Suppression) Suppressed {
	out := newSuppressed(ctx, s.SuppressedNumber)
	for _, e := range s.History {
		out.History = append(out.History, SuppressionEvent{e.At, e.Reason(), string(e.Campaign), e.By})
	}
	return out
}

func newSuppressed(ctx context.Context, n operations.SuppressedNumber) Suppressed {
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

// SuppressedList is a part of the suppression list.
type SuppressedList struct {
	Suppressed []Suppressed `json:"suppressed" nullable:"false"`
	NextCursor string       `json:"next_cursor,omitempty" doc:"there may be more: ask with it as cursor; an answer may be short and still have one"`
}

func (a *API) suppressed(ctx context.Context, in *suppressedInput) (*SuppressedList, error) {
	numbers, next, err := a.ops.SuppressedPage(ctx, in.Cursor, in.Limit)
	out := &SuppressedList{make([]Suppressed, len(numbers)), next}
	for i, n := range numbers {
		out.Suppressed[i] = newSuppressed(ctx, n)
	}
	return out, err
}

// PhonePath is a path with a phone number or an e-mail address: of 254 bytes at most, each
// written in the path in up to three characters.
type PhonePath struct {
	Phone string `path:"phone" minLength:"1" maxLength:"762" example:"+12015550100" doc:"in international form, or an e-mail address of up to 254 bytes; a + may be written as it is, or as %2B"`
}

// suppression reads what the list says of the path's number.
func (a *API) suppression(ctx context.Context, in *PhonePath) (*operations.Suppression, error) {
	number, err := url.PathUnescape(in.Phone)
	if err != nil {
		return nil, problem(invalid, "", Fault{Field: "phone", Message: "its % escapes can't be read"})
	}
	return a.ops.Suppression(ctx, number)
}

func (a *API) lookSuppressed(ctx context.Context, in *PhonePath) (Suppressed, error) {
	s, err := a.suppression(ctx, in)
	if err == nil && !s.Listed {
		err = problem(notFound, "the number isn't on the suppression list")
	}
	if err != nil {
		return Suppressed{}, err
	}
	return withHistory(ctx, s), nil
}

// SuppressWhy is what a person says of an entry.
type SuppressWhy struct {
	Why string `json:"why,omitempty" maxLength:"200" example:"asked by letter" doc:"what for: one line of at most 200 bytes"`
}

type suppressInput struct {
	PhonePath
	Body *SuppressWhy
}

func (a *API) suppress(ctx context.Context, in *suppressInput) (Suppressed, bool, error) {
	why := ""
	if in.Body != nil {
		why = in.Body.Why
	}
	s, err := a.suppression(ctx, &in.PhonePath)
	added := false
	if err == nil {
		s, added, err = a.ops.Suppress(ctx, s, actor(ctx, why))
	}
	if err != nil {
		return Suppressed{}, false, err
	}
	return newSuppressed(ctx, s.SuppressedNumber), added, nil
}

// Unsuppressed is what taking a number off the list came to.
type Unsuppressed struct {
	Removed bool `json:"removed" doc:"it was on the list"`
}

func (a *API) unsuppress(ctx context.Context, in *PhonePath) (out Unsuppressed, err error) {
	s, err := a.suppression(ctx, in)
	if err == nil {
		out.Removed, err = a.ops.Unsuppress(ctx, s, actor(ctx, ""))
	}
	return out, err
}

type importInput struct {
	SetAsideBadRows bool   `query:"set_aside_bad_rows" doc:"answer bad rows with 200 all the same"`
	Reason          string `query:"reason" enum:"deactivated" doc:"carriers have taken the numbers back"`
	Column          string `query:"column" maxLength:"100" doc:"the column with the numbers; by default phone"`
}

// Imported is what a file came to.
type Imported struct {
	Rows    int     `json:"rows" minimum:"0" doc:"all of them, bad ones included"`
	Added   int     `json:"added" minimum:"0" doc:"numbers that are new on the list"`
	BadRows int     `json:"bad_rows" minimum:"0"`
	Faults  []Fault `json:"faults,omitempty" nullable:"false" maxItems:"1000" doc:"what is wrong with the bad rows: the first 1,000"`
}

func (a *API) importSuppressed(ctx context.Context, in *importInput) (*Imported, error) {
	r := exchangeOf(ctx).r
	if format, err := listFormat(r); err != nil || format != producer.CSV || r.Header.Get("Content-Encoding") != "" {
		return nil, wrongType(r, "text/csv")
	}
	body, ends := a.lines(ctx)
	done, err := a.ops.ImportSuppressed(ctx, operations.Import{Stream: body, By: actor(ctx, ""), SetAside: in.SetAsideBadRows, Reason: in.Reason, Column: in.Column})
	if done == nil || done.Rows == 0 {
		err = ends.lost(err)
	}
	if err == nil {
		return &Imported{Rows: done.Rows, Added: done.Added, BadRows: done.Bad, Faults: listFaults(done.Faults)}, nil
	}
	if done != nil && done.Bad > 0 && operations.KindOf(err) == operations.Refused {
		p := problem(incomplete, err.Error(), listFaults(done.Faults)...)
		p.Count = done.Bad
		return nil, p
	}
	p := a.problem(ctx, err)
	if done != nil && done.Added > 0 {
		p.Detail += "; " + done.Partly()
	}
	drain(a.body(ctx))
	return nil, p
}
