package translate_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/suppression"
	"github.com/handout-dev/handout/internal/translate"
	"github.com/handout-dev/handout/telesign"
)

var (
	now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	due = now.Add(20 * time.Minute)
)

// ranks has a row for every code that says something else than "it failed".
var ranks = map[telesign.Code]campaign.Rank{
	201: campaign.RankRead, 3005: campaign.RankRead,
	3000: campaign.RankDelivered,
	3004: campaign.RankProbable, 3039: campaign.RankProbable,
	3002: campaign.RankGateway,
	1500: campaign.RankProgress, 3001: campaign.RankProgress, 3040: campaign.RankProgress,
	3060: campaign.RankProgress, 3210: campaign.RankProgress, 3601: campaign.RankProgress,
	3800: campaign.RankProgress, 3801: campaign.RankProgress, 3818: campaign.RankProgress,
	3850: campaign.RankProgress, 3851: campaign.RankProgress, 3854: campaign.RankProgress, 3857: campaign.RankProgress,
}

func TestRank_EveryKnownCodeHasOne(t *testing.T) {
	t.Parallel()
	n := 0
	for _, code := range codes() {
		want, ok := ranks[code]
		if !ok {
			want = campaign.RankFailed
		}
		if got := translate.Rank(code); got != want {
			t.Errorf("%d %s: rank %d, want %d", code, code.Text(), got, want)
		}
		n++
	}
	if n < 90 {
		t.Errorf("only %d codes", n)
	}
}

func TestRank_AnUnknownCodeSettlesNothing(t *testing.T) {
	t.Parallel()
	for _, code := range []telesign.Code{0, -1, 1, 200, 3999, 99999, 1 << 40} {
		if got := translate.Rank(code); got != campaign.RankProgress {
			t.Errorf("%d: rank %d", code, got)
		}
	}
}

// What Telesign calls intermediate never ends a transaction, and what it calls
// final ends one exactly when nothing was delivered.
func TestReceipt_OnlyAFinalFailureIsFinal(t *testing.T) {
	t.Parallel()
	for _, code := range codes() {
		e := translate.Receipt(telesign.Receipt{Status: telesign.Status{Code: code}}, 1, now, due)
		failed := translate.Rank(code) == campaign.RankFailed
		if want := failed && code.Final(); e.Final != want {
			t.Errorf("%d %s: final %v, want %v", code, code.Text(), e.Final, want)
		}
		if failed && !code.Final() && e.Status.Rank != campaign.RankProgress {
			t.Errorf("%d %s: intermediate, but rank %d", code, code.Text(), e.Status.Rank)
		}
		if e.Status.Code != int(code) {
			t.Errorf("%d: the event says %d", code, e.Status.Code)
		}
	}
	for _, code := range []telesign.Code{0, 3999, 3003999} {
		if e := translate.Receipt(telesign.Receipt{Status: telesign.Status{Code: code}}, 1, now, due); e.Final || e.Status.Rank >= campaign.RankProbable {
			t.Errorf("unknown code %d: %+v", code, e)
		}
	}
}

// guide is the callback in the vendor's guide.
const guide = `{"reference_id":"35C8B5D509BC10689196FED2AD551B8A","external_id":"null",
"status":{"code":3000,"description":"Delivered","last_channel":"sms","updated_on":"2020-05-04 22:07:01:226"},
"channel_status":[
{"whatsapp":{"code":3056,"description":"Message failed to deliver in specified fallback time","reference_id":"65C77D4A6C5C09085694EFB6C554D2BF","updated_on":"2020-05-04 22:05:00.325"}},
{"sms":{"code":3000,"description":"Delivered","reference_id":"65C77D4A6C5C09085694EFB6C558B4C7","updated_on":"2020-05-04 22:07:01:226"}}]}`

// reference is the answer to a status query in the vendor's reference.
const reference = `{"status":{"updated_on":"2024-11-12T13:08:37.000000Z","code":3000,"description":"Delivered","last_channel":"whatsapp"},
"reference_id":"364C81F5F3D0020C91E7A731DE93A777","currency":"USD","price":"0.0050","additional_info":{"mcc":"310","mnc":"012"},
"channel_status":[{"viber":{"code":3112,"description":"Specified template does not exist for selected channel","reference_id":"364C81F5F40C0120923096EEAF73053E","updated_on":"2024-11-12T13:08:35.212526Z"}},
{"whatsapp":{"code":3000,"description":"Delivered","reference_id":"364C81F5F46402189211BDE408330A86","updated_on":"2024-11-12T13:08:37.000000Z"}}],
"verify":{"code_entered":"50361","code_state":"VALID"}}`

