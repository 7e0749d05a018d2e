package report

import (
	"strconv"
	"strings"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/translate"
)

// Time is a moment as pages and reports write it; empty for the zero time.
func Time(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05") + " UTC"
}

// stateWords say what each state means.
var stateWords = map[campaign.State]string{
	campaign.Planned:     "nothing was done yet",
	campaign.Claimed:     "being sent to at this moment",
	campaign.Retrying:    "waits for another attempt",
	campaign.Accepted:    "Telesign took it; no outcome yet",
	campaign.InDoubt:     "may have been sent; left alone until the receipt, or a person",
	campaign.Delivered:   "by one channel at least",
	campaign.Failed:      "no channel delivered",
	campaign.Refused:     "Telesign refused the request",
	campaign.Suppressed:  "never sent: on the suppression list",
	campaign.Canceled:    "never sent: the campaign was canceled",
	campaign.Unconfirmed: "its outcome isn't known",
}

// StateMeans says what a state means for anyone in it.
func StateMeans(s campaign.State) string { return stateWords[s] }

// rankWords say what is known of a channel.
var rankWords = map[campaign.Rank]string{
	campaign.RankProgress: "on its way", campaign.RankGateway: "at the gateway",
	campaign.RankProbable: "sent out; a confirmation isn't to be had", campaign.RankFailed: "it failed on this channel",
	campaign.RankDelivered: "delivered", campaign.RankRead: "read",
}

// reasonWords say what each of our reasons means.
var reasonWords = map[campaign.Reason]string{
	campaign.ReasonThrottled:   "Telesign said “too fast”. It isn't counted as a fault, and is tried again.",
	campaign.ReasonUnavailable: "Telesign said that it didn't process the request.",
	campaign.ReasonNotWritten:  "The connection failed before the request was written: certainly not sent.",
	campaign.ReasonAccount:     "The fault is our account's, its key's or its configuration's: the campaign is held.",
	campaign.ReasonTimeout:     "There was no answer in time. The request was written: it may have been sent.",
	campaign.ReasonReset:       "The connection broke after the request was written: it may have been sent.",
	campaign.ReasonServerError: "The answer doesn't say whether the request was processed.",
	campaign.ReasonUnreadable:  "The answer can't be read.",
	campaign.ReasonWorkerLost:  "The worker died, or stalled, after it had claimed: it may have sent.",
	campaign.ReasonRefused:     "Telesign refused the request for this person.",
	campaign.ReasonUnsendable:  "No request can be made of this person's columns.",
	campaign.ReasonGaveUp:      "It was tried for as long as the campaign allows. Certainly not sent.",
	campaign.ReasonUndelivered: "Every channel failed.",
	campaign.ReasonNoReceipt:   "No final receipt came by the deadline.",
	campaign.ReasonExpired:     "Telesign no longer knows the reference, and can't be asked.",
	campaign.ReasonCanceled:    "The campaign was canceled first.",
	campaign.ReasonSuppressed:  "The number is on the suppression list.",
	campaign.ReasonResent:      "Another attempt was asked for.",
	campaign.ReasonLostClaim:   "Telesign answered for an attempt that the ledger doesn't know: Redis had forgotten it.",

	campaign.ReasonTakenAsSent: "It was in doubt, and a person has decided that it was sent.",
}

// broughtBy says which channels delivered, in a sentence.
func broughtBy(r *campaign.Record, legs []campaign.ChannelLeg) string {
	switch r.DeliveredBy() {
	case campaign.BySMS:
		if r.Legs[campaign.WhatsApp].Rank != campaign.RankNone {
			return "the SMS brought it, and WhatsApp didn't"
		}
		return "the SMS brought it"
	case campaign.ByBoth:
		return "the SMS brought it, and so did WhatsApp"
	}
	return BroughtBy(r, legs) + " brought it"
}

// BroughtBy names the channels that delivered; empty for none.
func BroughtBy(r *campaign.Record, legs []campaign.ChannelLeg) string {
	names := campaign.DeliveredChannels(legs)
	for i := range names {
		names[i] = ChannelName(names[i])
	}
	switch by := r.DeliveredBy(); {
	case by == campaign.ByBoth:
		return "both"
	case by == campaign.ByOther && len(names) == 0:
		return "a channel that Telesign didn't name"
	}
	return strings.Join(names, " and ")
}

// ReasonMeans says what our reason means for the recipient; empty for none.
func ReasonMeans(r campaign.Reason) string { return reasonWords[r] }

