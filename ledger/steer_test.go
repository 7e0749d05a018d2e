package ledger_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/test/campaigntest"
)

var ann = campaign.Actor{Name: "ann", Why: "lunch"}

func (b *bundle) info(t testing.TB, id campaign.ID) *campaign.Info {
	t.Helper()
	info, err := b.ledger.Info(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// history is what was done to a campaign: verb, actor and reason of each line.
func (b *bundle) history(t testing.TB, id campaign.ID) []string {
	t.Helper()
	entries, err := b.ledger.History(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	lines := make([]string, len(entries))
	for i, e := range entries {
		if e.At.IsZero() {
			t.Errorf("line %d has no time", i)
		}
		lines[i] = strings.Join([]string{e.Verb, e.By, e.Why, e.About}, "|")
	}
	return lines
}

func TestHistory_SaysWhoDidWhatAndWhyOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.stand(t, "c", 10)
	verbs := b.verbs(t, "c")
	for _, verb := range []string{"pause", "pause", "resume", "resume", "hold", "hold", "resume", "cancel", "cancel", "settle", "finish", "finish"} {
		if err := verbs[verb](); err != nil && verb != "finish" {
			t.Fatal(err)
		}
	}
	want := []string{
		"submitted|||10 recipients", "paused|ann|lunch|", "resumed|ann||", "held|handout|no money|", "resumed|ann||",
		"canceled|ann|wrong file|", "done|handout||",
	}
	if diff := cmp.Diff(want, b.history(t, "c")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestHistory_TwoTerminalsAtOnceAreOneAction(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.stand(t, "c", 10)
	var both sync.WaitGroup
	for range 8 {
		both.Go(func() {
			if err := b.ledger.Pause(t.Context(), "c", ann, campaigntest.Noon); err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	if got := b.history(t, "c"); len(got) != 2 {
		t.Errorf("%q, want one pause", got)
	}
}

func TestHistory_KeepsLongWordsWithinBounds(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.stand(t, "c", 10)
	long := campaign.Actor{Name: strings.Repeat("ä", 1000), Why: strings.Repeat("ü", 10_000)}
	if err := b.ledger.Pause(t.Context(), "c", long, campaigntest.Noon); err != nil {
		t.Fatal(err)
	}
	entries, err := b.ledger.History(t.Context(), "c")
	if err != nil {
		t.Fatal(err)
	}
	last := entries[len(entries)-1]
	if len(last.By) > 64 || len(last.Why) > 500 || !utf8.ValidString(last.By+last.Why) {
		t.Errorf("%d and %d bytes", len(last.By), len(last.Why))
	}
}

func TestReschedule_StartsByItselfAndNotBefore(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.stand(t, "c", 10)
	start := campaigntest.Noon.Add(time.Hour)
	for range 2 { // said twice is done once
		if err := b.ledger.Reschedule(t.Context(), "c", start, true, ann, campaigntest.Noon); err != nil {
			t.Fatal(err)
		}
	}
	info := b.info(t, "c")
	if info.Phase != campaign.Paused || !info.StartAt.Equal(start) || info.Reason != "starts at 2026-11-22T13:00:00Z" {
		t.Errorf("%+v", info)
	}
	if err := b.ledger.Start(t.Context(), info, start.Add(-time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if got := b.info(t, "c").Phase; got != campaign.Paused {
		t.Errorf("%s before its time", got)
	}
	for range 2 {
		if err := b.ledger.Start(t.Context(), info, start); err != nil {
			t.Fatal(err)
		}
	}
	if info = b.info(t, "c"); info.Phase != campaign.Running || !info.StartAt.IsZero() || info.Reason != "" {
		t.Errorf("%+v", info)
	}
	want := []string{"submitted|||10 recipients", "rescheduled|ann|lunch|2026-11-22T13:00:00Z", "started|handout|its time has come|"}
	if diff := cmp.Diff(want, b.history(t, "c")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReschedule_APersonsWordSinceThenWins(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.stand(t, "c", 10)
	start := campaigntest.Noon.Add(time.Hour)
	if err := b.ledger.Reschedule(t.Context(), "c", start, true, ann, campaigntest.Noon); err != nil {
		t.Fatal(err)
	}
	waiting := b.info(t, "c")
	if err := b.ledger.Pause(t.Context(), "c", ann, campaigntest.Noon); err != nil {
		t.Fatal(err)
	}
	if err := b.ledger.Start(t.Context(), waiting, start); err != nil {
		t.Fatal(err)
	}
	if info := b.info(t, "c"); info.Phase != campaign.Paused || !info.StartAt.IsZero() {
		t.Errorf("paused by a person, and now %+v", info)
	}
	if err := b.ledger.Cancel(t.Context(), "c", ann, campaigntest.Noon); err != nil {
		t.Fatal(err)
	}
	var steered *campaign.PhaseError
	if err := b.ledger.Reschedule(t.Context(), "c", start, true, ann, campaigntest.Noon); !errors.As(err, &steered) {
		t.Errorf("a canceled campaign is rescheduled: %v", err)
	}
}

func TestReschedule_KeepsAHoldUntilAPersonHasSeenIt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	start := campaigntest.Noon.Add(time.Hour)
	held := func(id campaign.ID) {
		b.stand(t, id, 10)
		if err := b.ledger.Hold(t.Context(), id, "balance", campaigntest.Noon); err != nil {
			t.Fatal(err)
		}
	}
	reschedule := func(id campaign.ID, seen bool) *campaign.Info {
		if err := b.ledger.Reschedule(t.Context(), id, start, seen, ann, campaigntest.Noon); err != nil {
			t.Fatal(err)
		}
		return b.info(t, id)
	}
	held("c")
	info := reschedule("c", false)
	if info.Phase != campaign.Held || info.Reason != "balance" || !info.StartAt.Equal(start) {
		t.Errorf("unseen, and now %+v", info)
	}
	if err := b.ledger.Start(t.Context(), info, start); err != nil {
		t.Fatal(err)
	}
	if info = b.info(t, "c"); info.Phase != campaign.Held {
		t.Errorf("its time has come, and now %+v", info)
	}
	if err := b.ledger.Resume(t.Context(), "c", ann, campaigntest.Noon); err != nil {
		t.Fatal(err)
	}
	if info = b.info(t, "c"); info.Phase != campaign.Paused || !info.StartAt.Equal(start) || info.Reason != "starts at 2026-11-22T13:00:00Z" {
		t.Errorf("resumed before its time, and now %+v", info)
	}
	held("d")
	reschedule("d", false)
	if err := b.ledger.Resume(t.Context(), "d", ann, start); err != nil {
		t.Fatal(err)
	}
	if info = b.info(t, "d"); info.Phase != campaign.Running || !info.StartAt.IsZero() {
		t.Errorf("resumed at its time, and now %+v", info)
	}
	held("e")
	reschedule("e", false)
	if info = reschedule("e", true); info.Phase != campaign.Paused || !info.StartAt.Equal(start) {
		t.Errorf("seen, and now %+v", info)
	}
}

func TestCommit_ACampaignMayStartByItself(t *testing.T) {
	t.Parallel()
	b := setup(t)
	o := b.open(t, "c")
	write(t, o, 10)
	start := time.Now().Add(time.Hour)
	info, err := o.Commit(t.Context(), content(10, "digest"), campaign.Beginning{By: ann, StartAt: start})
	if err != nil {
		t.Fatal(err)
	}
	if info.Phase != campaign.Paused || !info.StartAt.Equal(start.Truncate(time.Millisecond)) {
		t.Errorf("%+v", info)
	}
	if err := b.ledger.Start(t.Context(), info, start.Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	if info := b.info(t, "c"); info.Phase != campaign.Running || info.StartedAt.IsZero() {
		t.Errorf("%+v", info)
	}
}
