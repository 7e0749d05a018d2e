package accounts_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/producer"
	"github.com/handout-dev/handout/telesign/simulator"
	"github.com/handout-dev/handout/test/redistest"
)

func unchanged(string, *simulator.Options) {}

// The campaigns of both have the same names, and their people the same numbers.
func TestAccounts_OfTwoInstallationsOnOneClusterNeverCross(t *testing.T) {
	cluster := startCluster(t)
	sizes := map[string]int{"default": 60, "us": 120}
	var houses []*house
	for _, prefix := range []string{"one", "two"} {
		houses = append(houses, start(t, cluster, prefix, unchanged))
	}
	for _, h := range houses {
		h.submit("c-default", "default", sizes["default"])
		h.submit("c-us", "us", sizes["us"])
		for account := range rates {
			sent, err := producer.New(h.rdb).Send(t.Context(), oneOff("key "+account, account))
			if err != nil || (account == "us") != strings.HasSuffix(string(sent.Campaign), "-us") {
				t.Fatalf("a one-off send through %s: %+v, %v", account, sent, err)
			}
		}
	}
	for _, h := range houses {
		h.untilDone("c-default", "c-us")
		for account, v := range h.vendors {
			h.judge(account, v, sizes[account]+1)
		}
		h.counts()
	}
}

func oneOff(key, account string) producer.OneOff {
	return producer.OneOff{
		Key: key, Recipient: "r", Phone: "+41790000000", MessageType: "ARN", Account: account,
		Channels: []producer.Channel{{Channel: "sms", Template: "text", Parameters: map[string]string{"text": "Hello."}}},
	}
}

// judge holds a vendor's log against what was to be sent through its account.
func (h *house) judge(account string, v *vendor, want int) {
	h.t.Helper()
	seen := make(map[string]bool)
	for _, a := range v.Accepted() {
		attempt, err := campaign.ParseExternalID(a.ExternalID)
		_, its, standing := campaign.StandingDay(attempt.Campaign)
		if err != nil || seen[a.ExternalID] || (string(attempt.Campaign) != "c-"+account && !(standing && its == account)) {
			h.t.Errorf("%s got %s, %v", v.customer, a.ExternalID, err)
		}
		seen[a.ExternalID] = true
	}
	s := v.Stats()
	if len(seen) != want || s.MaxPerSecond > rates[account] || len(s.ByAnswer) != 1 {
		h.t.Errorf("%s: %d messages, want %d; %d in a second, want %d at most; answers %v", v.customer, len(seen), want, s.MaxPerSecond, rates[account], s.ByAnswer)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.senders["of-"+account] != want {
		h.t.Errorf("%s: by the senders %v", v.customer, v.senders)
	}
}

// counts reports a receipt of another installation, or more messages than people, by the
// listener's and the worker's own counters.
func (h *house) counts() {
	h.t.Helper()
	if n := h.counted("handout_receipts_total", "foreign"); n != 0 {
		h.t.Errorf("%d receipts are foreign", n)
	}
	for account, n := range map[string]int{"default": 61, "us": 121} {
		if got := h.counted("handout_sends_total", account); got != n {
			h.t.Errorf("%d sends are counted of %s, want %d", got, account, n)
		}
	}
}

func TestReceipts_SignedByAnotherAccountAreForeign(t *testing.T) {
	h := start(t, redistest.Start(t).URL(), "handout", func(_ string, o *simulator.Options) { o.NoCallbacks = true })
	info := h.submit("c", "us", 3)
	h.until("c", "accepted", func(_ *campaign.Info, b *campaign.Balance) bool { return b.Of(campaign.Accepted) == 3 })
	receipt := func(index int) string {
		return fmt.Sprintf(`{"external_id":"%s","status":{"code":3000,"last_channel":"whatsapp"}}`, info.ExternalID(campaign.Place{Index: index}, 1))
	}
	us, own := h.vendors["us"], h.vendors["default"]
	old := base64.StdEncoding.EncodeToString([]byte("old key of " + us.customer))
	for _, c := range []struct {
		name, customer, key string
		status, foreign     int
		delivered           int
	}{
		{"another account's", own.customer, own.key, 200, 1, 0},
		{"nobody's", us.customer, base64.StdEncoding.EncodeToString([]byte("a guess")), 401, 1, 0},
		{"another account's under its name", us.customer, own.key, 401, 1, 0},
		{"its own", us.customer, us.key, 200, 1, 1},
		{"its own before the rotation", us.customer, old, 200, 1, 2},
	} {
		if status := h.post(receipt(c.delivered), c.customer, c.key); status != c.status {
			t.Errorf("%s: answered with %d, want %d", c.name, status, c.status)
		}
		b, err := h.ledger.Balance(t.Context(), "c")
		if err != nil || b.Of(campaign.Delivered) != c.delivered || h.counted("handout_receipts_total", "foreign") != c.foreign {
			t.Errorf("%s: %d delivered, want %d; %d foreign; %v", c.name, b.Of(campaign.Delivered), c.delivered, h.counted("handout_receipts_total", "foreign"), err)
		}
	}
}

// One account's trouble: all its requests are answered with 429, or its key is refused.
func TestAccounts_OneInTroubleLeavesTheOtherAtItsRate(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*simulator.Options)
		after func(info *campaign.Info, b *campaign.Balance) bool
	}{
		"throttled": {func(o *simulator.Options) { o.Denies = 1 }, func(info *campaign.Info, b *campaign.Balance) bool {
			return info.Phase == campaign.Running && b.Of(campaign.Delivered) == 0
		}},
		"held": {func(o *simulator.Options) { o.APIKey = base64.StdEncoding.EncodeToString([]byte("another")) }, func(info *campaign.Info, b *campaign.Balance) bool {
			return info.Phase == campaign.Held && strings.HasPrefix(info.Reason, "Telesign: ")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			h := start(t, redistest.Start(t).URL(), "handout", func(account string, o *simulator.Options) {
				if account == "default" {
					c.spoil(o)
				}
			})
			h.submit("troubled", "default", 500)
			h.until("troubled", "in trouble", func(info *campaign.Info, b *campaign.Balance) bool {
				return info.Phase == campaign.Held || b.Of(campaign.Retrying) > 0
			})
			const n = 200
			h.submit("well", "us", n)
			h.untilDone("well")
			h.until("troubled", name, c.after)
			log := h.vendors["us"].Accepted()
			took := log[len(log)-1].At.Sub(log[0].At)
			// A busy machine loses slots, which the account had all the same.
			slots := n - 1 + h.counted("handout_slots_lost_total", "us")
			if rate := float64(slots) / took.Seconds(); len(log) != n || rate < 0.9*float64(rates["us"]) {
				t.Errorf("%d messages and %d slots in %v, %.1f a second, of %d", len(log), slots, took, rate, rates["us"])
			}
		})
	}
}

