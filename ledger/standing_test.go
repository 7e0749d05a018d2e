package ledger_test

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/test/campaigntest"
)

func person(i int) campaign.Recipient {
	return campaign.Recipient{ID: fmt.Sprintf("customer-%d", i), Phone: fmt.Sprintf("+1202555%04d", i)}
}

func text(s string) *campaign.Spec {
	return &campaign.Spec{MessageType: "ARN", Channels: []campaign.Channel{
		{Channel: "sms", Template: "text", Parameters: map[string]string{"text": s}},
	}}
}

func TestAppend_OnceForEachKey(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const keys, callers = 250, 4
	var added atomic.Int64
	campaigntest.Together(callers, func(int) {
		for i := range keys {
			_, _, is, err := b.ledger.Append(t.Context(), "", fmt.Sprint("key-", i), person(i), text("hello"), campaigntest.Noon)
			if err != nil {
				t.Error(err)
			}
			if is {
				added.Add(1)
			}
		}
	})
	if added.Load() != keys {
		t.Errorf("%d added, want %d", added.Load(), keys)
	}
	info, err := b.ledger.Info(t.Context(), "sends-2026-11-22")
	if err != nil {
		t.Fatal(err)
	}
	if info.Total != keys || info.Pages != 3 || info.Phase != campaign.Running || !info.Spec.Standing {
		t.Errorf("%+v", info)
	}
	b.healthy(t, info)
	// Everyone stands where Append says, with their own message.
	id, at, is, err := b.ledger.Append(t.Context(), "", "key-7", person(7), text("hello"), campaigntest.Noon)
	if err != nil || is || id != info.ID {
		t.Fatalf("%v, %v, %v", id, is, err)
	}
	page, err := b.ledger.Recipients(t.Context(), id, at.Page)
	if err != nil {
		t.Fatal(err)
	}
	if got := page[at.Index]; got.ID != "customer-7" || got.Phone != "+12025550007" {
		t.Errorf("%+v", got)
	}
}

