package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

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
	v, err := l.rdb.HMGet(ctx, keyMeta(c.ID), fieldState, fieldCursor, fieldFed).Result()
	if err != nil {
		return nil, fmt.Errorf("read the feed of campaign %s: %w", c.ID, err)
	}
	state, ok := v[0].(string)
	if !ok {
		return nil, fmt.Errorf("campaign %s: %w", c.ID, ErrNotFound)
	}
	f := &Feed{Phase: campaign.Phase(state)}
	if s, ok := v[1].(string); ok {
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
	n, err := advanceScript.Run(ctx, l.rdb, []string{keyMeta(c), keyDue(c)}, args...).Int()
	if err != nil {
		return false, fmt.Errorf("advance campaign %s: %w", c, err)
	}
	return n == 1, nil
}

// DuePage is a page that settle must look at.
type DuePage struct {
	Page int
	At   time.Time
}

// Due lists up to limit pages that settle must look at by now, the longest due
// first; -1 is no limit.
func (l *Ledger) Due(ctx context.Context, c campaign.ID, now time.Time, limit int) ([]DuePage, error) {
	z, err := l.rdb.ZRangeByScoreWithScores(ctx, keyDue(c), &redis.ZRangeBy{
		Min: "-inf", Max: strconv.FormatInt(now.UnixMilli(), 10), Count: int64(limit),
	}).Result()
	if err != nil {
		return nil, fmt.Errorf("list due pages of campaign %s: %w", c, err)
	}
	pages := make([]DuePage, 0, len(z))
	for _, e := range z {
		name, _ := e.Member.(string)
		page, err := strconv.Atoi(name)
		if err != nil {
			return nil, fmt.Errorf("list due pages of campaign %s: %q isn't a page", c, name)
		}
		pages = append(pages, DuePage{Page: page, At: time.UnixMilli(int64(e.Score))})
	}
	return pages, nil
}

// NextDue is when settle must look at a page next; the zero time when no page
// has anything left to do.
func (l *Ledger) NextDue(ctx context.Context, c campaign.ID) (time.Time, error) {
	z, err := l.rdb.ZRangeWithScores(ctx, keyDue(c), 0, 0).Result()
	if err != nil {
		return time.Time{}, fmt.Errorf("next due page of campaign %s: %w", c, err)
	}
	if len(z) == 0 {
		return time.Time{}, nil
	}
	return time.UnixMilli(int64(z[0].Score)), nil
}

// SetDue puts off a page that was due; the zero time: nothing is left to do in
// it. It returns false, and does nothing, when the page's time isn't d.At any
// more: it has been called since.
func (l *Ledger) SetDue(ctx context.Context, c campaign.ID, d DuePage, next time.Time) (bool, error) {
	at := ""
	if !next.IsZero() {
		at = strconv.FormatInt(next.UnixMilli(), 10)
	}
	n, err := dueScript.Run(ctx, l.rdb, []string{keyDue(c)}, d.Page, d.At.UnixMilli(), at).Int()
	if err != nil {
		return false, fmt.Errorf("put off page %d of campaign %s: %w", d.Page, c, err)
	}
	return n == 1, nil
}

// CallDue has settle look at pages no later than at. A visit that has read a
// page before the call can't put it off by SetDue any more.
func (l *Ledger) CallDue(ctx context.Context, c campaign.ID, at time.Time, pages ...int) error {
	if len(pages) == 0 {
		return nil
	}
	args := make([]any, 0, 1+len(pages))
	args = append(args, at.UnixMilli())
	for _, p := range pages {
		args = append(args, p)
	}
	if err := callScript.Run(ctx, l.rdb, []string{keyDue(c)}, args...).Err(); err != nil {
		return fmt.Errorf("call pages of campaign %s: %w", c, err)
	}
	return nil
}
