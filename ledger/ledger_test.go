package ledger_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/test/campaigntest"
)

func TestFindReference_FindsEveryAttempt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	info := b.stand(t, "c", 300)
	p := campaign.Place{Page: 2, Index: 99}
	refs := map[int]string{1: campaigntest.Reference(1), 2: "text reference", 3: strings.ToLower(campaigntest.Reference(0xABC)), 4: strings.Repeat("long", 50)}
	var seen ledger.Seen
	for attempt := 1; attempt <= 20; attempt++ {
		if refs[attempt] == "" {
			refs[attempt] = campaigntest.Reference(attempt)
		}
		a := campaigntest.Accept(attempt)
		a.Reference = refs[attempt]
		failed := campaigntest.AllFailed(attempt)
		failed.Reference = ""
		seen = ledger.Seen{}
		for _, e := range []campaign.Event{claimBy(attempt), a, failed, campaigntest.Resend()} {
			var err error
			if seen, err = b.ledger.Apply(t.Context(), info, p, seen, e); err != nil {
				t.Fatalf("attempt %d, %s: %v", attempt, e.Kind, err)
			}
		}
	}
	for attempt, ref := range refs {
		if got, n, err := b.ledger.FindReference(t.Context(), info, ref); err != nil || got != p || n != attempt {
			t.Errorf("attempt %d: %v, %d, %v", attempt, got, n, err)
		}
	}
	for _, ref := range []string{"", "nobody's", campaigntest.Reference(77), strings.ToLower(campaigntest.Reference(1))} {
		if p, n, err := b.ledger.FindReference(t.Context(), info, ref); !errors.Is(err, ledger.ErrNotFound) && ref != strings.ToLower(campaigntest.Reference(1)) {
			t.Errorf("%q: %v, %d, %v", ref, p, n, err)
		}
	}
	b.healthy(t, info)
}

func TestFindReference_BelongsToItsCampaign(t *testing.T) {
	t.Parallel()
	b := setup(t)
	one, other := b.stand(t, "one", 10), b.stand(t, "other", 10)
	b.apply(t, one, campaign.Place{}, campaigntest.Claim(), campaigntest.Accept(1))
	if _, _, err := b.ledger.FindReference(t.Context(), other, campaigntest.Reference(1)); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("%v, want ErrNotFound", err)
	}
}

func TestFindReference_IsBroughtByAReceiptToo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	info := b.stand(t, "c", 10)
	b.apply(t, info, campaign.Place{Index: 3}, campaigntest.Claim(), campaigntest.Doubt(1), campaigntest.UnderWay(1))
	if p, n, err := b.ledger.FindReference(t.Context(), info, campaigntest.Reference(1)); err != nil || p.Index != 3 || n != 1 {
		t.Errorf("%v, %d, %v", p, n, err)
	}
}

func TestBalance_CountsStatesAndChannels(t *testing.T) {
	t.Parallel()
	b := setup(t)
	info := b.stand(t, "c", 20)
	for i, events := range [][]campaign.Event{
		{campaigntest.Claim()},
		{campaigntest.Claim(), campaigntest.Postpone(1)},
		{campaigntest.Claim(), campaigntest.Accept(1)},
		{campaigntest.Claim(), campaigntest.Doubt(1)},
		{campaigntest.Claim(), campaigntest.ByWhatsApp(1)},
		{campaigntest.Claim(), campaigntest.BySMS(1)},
		{campaigntest.Claim(), campaigntest.BySMS(1), campaigntest.ByWhatsApp(1)},
		{campaigntest.Claim(), campaigntest.Receipt(1, campaign.RankDelivered, 3000, campaigntest.Leg("rcs", campaign.RankDelivered, 3000))},
		{campaigntest.Claim(), campaigntest.ByWhatsApp(1), campaigntest.Read(1)},
		{campaigntest.Claim(), campaigntest.AllFailed(1)},
		{campaigntest.Claim(), campaigntest.Refuse(1)},
		{campaigntest.Suppress()},
		{campaigntest.Cancel()},
		{campaigntest.Claim(), campaigntest.Accept(1), campaigntest.Overdue()},
	} {
		p := campaign.Place{Index: i}
		b.apply(t, info, p, own(p, events...)...)
	}
	bal := b.balance(t, "c")
	for s, want := range map[campaign.State]int{
		campaign.Planned: 6, campaign.Claimed: 1, campaign.Retrying: 1, campaign.Accepted: 1, campaign.InDoubt: 1,
		campaign.Delivered: 5, campaign.Failed: 1, campaign.Refused: 1, campaign.Suppressed: 1, campaign.Canceled: 1, campaign.Unconfirmed: 1,
	} {
		if got := bal.Of(s); got != want {
			t.Errorf("%s: %d, want %d", s, got, want)
		}
	}
	if want := [5]int{0, 2, 1, 1, 1}; bal.By != want {
		t.Errorf("delivered by %v, want %v", bal.By, want)
	}
	if bal.Read != 1 || bal.Total() != 20 || bal.Moving() != 9 {
		t.Errorf("read %d, total %d, moving %d", bal.Read, bal.Total(), bal.Moving())
	}
	if v := b.healthy(t, info); v.Balance != *bal {
		t.Errorf("recounted %+v, counted %+v", v.Balance, bal)
	}
}

