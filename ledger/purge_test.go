package ledger_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/pacing"
	"github.com/handout-dev/handout/internal/references"
	"github.com/handout-dev/handout/internal/suppression"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/test/campaigntest"
)

func tookIt(n int) campaign.Event {
	return campaign.Event{Kind: campaign.EventAccept, At: campaigntest.Noon, Attempt: 1, Code: 3001, Reference: campaigntest.Reference(n), DueAt: campaigntest.Noon.Add(time.Minute)}
}

var (
	taken    = campaign.Event{Kind: campaign.EventClaim, At: campaigntest.Noon, Claim: 7}
	notByNow = campaign.Event{Kind: campaign.EventOverdue, At: campaigntest.Noon.Add(time.Hour), Reason: campaign.ReasonNoReceipt}
	allFail  = campaign.Event{
		Kind: campaign.EventReceipt, At: campaigntest.Noon.Add(time.Minute), Attempt: 1, Final: true,
		Status: campaign.Leg{Rank: campaign.RankFailed, Code: 3058},
	}
)

// ended makes a campaign of n that is done: everyone is unconfirmed, but for
// those of whom end says something else.
func (b *bundle) ended(t testing.TB, id campaign.ID, n int, end map[int][]campaign.Event) *campaign.Info {
	t.Helper()
	c := b.standAs(t, id, n, func(s *campaign.Spec) { s.MaxFailureRate = 1 })
	for i := range n {
		p := campaign.PlaceOf(i)
		events, ok := end[i]
		if !ok {
			events = []campaign.Event{taken, tookIt(i), notByNow}
		}
		b.apply(t, c, p, events...)
	}
	b.finish(t, c)
	return b.info(t, id)
}

// finish leaves nothing to do in a campaign.
func (b *bundle) finish(t testing.TB, c *campaign.Info) {
	t.Helper()
	if _, err := b.ledger.Advance(t.Context(), c.ID, 0, []int{c.Total}, []int{0}, campaigntest.Noon); err != nil {
		t.Fatal(err)
	}
	if err := b.ledger.Settle(t.Context(), c.ID); err != nil {
		t.Fatal(err)
	}
	if err := b.ledger.Finish(t.Context(), c.ID, campaigntest.Noon); err != nil {
		t.Fatal(err)
	}
}

