package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/producer"
)

// Problem is an error's answer: RFC 9457.
type Problem struct {
	Type   string `json:"type" format:"uri-reference" example:"/api/v1/docs#problem-invalid" doc:"which kind of problem it is; all of them stand in the documentation"`
	Title  string `json:"title" example:"The request can't be taken as it is" doc:"the kind of problem in words; the same for all of a kind"`
	Status int    `json:"status" minimum:"400" maximum:"599" example:"422"`
	Detail string `json:"detail,omitempty" example:"nothing was sent: 2 faults" doc:"what it is about this time"`
	// Errors are those in a campaign file, a list, or a request's fields.
	Errors []Fault `json:"errors,omitempty" nullable:"false" maxItems:"1000" doc:"what is wrong, one by one: the first 1,000"`
	Count  int     `json:"error_count,omitempty" minimum:"0" doc:"how many there are, those beyond the first 1,000 included"`
}

// Fault is one thing wrong in a request. It never quotes a list's cell, which
// may be a phone number.
type Fault struct {
	Field   string `json:"field,omitempty" example:"channels[0].template" doc:"the field, the query parameter, the header, or the column of a list; body: all of it"`
	Line    int    `json:"line,omitempty" minimum:"1" example:"17" doc:"the line of a list, counted from 1"`
	Column  int    `json:"column,omitempty" minimum:"1" doc:"the byte in the line, counted from 1"`
	Message string `json:"message" example:"missing" doc:"what is wrong with it"`
}

// maxFaults is how many faults are answered in full.
const maxFaults = 1000

// kind is a kind of problem.
type kind struct {
	Name   string
	Status int
	Title  string
	About  string
	retry  int // seconds, for Retry-After; 0: none
}

// The kinds of problems: each is documented, and has its own type.
var (
	malformed    = &kind{"malformed", 400, "The request can't be read", "The body isn't JSON, or broke off. Nothing was changed, unless the detail says so.", 0}
	unauthorized = &kind{"unauthorized", 401, "A good key is needed", "There is no key in the request, or it is wrong, was revoked or has ended: the detail says which. Send `Authorization: Bearer ho_…`.", 0}
	forbidden    = &kind{"forbidden", 403, "The key may not do this", "The key lacks the scope that the operation needs, or its limits never allow it: another key's campaign, a country, more recipients than it may have in a day; or another site's page made a browser send the request.", 0}
	notFound     = &kind{"not-found", 404, "There is no such thing", "There is no such campaign, recipient or page, or the number isn't on the suppression list.", 0}
	tooSlow      = &kind{"too-slow", 408, "The body took too long", "Nothing of the body came for a minute. Nothing was changed, unless the detail says so; the same request again begins anew.", 0}
	otherContent = &kind{"other-content", 409, "It exists with other content", "The campaign's id, or the Idempotency-Key, was used before for something else. Nothing was changed.", 0}
	busy         = &kind{"busy", 409, "Another request is in the way", "Another upload of this campaign is under way, or has interfered with this one; or another decision about many of its recipients is being carried out. Make the same request again.", 5}
	wrongState   = &kind{"wrong-state", 409, "Its state doesn't allow it", "The campaign, or the recipient, is in a state in which this can't be done. Nothing was changed.", 0}
	stale        = &kind{"stale", 409, "It isn't as you believe", "The number expected isn't the one that is so by now. Nothing was changed: look again.", 0}
	ambiguous    = &kind{"ambiguous", 409, "Several recipients have this name", "Name one of them by its place in the list, as in 12.7; the places stand in the errors.", 0}
	changed      = &kind{"changed", 412, "It isn't the file that you have read", "The campaign file that waits isn't the one of If-Match; or it is another key's, and If-Match is needed. Nothing was changed: read the campaign again.", 0}
	limited      = &kind{"limited", 429, "The key may not do this now", "The key has used up what it may send in a day, or to one number in an hour. Nothing was sent; Retry-After says when it may go on.", 60}
	tooLarge     = &kind{"too-large", 413, "The body is too large", "A JSON body may have 1 MiB, a list 4 GiB.", 0}
	mediaType    = &kind{"media-type", 415, "The body's type isn't known", "Bodies are application/json; lists are text/csv or application/x-ndjson.", 0}
	invalid      = &kind{"invalid", 422, "The request can't be taken as it is", "Each field, or line of a list, stands in the errors. Nothing was changed.", 0}
	incomplete   = &kind{"incomplete", 422, "Some rows can't be taken", "The numbers of all other rows are on the suppression list. The bad rows' lines stand in the errors.", 0}
	internal     = &kind{"internal", 500, "Something is wrong here", "A fault of handout's own; its log says which.", 0}
	unavailable  = &kind{"unavailable", 503, "The ledger can't be reached", "Redis is away or starting. What was asked for may or may not have been done: make the same request again.", 5}

	kinds = []*kind{malformed, unauthorized, forbidden, notFound, tooSlow, otherContent, busy, wrongState, stale, ambiguous,
		changed, limited, tooLarge, mediaType, invalid, incomplete, internal, unavailable}
)

