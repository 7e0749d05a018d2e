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
	if r := rates(); r.Account("default", 7) != 7 || r.Campaign(c) != 10 || r.SetForAccount("default") != nil || r.SetFor("c") != nil {
		t.Errorf("nothing is set: %+v", r)
	}
	if r := (campaign.Rates{}); r.Account("default", 7) != 7 || r.Campaign(c) != 10 {
		t.Errorf("the zero value: %+v", r)
	}
	set := func(account, of float64) {
		t.Helper()
		if err := errors.Join(
			b.ledger.SetAccountRate(t.Context(), "default", account, campaign.Actor{Name: "anna", Why: "why not"}, campaigntest.Noon),
			b.ledger.SetRate(t.Context(), "c", of, campaign.Actor{Name: "ben"}, campaigntest.Noon)); err != nil {
			t.Fatal(err)
		}
	}
	set(20, 0.25)
	r := rates()
	if r.Account("default", 7) != 20 || r.Campaign(c) != 0.25 {
		t.Errorf("both are set: %+v", r)
	}
	if got, want := *r.SetForAccount("default"), (campaign.RateSet{Rate: 20, By: "anna", Why: "why not", At: campaigntest.Noon}); got != want {
		t.Errorf("the account's: %+v, want %+v", got, want)
	}
	if got, want := *r.SetFor("c"), (campaign.RateSet{Rate: 0.25, By: "ben", At: campaigntest.Noon}); got != want {
		t.Errorf("the campaign's: %+v, want %+v", got, want)
	}
	set(0, 0)
	if r := rates(); r.Account("default", 7) != 7 || r.Campaign(c) != 10 || r.SetForAccount("default") != nil || r.SetFor("c") != nil {
		t.Errorf("reset: %+v", r)
	}
	for _, bad := range []float64{-1, math.NaN(), math.Inf(1)} {
		if b.ledger.SetAccountRate(t.Context(), "default", bad, campaign.Actor{Name: "anna"}, campaigntest.Noon) == nil || b.ledger.SetRate(t.Context(), "c", bad, campaign.Actor{Name: "anna"}, campaigntest.Noon) == nil {
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
	if p, err := b.ledger.Pace(t.Context(), "default"); err != nil || p != (pacing.Pace{}) {
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
	// Granted 60 of 90 some time ago, and grown since; no slot for half a minute.
	write("handout:pace", "rate", 90, "seen", micros(-time.Second), "last", micros(-time.Second), "blocked", micros(30*time.Second),
		"peak", 60, "grown", 0, "since", micros(-time.Minute))
	write("handout:{c}:pace", "rate", 5, "seen", micros(-time.Hour), "last", micros(-time.Hour), "blocked", micros(-time.Hour),
		"peak", 2, "grown", 1e9, "since", micros(-2*time.Hour))
	for name, c := range map[string]struct {
		read func(context.Context) (pacing.Pace, error)
		want pacing.Pace
	}{
		"the account's": {func(ctx context.Context) (pacing.Pace, error) { return b.ledger.Pace(ctx, "default") }, pacing.Pace{
			Rate: 90, Granted: 57.9, GrantedSince: time.UnixMicro(micros(-time.Minute)).UTC(), BlockedUntil: time.UnixMicro(micros(30 * time.Second)).UTC(),
		}},
		"a campaign's": {func(ctx context.Context) (pacing.Pace, error) { return b.ledger.PaceOf(ctx, "c") }, pacing.Pace{Rate: 5}},
	} {
		p, err := c.read(t.Context())
		if p.Granted = math.Round(p.Granted*1000) / 1000; err != nil || p != c.want {
			t.Errorf("%s: %+v, want %+v; error %v", name, p, c.want, err)
		}
	}
	// A clock that was set back: the wait is as long as it was.
	write("handout:pace", "seen", micros(time.Hour), "blocked", micros(time.Hour+7*time.Second))
	if p, err := b.ledger.Pace(t.Context(), "default"); err != nil || p.BlockedUntil.Sub(now) > 8*time.Second || p.BlockedUntil.Before(now) {
		t.Errorf("after the clock was set back: %+v, error %v", p, err)
	}
	write("handout:pace", "peak", "many")
	if _, err := b.ledger.Pace(t.Context(), "default"); err == nil {
		t.Error("junk is read")
	}
}
