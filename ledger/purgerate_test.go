package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/test/campaigntest"
)

// errDied is what a process gets that dies: it does nothing more.
var errDied = errors.New("the process has died")

// breakpoint runs something before the call with this number, from 0 on, and may
// let the process die there.
type breakpoint struct {
	at, calls int
	run       func()
	die       bool
}

func (b *breakpoint) call(do func() error) error {
	n := b.calls
	b.calls++
	if n == b.at {
		b.run()
	}
	if b.die && n >= b.at {
		return errDied
	}
	return do()
}

func (b *breakpoint) DialHook(next redis.DialHook) redis.DialHook { return next }

func (b *breakpoint) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := b.call(func() error { return next(ctx, cmd) })
		if errors.Is(err, errDied) {
			cmd.SetErr(err)
		}
		return err
	}
}

func (b *breakpoint) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		return b.call(func() error { return next(ctx, cmds) })
	}
}

// Rates stand in another slot of a cluster than their campaigns, so that no script
// sees both: a purge may run between any two calls of a change, and a change
// between any two calls of a purge; and either may die there.
func TestSetRate_LeavesNothingWheneverThePurgeRuns(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	for _, die := range []bool{false, true} {
		for _, outer := range []string{"a change", "a purge"} {
			for at, over := 0, false; !over; at++ {
				id := campaign.ID(fmt.Sprintf("c-%t-%s-%d", die, outer[2:], at))
				c := b.ended(t, id, 1, nil)
				rdb := redis.NewClient(b.rdb.Options())
				defer rdb.Close()
				slow, quick := ledger.New(rdb), b.ledger
				purge := func(l *ledger.Ledger) error { return l.Purge(ctx, c, ann, campaigntest.Noon, nil) }
				set := func(l *ledger.Ledger) error { return l.SetRate(ctx, id, 5, ann, campaigntest.Noon) }
				outside, inside := set, purge
				if outer == "a purge" {
					outside, inside = purge, set
				}
				stop := &breakpoint{at: at, die: die, run: func() {
					if err := inside(quick); err != nil && !errors.Is(err, campaign.ErrPurged) {
						t.Errorf("%s: inside: %v", id, err)
					}
				}}
				rdb.AddHook(stop)
				if err := outside(slow); err != nil && !errors.Is(err, campaign.ErrPurged) && !errors.Is(err, errDied) {
					t.Errorf("%s: outside: %v", id, err)
				}
				if over = stop.calls <= at; over && at < 4 {
					t.Fatalf("%s: only %d calls", id, stop.calls)
				}
				b.purge(t, b.info(t, id)) // as a worker finishes it
				if left := b.rdb.HGet(ctx, "handout:rates", string(id)).Val(); left != "" {
					t.Errorf("before call %d of %s, which dies there (%t), the other one ran: %s is left", at, outer, die, left)
				}
				if ttl := b.rdb.TTL(ctx, "{handout:rates}:"+string(id)).Val(); ttl == -1 || ttl > time.Minute {
					t.Errorf("%s: the announcement stays for %s", id, ttl)
				}
				if err := set(quick); !errors.Is(err, campaign.ErrPurged) {
					t.Errorf("%s: a rate of a purged campaign: %v", id, err)
				}
			}
		}
	}
}
