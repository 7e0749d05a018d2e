package ledger

import (
	"context"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
)

// Receive applies an event to a recipient whose record the caller hasn't read: the
// records of a whole batch are read together. It returns nil, and has changed
// nothing, when the record needs [Ledger.ReadRecord] and [Ledger.Apply]: it refuses
// the event, has it already, doesn't have its attempt, must be made active again, or
// has just changed. Calling it twice does no harm.
//
// The errors are those of Apply.
func (l *Ledger) Receive(ctx context.Context, c *campaign.Info, p campaign.Place, e campaign.Event) (*Received, error) {
	ch := &change{campaign: c, place: p, event: &e}
	answer, err := l.set(ctx, ch, 0)
	if err != nil || ch.event != nil {
		return nil, err
	}
	stands, made, err := ch.outcome(answer)
	if err != nil || !made {
		return nil, err
	}
	return &Received{ch.was, stands.Record}, nil
}

// Received is what a receipt has made of a record.
type Received struct {
	Was campaign.State
	campaign.Record
}

// workOut reads the records of the changes that have only an event so far, and
// computes what they become. It returns the changes to be made: the others have their
// error, or stay as they are.
func (l *Ledger) workOut(ctx context.Context, batch []*change) []*change {
	type page struct {
		campaign campaign.ID
		number   int
	}
	pages := make(map[page][]*change)
	for _, ch := range batch {
		if ch.event != nil {
			at := page{ch.campaign.ID, ch.place.Page}
			pages[at] = append(pages[at], ch)
		}
	}
	if len(pages) == 0 {
		return batch
	}
	read := make(map[page]*redis.SliceCmd, len(pages))
	_, err := l.rdb.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for at, changes := range pages {
			fields := make([]string, len(changes))
			for i, ch := range changes {
				fields[i] = strconv.Itoa(ch.place.Index)
			}
			read[at] = pipe.HMGet(ctx, l.keys.records(at.campaign, at.number), fields...)
		}
		return nil
	})
	for at, changes := range pages {
		for i, ch := range changes {
			if err != nil {
				ch.err = fmt.Errorf("read a record of campaign %s: %w", at.campaign, err)
				continue
			}
			raw, _ := read[at].Val()[i].(string)
			ch.err = ch.see(raw)
		}
	}
	rest := batch[:0:0]
	for _, ch := range batch {
		if ch.event == nil {
			rest = append(rest, ch)
		}
	}
	return rest
}

// see computes what becomes of the record that stands, unless Receive must return
// nil.
func (ch *change) see(raw string) error {
	seen, err := decodeSeen(raw)
	if err != nil {
		return fmt.Errorf("%s: %w", ch, err)
	}
	e := ch.event.BoundTo(&seen.Record)
	if e.Attempt > seen.Record.Attempt {
		return nil
	}
	next, refused := campaign.Next(seen.Record, e)
	if refused != nil {
		return nil
	}
	ch.become(seen, next, e)
	if ch.new != ch.old && ch.call.IsZero() {
		ch.event = nil
	}
	return nil
}
