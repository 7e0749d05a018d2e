package ledger

import (
	"context"
	"errors"
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

// maxFound is how many recipients of one name [Ledger.Find] looks for: the second
// says that the name doesn't decide.
const maxFound = 2

// Find returns the first two recipients of this name, or with numbers of this
// phone number in E.164 form, in the order of the list; none: there is no such
// recipient. It reads the list up to the second one, and their records alone.
func (l *Ledger) Find(ctx context.Context, c *campaign.Info, who string, numbers bool) ([]Found, error) {
	var found []Found
	err := l.eachStored(ctx, c, 0, scanPages, false, func(page int, list []byte, _ map[string]string) error {
		recipients, err := campaign.DecodePageWith(list, who)
		if err != nil {
			return fmt.Errorf("page %d of campaign %s: %w", page, c.ID, err)
		}
		for i, r := range recipients {
			if len(found) < maxFound && (r.ID == who || (numbers && r.Phone == who)) {
				found = append(found, Found{Place: campaign.Place{Page: page, Index: i}, Recipient: r})
			}
		}
		if len(found) == maxFound {
			return errEnough
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, err
	}
	for i := range found {
		if found[i].Seen, err = l.ReadRecord(ctx, c, found[i].Place); err != nil {
			return nil, err
		}
	}
	return found, nil
}

var errEnough = errors.New("enough")

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
