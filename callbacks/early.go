package callbacks

import (
	"context"
	"errors"
	"time"

	"github.com/handout-dev/handout/internal/references"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/telesign"
)

const (
	earlyLook    = time.Second
	maxEarlyWait = 10 * time.Minute
	earlyBatch   = 500
	// stuckLook is the delay until a reference that can't be replayed is tried again.
	stuckLook = time.Minute
)

// keep stores a receipt, with its signers, for an unknown reference.
func (l *Listener) keep(ctx context.Context, r telesign.Receipt, body []byte) (string, error) {
	kept, err := l.references.KeepEarly(ctx, r.Reference, body, time.Now())
	if err == nil && !kept {
		return resultDropped, nil
	}
	return resultEarly, err
}

// Run replays early receipts, and looks up STOPs without a number, until ctx is done.
func (l *Listener) Run(ctx context.Context) {
	ticker := time.NewTicker(earlyLook)
	defer ticker.Stop()
	var resolved time.Time
	for {
		if now := time.Now(); now.Sub(resolved) >= resolveEvery {
			resolved = now
			if err := l.resolve(ctx, now); err != nil && ctx.Err() == nil {
				l.log.Warn("look up STOPs without a number", "error", err)
			}
		}
		if err := l.replay(ctx, time.Now()); err != nil && ctx.Err() == nil {
			l.log.Warn("replay early receipts", "error", err)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// replay looks up the references that are due.
func (l *Listener) replay(ctx context.Context, now time.Time) error {
	due, err := l.references.EarlyDue(ctx, now, earlyBatch)
	if err != nil {
		return err
	}
	// A reference that can't be replayed doesn't hold up the others.
	var errs []error
	for _, e := range due {
		if err := l.replayOne(ctx, e, now); err != nil {
			errs = append(errs, err)
			if err := l.references.PutOffEarly(ctx, e, now.Add(stuckLook)); err != nil {
				break // Redis is away
			}
		}
	}
	return errors.Join(errs...)
}

func (l *Listener) replayOne(ctx context.Context, e references.Early, now time.Time) error {
	to, err := l.findReference(ctx, e.Reference)
	unknown := errors.Is(err, ledger.ErrNotFound)
	if err != nil && !unknown {
		return err
	}
	bodies, age, err := l.references.EarlyReceipts(ctx, e.Reference)
	switch {
	case err != nil:
		return err
	case unknown && len(bodies) == 0: // a day has passed
		l.receipts.WithLabelValues(resultDropped).Inc()
		return l.references.PutOffEarly(ctx, e, time.Time{})
	case unknown:
		// The longer it has waited, the less likely it is to become known.
		return l.references.PutOffEarly(ctx, e, now.Add(min(max(earlyLook, age), maxEarlyWait)))
	}
	for _, text := range bodies {
		by, body := kept(text)
		r, err := telesign.ParseReceipt(body)
		if err != nil {
			return err // it was parsed when it was kept
		}
		result := resultForeign
		if by.speakFor(to.info) {
			if result, err = l.apply(ctx, to, r); err != nil {
				return err
			}
		}
		l.receipts.WithLabelValues(result).Inc()
		if err := l.references.DropEarly(ctx, e.Reference, text); err != nil {
			return err
		}
	}
	return l.references.PutOffEarly(ctx, e, time.Time{})
}
