package ledger_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/redisx"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/test/campaigntest"
)

func TestReceive_ManyAtOnceAreEachRecordedAndCountedOnce(t *testing.T) {
	t.Parallel()
	const n = 250 // more than go in one call, in three pages
	b := setup(t)
	info := b.stand(t, "c", n)
	campaigntest.Together(n, func(i int) {
		if _, err := b.ledger.Apply(t.Context(), info, campaign.PlaceOf(i), ledger.Seen{}, claimBy(i)); err != nil {
			t.Error(err)
		}
	})
	campaigntest.Together(3*n, func(i int) {
		if _, err := b.ledger.Receive(t.Context(), info, campaign.PlaceOf(i%n), campaigntest.ByWhatsApp(1)); err != nil {
			t.Error(err)
		}
	})
	balance, err := b.ledger.Balance(t.Context(), "c")
	if err != nil || balance.Of(campaign.Delivered) != n || balance.Of(campaign.Claimed) != 0 {
		t.Errorf("%v, %v", balance, err)
	}
	for i := range n {
		seen, err := b.ledger.ReadRecord(t.Context(), info, campaign.PlaceOf(i))
		if err != nil || seen.Record.State != campaign.Delivered || seen.Record.Legs[campaign.WhatsApp].Code != 3000 {
			t.Fatalf("recipient %d: %+v, %v", i, seen.Record, err)
		}
	}
}

func TestReceive_ChangesNothingThatAsksForACloserLook(t *testing.T) {
	t.Parallel()
	b := setup(t)
	info := b.stand(t, "c", 4)
	at := func(i int) campaign.Place { return campaign.Place{Index: i} }
	for i := 1; i < 4; i++ {
		if _, err := b.ledger.Apply(t.Context(), info, at(i), ledger.Seen{}, claimBy(i)); err != nil {
			t.Fatal(err)
		}
	}
	if made, err := b.ledger.Receive(t.Context(), info, at(2), campaigntest.ByWhatsApp(1)); made == nil || err != nil {
		t.Fatalf("%v, %v", made, err)
	}
	elsewhere := campaigntest.ByWhatsApp(1)
	elsewhere.Reference = "ABC"
	if made, err := b.ledger.Receive(t.Context(), info, at(3), elsewhere); made == nil || err != nil {
		t.Fatalf("%v, %v", made, err)
	}
	mismatch := campaigntest.ByWhatsApp(1)
	mismatch.Reference = "DEF"
	for i, e := range []campaign.Event{campaigntest.ByWhatsApp(1), campaigntest.ByWhatsApp(2), campaigntest.ByWhatsApp(1), mismatch} { // planned, not its attempt, known, another's
		before, err := b.ledger.ReadRecord(t.Context(), info, at(i))
		if err != nil {
			t.Fatal(err)
		}
		made, err := b.ledger.Receive(t.Context(), info, at(i), e)
		after, lookErr := b.ledger.ReadRecord(t.Context(), info, at(i))
		if made != nil || err != nil || lookErr != nil || after != before {
			t.Errorf("recipient %d: %v, %v, %v; %+v became %+v", i, made, err, lookErr, before.Record, after.Record)
		}
	}
}

func TestReceive_OutsideTheListOrPurgedIsAnError(t *testing.T) {
	t.Parallel()
	b := setup(t)
	info := b.stand(t, "c", 1)
	if _, err := b.ledger.Receive(t.Context(), info, campaign.Place{Index: 1}, campaigntest.ByWhatsApp(1)); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("%v, want ErrNotFound", err)
	}
	if err := b.rdb.HSet(t.Context(), "handout:{c}:rec:0", "0", "junk").Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.ledger.Receive(t.Context(), info, campaign.Place{}, campaigntest.ByWhatsApp(1)); !errors.Is(err, campaign.ErrBadRecord) {
		t.Errorf("%v, want ErrBadRecord", err)
	}
}

// A caller that waits for a Redis that hangs may give up; the one that carries the changes
// may too, and those behind them go on.
func TestApply_WhoGivesUpKeepsNobodyWaiting(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rdb, err := redisx.Open(b.server.URL(), redisx.DefaultPrefix)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rdb.Close() })
	others := ledger.New(rdb)
	const n = 5
	info := b.stand(t, "c", n)
	if _, err := others.ReadRecord(t.Context(), info, campaign.Place{}); err != nil { // the script is known, and connected to
		t.Fatal(err)
	}
	if err := b.rdb.Do(t.Context(), "CLIENT", "PAUSE", "2000", "ALL").Err(); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	campaigntest.Together(n, func(i int) {
		ctx := t.Context()
		if i < n-1 {
			short, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
			defer cancel()
			ctx = short
		}
		_, err := others.Apply(ctx, info, campaign.Place{Index: i}, ledger.Seen{}, claimBy(i))
		switch took := time.Since(start); {
		case i < n-1 && (err == nil || took > 1500*time.Millisecond):
			t.Errorf("caller %d: %v after %v", i, err, took)
		case i == n-1 && err != nil && took > 1500*time.Millisecond:
			t.Errorf("the patient caller: %v", err) // but for sharing a call that was cut short
		}
	})
	for i := range n {
		_, err := others.Apply(t.Context(), info, campaign.Place{Index: i}, ledger.Seen{}, claimBy(i))
		if err != nil && !refused(err) {
			t.Errorf("recipient %d: %v", i, err)
		}
	}
	balance, err := others.Balance(t.Context(), "c")
	if err != nil || balance.Of(campaign.Claimed) != n {
		t.Errorf("%v, %v", balance, err)
	}
}