func TestBalance_OfNoCampaignIsZero(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if bal := b.balance(t, "c"); *bal != (campaign.Balance{}) {
		t.Errorf("%+v", bal)
	}
	if err := b.rdb.HSet(t.Context(), key("c", "counts"), "planned", "many").Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.ledger.Balance(t.Context(), "c"); err == nil || !strings.Contains(err.Error(), "planned") {
		t.Errorf("%v", err)
	}
}

func TestRecords_AreThoseOfAPage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	info := b.stand(t, "c", 150)
	want := map[int]ledger.Seen{
		7:  b.apply(t, info, campaign.Place{Page: 1, Index: 7}, campaigntest.Claim()),
		49: b.apply(t, info, campaign.Place{Page: 1, Index: 49}, campaigntest.Suppress()),
	}
	b.apply(t, info, campaign.Place{Index: 7}, campaigntest.Claim())
	got, err := b.ledger.Records(t.Context(), "c", 1)
	if err != nil {
		t.Fatal(err)
	}
	if d := diff(want, got); d != "" {
		t.Error(d)
	}
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("record %d differs in what it keeps for itself", i)
		}
	}
}

func TestLeaseLooks_IsOneWorkersAtATime(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, c := range []struct {
		worker string
		lasts  time.Duration
		want   bool
	}{{"a", time.Minute, true}, {"b", time.Minute, false}, {"a", time.Minute, true}, {"b", 0, false}, {"a", 0, true}, {"b", time.Minute, true}} {
		if mine, err := b.ledger.LeaseLooks(t.Context(), c.worker, c.lasts); mine != c.want || err != nil {
			t.Errorf("%+v: %v, %v", c, mine, err)
		}
	}
}

// A page of records must stay a listpack: as a hashtable it takes five times
// the memory.
func TestLedger_RecordsAndReferencesStayListpacks(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const n = 10_000
	info := b.stand(t, "c", n)
	campaigntest.Together(64, func(g int) {
		for position := g; position < n; position += 64 {
			p := campaign.PlaceOf(position)
			var seen ledger.Seen
			a, s := campaigntest.Accept(1), campaigntest.BySMS(1)
			a.Reference = fmt.Sprintf("%016X%016X", uint64(position+1)*0x9E3779B97F4A7C15, uint64(position+1)*0xC2B2AE3D27D4EB4F)
			s.Reference = a.Reference
			for _, e := range []campaign.Event{claimBy(position), a, s} {
				var err error
				if seen, err = b.ledger.Apply(t.Context(), info, p, seen, e); err != nil {
					t.Error(err)
					return
				}
			}
		}
	})
	var records, refs int
	for _, name := range b.keys(t, "c") {
		switch {
		case strings.HasPrefix(name, "rec:"):
			records++
		case strings.HasPrefix(name, "ref:"):
			refs++
		default:
			continue
		}
		if enc := b.rdb.ObjectEncoding(t.Context(), key("c", name)).Val(); enc != "listpack" {
			t.Errorf("%s is a %s of %d", name, enc, b.rdb.HLen(t.Context(), key("c", name)).Val())
		}
	}
	if records != 100 || refs < 150 {
		t.Errorf("%d keys of records, %d of references", records, refs)
	}
	if n := b.server.UsedMemory(); n > 8<<20 { // an empty server takes about one
		t.Errorf("%d MB for 10,000 recipients", n>>20)
	}
	b.healthy(t, info)
	if active, err := b.ledger.Active(t.Context()); err != nil || !slices.Equal(active, []campaign.ID{"c"}) {
		t.Errorf("%v, %v", active, err)
	}
}
