package ledger_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/test/campaigntest"
)

// mixed is a campaign with recipients in every state.
func (b *bundle) mixed(t testing.TB) *campaign.Info {
	t.Helper()
	info := b.stand(t, "c", 250)
	for i, events := range [][]campaign.Event{
		{campaigntest.Claim()}, {campaigntest.Claim(), campaigntest.Postpone(1)}, {campaigntest.Claim(), campaigntest.Throttle(1)}, {campaigntest.Claim(), campaigntest.Accept(1)}, {campaigntest.Claim(), campaigntest.Doubt(1)}, {campaigntest.Claim(), campaigntest.ByWhatsApp(1), campaigntest.Read(1)},
		{campaigntest.Claim(), campaigntest.AllFailed(1)}, {campaigntest.Claim(), campaigntest.Refuse(1)}, {campaigntest.Refuse(0)}, {campaigntest.Suppress()}, {campaigntest.Cancel()}, {campaigntest.Claim(), campaigntest.Accept(1), campaigntest.Overdue()}, {campaigntest.UnderWay(4)},
		{campaigntest.Claim(), campaigntest.Postpone(1), campaigntest.Suppress()}, {campaigntest.Claim(), campaigntest.Doubt(1), campaigntest.Resend(), campaigntest.Claim()},
	} {
		for _, page := range []int{0, 2} {
			p := campaign.Place{Page: page, Index: i}
			b.apply(t, info, p, own(p, events...)...)
		}
	}
	return info
}

func TestVerify_HealthyCampaignHasNoFault(t *testing.T) {
	t.Parallel()
	b := setup(t)
	info := b.mixed(t)
	var pages []int
	v, err := b.ledger.Verify(t.Context(), info, func(n int) { pages = append(pages, n) })
	if err != nil || len(v.Faults) > 0 || v.Moving {
		t.Errorf("%+v, %v", v, err)
	}
	if v.Balance != *b.balance(t, "c") || v.Balance.Total() != 250 {
		t.Errorf("%+v", v.Balance)
	}
	if fmt.Sprint(pages) != "[1 2 3]" {
		t.Errorf("progress %v", pages)
	}
}

