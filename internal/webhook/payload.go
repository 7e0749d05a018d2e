package webhook

import (
	"encoding/json"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/phone"
	"github.com/handout-dev/handout/internal/translate"
	"github.com/handout-dev/handout/internal/webhook/outbox"
	"github.com/handout-dev/handout/ledger"
)

// The types of events; of a campaign it is campaign.<state>.
const (
	typeSettled  = "recipients.settled"
	typeCampaign = "campaign."
	typeTest     = "webhook.test"
	typeDropped  = "webhook.dropped"
)

// event is the body of a delivery. Its names are a contract.
type event struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      any       `json:"data"`
}

type settled struct {
	Campaign   campaign.ID `json:"campaign"`
	Recipients []recipient `json:"recipients"`
}

type recipient struct {
	Recipient   string         `json:"recipient"`
	Phone       string         `json:"phone,omitempty"`
	State       string         `json:"state"`
	DeliveredBy string         `json:"delivered_by"`
	Read        bool           `json:"read"`
	Reason      string         `json:"reason"`
	Codes       map[string]int `json:"codes"` // by channel
	ReferenceID string         `json:"reference_id"`
	ExternalID  string         `json:"external_id"`
	Attempts    int            `json:"attempts"`
	SettledAt   *time.Time     `json:"settled_at"`
}

type changed struct {
	Campaign campaign.ID    `json:"campaign"`
	State    campaign.Phase `json:"state"`
	Reason   string         `json:"reason"`
	By       string         `json:"by"`
	Total    int            `json:"total"`
	Balance  map[string]int `json:"balance"`
}

func (e event) encode() []byte {
	b, err := json.Marshal(e)
	if err != nil {
		panic(err) // texts, numbers and times: there is nothing that can't be written
	}
	return b
}

// settledEvent tells of those who have an outcome; how many there are.
func settledEvent(c campaign.ID, outcomes []ledger.Outcome, phones bool, now time.Time) (event, int) {
	data := settled{Campaign: c, Recipients: make([]recipient, 0, len(outcomes))}
	for i := range outcomes {
		if outcomes[i].Record.State.Final() { // else sent to again: its outcome comes anew
			data.Recipients = append(data.Recipients, recipientOf(c, &outcomes[i], phones))
		}
	}
	return event{typeSettled, now.UTC().Truncate(time.Second), data}, len(data.Recipients)
}

func recipientOf(c campaign.ID, o *ledger.Outcome, phones bool) recipient {
	r := &o.Record
	to := recipient{
		Recipient: o.Recipient.ID, State: r.State.String(), DeliveredBy: r.DeliveredBy().String(), Read: r.Read(),
		Reason: translate.Reason(r), Codes: make(map[string]int), ReferenceID: r.Reference, Attempts: r.Attempt,
	}
	if phones {
		to.Phone = o.Recipient.Phone
	} else {
		to.Recipient = phone.MaskName(o.Recipient.ID, o.Recipient.Phone)
	}
	if r.Attempt > 0 {
		to.ExternalID = campaign.ExternalID(c, o.Place, r.Attempt)
	}
	for channel, leg := range map[string]campaign.Leg{"whatsapp": r.WhatsApp, "sms": r.SMS, r.OtherChannel: r.Other} {
		if leg.Rank != campaign.RankNone && channel != "" {
			to.Codes[channel] = leg.Code
		}
	}
	if !r.SettledAt.IsZero() {
		at := r.SettledAt.UTC()
		to.SettledAt = &at
	}
	return to
}

// campaignEvent tells that a campaign's state has changed; its balance is that of
// now.
func campaignEvent(c *campaign.Info, h *outbox.Change, b *campaign.Balance) event {
	data := changed{Campaign: c.ID, State: h.State, Reason: h.Reason, By: h.Entry.By, Total: c.Total, Balance: make(map[string]int)}
	if data.By == "" && h.Entry.Verb == "" {
		data.By = campaign.Machine("").Name
	}
	for _, s := range campaign.States() {
		data.Balance[s.String()] = b.Of(s)
	}
	return event{typeCampaign + string(h.State), h.At, data}
}

type dropped struct {
	Campaign   campaign.ID `json:"campaign"`
	Recipients int         `json:"recipients"`
	Changes    int         `json:"changes"`
	From       time.Time   `json:"from"`
	To         time.Time   `json:"to"`
}

// droppedEvent tells that an endpoint isn't told so many of what it asked for;
// false: of none of that.
func droppedEvent(c campaign.ID, to *outbox.Endpoint, d *outbox.Discarded) (event, bool) {
	data := dropped{Campaign: c, From: d.From, To: d.To}
	if to.Subscribes(c, outbox.EventRecipients) {
		data.Recipients = d.Recipients
	}
	if to.Subscribes(c, outbox.EventCampaign) {
		data.Changes = d.Changes
	}
	return event{typeDropped, d.To, data}, data.Recipients+data.Changes > 0
}

// told says whether an endpoint is told a change of a campaign's state. A standing
// campaign has nobody left to send to after each single send: that is no news.
func told(c *campaign.Info, h *outbox.Change) bool {
	switch {
	case !c.Spec.Standing:
		return true
	case h.State == campaign.Settling, h.State == campaign.Done:
		return false
	}
	return h.Entry.Verb != ""
}

// part is the first part of what is untold that is told, or passed over, in one go.
type part struct {
	count  int // entries
	tell   bool
	places []campaign.Place // without those that come twice
	change *outbox.Change   // nil: recipients
	// dropped, if not nil, is told before any entry.
	dropped *outbox.Discarded
}

// nextPart cuts it off entries, of which there is at least one: recipients up to
// the next change of the campaign, or that change.
func nextPart(c *campaign.Info, to *outbox.Endpoint, entries []outbox.Entry) part {
	if h := entries[0].Happening; h != nil {
		return part{count: 1, change: h, tell: to.Subscribes(c.ID, outbox.EventCampaign) && told(c, h)}
	}
	p := part{tell: to.Subscribes(c.ID, outbox.EventRecipients)}
	seen := make(map[campaign.Place]bool)
	for _, e := range entries {
		if e.Happening != nil {
			break
		}
		p.count++
		if !seen[e.Place] {
			seen[e.Place] = true
			p.places = append(p.places, e.Place)
		}
	}
	return p
}
