package ledger_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/test/campaigntest"
)

// inDoubt is a campaign of n that is done, in which the first doubtful ones are
// in doubt and the others are unconfirmed.
func (b *bundle) inDoubt(t testing.TB, id campaign.ID, n, doubtful int) *campaign.Info {
	t.Helper()
	lost := campaign.Event{Kind: campaign.EventOverdue, At: campaigntest.Noon} // its worker: doubts of others hold a campaign
	end := make(map[int][]campaign.Event)
	for i := range doubtful {
		end[i] = []campaign.Event{taken, lost}
	}
	return b.ended(t, id, n, end)
}

func TestAcceptAsSent_IsFinalUntilAReceiptSaysMore(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	c := b.inDoubt(t, "c", 3, 2)
	p := campaign.PlaceOf(1)
	seen, err := b.ledger.ReadRecord(ctx, c, p)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // a double click
		if seen, err = b.ledger.AcceptAsSent(ctx, c, p, seen, ann, campaigntest.Noon.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	r := seen.Record
	if r.State != campaign.Unconfirmed || r.Reason != campaign.ReasonTakenAsSent || !r.SettledAt.Equal(campaigntest.Noon.Add(time.Hour)) || r.Attempt != 1 {
		t.Errorf("%+v", r)
	}
	if lines := b.history(t, "c")[2:]; !slices.Equal(lines, []string{"accepted as sent|ann|lunch|recipient 0.1"}) {
		t.Errorf("history: %q", lines)
	}
	b.healthy(t, c)

	receipt := campaign.Event{
		Kind: campaign.EventReceipt, At: campaigntest.Noon.Add(2 * time.Hour), Attempt: 1,
		Status: campaign.Leg{Rank: campaign.RankDelivered, Code: 3000},
	}
	if seen, err = b.ledger.Apply(ctx, c, p, seen, receipt); err != nil || seen.Record.State != campaign.Delivered {
		t.Errorf("a late receipt: %s, %v", seen.Record.State, err)
	}
	for _, i := range []int{1, 2} { // delivered, unconfirmed
		stands, err := b.ledger.ReadRecord(ctx, c, campaign.PlaceOf(i))
		if err != nil {
			t.Fatal(err)
		}
		_, err = b.ledger.AcceptAsSent(ctx, c, campaign.PlaceOf(i), stands, ann, campaigntest.Noon.Add(2*time.Hour))
		if !errors.As(err, new(*campaign.TransitionError)) {
			t.Errorf("of somebody who is %s: %v", stands.Record.State, err)
		}
	}
	b.healthy(t, c)
}

func TestAcceptAsSent_IsAboutTheDoubtThatWasSeen(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	c := b.inDoubt(t, "c", 1, 1)
	p := campaign.PlaceOf(0)
	seen, err := b.ledger.ReadRecord(ctx, c, p)
	if err != nil {
		t.Fatal(err)
	}
	// Meanwhile another attempt was asked for, made, and is in doubt too.
	if _, err := b.ledger.Resend(ctx, c, p, seen, ann, campaigntest.Noon.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := b.ledger.Reopen(ctx, "c"); err != nil {
		t.Fatal(err)
	}
	stands := seen
	for _, e := range []campaign.Event{taken, {Kind: campaign.EventDoubt, At: campaigntest.Noon, Attempt: 2, Reason: campaign.ReasonReset}} {
		if stands, err = b.ledger.Apply(ctx, c, p, stands, e); err != nil {
			t.Fatal(err)
		}
	}
	if seen, err = b.ledger.AcceptAsSent(ctx, c, p, seen, ann, campaigntest.Noon.Add(2*time.Hour)); err != nil || seen.Record.State != campaign.InDoubt {
		t.Errorf("it settled the second attempt: %s, %v", seen.Record.State, err)
	}
}

func TestAcceptAllAsSent_TakesAllWhoAreInDoubtOnce(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	c := b.inDoubt(t, "c", 260, 250)
	for _, want := range []int{250, 0} {
		if n, err := b.ledger.AcceptAllAsSent(ctx, c, ann, campaigntest.Noon.Add(time.Hour), nil); n != want || err != nil {
			t.Errorf("%d, %v; want %d", n, err, want)
		}
	}
	if bal := b.balance(t, "c"); bal.Of(campaign.InDoubt) != 0 || bal.Of(campaign.Unconfirmed) != 260 {
		t.Errorf("%+v", bal)
	}
	lines := slices.DeleteFunc(b.history(t, "c"), func(l string) bool { return !strings.HasPrefix(l, "accept") })
	want := []string{"accept as sent began|ann|lunch|250 in_doubt", "accepted as sent|ann|lunch|250 in_doubt"}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
	b.healthy(t, c)
}

func TestAcceptAllAsSent_LeavesAloneWhoCameIntoDoubtAfterItBegan(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	c := b.inDoubt(t, "c", 3, 3)
	if n, err := b.ledger.AcceptAllAsSent(ctx, c, ann, campaigntest.Noon.Add(-time.Hour), nil); n != 0 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}
