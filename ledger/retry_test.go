package ledger_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/test/campaigntest"
)

func member(id string, at time.Time) redis.Z {
	return redis.Z{Score: float64(at.UnixMilli()), Member: id}
}

// failing makes a campaign of n that is done, in which all have failed.
func (b *bundle) failing(t testing.TB, id campaign.ID, n int) *campaign.Info {
	t.Helper()
	end := make(map[int][]campaign.Event)
	for i := range n {
		end[i] = []campaign.Event{taken, tookIt(i), allFail}
	}
	return b.ended(t, id, n, end)
}

func TestResendAll_TwoTerminalsAtOnceAskOnce(t *testing.T) {
	t.Parallel()
	const people = 1200
	b := setup(t)
	c := b.failing(t, "c", people)
	var mu sync.Mutex
	asked, told := 0, 0
	campaigntest.Together(4, func(int) {
		n, err := ledger.New(b.rdb).ResendAll(t.Context(), c, campaign.Failed, ann, campaigntest.Noon.Add(time.Hour), nil)
		mu.Lock()
		defer mu.Unlock()
		asked += n
		switch {
		case errors.Is(err, ledger.ErrRetrying):
			told++
		case err != nil:
			t.Error(err)
		}
	})
	if asked != people || told == 0 {
		t.Errorf("%d were asked for, %d terminals were told that a retry is under way", asked, told)
	}
	want := []string{"retry began|ann|lunch|1200 failed", "resent|ann|lunch|1200 failed"}
	if diff := cmp.Diff(want, b.history(t, "c")[2:]); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
	b.healthy(t, c)
}

func TestResendAll_LeavesAloneWhoFailedAfterItBegan(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.failing(t, "c", 5)
	began := campaigntest.Noon.Add(time.Hour) // the question is on the screen
	// Another terminal's retry meanwhile, and it fails again.
	if n, err := b.ledger.ResendAll(t.Context(), c, campaign.Failed, ann, began, nil); n != 5 || err != nil {
		t.Fatal(n, err)
	}
	if err := b.ledger.Reopen(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		seen, err := b.ledger.ReadRecord(t.Context(), c, campaign.PlaceOf(i))
		if err != nil {
			t.Fatal(err)
		}
		fails := allFail
		fails.At, fails.Attempt = began.Add(time.Minute), 2
		answer := tookIt(100 + i)
		answer.Attempt = 2
		claim := taken
		claim.At = began.Add(time.Second)
		for _, e := range []campaign.Event{claim, answer, fails} {
			if seen, err = b.ledger.Apply(t.Context(), c, campaign.PlaceOf(i), seen, e); err != nil {
				t.Fatal(e.Kind, err)
			}
		}
		if seen.Record.State != campaign.Failed {
			t.Fatal(seen.Record.State)
		}
	}
	if n, err := b.ledger.ResendAll(t.Context(), c, campaign.Failed, ann, began, nil); n != 0 || err != nil {
		t.Errorf("%d were asked for a second time by the same intention: %v", n, err)
	}
	if n, err := b.ledger.ResendAll(t.Context(), c, campaign.Failed, ann, began.Add(time.Hour), nil); n != 4 || err != nil {
		t.Errorf("a new intention asks for %d: %v", n, err)
	}
	b.healthy(t, c)
}

func TestResendAll_CountsOnlyWhomItHasChanged(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.failing(t, "c", 250)
	began := campaigntest.Noon.Add(time.Hour)
	n, err := b.ledger.ResendAll(t.Context(), c, campaign.Failed, ann, began, func(n int) {
		if n != 100 {
			return
		}
		// After the first page one of the last is asked for, one by one.
		p := campaign.PlaceOf(249)
		seen, err := b.ledger.ReadRecord(t.Context(), c, p)
		if err != nil {
			t.Error(err)
		}
		if _, err := b.ledger.Resend(t.Context(), c, p, seen, ann, began.Add(time.Minute)); err != nil {
			t.Error(err)
		}
	})
	if n != 249 || err != nil {
		t.Errorf("%d were asked for: %v", n, err)
	}
	want := []string{"retry began|ann|lunch|250 failed", "resent|ann|lunch|recipient 2.49", "resent|ann|lunch|249 failed"}
	if diff := cmp.Diff(want, b.history(t, "c")[2:]); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
}

func TestResendAll_AnInterruptionCanBeSeenAndGoesOn(t *testing.T) {
	t.Parallel()
	const people = 6000 // some pages are read ahead
	b := setup(t)
	c := b.failing(t, "c", people)
	began := campaigntest.Noon.Add(time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n, err := b.ledger.ResendAll(ctx, c, campaign.Failed, ann, began, func(n int) {
		if n == 300 {
			cancel()
		}
	})
	if n != 300 || !errors.Is(err, context.Canceled) {
		t.Fatalf("%d were asked for: %v", n, err)
	}
	want := []string{"retry began|ann|lunch|6000 failed", "resent|ann|lunch|300 failed, and stopped there"}
	if diff := cmp.Diff(want, b.history(t, "c")[2:]); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
	if n, err := b.ledger.ResendAll(t.Context(), c, campaign.Failed, ann, began, nil); n != people-300 || err != nil {
		t.Errorf("the second time %d were asked for: %v", n, err)
	}
	b.healthy(t, c)
}

func TestResend_WritesALineOnlyForWhatItDoes(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	c := b.failing(t, "c", 3)
	p := campaign.PlaceOf(1)
	seen, err := b.ledger.ReadRecord(ctx, c, p)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if seen, err = b.ledger.Resend(ctx, c, p, seen, ann, campaigntest.Noon.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.ledger.Reopen(ctx, "c"); err != nil {
		t.Fatal(err)
	}
	again := b.apply(t, c, p, taken)
	if _, err := b.ledger.Resend(ctx, c, p, again, ann, campaigntest.Noon.Add(time.Hour)); !errors.As(err, new(*campaign.TransitionError)) {
		t.Errorf("somebody who is just being sent to: %v", err)
	}
	lines := slices.DeleteFunc(b.history(t, "c"), func(l string) bool { return !strings.HasPrefix(l, "resent") })
	if diff := cmp.Diff([]string{"resent|ann|lunch|recipient 0.1"}, lines); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