func TestVerify_FindsEachSortOfFault(t *testing.T) {
	t.Parallel()
	planted := func(edit func(*campaign.Record)) func(testing.TB, *bundle) {
		return func(t testing.TB, b *bundle) {
			r := campaigntest.Become(t, campaigntest.Claim(), campaigntest.Accept(1), campaigntest.ByWhatsApp(1))
			edit(&r)
			if err := b.rdb.HSet(t.Context(), key("c", "rec:1"), "7", r.Encode()).Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, tt := range map[string]struct {
		plant func(testing.TB, *bundle)
		want  string
	}{
		"a count too high": {
			func(t testing.TB, b *bundle) { b.rdb.HIncrBy(t.Context(), key("c", "counts"), "failed", 1) },
			"failed: counted 3, by the records 2",
		},
		"the sum": {
			func(t testing.TB, b *bundle) { b.rdb.HIncrBy(t.Context(), key("c", "counts"), "planned", -5) },
			"the counts add up to 245, the campaign has 250 recipients",
		},
		"the channels": {
			func(t testing.TB, b *bundle) { b.rdb.HIncrBy(t.Context(), key("c", "counts"), "by_sms", 2) },
			"by_sms: counted 2, by the records 0",
		},
		"the readers": {
			func(t testing.TB, b *bundle) { b.rdb.HDel(t.Context(), key("c", "counts"), "read") },
			"read: counted 0, by the records 2",
		},
		"a lost record": {
			func(t testing.TB, b *bundle) { b.rdb.HDel(t.Context(), key("c", "rec:0"), "6") },
			"planned: counted 220, by the records 221",
		},
		"outside the list": {
			func(t testing.TB, b *bundle) {
				r := campaigntest.Become(t, campaigntest.Claim())
				b.rdb.HSet(t.Context(), key("c", "rec:2"), "50", r.Encode())
			},
			"recipient 2.50 has a record (claimed) and isn't in the list",
		},
		"a short page": {
			func(t testing.TB, b *bundle) { b.rdb.Set(t.Context(), key("c", "page:1"), pages(t, 90)[0], 0) },
			"page 1 has 90 recipients, not 100",
		},
		"a record of no page": {
			func(t testing.TB, b *bundle) { b.rdb.HSet(t.Context(), key("c", "rec:3"), "0", "x") },
			"handout:{c}:rec:3 holds records and is no page of the list",
		},
		"a lost reference": {
			func(t testing.TB, b *bundle) {
				for bucket := range 4 {
					b.rdb.Del(t.Context(), key("c", "ref:"+strconv.Itoa(bucket)))
				}
			},
			"recipient 0.3 is accepted and its reference doesn't lead to it",
		},
		"a reference of nobody": {
			func(t testing.TB, b *bundle) { b.rdb.HSet(t.Context(), key("c", "ref:0"), "abc", 250*16+1) },
			"reference abc leads to no recipient in the list",
		},
		"a reference of another": {
			func(t testing.TB, b *bundle) { b.rdb.HSet(t.Context(), key("c", "ref:0"), "abc", 3*16+1) },
			"reference abc is of attempt 1 of recipient 0.3, which is accepted at attempt 1",
		},
		"without an attempt":  {planted(func(r *campaign.Record) { r.Attempt = 0 }), "recipient 1.7 is delivered without an attempt"},
		"never claimed":       {planted(func(r *campaign.Record) { r.ClaimedAt = campaigntest.Noon.AddDate(-99, 0, 0); *r = withoutClaim(*r) }), "recipient 1.7 is delivered without the time of its claim"},
		"never settled":       {planted(func(r *campaign.Record) { r.SettledAt = r.DueAt }), "recipient 1.7 is delivered without the time when it was settled"},
		"settled and not":     {planted(func(r *campaign.Record) { *r = settledClaim(t) }), "recipient 1.7 is claimed with a time when it was settled"},
		"failed by its legs":  {planted(func(r *campaign.Record) { r.State = campaign.Failed }), "recipient 1.7 is failed against what its legs say"},
		"delivered by no leg": {planted(func(r *campaign.Record) { r.Status, r.Legs = campaign.Leg{}, campaign.Legs{} }), "recipient 1.7 is delivered against what its legs say"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			info := b.mixed(t)
			tt.plant(t, b)
			v, err := b.ledger.Verify(t.Context(), info, nil)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(strings.Join(v.Faults, "\n")+"\n", tt.want+"\n") {
				t.Errorf("faults %q, want %q among them", v.Faults, tt.want)
			}
		})
	}
}

func TestRepair_PutsCountsRightAndSaysSo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	info := b.mixed(t)
	for name, by := range map[string]int64{"failed": 3, "planned": -7, "read": 1} {
		if err := b.rdb.HIncrBy(t.Context(), key("c", "counts"), name, by).Err(); err != nil {
			t.Fatal(err)
		}
	}
	v, err := b.ledger.Verify(t.Context(), info, nil)
	if err != nil || len(v.Faults) == 0 {
		t.Fatalf("%+v, %v", v, err)
	}
	done, err := b.ledger.Repair(t.Context(), info, v)
	want := []string{"planned: was counted 213, is 220 now", "failed: was counted 5, is 2 now", "read: was counted 3, is 2 now"}
	if d := cmp.Diff(want, done); d != "" || err != nil {
		t.Errorf("%v\n%s", err, d)
	}
	b.healthy(t, info)
	// What it was to put right has been put right: it doesn't do so twice.
	if _, err := b.ledger.Repair(t.Context(), info, v); !errors.Is(err, ledger.ErrMoving) {
		t.Errorf("again: %v", err)
	}
}

func withoutClaim(r campaign.Record) campaign.Record {
	r.ClaimedAt = campaign.Record{}.ClaimedAt
	return r
}

func settledClaim(t testing.TB) campaign.Record {
	t.Helper()
	r := campaigntest.Become(t, campaigntest.Claim())
	r.SettledAt = campaigntest.Noon
	return r
}

