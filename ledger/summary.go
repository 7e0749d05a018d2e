package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
)

// Summary is what a list shows of a campaign.
type Summary struct {
	// Info has the phase, the reason, the total and the times, and no spec.
	campaign.Info
	Account string // its name
	Balance campaign.Balance
	InDoubt int // recipients
}

// summaryBatch is how many campaigns travel in one call.
const summaryBatch = 200

var summaryFields = []string{fieldState, fieldReason, fieldTotal, fieldCreated, fieldStarted, fieldFinished, fieldStartAt, fieldPurged, fieldOwner, fieldAccount}

// Summaries reads campaigns in few round trips, and leaves out those that aren't
// there.
func (l *Ledger) Summaries(ctx context.Context, campaigns []campaign.ID) ([]Summary, error) {
	all := make([]Summary, 0, len(campaigns))
	for first := 0; first < len(campaigns); first += summaryBatch {
		batch := campaigns[first:min(len(campaigns), first+summaryBatch)]
		metas, counts := make([]*redis.SliceCmd, len(batch)), make([]*redis.SliceCmd, len(batch))
		_, err := l.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i, c := range batch {
				metas[i] = p.HMGet(ctx, l.keys.meta(c), summaryFields...)
				counts[i] = p.HMGet(ctx, l.keys.counts(c), campaign.CounterNames[:]...)
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("look at %d campaigns: %w", len(batch), err)
		}
		for i, c := range batch {
			v := metas[i].Val()
			state, ok := v[0].(string)
			if !ok {
				continue
			}
			b, err := campaign.ParseBalance(counts[i].Val())
			if err != nil {
				return nil, fmt.Errorf("read counts of campaign %s: %w", c, err)
			}
			reason, _ := v[1].(string)
			owner, _ := v[8].(string)
			account, _ := v[9].(string)
			all = append(all, Summary{
				Info: campaign.Info{
					ID: c, Owner: owner, Phase: campaign.Phase(state), Reason: reason, Total: int(number(v[2])), CreatedAt: moment(v[3]),
					StartedAt: moment(v[4]), FinishedAt: moment(v[5]), StartAt: moment(v[6]), PurgedAt: moment(v[7]),
				},
				Account: cmp.Or(account, campaign.DefaultAccount), Balance: *b, InDoubt: b.Of(campaign.InDoubt),
			})
		}
	}
	return all, nil
}

// number reads a value of a hash; 0 when there is none.
func number(v any) int64 {
	s, _ := v.(string)
	n, _ := strconv.ParseInt(s, 10, 64)
	return n
}

// moment reads a time in a hash; zero when there is none.
func moment(v any) time.Time {
	if ms := number(v); ms > 0 {
		return time.UnixMilli(ms).UTC()
	}
	return time.Time{}
}

// CampaignsAfter lists up to n campaigns that are older than one, the newest
// first; from the newest on if after is empty. ErrNotFound when that one isn't there.
func (l *Ledger) CampaignsAfter(ctx context.Context, after campaign.ID, n int) ([]campaign.ID, error) {
	names, err := afterScript.Run(ctx, l.rdb, []string{l.keys.campaigns()}, string(after), n).StringSlice()
	if errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("campaign %s: %w", after, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("list campaigns: %w", err)
	}
	return toIDs(names), nil
}

// CampaignsAt lists up to n campaigns from a position on, the newest first, and
// returns how many there are.
func (l *Ledger) CampaignsAt(ctx context.Context, from, n int) (ids []campaign.ID, all int, err error) {
	var names *redis.StringSliceCmd
	var total *redis.IntCmd
	_, err = l.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		names = p.ZRevRange(ctx, l.keys.campaigns(), int64(from), int64(from+n-1))
		total = p.ZCard(ctx, l.keys.campaigns())
		return nil
	})
	if err != nil {
		return nil, 0, fmt.Errorf("list campaigns: %w", err)
	}
	return toIDs(names.Val()), int(total.Val()), nil
}
