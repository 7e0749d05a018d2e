package ledger_test

import (
	"testing"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/webhook/outbox"
	"github.com/handout-dev/handout/test/campaigntest"
)

// drop takes the oldest from what an endpoint is to get.
func (b *bundle) drop(t testing.TB, c *campaign.Info, endpoint string, most int, message string) int {
	t.Helper()
	all := b.endpoints(t)
	n, err := b.ledger.Outbox().Discard(t.Context(), c, all.Find(endpoint), most, message, all.Subscribers(c.ID))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// dropped is what an endpoint gets of it.
func (b *bundle) dropped(t testing.TB, id campaign.ID, endpoint string) (string, *outbox.Discarded) {
	t.Helper()
	u := b.untold(t, id, endpoint)
	if u.Batch == nil || u.Batch.Discarded == nil || u.Batch.Count != 0 {
		t.Fatalf("it isn't told of what was dropped: %+v", u.Batch)
	}
	return u.Batch.Message, u.Batch.Discarded
}

func TestDrop_TakesTheOldestAndTellsSo(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	b.endpoint(t, "a")
	b.endpoint(t, "b")
	c := b.stand(t, "c", 20)
	for i := range 3 {
		b.apply(t, c, campaign.PlaceOf(i), taken, tookIt(i), allFail)
	}
	b.tell(t, "c", "b", 4)
	u := b.untold(t, "c", "a")
	since, next := campaigntest.Noon, campaigntest.Noon.Add(time.Hour)
	if ok, err := b.ledger.Outbox().SetBatch(ctx, "c", "a", u, outbox.Batch{Message: "m0", Count: 2, Failed: 7, Since: since, Next: next}); err != nil || !ok {
		t.Fatal(ok, err)
	}
	if n := b.drop(t, c, "a", 2, "m1"); n != 2 {
		t.Errorf("%d were dropped", n)
	}
	message, d := b.dropped(t, "c", "a")
	if message != "m1" || d.Changes != 1 || d.Recipients != 1 || d.From.After(c.CreatedAt) || !d.To.After(c.CreatedAt) {
		t.Errorf("%s %+v", message, d)
	}
	if w := b.untold(t, "c", "a").Batch; w.Failed != 7 || !w.Since.Equal(since) || !w.Next.Equal(next) {
		t.Errorf("how it fails was forgotten: %+v", w)
	}
	if b.stored(t, "c") != 2 {
		t.Errorf("%d entries are kept", b.stored(t, "c"))
	}
	// A note that the old batch was taken, or wasn't, comes too late.
	if ok, err := b.ledger.Outbox().Acknowledge(ctx, "c", "a", u, 2, b.endpoints(t).Subscribers("c")); err != nil || ok {
		t.Error("a batch that was dropped is told", err)
	}
	if ok, err := b.ledger.Outbox().SetBatch(ctx, "c", "a", u, outbox.Batch{Message: "m0", Failed: 8}); err != nil || ok {
		t.Error("a batch that was dropped fails", err)
	}
	same(t, "left", []string{"1", "2"}, b.news(t, "c", "a"))

	// More, before it could be delivered: one message says all. The last entry stays.
	from := d.From
	if n := b.drop(t, c, "a", 100, "m2"); n != 1 {
		t.Errorf("%d were dropped", n)
	}
	if message, d = b.dropped(t, "c", "a"); message != "m2" || d.Changes != 1 || d.Recipients != 2 || !d.From.Equal(from) {
		t.Errorf("%s %+v", message, d)
	}
	if n := b.drop(t, c, "a", 100, "m3"); n != 0 {
		t.Errorf("%d were dropped of the last", n)
	}
	same(t, "left", []string{"2"}, b.news(t, "c", "a"))
	all, err := b.ledger.Outbox().CountDiscarded(ctx)
	if err != nil || len(all) != 1 || all["a"] != 3 {
		t.Error(all, err)
	}

	// After that, it goes on with what is left.
	if !b.tell(t, "c", "a", 0) || b.untold(t, "c", "a").Batch != nil {
		t.Error("it wasn't noted that it was told")
	}
	same(t, "left", []string{"2"}, b.news(t, "c", "a"))
	if !b.tell(t, "c", "a", 1) || b.stored(t, "c") != 0 {
		t.Errorf("%d entries are kept", b.stored(t, "c"))
	}
	if err := b.ledger.Outbox().Remove(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	if all, err = b.ledger.Outbox().CountDiscarded(ctx); err != nil || len(all) != 0 {
		t.Error(all, err)
	}
}

// Nothing from before the moment when all was delivered can have been dropped.
func TestDrop_IsFromWhenAllHadBeenTold(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.endpoint(t, "a")
	c := b.stand(t, "c", 20)
	fail := func(i int) { b.apply(t, c, campaign.PlaceOf(i), taken, tookIt(i), allFail) }
	fail(0)
	fail(1)
	before, err := b.ledger.Now(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b.tell(t, "c", "a", 2) // not all
	if n := b.rdb.HExists(t.Context(), "handout:{c}:told", "a:all").Val(); n {
		t.Error("it hasn't been told all")
	}
	b.tell(t, "c", "a", 1)
	fail(2)
	fail(3)
	if n := b.drop(t, c, "a", 1, "m"); n != 1 {
		t.Errorf("%d were dropped", n)
	}
	if _, d := b.dropped(t, "c", "a"); d.From.Before(before.Truncate(time.Second)) || d.From.After(d.To) || d.Recipients != 1 || d.Changes != 0 {
		t.Errorf("%+v, and all had been told after %v", d, before)
	}
}

func TestDrop_ManyAtATime(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.endpoint(t, "a")
	c := b.stand(t, "c", 1)
	const many = outbox.MaxDiscarded + 5
	entries := make([]any, many)
	for i := range entries {
		entries[i] = "0"
	}
	if err := b.rdb.RPush(t.Context(), "handout:{c}:outbox", entries...).Err(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{outbox.MaxDiscarded, 5, 0} {
		if n := b.drop(t, c, "a", many*2, "m"); n != want {
			t.Errorf("%d were dropped, want %d", n, want)
		}
	}
	if _, d := b.dropped(t, "c", "a"); d.Recipients != many-1 || d.Changes != 1 {
		t.Errorf("%+v", d)
	}
}