func TestReceipt_SaysWhatTheVendorsSamplesSay(t *testing.T) {
	t.Parallel()
	leg := func(channel string, rank campaign.Rank, code int) campaign.ChannelLeg {
		return campaign.ChannelLeg{Channel: channel, Leg: campaign.Leg{Rank: rank, Code: code}}
	}
	const ref = "35C8B5D509BC10689196FED2AD551B8A"
	event := func(status campaign.Leg, final bool, legs ...campaign.ChannelLeg) campaign.Event {
		return campaign.Event{
			Kind: campaign.EventReceipt, At: now, Attempt: 2, Reference: ref, DueAt: due,
			Status: status, Final: final, Legs: legs,
		}
	}
	ofReference := event(campaign.Leg{Rank: campaign.RankDelivered, Code: 3000}, false,
		leg("viber", campaign.RankFailed, 3112), leg("whatsapp", campaign.RankDelivered, 3000))
	ofReference.Reference = "364C81F5F3D0020C91E7A731DE93A777"
	unnamed := event(campaign.Leg{Rank: campaign.RankProgress}, false)
	unnamed.Reference = ""
	for name, c := range map[string]struct {
		body string
		want campaign.Event
	}{
		"the guide's": {guide, event(campaign.Leg{Rank: campaign.RankDelivered, Code: 3000}, false,
			leg("whatsapp", campaign.RankFailed, 3056), leg("sms", campaign.RankDelivered, 3000))},
		"the reference's": {reference, ofReference},
		"at the gateway": {
			`{"reference_id":"` + ref + `","status":{"code":3002,"last_channel":"whatsapp"},"channel_status":[{"whatsapp":{"code":3002}}]}`,
			event(campaign.Leg{Rank: campaign.RankGateway, Code: 3002}, false, leg("whatsapp", campaign.RankGateway, 3002)),
		},
		"a delivery without legs": {
			`{"reference_id":"` + ref + `","status":{"code":3000,"last_channel":"SMS"}}`,
			event(campaign.Leg{Rank: campaign.RankDelivered, Code: 3000}, false, leg("sms", campaign.RankDelivered, 3000)),
		},
		"read, and the leg says only delivered": {
			`{"reference_id":"` + ref + `","status":{"code":3005,"last_channel":"WhatsApp"},"channel_status":[{"whatsapp":{"code":3000}}]}`,
			event(campaign.Leg{Rank: campaign.RankRead, Code: 3005}, false, leg("whatsapp", campaign.RankDelivered, 3000)),
		},
		"progress without legs names no leg": {
			`{"reference_id":"` + ref + `","status":{"code":3001,"last_channel":"sms"}}`,
			event(campaign.Leg{Rank: campaign.RankProgress, Code: 3001}, false),
		},
		"both failed": {
			`{"reference_id":"` + ref + `","status":{"code":3003,"last_channel":"sms"},"channel_status":[{"whatsapp":{"code":3056}},{"sms":{"code":3033}}]}`,
			event(campaign.Leg{Rank: campaign.RankFailed, Code: 3003}, true,
				leg("whatsapp", campaign.RankFailed, 3056), leg("sms", campaign.RankFailed, 3033)),
		},
		"timed out for good is news of a leg only": {
			`{"reference_id":"` + ref + `","status":{"code":3056,"last_channel":"whatsapp"},"channel_status":[{"whatsapp":{"code":3056}}]}`,
			event(campaign.Leg{Rank: campaign.RankProgress, Code: 3056}, false, leg("whatsapp", campaign.RankFailed, 3056)),
		},
		"sent and never to be confirmed": {
			`{"reference_id":"` + ref + `","status":{"code":3004,"last_channel":"sms"},"channel_status":[{"sms":{"code":3004}}]}`,
			event(campaign.Leg{Rank: campaign.RankProbable, Code: 3004}, false, leg("sms", campaign.RankProbable, 3004)),
		},
		"a code that nobody knows": {
			`{"reference_id":"` + ref + `","status":{"code":3999,"last_channel":"rcs"},"channel_status":[{"rcs":{"code":3998}}]}`,
			event(campaign.Leg{Rank: campaign.RankProgress, Code: 3999}, false, leg("rcs", campaign.RankProgress, 3998)),
		},
		"an empty object": {`{}`, unnamed},
	} {
		r, err := telesign.ParseReceipt([]byte(c.body))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(c.want, translate.Receipt(r, 2, now, due), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// What the event does to a record that waits for it.
func TestReceipt_SettlesTheRecordThatItIsAbout(t *testing.T) {
	t.Parallel()
	accepted := campaign.Record{State: campaign.Accepted, Attempt: 1, ClaimedAt: now, DueAt: due, Reference: "35C8B5D509BC10689196FED2AD551B8A"}
	for name, c := range map[string]struct {
		body  string
		state campaign.State
		by    campaign.DeliveredBy
		read  bool
	}{
		"the guide's":        {guide, campaign.Delivered, campaign.BySMS, false},
		"in progress":        {`{"status":{"code":3001}}`, campaign.Accepted, campaign.ByNone, false},
		"a leg alone":        {`{"status":{"code":3002},"channel_status":[{"whatsapp":{"code":3000}}]}`, campaign.Delivered, campaign.ByWhatsApp, false},
		"read":               {`{"status":{"code":3005,"last_channel":"whatsapp"}}`, campaign.Delivered, campaign.ByWhatsApp, true},
		"read, as it was":    {`{"status":{"code":201,"last_channel":"rcs"}}`, campaign.Delivered, campaign.ByOther, true},
		"both":               {`{"status":{"code":3000},"channel_status":[{"whatsapp":{"code":3000}},{"sms":{"code":3000}}]}`, campaign.Delivered, campaign.ByBoth, false},
		"failed":             {`{"status":{"code":3003}}`, campaign.Failed, campaign.ByNone, false},
		"no channel enabled": {`{"status":{"code":3006}}`, campaign.Failed, campaign.ByNone, false},
		"a failed leg":       {`{"status":{"code":3001},"channel_status":[{"whatsapp":{"code":3055}}]}`, campaign.Accepted, campaign.ByNone, false},
		"only probable":      {`{"status":{"code":3004}}`, campaign.Accepted, campaign.ByNone, false},
		"unknown":            {`{"status":{"code":4242}}`, campaign.Accepted, campaign.ByNone, false},
		"no code":            {`{"status":{}}`, campaign.Accepted, campaign.ByNone, false},
	} {
		r, err := telesign.ParseReceipt([]byte(c.body))
		if err != nil {
			t.Fatal(err)
		}
		got, err := campaign.Next(accepted, translate.Receipt(r, 1, now, due))
		if err != nil || got.State != c.state || got.DeliveredBy() != c.by || got.Read() != c.read {
			t.Errorf("%s: %s by %q, read %v, error %v", name, got.State, got.DeliveredBy(), got.Read(), err)
		}
	}
}

func TestReason_IsOursThenTheVendors(t *testing.T) {
	t.Parallel()
	leg := func(rank campaign.Rank, code int) campaign.Leg { return campaign.Leg{Rank: rank, Code: code} }
	timedOut, delivered := leg(campaign.RankFailed, 3056), leg(campaign.RankDelivered, 3000)
	for name, c := range map[string]struct {
		record campaign.Record
		want   string
	}{
		"planned":               {campaign.Record{}, ""},
		"delivered at once":     {campaign.Record{State: campaign.Delivered, Attempt: 1, Status: delivered, Legs: campaign.Legs{campaign.WhatsApp: delivered}}, ""},
		"delivered by fallback": {campaign.Record{State: campaign.Delivered, Attempt: 1, Status: delivered, Legs: campaign.Legs{campaign.WhatsApp: timedOut, campaign.SMS: delivered}}, "whatsapp: Message failed to deliver in specified fallback time"},
		"accepted":              {campaign.Record{State: campaign.Accepted, Attempt: 1, Status: leg(campaign.RankProgress, 3001)}, "Message in progress"},
		"both failed": {
			campaign.Record{State: campaign.Failed, Attempt: 1, Reason: campaign.ReasonUndelivered, Status: leg(campaign.RankFailed, 3003), Legs: campaign.Legs{campaign.WhatsApp: timedOut, campaign.SMS: leg(campaign.RankFailed, 3033)}},
			"undelivered; whatsapp: Message failed to deliver in specified fallback time; sms: Message expired before delivery",
		},
		"failed without legs": {
			campaign.Record{State: campaign.Failed, Attempt: 1, Reason: campaign.ReasonUndelivered, Status: leg(campaign.RankFailed, 3003)},
			"undelivered; Delivery error",
		},
		"refused": {
			campaign.Record{State: campaign.Refused, Attempt: 1, Reason: campaign.ReasonRefused, Status: leg(campaign.RankProgress, 3102)},
			"refused; Invalid value for parameter message_type",
		},
		"refused without a code": {campaign.Record{State: campaign.Refused, Attempt: 1, Reason: campaign.ReasonRefused}, "refused"},
		"throttled": {
			campaign.Record{State: campaign.Retrying, Reason: campaign.ReasonThrottled, Status: leg(campaign.RankProgress, 3204)},
			"throttled; Rate limit exceeded",
		},
		"in doubt": {campaign.Record{State: campaign.InDoubt, Attempt: 1, Reason: campaign.ReasonTimeout}, "time-out"},
		"unconfirmed": {
			campaign.Record{State: campaign.Unconfirmed, Attempt: 1, Reason: campaign.ReasonNoReceipt, Status: leg(campaign.RankProbable, 3004), Legs: campaign.Legs{campaign.WhatsApp: leg(campaign.RankFailed, 3055), campaign.SMS: leg(campaign.RankProbable, 3004)}},
			"no receipt; whatsapp: Delivery channel not supported by the end user's device; sms: " + telesign.Code(3004).Text(),
		},
		"another channel": {
			campaign.Record{State: campaign.Failed, Attempt: 1, Reason: campaign.ReasonUndelivered, Legs: campaign.Legs{campaign.Viber: leg(campaign.RankFailed, 3112)}},
			"undelivered; viber: Specified template does not exist for selected channel",
		},
		"an unknown code": {
			campaign.Record{State: campaign.Accepted, Attempt: 1, Legs: campaign.Legs{campaign.WhatsApp: leg(campaign.RankProgress, 3999)}},
			"whatsapp: unknown code 3999",
		},
		"canceled": {campaign.Record{State: campaign.Canceled, Reason: campaign.ReasonCanceled}, "canceled"},
	} {
		if got := translate.Reason(&c.record, new(campaign.Spec).Legs(nil, &c.record)); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// 3046 and 3052 mean it wherever they stand; the status has the first word.
func TestOptOut_IsFoundInTheStatusAndInEveryLeg(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		receipt telesign.Receipt
		why     suppression.Why
		ok      bool
	}{
		"nothing":      {telesign.Receipt{Status: telesign.Status{Code: 3003}, Legs: []telesign.Leg{{Code: 3053}, {Code: 3031}}}, 0, false},
		"status":       {telesign.Receipt{Status: telesign.Status{Code: 3046}}, suppression.WhyBlocked, true},
		"a leg":        {telesign.Receipt{Status: telesign.Status{Code: 3000}, Legs: []telesign.Leg{{Code: 3000}, {Code: 3052}}}, suppression.WhyBlocklist, true},
		"status first": {telesign.Receipt{Status: telesign.Status{Code: 3052}, Legs: []telesign.Leg{{Code: 3046}}}, suppression.WhyBlocklist, true},
	} {
		if why, ok := suppression.WhyReceipt(c.receipt); why != c.why || ok != c.ok {
			t.Errorf("%s: %s, %v", name, why, ok)
		}
	}
	for _, code := range codes() {
		if _, ok := suppression.WhyCode(code); ok != code.OptOut() {
			t.Errorf("%d: %v", code, ok)
		}
	}
}

// Every code of the hold list holds, in the status and in any leg; no other code
// does.
func TestAccountFault_IsFoundInTheStatusAndInEveryLeg(t *testing.T) {
	t.Parallel()
	ours := []telesign.Code{3006, 3058, 3073, 3203, 3206, 3207}
	for c := telesign.Code(3400); c <= 3413; c++ {
		ours = append(ours, c)
	}
	others := []telesign.Code{0, 1, 3399, 3414, 3999}
	for _, c := range codes() {
		if !slices.Contains(ours, c) {
			others = append(others, c)
		}
	}
	for _, codes := range [][]telesign.Code{ours, others} {
		for _, code := range codes {
			for name, r := range map[string]telesign.Receipt{
				"status": {Status: telesign.Status{Code: code}, Legs: []telesign.Leg{{Code: 3055}}},
				"a leg":  {Status: telesign.Status{Code: 3003}, Legs: []telesign.Leg{{Code: 3055}, {Code: code}}},
			} {
				got, ok := translate.AccountFault(r)
				if want := slices.Contains(ours, code); ok != want || want && got != code {
					t.Errorf("%d in %s: %d, %v", code, name, got, ok)
				}
			}
		}
	}
}

// codes are those of Telesign's table.
func codes() []telesign.Code {
	var all []telesign.Code
	for c := telesign.CodeReferenceExpired; c < 10_000; c++ {
		if c.Known() {
			all = append(all, c)
		}
	}
	return all
}
