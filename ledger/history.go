package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/handout-dev/handout/campaign"
)

// maxHistory is how many lines of a history are kept, the latest.
const maxHistory = 1000

// Note adds a line to a campaign's history.
func (l *Ledger) Note(ctx context.Context, c campaign.ID, a campaign.Actor, at time.Time, verb, about string) error {
	if err := l.rdb.RPush(ctx, keyHistory(c), a.Entry(at, verb, about).Encode()).Err(); err != nil {
		return fmt.Errorf("write the history of campaign %s: %w", c, err)
	}
	if err := l.rdb.LTrim(ctx, keyHistory(c), -maxHistory, -1).Err(); err != nil {
		return fmt.Errorf("write the history of campaign %s: %w", c, err)
	}
	return nil
}

// History reads a campaign's history, the earliest line first.
func (l *Ledger) History(ctx context.Context, c campaign.ID) ([]campaign.Entry, error) {
	lines, err := l.rdb.LRange(ctx, keyHistory(c), -maxHistory, -1).Result()
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