func TestVerify_SaysWhichPageCannotBeRead(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		plant func(testing.TB, *bundle)
		want  error
		page  string
	}{
		"missing":         {func(t testing.TB, b *bundle) { b.rdb.Del(t.Context(), key("c", "page:1")) }, ledger.ErrNotFound, "page 1"},
		"last is missing": {func(t testing.TB, b *bundle) { b.rdb.Del(t.Context(), key("c", "page:2")) }, ledger.ErrNotFound, "page 2"},
		"broken":          {func(t testing.TB, b *bundle) { b.rdb.Set(t.Context(), key("c", "page:1"), "x", 0) }, campaign.ErrBadPage, "page 1"},
		"broken record":   {func(t testing.TB, b *bundle) { b.rdb.HSet(t.Context(), key("c", "rec:1"), "3", "x") }, campaign.ErrBadRecord, "record 3 of page 1"},
		"field beyond":    {func(t testing.TB, b *bundle) { b.rdb.HSet(t.Context(), key("c", "rec:1"), "100", "") }, campaign.ErrBadRecord, "record 100 of page 1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			info := b.stand(t, "c", 250)
			tt.plant(t, b)
			v, err := b.ledger.Verify(t.Context(), info, nil)
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.page) {
				t.Errorf("%+v, %v; want %v at %s", v, err, tt.want, tt.page)
			}
		})
	}
}

func TestVerify_WhileTheCampaignMovesSaysSo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	info := b.stand(t, "c", 250)
	next := 0
	v, err := b.ledger.Verify(t.Context(), info, func(n int) {
		if n == info.Pages { // after the last page has been read, always someone moves
			b.apply(t, info, campaign.Place{Index: next}, campaigntest.Claim())
			next++
		}
	})
	if err != nil || !v.Moving || len(v.Faults) > 0 {
		t.Errorf("%+v, %v", v, err)
	}
	if next < 2 {
		t.Error("it looked only once")
	}
	// Once it rests, the second look is enough.
	next = 100
	v, err = b.ledger.Verify(t.Context(), info, func(n int) {
		if n == 1 && next == 100 {
			next = 101
			b.apply(t, info, campaign.Place{Index: 99}, campaigntest.Claim())
		}
	})
	if err != nil || v.Moving || len(v.Faults) > 0 {
		t.Errorf("%+v, %v", v, err)
	}
}

// Counts that change and change back while records are read are no fault.
func TestVerify_ThereAndBackAgainIsNoFault(t *testing.T) {
	t.Parallel()
	b := setup(t)
	info := b.stand(t, "c", 5050)
	p := campaign.Place{Page: 50} // read by the second call
	b.apply(t, info, p, campaigntest.Claim(), campaigntest.Throttle(1))
	looks := 0
	v, err := b.ledger.Verify(t.Context(), info, func(n int) {
		switch {
		case n == 50 && looks == 0:
			b.apply(t, info, p, campaigntest.Claim())
		case n == 51:
			if looks++; looks == 1 {
				b.apply(t, info, p, campaigntest.Throttle(1))
			}
		}
	})
	if err != nil || len(v.Faults) > 0 || v.Moving || looks != 2 {
		t.Errorf("%+v after %d looks, %v", v, looks, err)
	}
}

func TestEachPage_InOrderWithRecords(t *testing.T) {
	t.Parallel()
	b := setup(t)
	info := b.stand(t, "c", 6050) // two calls and a bit
	last := campaign.Place{Page: 60, Index: 49}
	want := b.apply(t, info, last, campaigntest.Claim(), campaigntest.Accept(1))
	next, n := 0, 0
	err := b.ledger.EachPage(t.Context(), info, func(page *ledger.Page) error {
		if page.Number != next {
			t.Errorf("page %d, want %d", page.Number, next)
		}
		next++
		for i, r := range page.Recipients {
			if r.ID != fmt.Sprintf("r%d", n) {
				t.Fatalf("recipient %d is %s", n, r.ID)
			}
			n++
			rec := page.Record(i)
			if (page.Number == last.Page && i == last.Index) != (rec == want.Record) {
				t.Errorf("recipient %d.%d: %+v", page.Number, i, rec)
			}
		}
		return nil
	})
	if err != nil || n != 6050 {
		t.Errorf("%d recipients, %v", n, err)
	}
	stop := errors.New("enough")
	if err := b.ledger.EachPage(t.Context(), info, func(*ledger.Page) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("%v, want %v", err, stop)
	}
}
