package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/handout-dev/handout/campaign"
)

// Feed is how far a campaign has been handed to the queue.
type Feed struct {
	Phase  campaign.Phase
	Cursor int   // recipients handed to the queue
	ByZone []int // the same for each of Info.Zones: its first ones
}

// Feed reads how far the campaign has been fed.
func (l *Ledger) Feed(ctx context.Context, c *campaign.Info) (*Feed, error) {
	v, err := l.rdb.HMGet(ctx, l.keys.meta(c.ID), feedFields...).Result()
	if err != nil {
		return nil, fmt.Errorf("read the feed of campaign %s: %w", c.ID, err)
	}
	return parseFeed(c, v)
}

var feedFields = []string{fieldState, fieldCursor, fieldFed}

// parseFeed reads the values of feedFields.
func parseFeed(c *campaign.Info, v []any) (*Feed, error) {
	state, ok := v[0].(string)
	if !ok {
		return nil, fmt.Errorf("campaign %s: %w", c.ID, ErrNotFound)
	}
	f := &Feed{Phase: campaign.Phase(state)}
	if s, ok := v[1].(string); ok {
		var err error
		if f.Cursor, err = strconv.Atoi(s); err != nil {
			return nil, fmt.Errorf("campaign %s: cursor: not a number", c.ID)
		}
	}
	if len(c.Zones) == 1 {
		f.ByZone = []int{f.Cursor}
		return f, nil
	}
	f.ByZone = make([]int, len(c.Zones))
	if s, ok := v[2].(string); ok {
		if err := json.Unmarshal([]byte(s), &f.ByZone); err != nil || len(f.ByZone) != len(c.Zones) {
			return nil, fmt.Errorf("campaign %s: fed: not a number for each of %d zones", c.ID, len(c.Zones))
		}
	}
	return f, nil
}

// Advance moves the feed from a cursor to so many recipients of each zone, once
// the tasks of those in between are in the queue, and has settle look at their
// pages at due. It returns false, and does nothing, when the cursor stands
// elsewhere: another worker has fed since it was read.
func (l *Ledger) Advance(ctx context.Context, c campaign.ID, from int, byZone, pages []int, due time.Time) (bool, error) {
	to, fed := 0, []byte(nil)
	for _, n := range byZone {
		to += n
	}
	if len(byZone) > 1 { // else the cursor tells
		var err error
		if fed, err = json.Marshal(byZone); err != nil {
			return false, fmt.Errorf("advance campaign %s: %w", c, err)
		}
	}
	args := []any{strconv.Itoa(from), to, fed, due.UnixMilli()}
	for _, p := range pages {
		args = append(args, p)
	}
	n, err := advanceScript.Run(ctx, l.rdb, []string{l.keys.meta(c), l.keys.due(c)}, args...).Int()
	if err != nil {
		return false, fmt.Errorf("advance campaign %s: %w", c, err)
	}
	return n == 1, nil
}
