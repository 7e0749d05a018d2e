package ledger

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"encoding/json"
	"time"

	"github.com/handout-dev/handout/campaign"
)

// maxAttempts is how many earlier attempts of a recipient are kept; lua/apply.lua
// has the number, too.
const maxAttempts = 20

// Attempts returns the records of a recipient's earlier attempts, the first one
// first, as they stood when another attempt was asked for or made. seen is the
// recipient's record. The latest 20 are kept.
func (l *Ledger) Attempts(ctx context.Context, c *campaign.Info, p campaign.Place, seen *campaign.Record) ([]campaign.Record, error) {
	last := seen.Attempt - 1
	if seen.Reason == campaign.ReasonResent {
		last = seen.Attempt // asked for, and not made yet
	}
	if last < 1 {
		return nil, nil
	}
	var fields []string
	for n := max(1, last-maxAttempts+1); n <= last; n++ {
		fields = append(fields, strconv.Itoa(p.Index)+"."+strconv.Itoa(n))
	}
	stored, err := l.rdb.HMGet(ctx, l.keys.past(c.ID, p.Page), fields...).Result()
	if err != nil {
		return nil, fmt.Errorf("read earlier attempts of recipient %s of campaign %s: %w", p, c.ID, err)
	}
	var past []campaign.Record
	for _, s := range stored {
		raw, _ := s.(string)
		if raw == "" {
			continue
		}
		r, err := campaign.DecodeRecord([]byte(raw))
		if err != nil {
			return nil, fmt.Errorf("earlier attempt of recipient %s of campaign %s: %w", p, c.ID, err)
		}
		past = append(past, r)
	}
	return slices.Clip(past), nil
}

// maxHistory is how many lines of a history are kept, the latest.
const maxHistory = 1000

// Note adds a line to a campaign's history.
func (l *Ledger) Note(ctx context.Context, c campaign.ID, a campaign.Actor, at time.Time, verb, about string) error {
	if err := l.rdb.RPush(ctx, l.keys.history(c), a.Entry(at, verb, about).Encode()).Err(); err != nil {
		return fmt.Errorf("write the history of campaign %s: %w", c, err)
	}
	if err := l.rdb.LTrim(ctx, l.keys.history(c), -maxHistory, -1).Err(); err != nil {
		return fmt.Errorf("write the history of campaign %s: %w", c, err)
	}
	return nil
}

// History reads a campaign's history, the earliest line first.
func (l *Ledger) History(ctx context.Context, c campaign.ID) ([]campaign.Entry, error) {
	lines, err := l.rdb.LRange(ctx, l.keys.history(c), -maxHistory, -1).Result()
	if err != nil {
		return nil, fmt.Errorf("read the history of campaign %s: %w", c, err)
	}
	entries := make([]campaign.Entry, len(lines))
	for i, line := range lines {
		if err := json.Unmarshal([]byte(line), &entries[i]); err != nil {
			return nil, fmt.Errorf("read the history of campaign %s: line %d: %w", c, i, err)
		}
	}
	return entries, nil
}