const problemType = "application/problem+json"

// document adds the kind to an operation's answers.
func (k *kind) document(op *huma.Operation, schema *huma.Schema) {
	status := strconv.Itoa(k.Status)
	r := op.Responses[status]
	if r == nil {
		r = &huma.Response{Content: map[string]*huma.MediaType{problemType: {Schema: schema}}}
		op.Responses[status] = r
	} else {
		r.Description += " "
	}
	r.Description += k.Title + ": " + k.About
	if k.retry > 0 {
		r.Headers = map[string]*huma.Header{"Retry-After": {
			Description: "seconds until the next try", Schema: &huma.Schema{Type: huma.TypeInteger},
		}}
	}
}

// problemError is a problem on its way to the client.
type problemError struct {
	Problem
	retry int
}

func problem(k *kind, detail string, faults ...Fault) *problemError {
	p := &problemError{retry: k.retry}
	p.Type, p.Title, p.Status, p.Detail = Prefix+"/docs#problem-"+k.Name, k.Title, k.Status, detail
	p.Errors, p.Count = faults[:min(len(faults), maxFaults)], len(faults)
	for i := range p.Errors {
		if f := &p.Errors[i]; k == invalid && f.Field == "" && f.Line == 0 {
			f.Field = "body" // as a whole
		}
	}
	return p
}

// notHere is the answer for paths that aren't there.
var notHere = problem(notFound, "there is nothing under this path for this method; see "+Prefix+"/docs")

func (p *problemError) Error() string  { return p.Title }
func (p *problemError) GetStatus() int { return p.Status }

// ContentType is the answer's media type, for huma.
func (p *problemError) ContentType(string) string { return problemType }

// GetHeaders are the answer's further headers, for huma.
func (p *problemError) GetHeaders() http.Header {
	h := http.Header{}
	p.headers(h)
	return h
}

func (p *problemError) headers(h http.Header) {
	if p.retry > 0 {
		h.Set("Retry-After", strconv.Itoa(p.retry))
	}
}

// write answers where huma doesn't.
func (p *problemError) write(w http.ResponseWriter) {
	p.headers(w.Header())
	w.Header().Set("Content-Type", problemType)
	if p.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", challenge(p))
	}
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p.Problem) // a client that hung up asks again
}

// challenge is RFC 6750's: it says that there was a key, and it wasn't good.
func challenge(p *problemError) string {
	if p.Detail == noKey {
		return `Bearer realm="handout"`
	}
	return `Bearer realm="handout", error="invalid_token"`
}

