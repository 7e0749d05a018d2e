package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/producer"
)

// problem is the one switch on errors: what a client is told.
func (a *API) problem(ctx context.Context, err error) *problemError {
	var (
		p         *problemError
		faults    *producer.Faults
		other     *producer.OtherContentError
		read      *producer.ReadError
		phase     *campaign.PhaseError
		purged    *campaign.PurgedError
		refused   *campaign.TransitionError
		tooLong   *http.MaxBytesError
		unhealthy = errors.Is(err, io.EOF) || errors.Is(err, redis.ErrClosed) || errors.Is(err, redis.ErrPoolTimeout)
	)
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &faults):
		return faulty(faults)
	case errors.As(err, &tooLong):
		return problem(tooLarge, fmt.Sprintf("the list is longer than %d bytes", tooLong.Limit))
	case errors.As(err, &read) && errors.Is(err, os.ErrDeadlineExceeded):
		return problem(tooSlow, "the list stopped coming; nothing was sent")
	case errors.As(err, &read):
		return problem(malformed, "the list broke off; nothing was sent")
	case errors.Is(err, producer.ErrEmptyList):
		return problem(invalid, "", Fault{Message: err.Error()})
	case errors.As(err, &other), errors.Is(err, ledger.ErrOtherContent), errors.Is(err, ledger.ErrOtherProposal):
		return problem(otherContent, err.Error())
	case errors.Is(err, producer.ErrNotRereadable):
		return problem(busy, "another upload has interfered; make the same request again")
	case errors.Is(err, ledger.ErrRetrying):
		return problem(busy, err.Error())
	case errors.As(err, &phase), errors.As(err, &purged), errors.As(err, &refused), errors.Is(err, campaign.ErrCanceled),
		errors.Is(err, ledger.ErrKeysNeeded):
		return problem(wrongState, err.Error())
	case errors.Is(err, ledger.ErrSteered):
		return problem(stale, err.Error())
	case errors.Is(err, ledger.ErrNotFound):
		return problem(notFound, "")
	case ctx.Err() != nil: // whoever asked is gone
		return problem(unavailable, "")
	case unhealthy || isRedis(err) || isNet(err) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled):
		a.o.Logger.WarnContext(ctx, "the ledger can't be reached", "error", err)
		return problem(unavailable, "")
	}
	a.o.Logger.ErrorContext(ctx, "a request failed", "error", err)
	return problem(internal, "")
}

func isRedis(err error) bool {
	var answer redis.Error
	return errors.As(err, &answer)
}

func isNet(err error) bool {
	var n net.Error
	return errors.As(err, &n)
}

// fail is problem as an error for huma.
func (a *API) fail(ctx context.Context, err error) error { return a.problem(ctx, err) }

// faulty is what is wrong in a campaign file or a list.
func faulty(f *producer.Faults) *problemError {
	p := problem(invalid, fmt.Sprintf("nothing was sent; faults: %d", f.Total), listFaults(f.List)...)
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
