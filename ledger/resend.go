package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/handout-dev/handout/campaign"
)

// Found is one recipient of a campaign with what became of them.
type Found struct {
	Place     campaign.Place
	Recipient campaign.Recipient
	Seen      Seen
}

// Find looks a recipient up by the caller's own name for them, by the phone
// number in E.164 form, or by the place in the list, as in 12.7. It reads the
// whole list; several recipients may have one name.
func (l *Ledger) Find(ctx context.Context, c *campaign.Info, who string) ([]Found, error) {
	var found []Found
	err := l.EachPage(ctx, c, func(p *Page) error {
		for i, r := range p.Recipients {
			at := campaign.Place{Page: p.Number, Index: i}
			if r.ID == who || r.Phone == who || at.String() == who {
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

// Resend asks for another attempt at a recipient who is in doubt, failed,
// refused or unconfirmed, and says so in the campaign's history. Who is in
// doubt, or unconfirmed, may get the file twice by it: that is for a person, or
// the campaign's on_doubt, to decide. One who is to be sent to again already is
// left alone.
func (l *Ledger) Resend(ctx context.Context, c *campaign.Info, p campaign.Place, seen Seen, a campaign.Actor, now time.Time) (Seen, error) {
	if err := c.Resendable(); err != nil {
		return seen, err
	}
	return l.decide(ctx, c, p, seen, campaign.Event{Kind: campaign.EventResend, At: now}, a, "resent")
}

// AcceptAsSent takes a recipient who is in doubt for sent to, by a person's
// decision, and says so in the campaign's history: unconfirmed, until a receipt
// says more. One for whom that was decided before is left alone.
//
// Errors: *TransitionError, *PurgedError (nothing changed); with any other the
// change may or may not have been made.
func (l *Ledger) AcceptAsSent(ctx context.Context, c *campaign.Info, p campaign.Place, seen Seen, a campaign.Actor, now time.Time) (Seen, error) {
	if err := c.Gone(); err != nil {
		return seen, err
	}
	return l.decide(ctx, c, p, seen, campaign.Event{Kind: campaign.EventAcceptAsSent, At: now}, a, verbAcceptedAsSent)
}

const verbAcceptedAsSent = "accepted as sent"

// decide lets a person's decision about one recipient happen.
func (l *Ledger) decide(ctx context.Context, c *campaign.Info, p campaign.Place, seen Seen, e campaign.Event, a campaign.Actor, verb string) (Seen, error) {
	next, err := campaign.Next(seen.Record, e.BoundTo(&seen.Record))
	if err != nil || next == seen.Record {
		return l.Apply(ctx, c, p, seen, e) // which tells whether this still stands
	}
	// The line first: nothing is done of which the history doesn't know.
	if err := l.Note(ctx, c.ID, a, e.At, verb, "recipient "+p.String()); err != nil {
		return seen, err
	}
	return l.Apply(ctx, c, p, seen, e)
}