// named are all keys in Redis that have this in their name.
func (b *bundle) named(t testing.TB, part string) []string {
	t.Helper()
	all, err := b.rdb.Keys(t.Context(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	all = slices.DeleteFunc(all, func(k string) bool { return !strings.Contains(k, part) })
	slices.Sort(all)
	return all
}

func (b *bundle) purge(t testing.TB, c *campaign.Info) {
	t.Helper()
	if err := b.ledger.Purge(t.Context(), c, ann, campaigntest.Noon, nil); err != nil {
		t.Fatal(err)
	}
}

// remains is what a purged campaign may have.
func remains(id campaign.ID) []string {
	return []string{key(id, "counts"), key(id, "history"), key(id, "meta")}
}

func TestPurge_LeavesOnlyWhatTheCampaignWas(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	other := b.ended(t, "other", 3, nil)
	c := b.ended(t, "c", 250, nil)
	for _, ref := range []string{campaigntest.Reference(7), campaigntest.Reference(249), campaigntest.Reference(999)} {
		if kept, err := references.New(b.rdb).KeepEarly(ctx, ref, []byte(`{"phone":"+41790000007"}`), campaigntest.Noon); err != nil || !kept {
			t.Fatal(kept, err)
		}
	}
	if err := b.rdb.Set(ctx, key("c", "lease:retry"), "me", time.Minute).Err(); err != nil {
		t.Fatal(err)
	}
	if err := b.rdb.HSet(ctx, pacing.KeyCampaign(b.rdb, "c"), "next", 1).Err(); err != nil {
		t.Fatal(err)
	}
	before, others := b.balance(t, "c"), b.named(t, "{other}")
	var steps []int
	if err := b.ledger.Purge(ctx, c, ann, campaigntest.Noon, func(done, all int) { steps = append(steps, done, all) }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{7, 7}, steps); diff != "" { // 3 pages, 4 buckets of references
		t.Errorf("progress (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(remains("c"), b.named(t, "{c}")); diff != "" {
		t.Errorf("keys of the campaign (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"handout:early", "handout:early:" + campaigntest.Reference(999)}, b.named(t, "early")); diff != "" {
		t.Errorf("early receipts (-want +got):\n%s", diff)
	}
	if n := b.rdb.ZCard(ctx, "handout:early").Val(); n != 1 {
		t.Errorf("%d references wait for early receipts", n)
	}
	if diff := cmp.Diff(before, b.balance(t, "c")); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	got := b.info(t, "c")
	if got.Phase != campaign.Done || got.Total != 250 || got.Digest != c.Digest || got.Reason != "purged on 2026-11-22 by ann: lunch" ||
		!got.PurgedAt.Equal(campaigntest.Noon) || !got.EmptiedAt.Equal(campaigntest.Noon) {
		t.Errorf("%+v", got)
	}
	b.purge(t, got) // said twice
	if diff := cmp.Diff([]string{"submitted|||250 recipients", "done|handout||", "purged|ann|lunch|250 recipients"}, b.history(t, "c")); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(others, b.named(t, "{other}")); diff != "" {
		t.Errorf("another campaign's keys (-want +got):\n%s", diff)
	}
	b.healthy(t, other)
}

func TestPurge_RefusesACampaignThatIsNotDone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, last := range []string{"", "pause", "hold", "cancel", "settle"} {
		id := campaign.ID("c" + last)
		b.stand(t, id, 3)
		if last != "" {
			if err := b.verbs(t, id)[last](); err != nil {
				t.Fatal(err)
			}
		}
		c, before := b.info(t, id), b.named(t, "{"+string(id)+"}")
		var refused *campaign.PhaseError
		if err := b.ledger.Purge(t.Context(), c, ann, campaigntest.Noon, nil); !errors.As(err, &refused) || refused.Phase != c.Phase {
			t.Errorf("%s: %v", c.Phase, err)
		}
		c.Phase = campaign.Done // as one who has looked a moment too soon
		if err := b.ledger.Purge(t.Context(), c, ann, campaigntest.Noon, nil); !errors.As(err, &refused) {
			t.Errorf("%s at the last moment: %v", last, err)
		}
		if diff := cmp.Diff(before, b.named(t, "{"+string(id)+"}")); diff != "" {
			t.Error(diff)
		}
	}
}

func TestPurge_NothingIsReadOrWrittenAnyMore(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	c := b.ended(t, "c", 3, map[int][]campaign.Event{2: {taken, tookIt(2), allFail}})
	page, err := b.ledger.Records(ctx, "c", 0)
	if err != nil {
		t.Fatal(err)
	}
	b.purge(t, c)
	// c is what a process still has that has read it before.
	delivered := campaign.Event{Kind: campaign.EventReceipt, At: campaigntest.Noon, Attempt: 1, Status: campaign.Leg{Rank: campaign.RankDelivered, Code: 3003}}
	resend := campaign.Event{Kind: campaign.EventResend, At: campaigntest.Noon}
	for i, seen := range page {
		for _, e := range []campaign.Event{delivered, resend, notByNow, tookIt(9), taken} {
			if e.Kind == campaign.EventClaim {
				seen = ledger.Seen{}
			}
			if _, err := b.ledger.Apply(ctx, c, campaign.PlaceOf(i), seen, e); e.Kind != campaign.EventClaim && !errors.Is(err, campaign.ErrPurged) || !errors.Is(err, campaign.ErrNotRunning) {
				t.Errorf("%s: %v", e.Kind, err)
			}
		}
	}
	now := b.info(t, "c")
	for name, err := range map[string]error{
		"look":     second(b.ledger.ReadRecord(ctx, c, campaign.PlaceOf(0))),
		"page":     second(b.ledger.Recipients(ctx, "c", 0)),
		"find":     second(b.ledger.Find(ctx, now, "r1", true)),
		"find old": second(b.ledger.Find(ctx, c, "r1", true)),
		"each":     b.ledger.EachPage(ctx, now, func(*ledger.Page) error { return nil }),
		"verify":   second(b.ledger.Verify(ctx, now, nil)),
		"resend":   second(b.ledger.Resend(ctx, now, campaign.PlaceOf(2), page[2], ann, campaigntest.Noon)),
		"retry":    second(b.ledger.ResendAll(ctx, now, campaign.Failed, ann, campaigntest.Noon, nil)),
	} {
		if !errors.Is(err, campaign.ErrPurged) || err.Error() != "campaign c was purged on 2026-11-22; its people's data is gone" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := b.ledger.Reopen(ctx, "c"); err != nil {
		t.Fatal(err)
	}
	if got := b.phase(t, "c"); got != campaign.Done {
		t.Errorf("it is %s", got)
	}
	if diff := cmp.Diff(remains("c"), b.named(t, "{c}")); diff != "" {
		t.Errorf("keys of the campaign (-want +got):\n%s", diff)
	}
	want := new(campaign.Balance)
	want.States[campaign.Unconfirmed], want.States[campaign.Failed] = 2, 1
	if diff := cmp.Diff(want, b.balance(t, "c")); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	if _, err := b.ledger.Open(ctx, campaigntest.Spec("c"), []string{"url"}); !errors.As(err, new(*ledger.StandsError)) {
		t.Errorf("its ID can be taken again: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }

func TestPurge_InterruptedAnywhereIsFinished(t *testing.T) {
	t.Parallel()
	const pages, last = 1000, "handout:{c}:page:999"
	for _, stop := range []int{0, 1, 2, 3} {
		b := setup(t)
		b.ended(t, "c", 3, nil)
		// A long list, of which only the ends are there.
		err := errors.Join(b.rdb.HSet(t.Context(), key("c", "meta"), "pages", pages).Err(), b.rdb.Set(t.Context(), last, "x", 0).Err())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		steps := 0
		if stop == 0 {
			cancel()
		}
		err = b.ledger.Purge(ctx, b.info(t, "c"), ann, campaigntest.Noon, func(int, int) {
			if steps++; steps == stop {
				cancel()
			}
		})
		cancel()
		if !errors.Is(err, context.Canceled) || b.rdb.Exists(t.Context(), last).Val() != 1 {
			t.Fatalf("after %d steps: %v", stop, err)
		}
		if stop%2 == 0 {
			b.purge(t, b.info(t, "c"))
		} else { // by a worker
			due, err := b.ledger.Expiring(t.Context(), campaigntest.Noon, 10)
			if err != nil || len(due) != 1 {
				t.Fatalf("the line has %d: %v", len(due), err)
			}
			if purged, err := b.ledger.Expire(t.Context(), due[0], campaigntest.Noon); !purged || err != nil {
				t.Fatal(purged, err)
			}
		}
		if diff := cmp.Diff(remains("c"), b.named(t, "{c}")); diff != "" {
			t.Errorf("after %d steps (-want +got):\n%s", stop, diff)
		}
		if n := b.rdb.ZCard(t.Context(), "handout:retention").Val(); n != 0 {
			t.Errorf("%d in the line", n)
		}
		if n := len(b.history(t, "c")); n != 3 {
			t.Errorf("after %d steps: %q", stop, b.history(t, "c"))
		}
	}
}

func TestPurge_ADayOfOneOffsWaitsUntilItsKeysAreNoLongerGood(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	message := campaigntest.Spec("")
	message.ID = ""
	r := campaign.Recipient{ID: "r", Phone: "+41790000001"}
	id, at, _, err := b.ledger.Append(ctx, "", "key", r, message, campaigntest.Noon)
	if err != nil {
		t.Fatal(err)
	}
	c := b.info(t, id)
	b.apply(t, c, at, taken, tookIt(1), notByNow)
	b.finish(t, c)
	c = b.info(t, id)
	until := time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)
	if !c.KeysUntil().Equal(until) {
		t.Errorf("until %s", c.KeysUntil())
	}
	if err := b.ledger.Purge(ctx, c, ann, until.Add(-time.Second), nil); !errors.Is(err, ledger.ErrKeysNeeded) {
		t.Errorf("a moment before: %v", err)
	}
	if _, _, added, err := b.ledger.Append(ctx, "", "key", r, message, campaigntest.Noon.AddDate(0, 0, 1)); added || err != nil {
		t.Errorf("said again the next day: %v, %v", added, err)
	}
	if err := b.ledger.Purge(ctx, c, ann, until, nil); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(remains(id), b.named(t, "{"+string(id)+"}")); diff != "" {
		t.Error(diff)
	}
	// A clock that is days behind.
	if _, _, added, err := b.ledger.Append(ctx, "", "key", r, message, campaigntest.Noon); added || !errors.Is(err, campaign.ErrPurged) {
		t.Errorf("said again after the purge: %v, %v", added, err)
	}
}

func TestSuppressed_OutlivesItsCampaign(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.stand(t, "c", 3)
	const phone = "+41790000001"
	want := suppression.Entry{At: campaigntest.Noon, Why: suppression.WhyBlocked, Campaign: "c"}
	if _, err := b.suppressions.Add(t.Context(), phone, want); err != nil {
		t.Fatal(err)
	}
	keys, err := b.rdb.Keys(t.Context(), key("c", "*")).Result()
	if err != nil || len(keys) == 0 {
		t.Fatal(keys, err)
	}
	if err := b.rdb.Del(t.Context(), keys...).Err(); err != nil { // more than a purge
		t.Fatal(err)
	}
	got, on, err := b.suppressions.Find(t.Context(), phone)
	if err != nil || !on || got != want {
		t.Errorf("%+v, %v, %v", got, on, err)
	}
}