func TestAccounts_ACampaignOfOneThatNoWorkerHasIsHeldWithWords(t *testing.T) {
	h := start(t, redistest.Start(t).URL(), "handout", unchanged)
	h.submit("strange", "eu", 3)
	h.submit("c", "us", 3)
	h.untilDone("c")
	h.until("strange", "held", func(info *campaign.Info, b *campaign.Balance) bool {
		return info.Phase == campaign.Held && strings.Contains(info.Reason, "no account eu") && b.Of(campaign.Planned) == 3
	})
}

func TestSend_AKeyBelongsToTheAccountOfItsFirstUse(t *testing.T) {
	h := start(t, redistest.Start(t).URL(), "handout", unchanged)
	client := producer.New(h.rdb)
	first, err := client.Send(t.Context(), oneOff("key", "us"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Send(t.Context(), oneOff("key", "default")); !errors.Is(err, producer.ErrOtherContent) {
		t.Errorf("with another account: %v", err)
	}
	if again, err := client.Send(t.Context(), oneOff("key", "us")); err != nil || !again.Already || again.Campaign != first.Campaign {
		t.Errorf("again: %+v, %v", again, err)
	}
	h.until(first.Campaign, "delivered", func(_ *campaign.Info, b *campaign.Balance) bool { return b.Of(campaign.Delivered) == 1 })
	if n := len(h.vendors["default"].Accepted()); n != 0 {
		t.Errorf("%d messages went through the default account", n)
	}
	_, err = h.ledger.Info(t.Context(), campaign.StandingID(time.Now(), "default"))
	if err == nil {
		t.Error("the default account has a standing campaign")
	}
}
