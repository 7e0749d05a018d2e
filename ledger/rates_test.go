package ledger_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/pacing"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/test/campaigntest"
)

func TestRates_WhatAPersonSetsComesFirst(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.stand(t, "c", 1) // with 10 per second in its file
	rates := func() campaign.Rates {
		t.Helper()
		r, err := b.ledger.Rates(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := rates(); r.Account(7) != 7 || r.Campaign(c) != 10 || r.SetForAccount() != nil || r.SetFor("c") != nil {
		t.Errorf("nothing is set: %+v", r)
	}
	if r := (campaign.Rates{}); r.Account(7) != 7 || r.Campaign(c) != 10 {
		t.Errorf("the zero value: %+v", r)
	}
	set := func(account, of float64) {
		t.Helper()
		if err := errors.Join(
			b.ledger.SetAccountRate(t.Context(), account, campaign.Actor{Name: "anna", Why: "why not"}, campaigntest.Noon),
			b.ledger.SetRate(t.Context(), "c", of, campaign.Actor{Name: "ben"}, campaigntest.Noon)); err != nil {
			t.Fatal(err)
		}
	}
	set(20, 0.25)
	r := rates()
	if r.Account(7) != 20 || r.Campaign(c) != 0.25 {
		t.Errorf("both are set: %+v", r)
	}
	if got, want := *r.SetForAccount(), (campaign.RateSet{Rate: 20, By: "anna", Why: "why not", At: campaigntest.Noon}); got != want {
		t.Errorf("the account's: %+v, want %+v", got, want)
	}
	if got, want := *r.SetFor("c"), (campaign.RateSet{Rate: 0.25, By: "ben", At: campaigntest.Noon}); got != want {
		t.Errorf("the campaign's: %+v, want %+v", got, want)
	}
	set(0, 0)
	if r := rates(); r.Account(7) != 7 || r.Campaign(c) != 10 || r.SetForAccount() != nil || r.SetFor("c") != nil {
		t.Errorf("reset: %+v", r)
	}
	for _, bad := range []float64{-1, math.NaN(), math.Inf(1)} {
		if b.ledger.SetAccountRate(t.Context(), bad, campaign.Actor{Name: "anna"}, campaigntest.Noon) == nil || b.ledger.SetRate(t.Context(), "c", bad, campaign.Actor{Name: "anna"}, campaigntest.Noon) == nil {
			t.Errorf("a rate of %v was set", bad)
		}
	}
	if err := b.ledger.SetRate(t.Context(), "nobody", 5, campaign.Actor{Name: "anna"}, campaigntest.Noon); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("an unknown campaign's: error %v", err)
	}
	if n := b.rdb.Exists(t.Context(), "handout:rates").Val(); n != 0 {
		t.Error("something is left")
	}
}

func TestPace_SaysWhatIsInForce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if p, err := b.ledger.Pace(t.Context()); err != nil || p != (pacing.Pace{}) {
		t.Errorf("before anything: %+v, error %v", p, err)
	}
	now := time.Now()
	micros := func(d time.Duration) int64 { return now.Add(d).UnixMicro() }
	write := func(key string, fields ...any) {
		t.Helper()
		if err := b.rdb.HSet(t.Context(), key, fields...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	// Three steps, of which one has been won back; no slot for half a minute.
	write("handout:pace", "rate", 90, "last", micros(-time.Second), "cut", 3, "cut_at", micros(-15*time.Second),
		"blocked", micros(30*time.Second))
	write("handout:{c}:pace", "rate", 5, "last", micros(-time.Hour), "cut", 3, "cut_at", micros(-time.Hour), "blocked", micros(-time.Hour))
	for name, c := range map[string]struct {
		read func(context.Context) (pacing.Pace, error)
		want pacing.Pace
	}{
		"the account's": {b.ledger.Pace, pacing.Pace{
			Rate: 40, Cut: 2, BlockedUntil: time.UnixMicro(micros(30 * time.Second)).UTC(), LastSlot: time.UnixMicro(micros(-time.Second)).UTC(),
		}},
		"a campaign's": {func(ctx context.Context) (pacing.Pace, error) { return b.ledger.PaceOf(ctx, "c") }, pacing.Pace{
			Rate: 5, LastSlot: time.UnixMicro(micros(-time.Hour)).UTC(),
		}},
	} {
		p, err := c.read(t.Context())
		if p.Rate = math.Round(p.Rate*1000) / 1000; err != nil || p != c.want {
			t.Errorf("%s: %+v, want %+v; error %v", name, p, c.want, err)
		}
	}
	write("handout:pace", "cut", "many")
	if _, err := b.ledger.Pace(t.Context()); err == nil {
		t.Error("junk is read")
	}
}

func TestPaceCut(t *testing.T) {
	t.Parallel()
	at := func(d time.Duration) float64 { return float64(campaigntest.Noon.Add(d).UnixMicro()) }
	for _, c := range []struct {
		cut  int
		now  time.Duration
		want int
	}{
		{0, time.Hour, 0}, {3, -time.Minute, 3}, {3, 0, 3}, {3, 10*time.Second - 1000, 3}, {3, 10 * time.Second, 2},
		{3, 29 * time.Second, 1}, {3, 30 * time.Second, 0}, {3, time.Hour, 0}, {8, 79 * time.Second, 1},
	} {
		if got := pacing.CutNow(c.cut, at(0), at(c.now)); got != c.want {
			t.Errorf("%d steps, %v later: %d, want %d", c.cut, c.now, got, c.want)
		}
	}
}
