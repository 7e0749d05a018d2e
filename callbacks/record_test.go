package callbacks_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/test/campaigntest"
)

func TestReceipt_IsFoundByExternalIDElseByReference(t *testing.T) {
	t.Parallel()
	r := setup(t)
	c := r.stand("c", 5)
	for i := range 5 {
		r.sent(c, i, i)
	}
	for i, body := range []string{
		receipt("c.0.0.1", 0, 3000, "sms 3000"),
		receipt("", 1, 3000, "sms 3000"),
		receipt("null", 2, 3000, "sms 3000"),
		`{"reference_id":"` + reference(3) + `","status":{"code":3000,"last_channel":"sms"}}`,
		`{"external_id":"c.` + salt + `.0.4.1","status":{"code":3000,"last_channel":"sms"}}`,
	} {
		if got := r.result(body); got != "recorded" {
			t.Errorf("receipt %d is %q", i, got)
		}
		if rec := r.record(c, i); rec.State != campaign.Delivered || rec.DeliveredBy() != campaign.BySMS {
			t.Errorf("recipient %d: %s by %q", i, rec.State, rec.DeliveredBy())
		}
	}
	r.closes(c)
}

func TestReceipt_OfAnotherApplicationIsNone(t *testing.T) {
	t.Parallel()
	r := setup(t)
	c := r.stand("c", 2)
	r.sent(c, 0, 1)
	before := r.everything()
	for name, body := range map[string]string{
		"another's external ID":      receipt("MKT432538", 9, 3000),
		"and with our reference":     receipt("MKT432538", 1, 3000),
		"a campaign that isn't":      receipt("d.0.0.1", 9, 3000),
		"a place that isn't":         receipt("c.0.7.1", 9, 3000),
		"a page that isn't":          receipt("c.999999999.0.1", 9, 3000),
		"an attempt that can't be":   receipt("c.0.0.0", 9, 3000),
		"almost ours":                receipt("c.0.0.01", 9, 3000),
		"a key of Redis":             receipt("c}:meta.0.0.1", 9, 3000),
		"neither ID nor reference":   `{"status":{"code":3000}}`,
		"an ID that is no text":      `{"external_id":["c.0.0.1"],"status":{"code":3000}}`,
		"a reference that is no one": `{"reference_id":"null","status":{"code":3000}}`,
	} {
		if got := r.result(body); got != "foreign" {
			t.Errorf("%s: %q", name, got)
		}
	}
	after := r.everything()
	if len(after) != len(before) {
		t.Errorf("%d keys, and %d before", len(after), len(before))
	}
	for k := range before {
		if after[k] != before[k] {
			t.Errorf("%s has changed", k)
		}
	}
}

func TestReceipt_OfADraftIsNotOurs(t *testing.T) {
	t.Parallel()
	r := setup(t)
	if _, err := r.ledger.Open(t.Context(), &campaign.Spec{ID: "c", Lane: campaign.LaneBulk}, nil); err != nil {
		t.Fatal(err)
	}
	if got := r.result(receipt("c.0.0.1", 1, 3000)); got != "foreign" {
		t.Errorf("%q", got)
	}
	r.stand("d", 1)
	if got := r.result(receipt("d.0.0.1", 2, 3000)); got != "recorded" {
		t.Errorf("of a campaign that stands: %q", got)
	}
}

// The two names of a message must agree; where they don't, neither is believed.
func TestReceipt_WithTwoNamesThatDisagreeChangesNothing(t *testing.T) {
	t.Parallel()
	r := setup(t)
	c, d := r.stand("c", 3), r.stand("d", 3)
	r.sent(c, 0, 1)
	r.sent(d, 0, 2)
	before := r.everything()
	for name, body := range map[string]string{
		"someone's in another campaign":         receipt("d.0.0.1", 1, 3000, "sms 3000"),
		"someone's who wasn't sent to":          receipt("d.0.1.1", 1, 3000, "sms 3000"),
		"someone else's in the campaign":        receipt("c.0.1.1", 1, 3000, "sms 3000"),
		"an attempt that hasn't been made":      receipt("d.0.0.2", 1, 3003),
		"an unknown reference for a known one":  receipt("c.0.0.1", 77, 3000, "sms 3000"),
		"an unknown reference, and it was read": receipt("c.0.0.1", 77, 3005, "sms 3005"),
	} {
		if got := r.result(body); got != "mismatch" {
			t.Errorf("%s: %q", name, got)
		}
	}
	after := r.everything()
	for k := range after {
		if after[k] != before[k] {
			t.Errorf("%s has changed", k)
		}
	}
	for _, rec := range []campaign.Record{r.record(c, 0), r.record(d, 0)} {
		if rec.State != campaign.Accepted {
			t.Errorf("%s", rec.State)
		}
	}
}

