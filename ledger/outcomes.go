package ledger

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
)

// Outcome is a recipient with their record.
type Outcome struct {
	Place     campaign.Place
	Recipient campaign.Recipient
	Record    campaign.Record
}

// Outcomes reads recipients with their records in one round trip, in the order of
// the places.
// Errors: *PurgedError.
func (l *Ledger) Outcomes(ctx context.Context, c campaign.ID, places []campaign.Place) ([]Outcome, error) {
	pages := make(map[int]*redis.StringCmd)
	records := make([]*redis.StringCmd, len(places))
	_, err := l.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, at := range places {
			if pages[at.Page] == nil {
				pages[at.Page] = p.Get(ctx, l.keys.page(c, at.Page))
			}
			records[i] = p.HGet(ctx, l.keys.records(c, at.Page), strconv.Itoa(at.Index))
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("read %d recipients of campaign %s: %w", len(places), c, err)
	}
	lists := make(map[int][]campaign.Recipient, len(pages))
	for n, page := range pages {
		b, err := page.Bytes()
		if errors.Is(err, redis.Nil) {
			return nil, l.missing(ctx, c, n)
		}
		if err != nil {
			return nil, fmt.Errorf("read page %d of campaign %s: %w", n, c, err)
		}
		if lists[n], err = l.decode(ctx, c, n, b); err != nil {
			return nil, err
		}
	}
	all := make([]Outcome, 0, len(places))
	for i, at := range places {
		if at.Index >= len(lists[at.Page]) {
			return nil, fmt.Errorf("recipient %s of campaign %s: %w", at, c, ErrNotFound)
		}
		raw, err := records[i].Result()
		if errors.Is(err, redis.Nil) {
			err = nil // planned
		}
		var seen Seen
		if err == nil {
			seen, err = decodeSeen(raw)
		}
		if err != nil {
			return nil, fmt.Errorf("recipient %s of campaign %s: %w", at, c, err)
		}
		all = append(all, Outcome{Place: at, Recipient: lists[at.Page][at.Index], Record: seen.Record})
	}
	return all, nil
}
