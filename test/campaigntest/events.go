package campaigntest

import (
	"testing"
	"time"

	"github.com/handout-dev/handout/campaign"
)

func Claim() campaign.Event {
	return campaign.Event{Kind: campaign.EventClaim, At: Noon, Claim: 0xC1A1}
}

func Accept(attempt int) campaign.Event {
	return campaign.Event{
		Kind: campaign.EventAccept, At: Noon.Add(time.Second), Attempt: attempt, Code: 3001,
		Reference: Reference(attempt), DueAt: Noon.Add(time.Hour),
	}
}

func Postpone(attempt int) campaign.Event {
	return campaign.Event{
		Kind: campaign.EventDefer, At: Noon.Add(time.Second), Attempt: attempt, Code: 3500,
		Reason: campaign.ReasonUnavailable, DueAt: Noon.Add(time.Minute),
	}
}

func Throttle(attempt int) campaign.Event {
	e := Postpone(attempt)
	e.Code, e.Reason, e.Uncounted = 3204, campaign.ReasonThrottled, true
	return e
}

func Doubt(attempt int) campaign.Event {
	return campaign.Event{
		Kind: campaign.EventDoubt, At: Noon.Add(time.Second), Attempt: attempt, Code: 5000,
		Reason: campaign.ReasonTimeout, DueAt: Noon.Add(time.Hour),
	}
}

func Refuse(attempt int) campaign.Event {
	return campaign.Event{Kind: campaign.EventRefuse, At: Noon.Add(time.Second), Attempt: attempt, Code: 3101, Reason: campaign.ReasonRefused}
}

func Receipt(attempt int, rank campaign.Rank, code int, legs ...campaign.ChannelLeg) campaign.Event {
	return campaign.Event{
		Kind: campaign.EventReceipt, At: Noon.Add(time.Minute), Attempt: attempt, Reference: Reference(attempt),
		DueAt: Noon.Add(2 * time.Hour), Status: campaign.Leg{Rank: rank, Code: code}, Legs: legs,
		Final: rank == campaign.RankFailed,
	}
}

func Leg(channel string, rank campaign.Rank, code int) campaign.ChannelLeg {
	return campaign.ChannelLeg{Channel: channel, Leg: campaign.Leg{Rank: rank, Code: code}}
}

func UnderWay(attempt int) campaign.Event {
	return Receipt(attempt, campaign.RankGateway, 3002, Leg("whatsapp", campaign.RankGateway, 3002))
}

func ByWhatsApp(attempt int) campaign.Event {
	return Receipt(attempt, campaign.RankDelivered, 3000, Leg("whatsapp", campaign.RankDelivered, 3000))
}

func BySMS(attempt int) campaign.Event {
	return Receipt(attempt, campaign.RankDelivered, 3000,
		Leg("whatsapp", campaign.RankFailed, 3056), Leg("sms", campaign.RankDelivered, 3000))
}

func AllFailed(attempt int) campaign.Event {
	return Receipt(attempt, campaign.RankFailed, 3003,
		Leg("whatsapp", campaign.RankFailed, 3056), Leg("sms", campaign.RankFailed, 3003))
}

func Read(attempt int) campaign.Event {
	return Receipt(attempt, campaign.RankRead, 3005, Leg("whatsapp", campaign.RankRead, 3005))
}

func Overdue() campaign.Event {
	return campaign.Event{Kind: campaign.EventOverdue, At: Noon.Add(3 * time.Hour), Reason: campaign.ReasonNoReceipt, DueAt: Noon.Add(4 * time.Hour)}
}

func Suppress() campaign.Event { return campaign.Event{Kind: campaign.EventSuppress, At: Noon} }

func Cancel() campaign.Event { return campaign.Event{Kind: campaign.EventCancel, At: Noon} }

func Resend() campaign.Event {
	return campaign.Event{Kind: campaign.EventResend, At: Noon.Add(3 * time.Hour)}
}

func AsSent() campaign.Event {
	return campaign.Event{Kind: campaign.EventAcceptAsSent, At: Noon.Add(3 * time.Hour)}
}

// Become is the record after events on a planned recipient.
func Become(t testing.TB, events ...campaign.Event) campaign.Record {
	t.Helper()
	var r campaign.Record
	for _, e := range events {
		var err error
		if r, err = campaign.Next(r, e); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

type Happening struct {
	Name string
	Kind campaign.EventKind
	Make func(attempt int) campaign.Event
}

// Happenings are all events, receipts by what they say. attempt is the
// record's own, or 1 where there was none.
var Happenings = []Happening{
	{"claim", campaign.EventClaim, func(int) campaign.Event { return Claim() }},
	{"accept", campaign.EventAccept, Accept},
	{"defer", campaign.EventDefer, Postpone},
	{"throttle", campaign.EventDefer, Throttle},
	{"doubt", campaign.EventDoubt, Doubt},
	{"refuse", campaign.EventRefuse, Refuse},
	{"overdue", campaign.EventOverdue, func(int) campaign.Event { return Overdue() }},
	{"suppress", campaign.EventSuppress, func(int) campaign.Event { return Suppress() }},
	{"cancel", campaign.EventCancel, func(int) campaign.Event { return Cancel() }},
	{"resend", campaign.EventResend, func(int) campaign.Event { return Resend() }},
	{"as sent", campaign.EventAcceptAsSent, func(int) campaign.Event { return AsSent() }},

	{"under way", campaign.EventReceipt, UnderWay},
	{"whatsapp", campaign.EventReceipt, ByWhatsApp},
	{"sms", campaign.EventReceipt, BySMS},
	{"failed", campaign.EventReceipt, AllFailed},
	{"read", campaign.EventReceipt, Read},
	{"unknown code", campaign.EventReceipt, func(a int) campaign.Event { return Receipt(a, campaign.RankProgress, 3999) }},
	{"old failed", campaign.EventReceipt, func(a int) campaign.Event { return AllFailed(a - 1) }},
	{"old delivered", campaign.EventReceipt, func(a int) campaign.Event { return BySMS(a - 1) }},
	{"new attempt", campaign.EventReceipt, func(a int) campaign.Event { return UnderWay(a + 1) }},
	{"foreign", campaign.EventReceipt, func(a int) campaign.Event {
		e := ByWhatsApp(a)
		e.Reference = Reference(99)
		return e
	}},
	{"bare foreign", campaign.EventReceipt, func(int) campaign.Event {
		e := ByWhatsApp(0)
		e.Reference = Reference(99)
		return e
	}},
}

// EncodePage returns the stored form of a page.
func EncodePage(columns int, recipients []campaign.Recipient) ([]byte, error) {
	plain, err := campaign.AppendPage(nil, columns, recipients)
	if err != nil {
		return nil, err
	}
	return campaign.CompressPage(plain), nil
}
