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
	Codes       map[string]int `json:"codes"` // Telesign's, by channel
	// DeliveredByChannels and Channels are in the order of the cascade.
	DeliveredByChannels []string        `json:"delivered_by_channels"`
	Channels            []translate.Leg `json:"channels"`
	ReferenceID         string          `json:"reference_id"`
	ExternalID          string          `json:"external_id"`
	Attempts            int             `json:"attempts"`
	SettledAt           *time.Time      `json:"settled_at"`
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

// settledEvent returns the event of those recipients who have an outcome, and how
// many there are.
func settledEvent(c *campaign.Info, outcomes []ledger.Outcome, phones bool, now time.Time) (event, int) {
	data := settled{Campaign: c.ID, Recipients: make([]recipient, 0, len(outcomes))}
	for i := range outcomes {
		if outcomes[i].Record.State.Final() { // else sent to again: the next outcome has an entry of its own
			data.Recipients = append(data.Recipients, recipientOf(c, &outcomes[i], phones))
		}
	}
	return event{typeSettled, now.UTC().Truncate(time.Second), data}, len(data.Recipients)
}

func recipientOf(c *campaign.Info, o *ledger.Outcome, phones bool) recipient {
	r := &o.Record
	legs := c.Spec.Legs(&o.Recipient, r)
	to := recipient{
		Recipient: o.Recipient.ID, State: r.State.String(), DeliveredBy: r.DeliveredBy().String(), Read: r.Read(),
		Reason: translate.Reason(r, legs), Codes: make(map[string]int), ReferenceID: r.Reference, Attempts: r.Attempt,
		DeliveredByChannels: campaign.DeliveredChannels(legs), Channels: translate.Legs(legs),
	}
	if phones {
		to.Phone = o.Recipient.Phone
	} else {
		to.Recipient = phone.MaskName(o.Recipient.ID, o.Recipient.Phone)
	}
	if r.Attempt > 0 {
		to.ExternalID = c.ExternalID(o.Place, r.Attempt)
	}
	for _, l := range legs {
		to.Codes[l.Channel] = l.Code
	}
	if !r.SettledAt.IsZero() {
		at := r.SettledAt.UTC()
		to.SettledAt = &at
	}
	return to
}

// campaignEvent returns the event of a change of a campaign's state, with the
// balance of now.
func campaignEvent(c *campaign.Info, change *outbox.Change, b *campaign.Balance) event {
	data := changed{Campaign: c.ID, State: change.State, Reason: change.Reason, By: change.Entry.By, Total: c.Total, Balance: make(map[string]int)}
	if data.By == "" && change.Entry.Verb == "" {
		data.By = campaign.Machine("").Name
	}
	for _, s := range campaign.States() {
		data.Balance[s.String()] = b.Of(s)
	}
	return event{typeCampaign + string(change.State), change.At, data}
}

type dropped struct {
	Campaign   campaign.ID `json:"campaign"`
	Recipients int         `json:"recipients"`
	Changes    int         `json:"changes"`
	From       time.Time   `json:"from"`
	To         time.Time   `json:"to"`
}

// droppedEvent returns the event of discarded entries; wanted reports whether the
// endpoint subscribes to any of them.
func droppedEvent(c campaign.ID, to *outbox.Endpoint, d *outbox.Discarded) (_ event, wanted bool) {
	data := dropped{Campaign: c, From: d.From, To: d.To}
	if to.Subscribes(c, outbox.EventRecipients) {
		data.Recipients = d.Recipients
	}
	if to.Subscribes(c, outbox.EventCampaign) {
		data.Changes = d.Changes
	}
	return event{typeDropped, d.To, data}, data.Recipients+data.Changes > 0
}

// isEvent reports whether a change of a campaign's state is an event. Of a standing
// campaign only people's changes are: it settles and ends after each one-off send.
func isEvent(c *campaign.Info, change *outbox.Change) bool {
	switch {
	case !c.Spec.Standing:
		return true
	case change.State == campaign.Settling, change.State == campaign.Done:
		return false
	}
	return change.Entry.Verb != ""
}

// part is the beginning of what is pending, for one delivery.
type part struct {
	count  int              // entries
	wanted bool             // the endpoint subscribes to them
	places []campaign.Place // of recipients, each once
	change *outbox.Change   // nil: recipients
	// discarded, if not nil, comes before all entries.
	discarded *outbox.Discarded
}

// nextPart returns the first part of entries, of which there is at least one: the
// recipients up to the next change of the campaign's state, or that change.
func nextPart(c *campaign.Info, to *outbox.Endpoint, entries []outbox.Entry) part {
	if change := entries[0].Change; change != nil {
		return part{count: 1, change: change, wanted: to.Subscribes(c.ID, outbox.EventCampaign) && isEvent(c, change)}
	}
	p := part{wanted: to.Subscribes(c.ID, outbox.EventRecipients)}
	seen := make(map[campaign.Place]bool)
	for _, e := range entries {
		if e.Change != nil {
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
