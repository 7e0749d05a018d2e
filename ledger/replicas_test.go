package ledger_test

import (
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/test/campaigntest"
	"github.com/handout-dev/handout/test/redistest"
)

// replicated is a master, with a replica that follows it.
func replicated(t *testing.T) (master *bundle, replica *redistest.Server) {
	t.Helper()
	port := redistest.FreePort(t)
	master = setup(t, redistest.Set("bind", "127.0.0.1"), redistest.Set("port", port), redistest.Set("repl-diskless-sync-delay", "0"))
	replica = redistest.Start(t, redistest.Set("replicaof", "127.0.0.1 "+port))
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if n, err := master.rdb.Wait(t.Context(), 1, time.Second).Result(); err == nil && n == 1 {
			return master, replica
		}
		if time.Now().After(deadline) {
			t.Fatal("the replica doesn't follow")
		}
	}
}

func TestReplicas_AClaimThatStandsIsOnTheReplica(t *testing.T) {
	t.Parallel()
	b, replica := replicated(t)
	b.ledger.RequireReplicas(1)
	const n = 300
	info := b.stand(t, "c", n)
	campaigntest.Together(n, func(i int) {
		p := campaign.PlaceOf(i)
		if _, err := b.ledger.Apply(background(t), info, p, ledger.Seen{}, claimBy(i)); err != nil {
			t.Error(err)
			return
		}
		if there, err := replica.Client().HExists(background(t), key("c", "rec:"+strconv.Itoa(p.Page)), strconv.Itoa(p.Index)).Result(); err != nil || !there {
			t.Errorf("claim %s isn't on the replica; %v", p, err)
		}
	})
	b.healthy(t, info)
}

func TestReplicas_AClaimWithoutThemIsNotOneToSendBy(t *testing.T) {
	t.Parallel()
	b, replica := replicated(t)
	b.ledger.RequireReplicas(1)
	info := b.stand(t, "c", 10)
	if err := replica.Client().ReplicaOf(t.Context(), "no", "one").Err(); err != nil {
		t.Fatal(err)
	}
	for !strings.Contains(b.rdb.Info(t.Context(), "replication").Val(), "connected_slaves:0") {
		time.Sleep(time.Millisecond)
	}
	var claims sync.WaitGroup
	for i := range 3 {
		claims.Go(func() {
			seen, err := b.ledger.Apply(background(t), info, campaign.PlaceOf(i), ledger.Seen{}, claimBy(i))
			if !errors.Is(err, ledger.ErrNotReplicated) || seen.Record.State != campaign.Claimed {
				t.Errorf("claim %d: %+v, %v", i, seen.Record, err)
			}
			// The same claim again, as after a lost answer, is no better.
			if _, err := b.ledger.Apply(background(t), info, campaign.PlaceOf(i), ledger.Seen{}, claimBy(i)); !errors.Is(err, ledger.ErrNotReplicated) {
				t.Errorf("claim %d again: %v", i, err)
			}
			// It goes back, which needs no replica.
			if seen, err = b.ledger.Apply(background(t), info, campaign.PlaceOf(i), seen, campaigntest.Postpone(1)); err != nil || seen.Record.State != campaign.Retrying {
				t.Errorf("claim %d goes back: %+v, %v", i, seen.Record, err)
			}
		})
	}
	claims.Wait()
	b.healthy(t, info)
}
