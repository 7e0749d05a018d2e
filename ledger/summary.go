package ledger

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
)

// Summary is what can be seen of a campaign in passing.
type Summary struct {
	ID         campaign.ID
	Phase      campaign.Phase
	FinishedAt time.Time // when it was done; zero if it isn't
	InDoubt    int       // recipients
}

// summaryBatch is how many campaigns travel in one call.
const summaryBatch = 200

// Summaries looks at campaigns in passing, in few round trips; those that aren't
// there are left out.
func (l *Ledger) Summaries(ctx context.Context, campaigns []campaign.ID) ([]Summary, error) {
	all := make([]Summary, 0, len(campaigns))
	for first := 0; first < len(campaigns); first += summaryBatch {
		batch := campaigns[first:min(len(campaigns), first+summaryBatch)]
		metas, counts := make([]*redis.SliceCmd, len(batch)), make([]*redis.SliceCmd, len(batch))
		_, err := l.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i, c := range batch {
				metas[i] = p.HMGet(ctx, keyMeta(c), fieldState, fieldFinished)
				counts[i] = p.HMGet(ctx, keyCounts(c), campaign.InDoubt.String())
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("look at %d campaigns: %w", len(batch), err)
		}
		for i, c := range batch {
			state, ok := metas[i].Val()[0].(string)
			if !ok {
				continue
			}
			g := Summary{ID: c, Phase: campaign.Phase(state)}
			if ms := number(metas[i].Val()[1]); ms > 0 && g.Phase == campaign.Done {
				g.FinishedAt = time.UnixMilli(ms).UTC()
			}
			g.InDoubt = int(number(counts[i].Val()[0]))
			all = append(all, g)
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
