package campaign

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Found is one recipient of a campaign with what became of them.
type Found struct {
	Place     Place
	Recipient Recipient
	Seen      Seen
}

// Find looks a recipient up by the caller's own name for them, by the phone
// number in E.164 form, or by the place in the list, as in 12.7. It reads the
// whole list; several recipients may have one name.
func (l *Ledger) Find(ctx context.Context, c *Info, who string) ([]Found, error) {
	var found []Found
	err := l.EachPage(ctx, c, func(p *Page) error {
		for i, r := range p.Recipients {
			at := Place{Page: p.Number, Index: i}
			if r.ID == who || r.Phone == who || fmt.Sprintf("%d.%d", at.Page, at.Index) == who {
				found = append(found, Found{at, r, p.Records[i]})
			}
		}
		return nil
	})
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("recipient: %w", ErrNotFound)
	}
	return found, err
}

// ErrCanceled means that the campaign was canceled: nobody in it is sent to
// again.
var ErrCanceled = errors.New("the campaign was canceled")

// Resend asks for another attempt at a recipient who is in doubt, failed,
// refused or unconfirmed. Who is in doubt, or unconfirmed, may get the file
// twice by it: that is for a person, or the campaign's on_doubt, to decide.
func (l *Ledger) Resend(ctx context.Context, c *Info, p Place, seen Seen, now time.Time) (Seen, error) {
	if c.Canceled {
		return seen, fmt.Errorf("campaign %s: %w", c.ID, ErrCanceled)
	}
	return l.Apply(ctx, c, p, seen, Event{Kind: EventResend, At: now})
}

// ResendAll asks for another attempt at everyone in this state, and returns at
// how many. It may be interrupted and called again: who was asked for already
// is in another state.
func (l *Ledger) ResendAll(ctx context.Context, c *Info, state State, now time.Time, progress func(n int)) (int, error) {
	n := 0
	err := l.EachPage(ctx, c, func(p *Page) error {
		for i, seen := range p.Records {
			if seen.Record.State != state {
				continue
			}
			_, err := l.Resend(ctx, c, Place{Page: p.Number, Index: i}, seen, now)
			var refused *TransitionError
			switch {
			case errors.As(err, &refused): // settled meanwhile
			case err != nil:
				return err
			default:
				n++
			}
		}
		if progress != nil {
			progress(n)
		}
		return nil
	})
	return n, err
}
