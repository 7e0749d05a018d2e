package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/producer"
)

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
		return problem(tooLarge, fmt.Sprintf("the list is longer than %d bytes", tooLong.Limit))
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
		return problem(invalid, "", f)
	}
	p = problem(k, err.Error())
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