// A receipt that echoes our external ID proves that the request was accepted,
// whatever the ledger believes.
func TestReceipt_SettlesARecordInAnyState(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for name, events := range map[string][]campaign.Event{
		"planned, its claim forgotten": nil,
		"claimed":                      {claimed()},
		"retrying":                     {claimed(), {Kind: campaign.EventDefer, At: now, Attempt: 1, Reason: campaign.ReasonUnavailable}},
		"in doubt":                     {claimed(), {Kind: campaign.EventDoubt, At: now, Attempt: 1, Reason: campaign.ReasonTimeout}},
		"accepted":                     {claimed(), accepted(1)},
		"unconfirmed":                  {claimed(), accepted(1), {Kind: campaign.EventOverdue, At: now.Add(2 * time.Hour), Reason: campaign.ReasonNoReceipt}},
	} {
		for _, final := range []int{3000, 3003} {
			t.Run(fmt.Sprint(name, " ", final), func(t *testing.T) {
				t.Parallel()
				r := setup(t)
				c := r.stand("c", 1)
				r.apply(c, 0, events...)
				if got := r.result(receipt("c.0.0.1", 1, final, fmt.Sprint("sms ", final))); got != "recorded" {
					t.Errorf("%q", got)
				}
				want := campaign.Delivered
				if final == 3003 {
					want = campaign.Failed
				}
				if rec := r.record(c, 0); rec.State != want || rec.Reference != reference(1) {
					t.Errorf("%s with reference %q", rec.State, rec.Reference)
				}
				if got := r.result(receipt("c.0.0.1", 1, final, fmt.Sprint("sms ", final))); got != "no news" {
					t.Errorf("again: %q", got)
				}
				r.closes(c)
			})
		}
	}
}

// The same receipts in any order, any of them twice, end in the same state.
func TestReceipt_OrderAndRepetitionDontMatter(t *testing.T) {
	t.Parallel()
	r := setup(t)
	const n = 60
	c := r.stand("c", n)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		r.sent(c, i, i)
		id := fmt.Sprintf("c.0.%d.1", i)
		bodies := []string{
			receipt(id, i, 3001, "whatsapp 3001"),
			receipt("", i, 3002, "whatsapp 3002"),
			receipt(id, i, 3001, "whatsapp 3056", "sms 3001"),
			receipt("", i, 3000, "whatsapp 3056", "sms 3000"),
			receipt(id, i, 3000, "sms 3000", "whatsapp 3000"),
			receipt("", i, 3005, "sms 3000", "whatsapp 3005"),
		}
		bodies = append(bodies, bodies[random.IntN(6)], bodies[random.IntN(6)])
		random.Shuffle(len(bodies), func(a, b int) { bodies[a], bodies[b] = bodies[b], bodies[a] })
		for _, b := range bodies {
			r.hear(b)
		}
		rec := r.record(c, i)
		if rec.State != campaign.Delivered || rec.DeliveredBy() != campaign.ByBoth || !rec.Read() {
			t.Errorf("recipient %d: %s by %q, read %v", i, rec.State, rec.DeliveredBy(), rec.Read())
		}
	}
	b, err := r.ledger.Balance(t.Context(), "c")
	if err != nil || b.Read != n || b.By[campaign.ByBoth] != n {
		t.Errorf("%+v, error %v", b, err)
	}
	r.closes(c)
}