func TestAppend_OtherContentUnderAKnownKeyIsRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if _, _, _, err := b.ledger.Append(t.Context(), "", "k", person(1), text("hello"), campaigntest.Noon); err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]func() error{
		"another text": func() error {
			_, _, _, err := b.ledger.Append(t.Context(), "", "k", person(1), text("bye"), campaigntest.Noon)
			return err
		},
		"another person": func() error {
			_, _, _, err := b.ledger.Append(t.Context(), "", "k", person(2), text("hello"), campaigntest.Noon)
			return err
		},
		"the next day": func() error {
			_, _, _, err := b.ledger.Append(t.Context(), "", "k", person(2), text("hello"), campaigntest.Noon.AddDate(0, 0, 1))
			return err
		},
	} {
		if err := call(); !errors.Is(err, ledger.ErrOtherContent) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAppend_AKeyOutlivesMidnight(t *testing.T) {
	t.Parallel()
	b := setup(t)
	late := time.Date(2026, 11, 22, 23, 59, 59, 0, time.UTC)
	first, _, _, err := b.ledger.Append(t.Context(), "", "k", person(1), text("hello"), late)
	if err != nil {
		t.Fatal(err)
	}
	again, _, added, err := b.ledger.Append(t.Context(), "", "k", person(1), text("hello"), late.Add(2*time.Second))
	if err != nil || added || again != first {
		t.Errorf("%v, added %v, %v", again, added, err)
	}
}

// Two hosts get the same keys around midnight, at once, and one's clock is 2 s behind.
func TestAppend_HostsWithDifferentClocksAddAKeyOnceAtMidnight(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const keys = 100
	midnight := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	clocks := []time.Time{midnight.Add(time.Second), midnight.Add(-time.Second)}
	var added atomic.Int64
	var days [2][keys]campaign.ID
	campaigntest.Together(len(clocks), func(host int) {
		l := ledger.New(b.rdb)
		for i := range keys {
			id, _, is, err := l.Append(t.Context(), "", fmt.Sprint("key-", i), person(i), text("hello"), clocks[host])
			if err != nil {
				t.Error(err)
			}
			if is {
				added.Add(1)
			}
			days[host][i] = id
		}
	})
	if added.Load() != keys || days[0] != days[1] {
		t.Errorf("%d of %d keys were added; the hosts agree on their days: %v", added.Load(), keys, days[0] == days[1])
	}
}

// A caller who died after the key had its day, and before the recipient was appended,
// tries again the next day.
func TestAppend_AKeyKeepsItsDayFromItsFirstUse(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.rdb.HSet(t.Context(), "handout:{sends-2026-11-22}:meta", "total", "no number") // the append fails
	if _, _, _, err := b.ledger.Append(t.Context(), "", "k", person(1), text("hello"), campaigntest.Noon); err == nil {
		t.Fatal("appended")
	}
	b.rdb.Del(t.Context(), "handout:{sends-2026-11-22}:meta")
	id, _, added, err := b.ledger.Append(t.Context(), "", "k", person(1), text("hello"), campaigntest.Noon.AddDate(0, 0, 1))
	if id != "sends-2026-11-22" || !added || err != nil {
		t.Errorf("%s, added %v, %v", id, added, err)
	}
}

// A caller who died after the key had its account, and before the recipient was appended,
// can't take the key to another one.
func TestAppend_AKeyKeepsItsAccountFromItsFirstUse(t *testing.T) {
	t.Parallel()
	b := setup(t)
	us := text("hello")
	us.Account = "us"
	b.rdb.HSet(t.Context(), "handout:{sends-2026-11-22-us}:meta", "total", "no number") // the append fails
	if _, _, _, err := b.ledger.Append(t.Context(), "", "k", person(1), us, campaigntest.Noon); err == nil {
		t.Fatal("appended")
	}
	b.rdb.Del(t.Context(), "handout:{sends-2026-11-22-us}:meta")
	if _, _, added, err := b.ledger.Append(t.Context(), "", "k", person(1), text("hello"), campaigntest.Noon); added || !errors.Is(err, ledger.ErrOtherContent) {
		t.Errorf("through another account: added %v, %v", added, err)
	}
	id, _, added, err := b.ledger.Append(t.Context(), "", "k", person(1), us, campaigntest.Noon)
	if id != "sends-2026-11-22-us" || !added || err != nil {
		t.Errorf("%s, added %v, %v", id, added, err)
	}
	info, err := b.ledger.Info(t.Context(), id)
	if err != nil || info.Spec.AccountName() != "us" || info.KeysUntil().IsZero() {
		t.Errorf("%+v, %v", info, err)
	}
	if names, err := b.ledger.Campaigns(t.Context(), 10); err != nil || len(names) != 1 {
		t.Errorf("%v, %v", names, err)
	}
}

// A fault of one account holds its campaigns, and no other's.
func TestHoldAccount_LeavesOtherAccountsAlone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for id, account := range map[campaign.ID]string{"own": "", "us": "us", "at": "at"} {
		spec := campaigntest.Spec(id)
		spec.Account = account
		o, err := b.ledger.Open(t.Context(), spec, []string{"url"})
		if err != nil {
			t.Fatal(err)
		}
		write(t, o, 3)
		if _, err := o.Commit(t.Context(), content(3, "digest"), campaign.Beginning{}); err != nil {
			t.Fatal(err)
		}
	}
	must := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
	}
	must(b.ledger.HoldAccount(t.Context(), "us", "Telesign: a fault", campaigntest.Noon.AddDate(1, 0, 0), time.Now()))
	for id, want := range map[campaign.ID]campaign.Phase{"own": campaign.Running, "us": campaign.Held, "at": campaign.Running} {
		if p := b.phase(t, id); p != want {
			t.Errorf("%s is %s", id, p)
		}
	}
	must(b.ledger.HoldAccount(t.Context(), "default", "Telesign: a fault", campaigntest.Noon.AddDate(1, 0, 0), time.Now()))
	if own, at := b.phase(t, "own"), b.phase(t, "at"); own != campaign.Held || at != campaign.Running {
		t.Errorf("the default's is %s, another's %s", own, at)
	}
	all, err := b.ledger.Summaries(t.Context(), []campaign.ID{"own", "us"})
	if err != nil || all[0].Account != "default" || all[1].Account != "us" {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestAppend_WakesACampaignThatWasDone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id, at, _, err := b.ledger.Append(t.Context(), "", "1", person(1), text("hello"), campaigntest.Noon)
	if err != nil {
		t.Fatal(err)
	}
	info, err := b.ledger.Info(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	b.apply(t, info, at, campaigntest.Claim(), campaigntest.ByWhatsApp(1))
	b.force(t, id, campaign.Done)
	// What was read of the campaign before serves for those who come later too.
	_, at, _, err = b.ledger.Append(t.Context(), "", "2", person(2), text("hello"), campaigntest.Noon)
	if err != nil {
		t.Fatal(err)
	}
	if got := b.phase(t, id); got != campaign.Running {
		t.Errorf("the campaign is %s", got)
	}
	b.apply(t, info, at, campaigntest.Claim(), campaigntest.Accept(1))
	if p, _, err := b.ledger.FindReference(t.Context(), info, campaigntest.Reference(1)); err != nil || p != at {
		t.Errorf("%v, %v", p, err)
	}
	if err := b.ledger.Cancel(t.Context(), id, campaign.Actor{Name: "ann", Why: "enough"}, campaigntest.Noon); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := b.ledger.Append(t.Context(), "", "3", person(3), text("hello"), campaigntest.Noon); !errors.Is(err, campaign.ErrCanceled) {
		t.Errorf("appended to a canceled campaign: %v", err)
	}
}