// fromHuma makes huma's own errors problems of ours. It leaves out the values
// that huma quotes, which may be phone numbers.
func fromHuma(ctx huma.Context, _ string, v any) (any, error) {
	switch e := v.(type) {
	case *problemError:
		return e.Problem, nil
	case *huma.ErrorModel:
		k := invalid
		for _, other := range []*kind{malformed, tooSlow, tooLarge, mediaType, internal} {
			if other.Status == e.Status {
				k = other
			}
		}
		if k == mediaType {
			r, _ := humago.Unwrap(ctx)
			return wrongType(r, "application/json").Problem, nil
		}
		faults := make([]Fault, 0, len(e.Errors))
		for _, d := range e.Errors {
			fault := inWords(field(d.Location), d.Message)
			if k == malformed || k == internal {
				fault.Message = strings.ToLower(k.Title) // the parser's own may quote
			}
			faults = append(faults, fault)
		}
		p := problem(k, "", faults...)
		if p.Status = e.Status; k == malformed && len(faults) == 0 {
			p.Detail = "a JSON body is needed"
		}
		return p.Problem, nil
	}
	return v, nil
}

// problem is the one switch from errors to what a client reads.
func (a *API) problem(ctx context.Context, err error) *problemError {
	var (
		p       *problemError
		own     *operations.Error
		faults  *producer.Faults
		read    *producer.ReadError
		tooLong *http.MaxBytesError
	)
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &faults):
		return faulty(faults, err)
	case errors.As(err, &tooLong):
		return problem(tooLarge, fmt.Sprintf("the list is longer than %s bytes", campaign.Number(int(tooLong.Limit))))
	case errors.As(err, &read) && errors.Is(err, os.ErrDeadlineExceeded):
		return problem(tooSlow, "the list stopped coming; nothing was sent")
	case errors.As(err, &read):
		return problem(malformed, "the list broke off; nothing was sent")
	case ctx.Err() != nil: // the client is gone
		return problem(unavailable, "")
	}
	k, ok := kindOf[operations.KindOf(err)]
	switch {
	case !ok:
		a.o.Logger.ErrorContext(ctx, "a request failed", "error", err)
		return problem(internal, "")
	case k == unavailable:
		a.o.Logger.WarnContext(ctx, "the ledger can't be reached", "error", err)
		return problem(unavailable, "")
	case k == invalid:
		f := Fault{Message: err.Error()}
		if errors.As(err, &own) {
			f.Field = own.Field
		}
		if errors.Is(err, producer.ErrNoKey) {
			f.Field = "Idempotency-Key"
		}
		return problem(invalid, "", f)
	}
	p = problem(k, err.Error())
	a.ops.TraceDenied(ctx, err)
	if until := operations.Until(err); k == limited && !until.IsZero() {
		p.retry = max(1, int(math.Ceil(time.Until(until).Seconds())))
	}
	if errors.As(err, &own) {
		if own.Field != "" && own.Places == nil {
			p.Errors = append(p.Errors, Fault{Field: own.Field, Message: own.Text})
		}
		for _, at := range own.Places {
			p.Errors = append(p.Errors, Fault{Field: "recipient", Message: at.Place.String() + " is " + at.State.String()})
		}
		p.Count = len(p.Errors)
	}
	return p
}

// kindOf is the problem that each kind of error is answered with.
var kindOf = map[operations.Kind]*kind{
	operations.NotFound: notFound, operations.WrongPhase: wrongState, operations.Stale: stale, operations.Refused: invalid,
	operations.OtherContent: otherContent, operations.Ambiguous: ambiguous, operations.Busy: busy, operations.Unavailable: unavailable,
	operations.Denied: forbidden, operations.Limited: limited, operations.Changed: changed,
}

// faulty is what is wrong in a campaign file or a list.
func faulty(f *producer.Faults, err error) *problemError {
	p := problem(invalid, "", listFaults(f.List)...)
	var own *operations.Error
	if errors.As(err, &own) {
		p.Detail = own.Text
	}
	p.Count = f.Total
	return p
}

// listFaults are a list's faults, or a campaign file's, whose messages begin
// with the field's path.
func listFaults(list []producer.Fault) []Fault {
	faults := make([]Fault, len(list))
	for i, f := range list {
		faults[i] = Fault{Line: f.Line, Column: f.Column, Message: f.Message}
		path, message, ok := strings.Cut(f.Message, ": ")
		if ok && !strings.ContainsAny(path, " \t") {
			faults[i].Field, faults[i].Message = path, message
		}
	}
	return faults
}