func TestReceipt_ManyAtOnceAreCountedOnce(t *testing.T) {
	t.Parallel()
	r := setup(t)
	c := r.stand("c", 5)
	var group sync.WaitGroup
	for i := range 5 {
		r.sent(c, i, i)
		for range 20 {
			group.Go(func() { r.hear(receipt(fmt.Sprintf("c.0.%d.1", i), i, 3000, "sms 3000")) })
		}
	}
	group.Wait()
	if n := r.counted(); n["recorded"]+n["no news"] != 100 || n["recorded"] < 5 {
		t.Errorf("counted %v", n)
	}
	r.closes(c)
}

// Truth may still grow after the end, and nothing else may.
func TestReceipt_LateOnesOnlyAddToTheTruth(t *testing.T) {
	t.Parallel()
	r := setup(t)
	c := r.stand("c", 2)
	r.sent(c, 0, 1)
	r.sent(c, 1, 2)
	r.hear(receipt("c.0.0.1", 1, 3000, "whatsapp 3056", "sms 3000"))
	r.hear(receipt("c.0.1.1", 2, 3003, "whatsapp 3056", "sms 3033"))
	if err := r.ledger.Settle(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	if err := r.ledger.Finish(t.Context(), "c", time.Now()); err != nil {
		t.Fatal(err)
	}
	for body, want := range map[string]string{
		receipt("c.0.0.1", 1, 3003, "sms 3033"):                        "no news",
		receipt("c.0.0.1", 1, 3001):                                    "no news",
		receipt("c.0.0.1", 1, 3000, "whatsapp 3000", "sms 3000"):       "recorded",
		receipt("", 2, 3000, "whatsapp 3000", "sms 3033"):              "recorded",
		receipt("c.0.1.1", 2, 3003, "whatsapp 3056", "sms 3031") + " ": "",
	} {
		if got := r.result(body); want != "" && got != want {
			t.Errorf("%s: %q, want %q", body, got, want)
		}
	}
	if rec := r.record(c, 0); rec.DeliveredBy() != campaign.ByBoth {
		t.Errorf("delivered by %q", rec.DeliveredBy())
	}
	if rec := r.record(c, 1); rec.State != campaign.Delivered || rec.DeliveredBy() != campaign.ByWhatsApp {
		t.Errorf("%s by %q", rec.State, rec.DeliveredBy())
	}
	if p, _, _, err := r.ledger.Phase(t.Context(), "c"); err != nil || p != campaign.Done {
		t.Errorf("the campaign is %s, error %v", p, err)
	}
	r.closes(c)
}

func TestReceipt_ABadTimestampNeverMatters(t *testing.T) {
	t.Parallel()
	r := setup(t)
	stamps := []string{
		`"2020-05-04 22:07:01:226"`, `"2020-05-04 22:05:00.325"`, `"2024-11-12T13:08:37.000000Z"`,
		`"Thu, 23 Jun 2022 19:03:44 GMT"`, `"2022-31-03T14:51:28.709526Z"`, `""`, `null`, `0`, `1795348800`, `"yesterday"`, `{}`, `[1]`,
	}
	c := r.stand("c", len(stamps))
	for i, stamp := range stamps {
		r.sent(c, i, i)
		r.hear(fmt.Sprintf(`{"reference_id":"%s","external_id":"c.`+salt+`.0.%d.1","status":{"code":3000,"last_channel":"sms","updated_on":%s},"channel_status":[{"sms":{"code":3000,"updated_on":%[3]s}}]}`,
			reference(i), i, stamp))
		if rec := r.record(c, i); rec.State != campaign.Delivered {
			t.Errorf("%s: %s", stamp, rec.State)
		}
	}
	r.closes(c)
}

func TestReceipt_WhatNobodyKnowsSettlesNothing(t *testing.T) {
	t.Parallel()
	r := setup(t)
	for i, c := range []struct {
		body string // after reference and external ID
		want campaign.State
		by   campaign.DeliveredBy
	}{
		{`"status":{"code":3999}`, campaign.Accepted, campaign.ByNone},
		{`"status":{"code":-1}`, campaign.Accepted, campaign.ByNone},
		{`"status":{"code":99999999999999999999}`, campaign.Accepted, campaign.ByNone},
		{`"status":{"code":"3000","last_channel":"sms"}`, campaign.Delivered, campaign.BySMS},
		{`"status":{"code":{}}`, campaign.Accepted, campaign.ByNone},
		{`"status":"Delivered"`, campaign.Accepted, campaign.ByNone},
		{`"status":null,"channel_status":null`, campaign.Accepted, campaign.ByNone},
		{`"status":{"code":3002},"channel_status":[{"telepathy":{"code":3000}}]`, campaign.Delivered, campaign.ByOther},
		{`"status":{"code":3002},"channel_status":[{"telepathy-with-a-very-long-name-that-no-record-can-hold":{"code":3000}}]`, campaign.Delivered, campaign.ByOther},
		{`"status":{"code":3002},"channel_status":[{"telepathy":{"code":123456789012}},{"":{"code":3000}},7,null,{"sms":3000}]`, campaign.Accepted, campaign.ByNone},
		{`"status":{"code":3000},"channel_status":{"sms":{"code":3000},"whatsapp":{"code":3056}}`, campaign.Delivered, campaign.BySMS},
		{`"status":{"code":3002},"channel_status":[{"sms":{"code":3055}},{"sms":{"code":3000}}]`, campaign.Delivered, campaign.BySMS},
		{`"status":{"code":3000},"errors":[],"message_parts_count":"1","unheard_of":{"a":[{}]}`, campaign.Delivered, campaign.ByOther},
	} {
		id := campaign.ID(fmt.Sprintf("c%d", i))
		info := r.stand(id, 1)
		r.sent(info, 0, i)
		r.hear(fmt.Sprintf(`{"reference_id":"%s","external_id":"%s",%s}`, reference(i), info.ExternalID(campaign.Place{}, 1), c.body))
		if rec := r.record(info, 0); rec.State != c.want || rec.DeliveredBy() != c.by {
			t.Errorf("%s: %s by %q, want %s by %q", c.body, rec.State, rec.DeliveredBy(), c.want, c.by)
		}
		r.closes(info)
	}
}

func TestReceipt_ARecipientsOwnMessageIsNoOutcome(t *testing.T) {
	t.Parallel()
	r := setup(t)
	c := r.stand("c", 1)
	r.sent(c, 0, 1)
	before := r.everything()
	for _, body := range []string{
		`{"reference_id":"` + reference(1) + `","status":{"code":1500},"sub_resource":"mo_sms","user_response":{"action":"stop","phone_number":"41790000000","mo_message":"STOP"}}`,
		`{"reference_id":"` + reference(1) + `","external_id":"c.` + salt + `.0.0.1","status":{"code":3000},"content":{"end_user_action":{"action":"STOP"}},"phone_number":"41790000000"}`,
	} {
		if got := r.result(body); got != "stop" {
			t.Errorf("%q", got)
		}
	}
	after := r.everything()
	for k := range before {
		if after[k] != before[k] {
			t.Errorf("%s has changed", k)
		}
	}
}

// A receipt without our external ID may overtake the answer to its request.
func TestReceipt_AFaultOfOursHoldsEveryCampaign(t *testing.T) {
	t.Parallel()
	r := setup(t)
	is := func(id campaign.ID, held bool) {
		t.Helper()
		phase, reason, _, err := ledger.New(r.rdb).Phase(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if (phase == campaign.Held) != held || strings.HasPrefix(reason, "Telesign: ") != held {
			t.Errorf("%s: the campaign is %s: %q", id, phase, reason)
		}
	}
	r.stand("beside", 3)
	for _, c := range []struct {
		id   campaign.ID
		body string
		ours bool
	}{
		{"theirs", receipt("theirs.0.0.1", 1, 3003, "whatsapp 3055", "sms 3031"), false},
		{"arrived", receipt("arrived.0.0.1", 1, 3000, "whatsapp 3000"), false},
		{"wallet", receipt("wallet.0.0.1", 1, 3073), true},
		{"channels", receipt("channels.0.0.1", 1, 3006), true},
		{"key", receipt("key.0.0.1", 1, 3413), true},
		{"leg", receipt("leg.0.0.1", 1, 3003, "whatsapp 3207", "sms 3031"), true},
	} {
		r.sent(r.stand(c.id, 3), 0, 1)
		r.hear(c.body)
		is(c.id, c.ours)
		if c.id == "arrived" {
			is("beside", false)
		}
	}
	for _, id := range []campaign.ID{"beside", "theirs", "arrived"} {
		is(id, true)
	}
}

// A person has topped the account up, and resumes: what was sent before says nothing
// about it any more.
func TestReceipt_AFaultOfBeforeTheResumeHoldsNothing(t *testing.T) {
	t.Parallel()
	r := setup(t)
	c, beside := r.stand("c", 4), r.stand("beside", 2)
	is := func(want campaign.Phase) {
		t.Helper()
		for _, id := range []campaign.ID{c.ID, beside.ID} {
			if phase, reason, _, err := r.ledger.Phase(t.Context(), id); phase != want || err != nil {
				t.Errorf("%s is %s (%q), not %s; %v", id, phase, reason, want, err)
			}
		}
	}
	for _, info := range []*campaign.Info{c, beside} { // they have run for an hour
		at := time.Now().Add(-time.Hour).UnixMilli()
		if err := r.rdb.HSet(t.Context(), "handout:{"+string(info.ID)+"}:meta", "started", at).Err(); err != nil {
			t.Fatal(err)
		}
	}
	before := claimed()
	before.At = before.At.Add(-time.Minute)
	for i := range 3 {
		r.apply(c, i, before, accepted(i))
	}
	r.hear(receipt("c.0.0.1", 0, 3073, "sms 3073"))
	is(campaign.Held)
	for _, info := range []*campaign.Info{c, beside} {
		if err := r.ledger.Resume(t.Context(), info.ID, campaign.Actor{Name: "ann"}, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	r.hear(receipt("c.0.1.1", 1, 3073, "sms 3073"))
	r.hear(receipt("", 2, 3073, "sms 3073"))
	is(campaign.Running)
	r.sent(c, 3, 3)
	r.hear(receipt("c.0.3.1", 3, 3073, "sms 3073"))
	is(campaign.Held)
}

func TestEarly_IsRecordedOnceTheReferenceIsKnown(t *testing.T) {
	t.Parallel()
	r := setup(t)
	r.replay()
	c := r.stand("c", 2)
	claim := claimed()
	r.apply(c, 0, claim)
	for _, body := range []string{
		receipt("", 1, 3001, "whatsapp 3001"), receipt("", 1, 3000, "whatsapp 3056", "sms 3000"), receipt("", 1, 3000, "whatsapp 3056", "sms 3000"),
	} {
		if got := r.result(body); got != "early" {
			t.Errorf("%q", got)
		}
	}
	if rec := r.record(c, 0); rec.State != campaign.Claimed {
		t.Errorf("before the answer: %s", rec.State)
	}
	r.apply(c, 0, claim, accepted(1)) // the same claim again changes nothing
	r.until("they are recorded", func() bool { return r.record(c, 0).State == campaign.Delivered })
	if rec := r.record(c, 0); rec.DeliveredBy() != campaign.BySMS {
		t.Errorf("delivered by %q", rec.DeliveredBy())
	}
	r.until("nothing of them is left", func() bool {
		n, err := r.rdb.Exists(t.Context(), "handout:early", "handout:early:"+reference(1)).Result()
		return err == nil && n == 0
	})
	r.closes(c)
}

func TestEarly_OfAReferenceThatNobodyComesToKnowIsDropped(t *testing.T) {
	t.Parallel()
	r := setup(t)
	r.stand("c", 1)
	if got := r.result(receipt("", 9, 3000)); got != "early" {
		t.Fatalf("%q", got)
	}
	key := "handout:early:" + reference(9)
	if life, err := r.rdb.TTL(t.Context(), key).Result(); err != nil || life < 23*time.Hour || life > 24*time.Hour {
		t.Errorf("it is kept for %v, error %v", life, err)
	}
	r.replay()
	r.until("it was looked for", func() bool {
		at, err := r.rdb.ZScore(t.Context(), "handout:early", reference(9)).Result()
		return err == nil && at > float64(time.Now().UnixMicro())
	})
	if n := r.counted(); n["dropped"] != 0 {
		t.Errorf("dropped before its time: %v", n)
	}
	// A day later.
	if err := r.rdb.PExpire(t.Context(), key, time.Millisecond).Err(); err != nil {
		t.Fatal(err)
	}
	if err := r.rdb.ZAdd(t.Context(), "handout:early", redis.Z{Score: 1, Member: reference(9)}).Err(); err != nil {
		t.Fatal(err)
	}
	r.until("it is dropped", func() bool { return r.counted()["dropped"] == 1 })
	r.until("no place in the line is left", func() bool { // it is counted before
		n, err := r.rdb.Exists(t.Context(), "handout:early").Result()
		return err == nil && n == 0
	})
}

// One receipt that can't be replayed doesn't hold up those behind it.
func TestEarly_AStuckOneHoldsUpNobody(t *testing.T) {
	t.Parallel()
	r := setup(t)
	c := r.stand("c", 3)
	r.apply(c, 1, claimed())
	r.hear(receipt("", 2, 3000, "sms 3000"))
	// Its record is broken, its body is, and its key is no list: each is first in line.
	r.sent(c, 0, 1)
	if err := r.rdb.HSet(t.Context(), "handout:{c}:rec:0", "0", "junk").Err(); err != nil {
		t.Fatal(err)
	}
	r.sent(c, 2, 3)
	for i, ref := range []int{1, 3} {
		body := receipt("", ref, 3000)
		if ref == 3 {
			body = "junk"
		}
		if err := r.rdb.RPush(t.Context(), "handout:early:"+reference(ref), body).Err(); err != nil {
			t.Fatal(err)
		}
		if err := r.rdb.ZAdd(t.Context(), "handout:early", redis.Z{Score: float64(i + 1), Member: reference(ref)}).Err(); err != nil {
			t.Fatal(err)
		}
	}
	r.apply(c, 1, accepted(2))
	r.replay()
	r.until("the one behind them is recorded", func() bool { return r.record(c, 1).State == campaign.Delivered })
}

// A late receipt for a purged campaign finds no one.
func TestReceipt_ForAPurgedCampaignIsForeignAndChangesNothing(t *testing.T) {
	t.Parallel()
	r := setup(t)
	c := r.stand("c", 3)
	for i := range 3 {
		r.sent(c, i, i)
		if i > 0 {
			r.apply(c, i, campaign.Event{Kind: campaign.EventOverdue, At: time.Now().Add(2 * time.Hour), Reason: campaign.ReasonNoReceipt})
		}
	}
	if got := r.result(receipt("c.0.0.1", 0, 3003, "sms 3003")); got != "recorded" { // the listener knows the campaign
		t.Fatalf("%q", got)
	}
	if err := r.ledger.Settle(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	if err := r.ledger.Finish(t.Context(), "c", time.Now()); err != nil {
		t.Fatal(err)
	}
	info, err := r.ledger.Info(t.Context(), "c")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.ledger.Purge(t.Context(), info, campaign.Actor{Name: "ann"}, time.Now(), nil); err != nil {
		t.Fatal(err)
	}
	before := r.everything()
	for name, body := range map[string]string{
		"a delivery":          receipt("c.0.1.1", 1, 3003, "sms 3003"),
		"a failure":           receipt("c.0.2.1", 2, 3058, "sms 3058"),
		"one never sent to":   receipt("c.0.2.4", 70, 3003, "sms 3003"),
		"what is known again": receipt("c.0.0.1", 0, 3005, "sms 3005"),
	} {
		if got := r.result(body); got != "foreign" {
			t.Errorf("%s: %q", name, got)
		}
	}
	after := r.everything()
	for k := range after {
		if after[k] != before[k] {
			t.Errorf("%s has changed", k)
		}
	}
	// Without our ID it may be ours or another's; it is kept for a day.
	if got := r.result(receipt("", 1, 3003, "sms 3003")); got != "early" {
		t.Errorf("without an external ID: %q", got)
	}
}

// In a campaign in pages by zone there are places between the pages that are
// nobody's, and people past the number of recipients.
func TestReceipt_ForAHoleBetweenPagesIsForeign(t *testing.T) {
	t.Parallel()
	r := setup(t)
	spec := &campaign.Spec{
		ID: "zoned", MessageType: "MKT", Lane: campaign.LaneBulk, OnDoubt: campaign.DoubtHold,
		Channels: []campaign.Channel{{Channel: "sms", Template: "x"}},
		Hours:    &campaign.Hours{From: "09:00", To: "20:00", Zone: campaign.ZoneRecipient},
	}
	opening, err := r.ledger.Open(t.Context(), spec, nil)
	if err != nil {
		t.Fatal(err)
	}
	for page := range 2 {
		one, err := campaigntest.EncodePage(0, []campaign.Recipient{{ID: "a", Phone: fmt.Sprintf("+4179000000%d", page)}})
		if err != nil {
			t.Fatal(err)
		}
		if err := opening.AddPages(t.Context(), page, [][]byte{one}); err != nil {
			t.Fatal(err)
		}
	}
	c, err := opening.Commit(t.Context(), ledger.Content{
		Total: 2, Pages: 2, Digest: "d", PageZones: []uint16{0, 1}, Partial: map[int]int{0: 1, 1: 1},
		Zones: []campaign.ZoneCount{{Zones: "Asia/Tokyo", Recipients: 1}, {Zones: "Europe/Berlin", Recipients: 1}},
	}, campaign.Beginning{})
	if err != nil {
		t.Fatal(err)
	}
	before := r.everything()
	for _, p := range []campaign.Place{{Index: 1}, {Index: 99}, {Page: 1, Index: 1}, {Page: 2}} {
		id := c.ExternalID(p, 1)
		if got := r.result(receipt(id, 1, 3000, "sms 3000")); got != "foreign" {
			t.Errorf("%s: %q", id, got)
		}
	}
	after := r.everything()
	if len(after) != len(before) {
		t.Errorf("%d keys, and %d before", len(after), len(before))
	}
	for k := range before {
		if after[k] != before[k] {
			t.Errorf("%s has changed", k)
		}
	}
	if got := r.result(receipt(c.ExternalID(campaign.Place{Page: 1}, 1), 2, 3000, "sms 3000")); got != "recorded" {
		t.Errorf("%q", got)
	}
	if v, err := r.ledger.Verify(t.Context(), c, nil); err != nil || len(v.Faults) > 0 || v.Balance.Of(campaign.Delivered) != 1 {
		t.Errorf("%v, %+v", err, v)
	}
}

// Another application's receipts on the same account come without external ID, too.
func TestReceipt_AForeignReferenceCostsAFewCommands(t *testing.T) {
	t.Parallel()
	const campaigns, receipts = 300, 20
	r := setup(t)
	for i := range campaigns {
		r.sent(r.stand(campaign.ID(fmt.Sprint("c", i)), 1), 0, i)
	}
	r.hear(receipt("", 900_000, 3000, "sms 3000")) // the scripts are known from here on
	r.server.ResetCommandStats()
	for i := range receipts {
		r.hear(receipt("", 910_000+i, 3000, "sms 3000"))
	}
	commands := func() (n int64) {
		for name, calls := range r.server.CommandStats() {
			if name != "info" && name != "config|resetstat" {
				n += calls
			}
		}
		return n
	}
	// The look-up and what keeps it for later: mget, zcard, two scripts of seven.
	if n := commands(); n > 10*receipts {
		t.Errorf("%d commands for %d receipts: %v", n, receipts, r.server.CommandStats())
	}
	r.server.ResetCommandStats()
	r.hear(receipt("", 7, 3000, "sms 3000"))
	if n := commands(); n > 20 { // with the first look at the names of all campaigns
		t.Errorf("%d commands for a receipt of ours: %v", n, r.server.CommandStats())
	}
	info, err := r.ledger.Info(t.Context(), "c7")
	if err != nil || r.record(info, 0).State != campaign.Delivered {
		t.Errorf("the receipt of ours wasn't recorded; %v", err)
	}
	r.server.ResetCommandStats()
	ctx, cancel := context.WithTimeout(t.Context(), 3500*time.Millisecond)
	defer cancel()
	r.listener.Run(ctx) // looks for them after one second, two and four
	if n := commands(); n > 3*10*(receipts+1) {
		t.Errorf("%d commands to look for %d references: %v", n, receipts+1, r.server.CommandStats())
	}
}
