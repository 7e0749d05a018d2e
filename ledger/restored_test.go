package ledger_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/test/campaigntest"
)

func TestDistrust_HoldsWhateverMightSend(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	reason := campaign.RestoredReason(campaigntest.Noon, false)
	if reason != "Redis was restored from an older state (of 2026-11-22T12:00:00Z): who was sent to since then isn't known here" || !campaign.IsRestored(reason) {
		t.Error(reason)
	}
	got := make(map[string]campaign.Phase)
	for _, last := range []string{"", "pause", "hold", "cancel", "settle", "finish"} {
		id := campaign.ID("c" + last)
		b.stand(t, id, 3)
		verbs := b.verbs(t, id)
		if last == "finish" {
			if err := verbs["settle"](); err != nil {
				t.Fatal(err)
			}
		}
		if last != "" {
			if err := verbs[last](); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 { // every worker does
			if err := b.ledger.HoldRestored(ctx, id, reason, campaigntest.Noon); err != nil {
				t.Fatal(err)
			}
		}
		info := b.info(t, id)
		if got[last] = info.Phase; info.Phase == campaign.Held && info.Reason != reason {
			t.Errorf("%s: %s", last, info.Reason)
		}
		held := 0
		for _, line := range b.history(t, id) {
			if line == "held|handout|"+reason+"|" {
				held++
			}
		}
		if (held == 1) != (info.Phase == campaign.Held) {
			t.Errorf("%s: %d lines in the history", last, held)
		}
	}
	want := map[string]campaign.Phase{
		"": campaign.Held, "pause": campaign.Held, "hold": campaign.Held,
		"cancel": campaign.Ended, "settle": campaign.Settling, "finish": campaign.Done,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDistrust_HoldsOneThatIsDoneAndIsToSendAgain(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	c := b.failing(t, "c", 3)
	if n, err := b.ledger.ResendAll(ctx, c, campaign.Failed, ann, campaigntest.Noon.Add(time.Hour), nil); n != 3 || err != nil {
		t.Fatal(n, err)
	}
	if err := b.ledger.HoldRestored(ctx, "c", campaign.RestoredReason(campaigntest.Noon, true), campaigntest.Noon); err != nil {
		t.Fatal(err)
	}
	if got := b.phase(t, "c"); got != campaign.Held {
		t.Errorf("it is %s", got)
	}
}
