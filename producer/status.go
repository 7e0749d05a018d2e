package producer

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/translate"
	"github.com/handout-dev/handout/ledger"
)

// Status is where a campaign stands at a moment.
type Status struct {
	ID     ID
	Phase  Phase
	Reason string // why it is paused, held or canceled, in words; else empty
	Total  int    // recipients
	// Balance is the recipients by state ([Balance.Of]), which add up to Total
	// unless the list is still being written; the delivered by channel (By), and
	// how many of them have read it (Read).
	Balance Balance
}

// Status reads where a campaign stands, in two round trips whatever its size.
// Errors: [ErrNotFound], and those of Redis.
func (c *Client) Status(ctx context.Context, id ID) (*Status, error) {
	info, err := c.ledger.Info(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("status of campaign %s: %w", id, err)
	}
	b, err := c.ledger.Balance(ctx, id)
	if err != nil {
		return nil, err
	}
	return &Status{ID: id, Phase: info.Phase, Reason: info.Reason, Total: info.Total, Balance: *b}, nil
}

// Outcome is one recipient, and what became of them.
type Outcome struct {
	Place     Place  // in the list
	Recipient string // the caller's own name for the person
	Phone     string // in E.164 form: keep it out of logs
	State     State
	// DeliveredBy is the channels that delivered, and Read whether one of them has
	// said that the message was read.
	DeliveredBy DeliveredBy
	// DeliveredByChannels are their names, in the order of the cascade.
	DeliveredByChannels []string
	// Channels are what Telesign said of each channel, in that order.
	Channels []ChannelLeg
	Read     bool
	Reason   string // why, in handout's words, then in Telesign's; may be empty
	Attempts int    // 0: never sent to
	// ClaimedAt is when the latest attempt began, and SettledAt when the outcome
	// was first known: whole seconds, the zero time for not yet.
	ClaimedAt, SettledAt time.Time
}

func newOutcome(info *campaign.Info, p Place, to *campaign.Recipient, r *campaign.Record) Outcome {
	legs := info.Spec.Legs(to, r)
	return Outcome{
		Place: p, Recipient: to.ID, Phone: to.Phone, State: r.State, DeliveredBy: r.DeliveredBy(), Read: r.Read(),
		DeliveredByChannels: campaign.DeliveredChannels(legs), Channels: legs,
		Reason: translate.Reason(r, legs), Attempts: r.Attempt, ClaimedAt: r.ClaimedAt, SettledAt: r.SettledAt,
	}
}

var errStopped = errors.New("the caller has stopped")

// Outcomes yields everyone in a campaign, in the order of the list and in memory
// that doesn't grow with it. Each is as it stands when it is read: a campaign that
// runs moves meanwhile. An error is the last that it yields: [ErrNotFound],
// [ErrPurged], ctx's own, and those of Redis.
func (c *Client) Outcomes(ctx context.Context, id ID) iter.Seq2[Outcome, error] {
	return func(yield func(Outcome, error) bool) {
		info, err := c.ledger.Info(ctx, id)
		if err == nil {
			err = c.ledger.EachPage(ctx, info, func(p *ledger.Page) error {
				for i := range p.Recipients {
					r := p.Record(i)
					if !yield(newOutcome(info, Place{Page: p.Number, Index: i}, &p.Recipients[i], &r), nil) {
						return errStopped
					}
				}
				return nil
			})
		}
		if err != nil && !errors.Is(err, errStopped) {
			yield(Outcome{}, fmt.Errorf("outcomes of campaign %s: %w", id, err))
		}
	}
}

// AmbiguousError means that several recipients have the name asked for.
type AmbiguousError struct{ Places []Place }

// Error names the places.
func (e *AmbiguousError) Error() string {
	return fmt.Sprintf("%s have this name: ask for one by its place, %v", campaign.Count(len(e.Places), "recipient"), e.Places)
}

// Person reads one recipient, by the place in the list, as in 12.7 (one page is
// read), or by the caller's own name for the person, or the phone number in E.164
// form (the whole list is). A text that is a place of the campaign is taken for
// one. Errors: [ErrNotFound], [*AmbiguousError], [ErrPurged], and those of Redis.
func (c *Client) Person(ctx context.Context, id ID, who string) (*Outcome, error) {
	info, err := c.ledger.Info(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("a person of campaign %s: %w", id, err)
	}
	if at, ok := campaign.ParsePlace(who); ok && info.Has(at) {
		found, err := c.ledger.Outcomes(ctx, id, []Place{at})
		if err != nil {
			return nil, err
		}
		o := newOutcome(info, at, &found[0].Recipient, &found[0].Record)
		return &o, nil
	}
	found, err := c.ledger.Find(ctx, info, who, true)
	if err != nil {
		return nil, fmt.Errorf("a person of campaign %s: %w", id, err)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("a person of campaign %s: %w", id, ErrNotFound)
	}
	if len(found) > 1 {
		several := new(AmbiguousError)
		for _, f := range found {
			several.Places = append(several.Places, f.Place)
		}
		return nil, several
	}
	o := newOutcome(info, found[0].Place, &found[0].Recipient, &found[0].Seen.Record)
	return &o, nil
}
