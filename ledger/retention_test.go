package ledger_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/test/campaigntest"
)

const kept = 90 * 24 * time.Hour

// expire is a worker's look at what is due, and whom it has purged.
func (b *bundle) expire(t testing.TB, now time.Time) (purged []campaign.ID) {
	t.Helper()
	due, err := b.ledger.Expiring(t.Context(), now, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range due {
		ok, err := b.ledger.Expire(t.Context(), e, now)
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			purged = append(purged, e.ID)
		}
	}
	return purged
}

// looks is when the campaign is looked at next.
func (b *bundle) looks(t testing.TB, id campaign.ID) time.Time {
	t.Helper()
	ms, err := b.rdb.ZScore(t.Context(), "handout:retention", string(id)).Result()
	if err != nil {
		t.Fatal(err)
	}
	return time.UnixMilli(int64(ms)).UTC()
}

func TestRetention_PurgesWhenItsTimeHasComeAndNotBefore(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ended(t, "c", 3, nil)
	if got := b.looks(t, "c"); !got.Equal(campaigntest.Noon.Add(kept)) {
		t.Errorf("it is looked at on %s", got)
	}
	if purged := b.expire(t, campaigntest.Noon.Add(kept-time.Second)); len(purged) != 0 {
		t.Errorf("purged a second too soon: %s", purged)
	}
	if diff := cmp.Diff([]campaign.ID{"c"}, b.expire(t, campaigntest.Noon.Add(kept))); diff != "" {
		t.Error(diff)
	}
	want := []string{"submitted|||3 recipients", "done|handout||", "purged|handout|retention of 90 days has passed|3 recipients"}
	if diff := cmp.Diff(want, b.history(t, "c")); diff != "" {
		t.Error(diff)
	}
	if purged := b.expire(t, campaigntest.Noon.Add(2*kept)); len(purged) != 0 {
		t.Errorf("purged again: %s", purged)
	}
}

func TestRetention_CountsFromTheLastEnd(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.ended(t, "c", 3, nil)
	later := campaigntest.Noon.Add(kept - time.Hour)
	if n, err := b.ledger.ResendAll(t.Context(), c, campaign.Unconfirmed, ann, campaigntest.Noon.Add(2*time.Hour), nil); n != 3 || err != nil {
		t.Fatal(n, err)
	}
	if err := b.ledger.Reopen(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	// It runs when its time comes: the look is put off, by a day at most.
	now := campaigntest.Noon.Add(kept)
	if purged := b.expire(t, now); len(purged) != 0 || b.phase(t, "c") != campaign.Running {
		t.Fatalf("purged %s, %s", purged, b.phase(t, "c"))
	}
	if got := b.looks(t, "c"); !got.Equal(now.Add(24 * time.Hour)) {
		t.Errorf("it is looked at on %s", got)
	}
	if err := b.ledger.Settle(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	if err := b.ledger.Finish(t.Context(), "c", later); err != nil {
		t.Fatal(err)
	}
	if got := b.looks(t, "c"); !got.Equal(later.Add(kept)) {
		t.Errorf("after its second end it is looked at on %s", got)
	}
}

func TestRetention_ALookTooManyDoesNoHarm(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	c := b.stand(t, "c", 3)
	b.ended(t, "d", 3, nil)
	// As a crash before Finish, a crash in a purge before its mark, and a
	// campaign that isn't there leave it.
	for _, id := range []string{"c", "d", "gone"} {
		if err := b.rdb.ZAdd(ctx, "handout:retention", member(id, campaigntest.Noon)).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if purged := b.expire(t, campaigntest.Noon); len(purged) != 0 {
		t.Errorf("purged %s", purged)
	}
	if got := b.looks(t, "d"); !got.Equal(campaigntest.Noon.Add(kept)) {
		t.Errorf("the one that is done is looked at on %s", got)
	}
	if n := b.rdb.ZCard(ctx, "handout:retention").Val(); n != 2 {
		t.Errorf("%d in the line", n)
	}
	b.healthy(t, c)
}

func TestRetention_ACrashBeforeTheEndIsWrittenLosesNoCampaign(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.stand(t, "c", 3)
	verbs := b.verbs(t, "c")
	if err := verbs["settle"](); err != nil {
		t.Fatal(err)
	}
	// The end fails where the line has been written: the state can't be.
	if err := b.rdb.Rename(t.Context(), key("c", "history"), "aside").Err(); err != nil {
		t.Fatal(err)
	}
	if err := b.rdb.Set(t.Context(), key("c", "history"), "no list", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if err := verbs["finish"](); err == nil {
		t.Fatal("it has finished")
	}
	if got := b.looks(t, "c"); !got.Equal(campaigntest.Noon.Add(kept)) {
		t.Errorf("it is looked at on %s", got)
	}
}
