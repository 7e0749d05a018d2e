package translate

import (
	"fmt"
	"strings"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/telesign"
)

// Rank is how much a status code says of a leg or a transaction.
func Rank(c telesign.Code) campaign.Rank {
	switch c.Kind() {
	case telesign.KindDelivered:
		return campaign.RankDelivered
	case telesign.KindRead:
		return campaign.RankRead
	case telesign.KindFailed, telesign.KindTimedOut, telesign.KindRequest, telesign.KindAccount,
		telesign.KindThrottled, telesign.KindUnavailable:
		return campaign.RankFailed
	case telesign.KindProbable, telesign.KindUnconfirmed:
		return campaign.RankProbable
	case telesign.KindGateway:
		return campaign.RankGateway
	}
	return campaign.RankProgress // an unknown code settles nothing
}

// Receipt is the event that a receipt stands for. attempt is the one that its
// external ID names, 0 if it was found by its reference alone; due is when to
// ask for the outcome if this receipt isn't the last word.
func Receipt(r telesign.Receipt, attempt int, at, due time.Time) campaign.Event {
	e := campaign.Event{
		Kind:      campaign.EventReceipt,
		At:        at,
		Attempt:   attempt,
		Reference: r.Reference,
		DueAt:     due,
		Status:    transaction(r.Status.Code),
		Legs:      make([]campaign.ChannelLeg, 0, len(r.Legs)+1),
	}
	named := false
	for _, l := range r.Legs {
		channel := strings.ToLower(l.Channel)
		named = named || channel == strings.ToLower(r.Status.LastChannel)
		e.Legs = append(e.Legs, campaign.ChannelLeg{Channel: channel, Leg: leg(l.Code)})
	}
	// The sample pages show legs always; should they be missing, the status
	// still names the channel that it speaks of.
	if !named && r.Status.LastChannel != "" && e.Status.Rank >= campaign.RankDelivered {
		e.Legs = append(e.Legs, campaign.ChannelLeg{Channel: strings.ToLower(r.Status.LastChannel), Leg: e.Status})
	}
	e.Final = e.Status.Rank == campaign.RankFailed && r.Status.Code.Final()
	return e
}

// AccountFault is the code by which a receipt says that the fault is ours: no
// money left, a product not enabled. Everyone else would fail of it too.
func AccountFault(r telesign.Receipt) (telesign.Code, bool) {
	if r.Status.Code.Kind() == telesign.KindAccount {
		return r.Status.Code, true
	}
	for _, l := range r.Legs {
		if l.Code.Kind() == telesign.KindAccount {
			return l.Code, true
		}
	}
	return 0, false
}

// holdPrefix begins the reason of a hold for what Telesign said.
const holdPrefix = "Telesign: "

// HoldReason says in the vendor's words why a campaign is held; [HoldAdvice] says what
// to do about it.
func HoldReason(c telesign.Code) string { return fmt.Sprintf("%s%d %s", holdPrefix, c, c.Text()) }

// noWay begins the reason of a hold for what the proxy said.
const noWay = "no way to Telesign: "

// ProxyHoldReason says in the proxy's words why campaigns are held: it makes no
// connection to Telesign.
func ProxyHoldReason(words string) string { return noWay + words }

// TemplateGone reports whether a code says that a template can't be sent any more. One
// that is flagged (3854) still can.
func TemplateGone(c telesign.Code) bool {
	return c == telesign.CodeTemplateRejected || c == telesign.CodeTemplateRemoved || c == telesign.CodeTemplateDisabled
}

// TemplateFault is why a campaign is to be held whose receipt says of a channel that
// its template can't be sent any more.
func TemplateFault(r telesign.Receipt, s *campaign.Spec) (reason string, gone bool) {
	for _, l := range r.Legs {
		if !TemplateGone(l.Code) {
			continue
		}
		for i := range s.Channels { // none in a standing campaign: each message has its own
			ch := s.Said(i)
			if strings.EqualFold(ch.Channel, l.Channel) {
				return TemplateHoldReason(l.Code, telesign.TemplateName{Channel: ch.Channel, Name: ch.Template}), true
			}
		}
	}
	return "", false
}

// TemplateHoldReason says why campaigns with a template are held, and what to do.
func TemplateHoldReason(c telesign.Code, n telesign.TemplateName) string {
	return fmt.Sprintf("%s: template %s of %s; resume when Telesign has it approved, or cancel and submit the rest with another", HoldReason(c), n.Name, n.Channel)
}

func leg(c telesign.Code) campaign.Leg { return campaign.Leg{Rank: Rank(c), Code: int(c)} }

// transaction ranks the status of a whole transaction: a failure that Telesign
// calls intermediate is progress, since the next channel will be tried.
func transaction(c telesign.Code) campaign.Leg {
	l := leg(c)
	if l.Rank == campaign.RankFailed && !c.Final() {
		l.Rank = campaign.RankProgress
	}
	return l
}

// Reason says in words why a recipient is in its state: ours, then the vendor's, of
// each of the record's legs in their order. It is empty for a delivery on the first
// channel asked.
func Reason(r *campaign.Record, legs []campaign.ChannelLeg) string {
	var parts []string
	if r.Reason != campaign.NoReason {
		parts = append(parts, r.Reason.String())
	}
	for _, l := range legs {
		if l.Rank < campaign.RankDelivered {
			parts = append(parts, l.Channel+": "+telesign.Code(l.Code).Text())
		}
	}
	if len(legs) == 0 && r.Status.Code != 0 && r.State != campaign.Delivered {
		parts = append(parts, telesign.Code(r.Status.Code).Text())
	}
	return strings.Join(parts, "; ")
}

// Leg is a leg in exports and webhooks.
type Leg struct {
	Channel string `json:"channel"` // Telesign's name of it
	Outcome string `json:"outcome"` // a [campaign.Rank]'s name
	Code    int    `json:"code"`    // Telesign's status code
}

// Legs are legs as exports and webhooks have them, in their order.
func Legs(of []campaign.ChannelLeg) []Leg {
	legs := make([]Leg, len(of))
	for i, l := range of {
		legs[i] = Leg{l.Channel, l.Rank.String(), l.Code}
	}
	return legs
}

// Words are the vendor's for what is known of a channel; empty for nothing.
func Words(l campaign.Leg) string {
	if l.Rank == campaign.RankNone {
		return ""
	}
	return telesign.Code(l.Code).Text()
}
