package ledger_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/test/campaigntest"
	"github.com/handout-dev/handout/test/redistest"
)

// standAs makes a running campaign of n whose spec is changed first.
func (b *bundle) standAs(t testing.TB, id campaign.ID, n int, change func(*campaign.Spec)) *campaign.Info {
	t.Helper()
	s := campaigntest.Spec(id)
	change(s)
	o, err := b.ledger.Open(t.Context(), s, []string{"url"})
	if err != nil {
		t.Fatal(err)
	}
	write(t, o, n)
	info, err := o.Commit(t.Context(), content(n, "digest"), campaign.Beginning{})
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// The stories of the watched, by a letter each.
var watched = map[rune][]campaign.Event{
	'd': {campaigntest.Claim(), campaigntest.Doubt(1)},
	'a': {campaigntest.Claim(), campaigntest.Accept(1)},
	'r': {campaigntest.Claim(), campaigntest.Refuse(1)},
	'f': {campaigntest.Claim(), campaigntest.Accept(1), campaigntest.AllFailed(1)},
	'g': {campaigntest.Claim(), campaigntest.Accept(1), campaigntest.ByWhatsApp(1)},
	'u': {campaigntest.Claim(), campaigntest.Accept(1), campaigntest.Overdue()},
	'l': {campaigntest.Claim(), campaigntest.Overdue()},    // the worker was lost
	'p': {campaigntest.Claim(), campaigntest.Postpone(1)},  // not sent
	's': {campaigntest.Suppress()},                         // never sent to
	'F': {campaigntest.Claim(), campaigntest.AllFailed(1)}, // the receipt overtakes the answer
}

// live lets stories happen to recipients from position from on, until the
// campaign stops; it returns how many happened.
func (b *bundle) live(t testing.TB, c *campaign.Info, from int, stories string) int {
	t.Helper()
	for i, s := range stories {
		if b.phase(t, c.ID) != campaign.Running {
			return i
		}
		p := campaign.PlaceOf(from + i)
		b.apply(t, c, p, own(p, watched[s]...)...)
	}
	return len(stories)
}

func (b *bundle) reason(t testing.TB, id campaign.ID) string {
	t.Helper()
	_, reason, _, err := b.ledger.Phase(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return reason
}

func (b *bundle) resume(t testing.TB, id campaign.ID) {
	t.Helper()
	if err := b.ledger.Resume(t.Context(), id, ann, campaigntest.Noon); err != nil {
		t.Fatal(err)
	}
}

func times(n int, story string) string { return strings.Repeat(story, n) }

const silence = "10 doubts in a row: Telesign doesn't answer"

func TestWatch_HoldsAtTheRightMomentWithItsReason(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i, c := range []struct {
		name    string
		limit   float64
		stories string
		holds   string // the reason; it must hold at the last story; empty: never
	}{
		{"ten doubts", 0, times(10, "d"), silence},
		{"nine", 0, times(9, "d"), ""},
		{"nine, an accept, nine", 0, times(9, "d") + "a" + times(9, "d"), ""},
		{"and a tenth", 0, times(9, "d") + "a" + times(10, "d"), silence},
		{"a refusal is an answer", 0, times(9, "d") + "r" + times(9, "d"), ""},
		{"nothing sent is no answer", 0, times(9, "d") + "pppp" + "d", silence},
		{"receipts of others are no answer", 0, times(9, "d") + "F" + "d", silence},
		{"twenty lost workers", 0, times(20, "l"), ""},
		{"lost workers in between", 0, times(9, "dl") + "d", silence},

		{"60 failures", 0, times(60, "f"), ""},
		{"61 failures", 0, times(61, "f"), "61 of the last 61 outcomes failed or were refused, more than 30 % of 200"},
		{"61 refusals", 0, times(61, "r"), "61 of the last 61 outcomes failed or were refused, more than 30 % of 200"},
		{"failures before their accept", 0, times(61, "F"), "61 of the last 61 outcomes failed or were refused, more than 30 % of 200"},
		{"of 140", 0, times(79, "g") + times(61, "f"), "61 of the last 140 outcomes failed or were refused, more than 30 % of 200"},
		{"unconfirmed isn't failed", 0, times(61, "u") + times(60, "f"), ""},
		{"60 of each 200", 0, times(2, times(60, "f")+times(140, "g")), ""},
		{"the last 200, not all", 0, times(20, "g") + times(10, "f") + times(139, "g") + times(51, "f"),
			"61 of the last 200 outcomes failed or were refused, more than 30 % of 200"},
		{"who was never sent to is no outcome", 0, times(30, "s") + times(60, "f"), ""},
		{"5 %", 0.05, times(11, "f"), "11 of the last 11 outcomes failed or were refused, more than 5 % of 200"},
		{"29 %, to the one", 0.29, times(59, "f"), "59 of the last 59 outcomes failed or were refused, more than 29 % of 200"},
		{"12.5 %", 0.125, times(26, "f"), "26 of the last 26 outcomes failed or were refused, more than 12.5 % of 200"},
		{"no limit", 1, times(250, "f"), ""},
	} {
		id := campaign.ID(fmt.Sprintf("c%d", i))
		info := b.standAs(t, id, len(c.stories)+1, func(s *campaign.Spec) { s.MaxFailureRate = c.limit })
		if n := b.live(t, info, 0, c.stories); n != len(c.stories) {
			t.Errorf("%s: held after %d of %d", c.name, n, len(c.stories))
		}
		phase, reason := b.phase(t, id), b.reason(t, id)
		if (phase == campaign.Held) != (c.holds != "") || reason != c.holds {
			t.Errorf("%s: %s: %q, want %q", c.name, phase, reason, c.holds)
		}
		want := []string{fmt.Sprintf("submitted|||%d recipients", info.Total)}
		if c.holds != "" {
			want = append(want, "held|handout|"+c.holds+"|")
		}
		if d := cmp.Diff(want, b.history(t, id)); d != "" {
			t.Errorf("%s: (-want +got):\n%s", c.name, d)
		}
		b.healthy(t, info)
	}
}

// What is said twice, or at once, is counted once.
func TestWatch_CountsEveryoneOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	info := b.stand(t, "c", 100)
	for i := range 60 {
		p := campaign.PlaceOf(i)
		seen := b.apply(t, info, p, own(p, campaigntest.Claim(), campaigntest.Accept(1))...)
		e := own(p, campaigntest.AllFailed(1))[0]
		campaigntest.Together(4, func(int) {
			for range 3 {
				if _, err := b.ledger.Apply(background(t), info, p, seen, e); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := 60; i < 69; i++ {
		b.apply(t, info, campaign.PlaceOf(i), campaigntest.Claim(), campaigntest.Doubt(1), campaigntest.Doubt(1), campaigntest.Doubt(1))
	}
	if p := b.phase(t, "c"); p != campaign.Running {
		t.Fatalf("%s: %q", p, b.reason(t, "c"))
	}
	b.live(t, info, 70, "f")
	if p := b.phase(t, "c"); p != campaign.Held {
		t.Errorf("after the 61st: %s", p)
	}
}

// The count stands where the records stand: no crash forgets either alone.
func TestWatch_OutlivesACrashOfEveryone(t *testing.T) {
	t.Parallel()
	b := setup(t, redistest.AppendOnly("always"))
	info := b.stand(t, "c", 100)
	b.live(t, info, 0, times(9, "d"))
	b.server.Kill()
	b.server.Restart()
	b.ledger = ledger.New(b.rdb)
	if n := b.live(t, info, 9, "dd"); n != 1 || b.phase(t, "c") != campaign.Held {
		t.Errorf("%s after %d more", b.phase(t, "c"), n)
	}
	// Neither does one forget the hold.
	b.server.Kill()
	b.server.Restart()
	if p, why := b.phase(t, "c"), b.reason(t, "c"); p != campaign.Held || why != silence {
		t.Errorf("%s: %q", p, why)
	}
	b.healthy(t, info)
}

func TestWatch_AResumeStartsAnew(t *testing.T) {
	t.Parallel()
	b := setup(t)
	doubts := b.stand(t, "doubts", 100)
	b.live(t, doubts, 0, times(10, "d"))
	// What was under way at the hold comes in while it stands.
	b.apply(t, doubts, campaign.PlaceOf(10), campaigntest.Doubt(1))
	b.resume(t, "doubts")
	if n := b.live(t, doubts, 20, times(10, "d")); n != 10 || b.phase(t, "doubts") != campaign.Held {
		t.Errorf("%s after %d more doubts", b.phase(t, "doubts"), n)
	}
	failures := b.stand(t, "failures", 300)
	b.live(t, failures, 0, times(61, "f"))
	b.resume(t, "failures")
	if n := b.live(t, failures, 100, times(61, "f")); n != 61 || b.phase(t, "failures") != campaign.Held {
		t.Errorf("%s after %d more failures", b.phase(t, "failures"), n)
	}
	want := []string{"submitted", "held", "resumed", "held"}
	for _, id := range []campaign.ID{"doubts", "failures"} {
		var verbs []string
		for _, line := range b.history(t, id) {
			verbs = append(verbs, line[:strings.IndexByte(line, '|')])
		}
		if !slices.Equal(verbs, want) {
			t.Errorf("%s: %q", id, verbs)
		}
	}
}

// A campaign that doesn't run keeps no one waiting.
func TestWatch_HoldsOnlyWhatRuns(t *testing.T) {
	t.Parallel()
	b := setup(t)
	info := b.stand(t, "c", 100)
	for i := range 12 {
		b.apply(t, info, campaign.PlaceOf(i), campaigntest.Claim())
	}
	if err := b.ledger.Pause(t.Context(), "c", ann, campaigntest.Noon); err != nil {
		t.Fatal(err)
	}
	for i := range 12 {
		b.apply(t, info, campaign.PlaceOf(i), campaigntest.Doubt(1))
	}
	if p, why := b.phase(t, "c"), b.reason(t, "c"); p != campaign.Paused || why != "paused by ann: lunch" {
		t.Errorf("%s: %q", p, why)
	}
	b.resume(t, "c")
	b.live(t, info, 50, "d")
	if p := b.phase(t, "c"); p != campaign.Running {
		t.Errorf("one doubt after the resume: %s", p)
	}
}

// Who is sent to again after the campaign's end isn't measured by what became
// of the others before.
func TestWatch_ANewRunForgetsTheOutcomesOfTheLast(t *testing.T) {
	t.Parallel()
	b := setup(t)
	info := b.stand(t, "c", 100)
	seen := make([]ledger.Seen, 100)
	for i := range seen {
		p := campaign.PlaceOf(i)
		seen[i] = b.apply(t, info, p, own(p, campaigntest.Claim(), campaigntest.Accept(1))...)
	}
	if err := b.ledger.Settle(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	for i := range seen {
		p := campaign.PlaceOf(i)
		seen[i] = b.apply(t, info, p, own(p, campaigntest.AllFailed(1))...)
	}
	if err := b.ledger.Finish(t.Context(), "c", campaigntest.Noon); err != nil {
		t.Fatal(err)
	}
	p := campaign.PlaceOf(0)
	b.apply(t, info, p, campaigntest.Resend())
	if err := b.ledger.Reopen(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	again := []campaign.Event{campaigntest.Claim(), campaigntest.Accept(2), campaigntest.AllFailed(2)}
	b.apply(t, info, p, own(p, again...)...)
	if phase := b.phase(t, "c"); phase != campaign.Running {
		t.Errorf("%s: %q", phase, b.reason(t, "c"))
	}
}

// One sender's wrong numbers don't keep the others' messages from being sent;
// a Telesign that doesn't answer does.
func TestWatch_AStandingCampaignIsHeldForDoubtsAlone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i := range 250 {
		if _, _, _, err := b.ledger.Append(t.Context(), "", fmt.Sprint("key-", i), person(i), text("hello"), campaigntest.Noon); err != nil {
			t.Fatal(err)
		}
	}
	info := b.info(t, "sends-2026-11-22")
	if n := b.live(t, info, 0, times(230, "r")); n != 230 || b.phase(t, info.ID) != campaign.Running {
		t.Fatalf("%s after %d refusals: %q", b.phase(t, info.ID), n, b.reason(t, info.ID))
	}
	if n := b.live(t, info, 230, times(20, "d")); n != 10 || b.reason(t, info.ID) != silence {
		t.Errorf("%s after %d doubts: %q", b.phase(t, info.ID), n, b.reason(t, info.ID))
	}
	b.healthy(t, info)
}

// Answers, as ever, cost nothing; outcomes at most two commands more for a call,
// however many changes travel in it.
func TestWatch_CostsLittle(t *testing.T) {
	t.Parallel()
	const n = 1000
	b := setup(t)
	info := b.stand(t, "c", 2*n)
	b.apply(t, info, campaign.PlaceOf(2*n-1), campaigntest.Claim())
	seen := make([]ledger.Seen, n)
	step := func(event campaign.Event) map[string]int64 {
		b.server.ResetCommandStats()
		campaigntest.Together(n, func(i int) {
			p := campaign.PlaceOf(i)
			var err error
			if seen[i], err = b.ledger.Apply(background(t), info, p, seen[i], own(p, event)[0]); err != nil {
				t.Error(err)
			}
		})
		return b.server.CommandStats()
	}
	step(campaigntest.Claim())
	stats := step(campaigntest.Accept(1))
	if stats["hget"] != n || 2*stats["hmget"] != stats["evalsha"] { // each looks at the campaign's state, and half of them index references
		t.Errorf("answers looked at the watch: %v", stats)
	}
	stats = step(campaigntest.ByWhatsApp(1))
	if looks := stats["hget"] - n; looks > stats["evalsha"] || looks <= 0 {
		t.Errorf("%d looks at the watch in %d calls", looks, stats["evalsha"])
	}
}

// Receipts of before the resume come for days.
func TestWatch_OutcomesOfBeforeTheResumeCountNoMore(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.stand(t, "c", 300)
	sent := func(from, to int) {
		for i := from; i < to; i++ {
			p := campaign.PlaceOf(i)
			b.apply(t, c, p, own(p, campaigntest.Claim(), campaigntest.Accept(1))...)
		}
	}
	fails := func(from, to int) {
		for i := from; i < to && b.phase(t, c.ID) == campaign.Running; i++ {
			p := campaign.PlaceOf(i)
			seen, err := b.ledger.ReadRecord(t.Context(), c, p)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := b.ledger.Apply(t.Context(), c, p, seen, own(p, campaigntest.AllFailed(1))[0]); err != nil {
				t.Fatal(err)
			}
		}
	}
	sent(0, 150)
	fails(0, 150)
	if got := b.phase(t, c.ID); got != campaign.Held {
		t.Fatalf("the campaign is %s", got)
	}
	if err := b.ledger.Resume(t.Context(), c.ID, ann, campaigntest.Noon.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	fails(60, 150)
	if got := b.phase(t, c.ID); got != campaign.Running {
		t.Errorf("after failures of before the resume the campaign is %s: %s", got, b.reason(t, c.ID))
	}
}

func TestHoldAll_HoldsWhatRunsAndNothingElse(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, id := range []campaign.ID{"one", "two", "paused", "done", "purged", "canceled"} {
		b.stand(t, id, 10)
	}
	b.open(t, "draft")
	must := func(errs ...error) {
		t.Helper()
		for _, err := range errs {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	ctx := t.Context()
	must(b.ledger.Pause(ctx, "paused", ann, campaigntest.Noon), b.ledger.Settle(ctx, "done"), b.ledger.Finish(ctx, "done", campaigntest.Noon),
		b.ledger.Cancel(ctx, "canceled", ann, campaigntest.Noon), b.rdb.Del(ctx, key("purged", "meta")).Err(),
		b.rdb.SAdd(ctx, "handout:active", "draft", "done").Err())

	const reason = "Telesign: 3207 Insufficient balance"
	must(b.ledger.HoldAccount(ctx, "default", reason, campaigntest.Noon, campaigntest.Noon), b.ledger.HoldAccount(ctx, "default", "said twice", campaigntest.Noon, campaigntest.Noon.Add(time.Hour)))
	for id, want := range map[campaign.ID]campaign.Phase{
		"one": campaign.Held, "two": campaign.Held, "paused": campaign.Paused, "done": campaign.Done,
		"canceled": campaign.Ended, "draft": campaign.Draft,
	} {
		if p, why := b.phase(t, id), b.reason(t, id); p != want || (p == campaign.Held) != (why == reason) {
			t.Errorf("%s: %s: %q", id, p, why)
		}
	}
	if h := b.history(t, "two"); len(h) != 2 || h[1] != "held|handout|"+reason+"|" {
		t.Errorf("%q", h)
	}
}
