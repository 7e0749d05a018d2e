package campaign

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// Glance is what can be seen of a campaign in passing.
type Glance struct {
	ID         ID
	Phase      Phase
	FinishedAt time.Time // when it was done; zero if it isn't
	InDoubt    int       // recipients
}

// glanceBatch is how many campaigns travel in one call.
const glanceBatch = 200

// Glances looks at campaigns in passing, in few round trips; those that aren't
// there are left out.
func (l *Ledger) Glances(ctx context.Context, campaigns []ID) ([]Glance, error) {
	all := make([]Glance, 0, len(campaigns))
	for first := 0; first < len(campaigns); first += glanceBatch {
		batch := campaigns[first:min(len(campaigns), first+glanceBatch)]
		metas, counts := make([]*redis.SliceCmd, len(batch)), make([]*redis.SliceCmd, len(batch))
		_, err := l.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i, c := range batch {
				metas[i] = p.HMGet(ctx, keyMeta(c), fieldState, fieldFinished)
				counts[i] = p.HMGet(ctx, keyCounts(c), InDoubt.String())
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
			g := Glance{ID: c, Phase: Phase(state)}
			if ms := number(metas[i].Val()[1]); ms > 0 && g.Phase == Done {
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

// Phases are all phases, in the order of a campaign's life.
func Phases() []Phase { return []Phase{Draft, Running, Paused, Held, Ended, Settling, Done} }
