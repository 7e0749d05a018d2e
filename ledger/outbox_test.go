package ledger_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/secret"
	"github.com/handout-dev/handout/internal/webhook/outbox"
	"github.com/handout-dev/handout/test/campaigntest"
)

// endpoint adds one that gets everything.
func (b *bundle) endpoint(t testing.TB, id string, change ...func(*outbox.Endpoint)) outbox.Endpoint {
	t.Helper()
	e := outbox.Endpoint{
		ID: id, URL: "https://example.com/" + id, Events: []string{outbox.EventCampaign, outbox.EventRecipients},
		Secret: secret.New("whsec_c2VjcmV0"), CreatedAt: campaigntest.Noon,
	}
	for _, f := range change {
		f(&e)
	}
	if err := b.ledger.Outbox().Add(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	return e
}

func (b *bundle) endpoints(t testing.TB) *outbox.Endpoints {
	t.Helper()
	all, err := b.ledger.Outbox().Endpoints(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func (b *bundle) untold(t testing.TB, id campaign.ID, endpoint string) *outbox.Undelivered {
	t.Helper()
	u, err := b.ledger.Outbox().Undelivered(t.Context(), id, endpoint)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// news is what an endpoint is to get, a word or a position each.
func (b *bundle) news(t testing.TB, id campaign.ID, endpoint string) []string {
	t.Helper()
	words := []string{}
	for _, e := range b.untold(t, id, endpoint).Entries {
		if h := e.Change; h != nil {
			words = append(words, string(h.State)+"|"+h.Reason+"|"+h.Entry.By)
		} else {
			words = append(words, strconv.Itoa(e.Place.Position()))
		}
	}
	return words
}

// tell notes that an endpoint has taken so many entries.
func (b *bundle) tell(t testing.TB, id campaign.ID, endpoint string, count int) bool {
	t.Helper()
	moved, err := b.ledger.Outbox().Acknowledge(t.Context(), id, endpoint, b.untold(t, id, endpoint), count, b.endpoints(t).Subscribers(id))
	if err != nil {
		t.Fatal(err)
	}
	return moved
}

func (b *bundle) stored(t testing.TB, id campaign.ID) int {
	t.Helper()
	return int(b.rdb.LLen(t.Context(), key(id, "outbox")).Val())
}

func same(t testing.TB, what string, want, got any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

// good is a receipt that says that it was delivered, by the channel.
func good(channel string, attempt int) campaign.Event {
	leg := campaign.Leg{Rank: campaign.RankDelivered, Code: 3000}
	return campaign.Event{
		Kind: campaign.EventReceipt, At: campaigntest.Noon.Add(2 * time.Minute), Attempt: attempt,
		Status: leg, Legs: []campaign.ChannelLeg{{Channel: channel, Leg: leg}},
	}
}

func TestOutbox_HasOutcomesAndWhatChangesThem(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.endpoint(t, "a")
	c := b.stand(t, "c", 250)
	same(t, "at the beginning", []string{"running||"}, b.news(t, "c", "a"))
	place := campaign.PlaceOf(203)
	b.apply(t, c, place, taken, tookIt(203))
	same(t, "before an outcome", []string{"running||"}, b.news(t, "c", "a"))
	b.apply(t, c, place, allFail)
	b.apply(t, c, campaign.PlaceOf(7), taken, tookIt(7), good("whatsapp", 1))
	b.apply(t, c, campaign.PlaceOf(7), good("whatsapp", 1)) // said twice
	b.apply(t, c, place, good("sms", 1))                    // late
	b.apply(t, c, place, good("whatsapp", 1))               // and both
	same(t, "afterwards", []string{"running||", "203", "7", "203", "203"}, b.news(t, "c", "a"))

	outcomes, err := b.ledger.Outcomes(t.Context(), "c", []campaign.Place{place, campaign.PlaceOf(7), campaign.PlaceOf(249)})
	if err != nil || len(outcomes) != 3 || outcomes[0].Recipient.ID != "r203" || outcomes[0].Record.DeliveredBy() != campaign.ByBoth ||
		outcomes[1].Recipient.ID != "r7" || outcomes[1].Record.DeliveredBy() != campaign.ByWhatsApp || outcomes[2].Record.State != campaign.Planned {
		t.Errorf("%+v, %v", outcomes, err)
	}
	b.healthy(t, c)
}

func TestOutbox_HasEveryChangeOfTheCampaignsStateInItsPlace(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	b.endpoint(t, "a")
	c := b.standAs(t, "c", 1, func(s *campaign.Spec) { s.MaxFailureRate = 1 })
	for i, step := range []func() error{
		func() error { return b.ledger.Pause(ctx, "c", ann, campaigntest.Noon) },
		func() error { return b.ledger.Pause(ctx, "c", ann, campaigntest.Noon) }, // changes nothing
		func() error { return b.ledger.Resume(ctx, "c", ann, campaigntest.Noon) },
		func() error { return b.ledger.Hold(ctx, "c", "no money", campaigntest.Noon) },
		func() error { return b.ledger.Resume(ctx, "c", ann, campaigntest.Noon) },
	} {
		if err := step(); err != nil {
			t.Fatal(i, err)
		}
	}
	b.apply(t, c, campaign.PlaceOf(0), taken, tookIt(0), allFail)
	b.finish(t, c)
	same(t, "news", []string{
		"running||", "paused|paused by ann: lunch|ann", "running||ann", "held|no money|handout", "running||ann",
		"0", "settling||", "done||handout",
	}, b.news(t, "c", "a"))
	if at := b.untold(t, "c", "a").Entries[1].Change.At; time.Since(at) > time.Minute || at.After(time.Now()) {
		t.Errorf("it happened at %v", at)
	}
	if err := b.ledger.Reopen(ctx, "c"); err != nil {
		t.Fatal(err)
	}
	got := b.news(t, "c", "a")
	same(t, "sent to again", "running||", got[len(got)-1])
}

func TestOutbox_SaysWhenTheWatchHoldsTheCampaign(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.endpoint(t, "a")
	c := b.stand(t, "c", 20)
	for i := range 10 {
		b.apply(t, c, campaign.PlaceOf(i), taken,
			campaign.Event{Kind: campaign.EventDoubt, At: campaigntest.Noon, Attempt: 1, Reason: campaign.ReasonTimeout})
	}
	news := b.news(t, "c", "a")
	if last := news[len(news)-1]; len(news) != 2 || !strings.HasPrefix(last, "held|") || !strings.HasSuffix(last, "|handout") {
		t.Errorf("%q", news)
	}
}

func TestOutbox_SaysWhenALateReceiptSettlesADoneCampaignAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.endpoint(t, "a")
	c := b.ended(t, "c", 1, map[int][]campaign.Event{0: {taken, {Kind: campaign.EventDoubt, At: campaigntest.Noon, Attempt: 1, Reason: campaign.ReasonTimeout}}})
	progress := campaign.Event{Kind: campaign.EventReceipt, At: campaigntest.Noon, Attempt: 1, Reference: campaigntest.Reference(1), DueAt: campaigntest.Noon.Add(time.Hour),
		Status: campaign.Leg{Rank: campaign.RankProgress, Code: 3001}}
	b.apply(t, c, campaign.PlaceOf(0), progress)
	news := b.news(t, "c", "a")
	same(t, "news", []string{"done||handout", "settling||"}, news[len(news)-2:])
}

// Without an endpoint an outcome costs what it cost before there were any.
func TestOutbox_CostsNothingWithoutAnEndpoint(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.stand(t, "c", 10)
	b.apply(t, c, campaign.PlaceOf(0), taken, tookIt(0), allFail) // loads the script
	b.server.ResetCommandStats()
	b.apply(t, c, campaign.PlaceOf(1), taken, tookIt(1), good("whatsapp", 1))
	got := b.server.CommandStats()
	for name := range got {
		if !slices.Contains([]string{"evalsha", "hmget", "hget", "hset", "hincrby", "zscore", "zadd", "zincrby", "sadd", "hsetnx"}, name) {
			delete(got, name)
		}
	}
	// The reference in the installation's index. Each of the three: the script, and the look at meta; the record made for the
	// first, read and written for the others; the counts lowered and raised; the
	// watch read and written for the outcome, and the reference written for one.
	want := map[string]int64{"evalsha": 4, "hmget": 3, "hsetnx": 1, "hget": 3, "hset": 4, "hincrby": 7}
	for _, name := range []string{"zscore", "zadd", "zincrby", "sadd"} {
		if n, ok := got[name]; ok {
			want[name] = n // of being watched: as before, and no matter here
		}
	}
	same(t, "commands", want, got)
	for _, name := range []string{"rpush", "llen", "time", "lrange"} {
		if n := b.server.CommandStats()[name]; n != 0 {
			t.Errorf("%d calls of %s", n, name)
		}
	}
	same(t, "keys", []string{}, append([]string{}, b.named(t, "outbox")...))
}

func TestOutbox_IsTrimmedWhenAllHaveBeenTold(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.endpoint(t, "a")
	b.endpoint(t, "b")
	b.endpoint(t, "other", func(e *outbox.Endpoint) { e.Prefix = "d" })
	c := b.stand(t, "c", 10)
	for i := range 5 {
		b.apply(t, c, campaign.PlaceOf(i), taken, tookIt(i), allFail)
	}
	if !b.tell(t, "c", "a", 4) || b.stored(t, "c") != 6 {
		t.Errorf("%d entries after one was told", b.stored(t, "c"))
	}
	if !b.tell(t, "c", "b", 2) || b.stored(t, "c") != 4 {
		t.Errorf("%d entries after both were told", b.stored(t, "c"))
	}
	same(t, "a", []string{"3", "4"}, b.news(t, "c", "a"))
	same(t, "b", []string{"1", "2", "3", "4"}, b.news(t, "c", "b"))
	same(t, "not asked", []string{}, b.news(t, "d", "other"))
	if err := b.ledger.Outbox().Remove(t.Context(), "b"); err != nil || b.stored(t, "c") != 2 {
		t.Errorf("%d entries after one was removed, %v", b.stored(t, "c"), err)
	}
	same(t, "a, still", []string{"3", "4"}, b.news(t, "c", "a"))
	if err := b.ledger.Outbox().Remove(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	b.apply(t, c, campaign.PlaceOf(6), taken, tookIt(6), allFail)
	same(t, "keys when nobody is left", []string{}, append([]string{}, slices.DeleteFunc(b.named(t, "{c}"), func(k string) bool {
		return !strings.HasSuffix(k, ":outbox") && !strings.HasSuffix(k, ":told")
	})...))
}

func TestOutbox_BeginsWhereAnEndpointIsAdded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.stand(t, "c", 10)
	fail := func(i int) { b.apply(t, c, campaign.PlaceOf(i), taken, tookIt(i), allFail) }
	fail(0)
	b.endpoint(t, "a", func(e *outbox.Endpoint) { e.Events = []string{outbox.EventCampaign} })
	fail(1)
	same(t, "nobody asks for people", []string{}, b.news(t, "c", "a"))
	b.endpoint(t, "b")
	fail(2)
	b.endpoint(t, "z")
	fail(3)
	same(t, "b", []string{"2", "3"}, b.news(t, "c", "b"))
	same(t, "z", []string{"3"}, b.news(t, "c", "z"))
	// A pass of workers afterwards, and again, changes nothing.
	for range 2 {
		if err := b.ledger.Outbox().ArmAll(t.Context(), b.endpoints(t)); err != nil {
			t.Fatal(err)
		}
	}
	same(t, "b", []string{"2", "3"}, b.news(t, "c", "b"))
}

// A worker that was slow to tell the campaigns of few endpoints doesn't overrule
// one that knows of more.
func TestArm_AnOlderViewChangesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.stand(t, "c", 10)
	older := b.endpoints(t)
	b.endpoint(t, "gone")
	if err := b.ledger.Outbox().Remove(t.Context(), "gone"); err != nil {
		t.Fatal(err)
	}
	nobody := b.endpoints(t)
	b.endpoint(t, "a")
	for _, view := range []*outbox.Endpoints{older, nobody} {
		if err := b.ledger.Outbox().ArmAll(t.Context(), view); err != nil {
			t.Fatal(err)
		}
	}
	b.apply(t, c, campaign.PlaceOf(1), taken, tookIt(1), allFail)
	same(t, "news", []string{"1"}, b.news(t, "c", "a"))
}

func TestOutbox_OfAStandingCampaign(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.endpoint(t, "a")
	id, at, added, err := b.ledger.Append(t.Context(), "", "key", campaign.Recipient{ID: "r", Phone: "+41790000000"}, campaigntest.Spec("m"), campaigntest.Noon)
	if err != nil || !added {
		t.Fatal(added, err)
	}
	b.apply(t, b.info(t, id), at, taken, tookIt(1), allFail)
	same(t, "news", []string{"0"}, b.news(t, id, "a"))
}

func TestBatch_IsFixedByOneAlone(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	b.endpoint(t, "a")
	b.stand(t, "c", 10)
	one, two := b.untold(t, "c", "a"), b.untold(t, "c", "a")
	first, err := b.ledger.Outbox().SetBatch(ctx, "c", "a", one, outbox.Batch{Message: "m1", Count: 1})
	if err != nil || !first {
		t.Fatal(first, err)
	}
	if second, err := b.ledger.Outbox().SetBatch(ctx, "c", "a", two, outbox.Batch{Message: "m2", Count: 1}); err != nil || second {
		t.Error("two have fixed what it is told", err)
	}
	if got := b.untold(t, "c", "a").Batch; got == nil || got.Message != "m1" || got.Count != 1 {
		t.Errorf("%+v", got)
	}
	next := time.Now().Add(time.Hour)
	if ok, err := b.ledger.Outbox().SetBatch(ctx, "c", "a", one, outbox.Batch{Message: "m1", Count: 1, Failed: 1, Next: next}); err != nil || !ok {
		t.Fatal(ok, err)
	}
	boxes, err := b.ledger.Outbox().Pending(ctx, []campaign.ID{"c", "nobody"})
	if err != nil || len(boxes) != 1 || boxes[0].Due("a", time.Now()) || !boxes[0].Due("a", next) || !boxes[0].Due("b", next) {
		t.Errorf("%+v, %v", boxes, err)
	}
	if moved, err := b.ledger.Outbox().Acknowledge(ctx, "c", "a", two, 1, b.endpoints(t).Subscribers("c")); err != nil || moved {
		t.Error("moved by one who knows nothing of the batch", err)
	}
	if !b.tell(t, "c", "a", 1) || b.stored(t, "c") != 0 || b.untold(t, "c", "a").Batch != nil {
		t.Error("it wasn't noted that it was told")
	}
}

func TestOutbox_GoesWithAPurge(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	b.endpoint(t, "a")
	c := b.ended(t, "c", 3, nil)
	u := b.untold(t, "c", "a")
	if fixed, err := b.ledger.Outbox().SetBatch(ctx, "c", "a", u, outbox.Batch{Message: "m", Count: 1}); err != nil || !fixed {
		t.Fatal(fixed, err)
	}
	b.purge(t, c)
	// One who was about to tell it, and endpoints that come and go, leave nothing.
	if moved, err := b.ledger.Outbox().Acknowledge(ctx, "c", "a", u, 1, b.endpoints(t).Subscribers("c")); err != nil || moved {
		t.Error(moved, err)
	}
	if set, err := b.ledger.Outbox().SetBatch(ctx, "c", "a", u, outbox.Batch{Message: "m", Count: 1, Failed: 1}); err != nil || set {
		t.Error(set, err)
	}
	b.endpoint(t, "b")
	same(t, "keys", remains("c"), b.named(t, "{c}"))
	if _, err := b.ledger.Outcomes(ctx, "c", []campaign.Place{{}}); !errors.Is(err, campaign.ErrPurged) {
		t.Error(err)
	}
}

func TestEndpoints_AreTenAtMostAndGoOnce(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	campaigntest.Together(outbox.MaxEndpoints, func(i int) {
		err := b.ledger.Outbox().Add(background(t), outbox.Endpoint{ID: fmt.Sprint("e", i), Events: []string{outbox.EventCampaign}, Secret: secret.New("whsec_c2VjcmV0")})
		if err != nil {
			t.Error(err)
		}
	})
	if err := b.ledger.Outbox().Add(ctx, outbox.Endpoint{ID: "one-more"}); !errors.Is(err, outbox.ErrTooMany) {
		t.Error(err)
	}
	if err := b.ledger.Outbox().Disable(ctx, "e3", campaigntest.Noon); err != nil {
		t.Fatal(err)
	}
	if n := len(b.endpoints(t).Subscribers("c")); n != 9 || len(b.endpoints(t).All) != 10 {
		t.Errorf("%d are told", n)
	}
	if err := b.ledger.Outbox().Remove(ctx, "e3"); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{b.ledger.Outbox().Remove(ctx, "e3"), b.ledger.Outbox().Disable(ctx, "e3", campaigntest.Noon)} {
		if !errors.Is(err, outbox.ErrNotFound) {
			t.Error(err)
		}
	}
	e := b.endpoints(t).All[0]
	if text := fmt.Sprintf("%v %+v %#v", e, e, e.Secret); strings.Contains(text, "c2Vj") {
		t.Error("the secret is shown")
	}
	if stored := b.rdb.HGet(ctx, "handout:webhooks", e.ID).Val(); e.Secret.Reveal() != "whsec_c2VjcmV0" || !strings.Contains(stored, `"secret":"whsec_c2VjcmV0"`) {
		t.Errorf("stored: %s", stored)
	}
}