// Means says what the recipient's state means for them.
func Means(r *campaign.Record, legs []campaign.ChannelLeg) string {
	switch {
	case r.State == campaign.Delivered && r.Read():
		return broughtBy(r, legs) + ", and it was read"
	case r.State == campaign.Delivered:
		return broughtBy(r, legs)
	case r.Reason == campaign.ReasonTakenAsSent:
		return "taken as sent; whether it arrived isn't known"
	case r.State == campaign.Retrying && r.Reason != campaign.ReasonResent:
		return "certainly not sent yet; it is tried again"
	}
	return stateWords[r.State]
}

// Waits says what handout still waits for; empty for nothing.
func Waits(r *campaign.Record) string {
	switch {
	case r.State == campaign.InDoubt && r.DueAt.IsZero():
		return "Nothing is waited for any more. A receipt that still comes settles it; else it is for a person to decide."
	case r.State == campaign.InDoubt:
		return "A receipt may still come, and settles it. It is waited for until " + Time(r.DueAt) + "."
	case r.State == campaign.Accepted && !r.DueAt.IsZero():
		return "The receipt is waited for; from " + Time(r.DueAt) + " on Telesign is asked."
	case r.State == campaign.Retrying && !r.DueAt.IsZero():
		return "The next attempt is not before " + Time(r.DueAt) + "."
	case r.State == campaign.Failed, r.State == campaign.Unconfirmed, r.State == campaign.Refused:
		return "A late receipt of a delivery would still be recorded."
	}
	return ""
}

// Leg is what Telesign said of a channel, or of the whole message.
type Leg struct {
	campaign.ChannelLeg
	Means string
}

// Legs is what is known of each channel, and of the whole transaction.
func Legs(r *campaign.Record, legs []campaign.ChannelLeg) []Leg {
	var all []Leg
	for _, l := range legs {
		all = append(all, Leg{l, rankWords[l.Rank]})
	}
	if r.Status.Rank != campaign.RankNone {
		means := rankWords[r.Status.Rank]
		if r.Status.Rank == campaign.RankProgress { // also the code of an answer that took nothing
			switch {
			case r.State == campaign.Refused:
				means = "the request was refused"
			case r.State == campaign.Retrying && r.Reason != campaign.ReasonResent:
				means = "the request wasn't taken"
			case r.State == campaign.InDoubt:
				means = "it isn't known whether the request was taken"
			}
		}
		all = append(all, Leg{campaign.ChannelLeg{Channel: "the message", Leg: r.Status}, means})
	}
	return all
}

// ChannelName is a channel as people write it.
func ChannelName(channel string) string {
	switch channel {
	case "whatsapp":
		return "WhatsApp"
	case "rcs", "mms", "sms":
		return strings.ToUpper(channel)
	case "viber":
		return "Viber"
	}
	return channel
}

// Words say what happened to the recipient, or will.
func (m Moment) Words() string {
	switch m.What {
	case MomentClaimed:
		return "attempt " + strconv.Itoa(m.Attempt) + " began"
	case MomentPutOff:
		return "put off for the first time"
	case MomentHeard:
		return ChannelName(m.Leg.Channel) + " " + heard[m.Leg.Rank]
	case MomentDoubted:
		return "in doubt: the answer to this request isn't known"
	case MomentSettled:
		return words(m.State)
	case MomentDue:
		return due(m.State)
	}
	return m.What
}

// Note says why it happened, or what Telesign said.
func (m Moment) Note() string {
	if m.What != MomentHeard {
		return m.Why
	}
	if m.Leg.Code == 0 {
		return translate.Words(m.Leg.Leg)
	}
	return translate.Words(m.Leg.Leg) + " (" + strconv.Itoa(m.Leg.Code) + ")"
}

var heard = map[campaign.Rank]string{
	campaign.RankProgress: "is on its way", campaign.RankGateway: "is at the gateway", campaign.RankProbable: "was sent out",
	campaign.RankFailed: "failed", campaign.RankDelivered: "delivered", campaign.RankRead: "was read",
}

// due is what happens, or is waited for, at the time that a state has set.
func due(s campaign.State) string {
	switch s {
	case campaign.Retrying:
		return "the next attempt, not before"
	case campaign.InDoubt:
		return "a receipt is waited for until then"
	case campaign.Claimed:
		return "the claim's answer is due"
	}
	return "the outcome is asked for"
}

// words is a state's name in a sentence.
func words(s campaign.State) string { return strings.ReplaceAll(s.String(), "_", " ") }
