package ledger_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/test/campaigntest"
)

// past is what is kept of a recipient's earlier attempts.
func (b *bundle) past(t testing.TB, c *campaign.Info, p campaign.Place) []campaign.Record {
	t.Helper()
	seen, err := b.ledger.ReadRecord(t.Context(), c, p)
	if err != nil {
		t.Fatal(err)
	}
	past, err := b.ledger.Attempts(t.Context(), c, p, &seen.Record)
	if err != nil {
		t.Fatal(err)
	}
	return past
}

func TestPast_KeepsAnAttemptAsItStoodWhenAnotherWasAskedFor(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c, p := b.stand(t, "c", 3), campaign.PlaceOf(1)
	failed := b.apply(t, c, p, campaigntest.Claim(), campaigntest.Accept(1), campaigntest.AllFailed(1)).Record
	if past := b.past(t, c, p); past != nil {
		t.Errorf("before another attempt: %+v", past)
	}
	b.apply(t, c, p, campaigntest.Resend(), campaigntest.Resend())
	if d := cmp.Diff([]campaign.Record{failed}, b.past(t, c, p)); d != "" {
		t.Errorf("asked for: %s", d)
	}
	b.apply(t, c, p, campaigntest.Claim())
	lost := b.apply(t, c, p, campaigntest.Doubt(2)).Record
	if d := cmp.Diff([]campaign.Record{failed}, b.past(t, c, p)); d != "" {
		t.Errorf("made: %s", d)
	}
	b.apply(t, c, p, campaigntest.Resend(), campaigntest.Claim(), campaigntest.Accept(3), campaigntest.BySMS(3))
	if d := cmp.Diff([]campaign.Record{failed, lost}, b.past(t, c, p)); d != "" {
		t.Errorf("made again: %s", d)
	}
	if past := b.past(t, c, campaign.PlaceOf(2)); past != nil {
		t.Errorf("of somebody else: %+v", past)
	}
	b.healthy(t, c)
}

// An answer that comes for the attempt after all leaves it the latest one.
func TestPast_AnAttemptThatWentOnIsNoEarlierOne(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c, p := b.stand(t, "c", 1), campaign.PlaceOf(0)
	b.apply(t, c, p, campaigntest.Claim(), campaigntest.Doubt(1), campaigntest.Resend(), campaigntest.Accept(1))
	if past := b.past(t, c, p); past != nil {
		t.Errorf("%+v", past)
	}
}

func TestPast_KeepsWhatWasPutOffUnlessItWasNoAttempt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c, p := b.stand(t, "c", 2), campaign.PlaceOf(0)
	b.apply(t, c, p, campaigntest.Claim(), campaigntest.Throttle(1), campaigntest.Claim())
	if past := b.past(t, c, p); past != nil {
		t.Errorf("throttled: %+v", past)
	}
	unavailable := b.apply(t, c, p, campaigntest.Postpone(1)).Record
	b.apply(t, c, p, campaigntest.Claim())
	if d := cmp.Diff([]campaign.Record{unavailable}, b.past(t, c, p)); d != "" {
		t.Errorf("unavailable: %s", d)
	}
}

func TestPast_IsOfTheLatestTwenty(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c, p := b.stand(t, "c", 1), campaign.PlaceOf(0)
	for n := 1; n <= 30; n++ {
		b.apply(t, c, p, campaigntest.Claim(), campaigntest.Postpone(n))
	}
	b.apply(t, c, p, campaigntest.Claim())
	past := b.past(t, c, p)
	if len(past) != 20 || past[0].Attempt != 11 || past[19].Attempt != 30 {
		t.Errorf("%d: %+v", len(past), past)
	}
	if n := b.rdb.HLen(t.Context(), key("c", "past:0")).Val(); n != 20 {
		t.Errorf("%d are stored", n)
	}
}

func TestPast_GoesWithAPurge(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.ended(t, "c", 101, map[int][]campaign.Event{100: {campaigntest.Claim(), campaigntest.Postpone(1), campaigntest.Claim(), campaigntest.Accept(2), campaigntest.AllFailed(2)}})
	if n := b.rdb.Exists(t.Context(), key("c", "past:1")).Val(); n != 1 {
		t.Fatal("nothing was kept")
	}
	if err := b.ledger.Purge(t.Context(), c, ann, campaigntest.Noon, nil); err != nil {
		t.Fatal(err)
	}
	if n := b.rdb.Exists(t.Context(), key("c", "past:1")).Val(); n != 0 {
		t.Error("it is still there")
	}
}

// What a channel says twice was heard the first time.
func TestNext_AChannelWasHeardWhenItFirstSaidSo(t *testing.T) {
	t.Parallel()
	first := campaigntest.UnderWay(1)
	again, news := first, campaigntest.ByWhatsApp(1)
	again.At, news.At = first.At.Add(time.Minute), first.At.Add(time.Hour)
	r := campaigntest.Become(t, campaigntest.Claim(), campaigntest.Accept(1), first, again)
	if !r.Legs[campaign.WhatsApp].At.Equal(first.At) {
		t.Errorf("heard at %s, and again at %s: %s", first.At, again.At, r.Legs[campaign.WhatsApp].At)
	}
	if r = campaigntest.Become(t, campaigntest.Claim(), campaigntest.Accept(1), first, again, news, again); !r.Legs[campaign.WhatsApp].At.Equal(news.At) || r.Legs[campaign.WhatsApp].Rank != campaign.RankDelivered {
		t.Errorf("%+v", r.Legs[campaign.WhatsApp])
	}
}
