package ledger_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/test/campaigntest"
)

// claimed is a campaign of n, the first so many of them claimed.
func (b *bundle) claimed(t testing.TB, n, claims int) (*campaign.Info, []ledger.Seen) {
	t.Helper()
	info := b.stand(t, "c", n)
	seen := make([]ledger.Seen, claims)
	for i := range seen {
		var err error
		if seen[i], err = b.ledger.Apply(t.Context(), info, campaign.PlaceOf(i), ledger.Seen{}, claimBy(i)); err != nil {
			t.Fatal(err)
		}
	}
	return info, seen
}

func TestApplyWithin_TravelsWithTheNextChange(t *testing.T) {
	t.Parallel()
	b := setup(t)
	info, seen := b.claimed(t, 5, 4)
	b.server.ResetCommandStats()
	done := make(chan error, 4)
	for i := range 4 {
		go func() {
			_, err := b.ledger.ApplyWithin(t.Context(), info, campaign.PlaceOf(i), seen[i], campaigntest.Accept(1), time.Minute)
			done <- err
		}()
	}
	for deadline := time.Now().Add(30 * time.Second); b.ledger.Waiting() < 4; time.Sleep(time.Millisecond) {
		if len(done) > 0 || time.Now().After(deadline) {
			t.Fatal("they don't wait")
		}
	}
	start := time.Now()
	if _, err := b.ledger.Apply(t.Context(), info, campaign.PlaceOf(4), ledger.Seen{}, claimBy(4)); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("they waited for %v", took)
	}
	if n := b.server.CommandStats()["hmget"]; n != 1 { // of meta, one for a call
		t.Errorf("%d calls for one claim and those that waited for it", n)
	}
	balance, err := b.ledger.Balance(t.Context(), "c")
	if err != nil || balance.Of(campaign.Accepted) != 4 || balance.Of(campaign.Claimed) != 1 {
		t.Errorf("%v, %v", balance, err)
	}
}

func TestApplyWithin_GoesAloneWhenNobodyComes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	info, seen := b.claimed(t, 2, 2)
	start := time.Now()
	campaigntest.Together(2, func(i int) {
		if _, err := b.ledger.ApplyWithin(t.Context(), info, campaign.PlaceOf(i), seen[i], campaigntest.Accept(1), 100*time.Millisecond); err != nil {
			t.Error(err)
		}
	})
	if took := time.Since(start); took < 100*time.Millisecond {
		t.Errorf("it waited for %v only", took)
	}
	if balance, err := b.ledger.Balance(t.Context(), "c"); err != nil || balance.Of(campaign.Accepted) != 2 {
		t.Errorf("%v, %v", balance, err)
	}
}

func TestApplyWithin_WhoGivesUpMeanwhileChangesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	info, seen := b.claimed(t, 2, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := b.ledger.ApplyWithin(ctx, info, campaign.PlaceOf(0), seen[0], campaigntest.Accept(1), time.Minute)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want context.DeadlineExceeded", err)
	}
	if _, err := b.ledger.Apply(t.Context(), info, campaign.PlaceOf(1), ledger.Seen{}, claimBy(1)); err != nil {
		t.Fatal(err)
	}
	if balance, err := b.ledger.Balance(t.Context(), "c"); err != nil || balance.Of(campaign.Claimed) != 2 {
		t.Errorf("%v, %v", balance, err)
	}
}

func TestApplyWithin_AmongMany(t *testing.T) {
	t.Parallel()
	const n = 400
	b := setup(t)
	info := b.stand(t, "c", n)
	campaigntest.Together(n, func(i int) {
		wait := time.Duration(i%4) * time.Millisecond
		seen, err := b.ledger.Apply(t.Context(), info, campaign.PlaceOf(i), ledger.Seen{}, claimBy(i))
		if err == nil {
			_, err = b.ledger.ApplyWithin(t.Context(), info, campaign.PlaceOf(i), seen, campaigntest.Accept(1), wait)
		}
		if err != nil {
			t.Error(err)
		}
	})
	if balance, err := b.ledger.Balance(t.Context(), "c"); err != nil || balance.Of(campaign.Accepted) != n {
		t.Errorf("%v, %v", balance, err)
	}
}

func TestApplyWithin_MoreThanGoInOneCallAreAllMade(t *testing.T) {
	t.Parallel()
	for _, n := range []int{200, 201, 400} {
		b := setup(t)
		info, seen := b.claimed(t, n+1, n)
		done := make(chan error, n)
		for i := range n {
			go func() {
				_, err := b.ledger.ApplyWithin(t.Context(), info, campaign.PlaceOf(i), seen[i], campaigntest.Accept(1), 2*time.Second)
				done <- err
			}()
		}
		for b.ledger.Waiting() < n && len(done) == 0 {
			time.Sleep(time.Millisecond)
		}
		// As many as go in one call needn't wait for more.
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if _, err := b.ledger.Apply(ctx, info, campaign.PlaceOf(n), ledger.Seen{}, claimBy(n)); err != nil {
			t.Fatalf("beside %d: %v", n, err)
		}
		for range n {
			select {
			case err := <-done:
				if err != nil {
					t.Error(err)
				}
			case <-time.After(30 * time.Second):
				t.Fatalf("of %d, %d are made", n, n-len(done))
			}
		}
	}
}
