package report

import (
	"context"
	"slices"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/translate"
)

// What happens to a recipient. What people decide stands under the words of the
// campaign's history.
const (
	MomentClaimed = "claimed" // an attempt began
	MomentPutOff  = "put off" // for the first time since it was last asked for
	MomentHeard   = "heard"   // Telesign said something of a channel
	MomentSettled = "settled" // an attempt's outcome was known
	MomentDue     = "due"     // it is tried again, asked for, or given up

	momentResent = "resent" // in the history: another attempt was asked for
)

// Moment is one thing that happened to a recipient, or will.
type Moment struct {
	At      time.Time
	What    string
	Attempt int                 // 0 for what is about none
	State   campaign.State      // MomentSettled, MomentDue
	Leg     campaign.ChannelLeg // MomentHeard
	By, Why string              // of a decision, who and why; MomentSettled: the reason
}

// Story is what became of a recipient's earlier attempts, the first one first, and
// all that happened, in its order.
type Story struct {
	Earlier []campaign.Record
	Moments []Moment
}

// Story reads what happened to a recipient of a campaign.
func (q *Reader) Story(ctx context.Context, info *campaign.Info, f Found) (*Story, error) {
	earlier, err := q.ledger.Attempts(ctx, info, f.Place, &f.Seen.Record)
	if err != nil {
		return nil, err
	}
	history, err := q.ledger.History(ctx, info.ID)
	if err != nil {
		return nil, err
	}
	return &Story{earlier, moments(f, earlier, history)}, nil
}

// LatestMoments are what happened to a recipient as far as their record tells: of
// the latest attempt alone, and without decisions.
func LatestMoments(f Found) []Moment { return moments(f, nil, nil) }

// moments puts together each attempt as it stood when another one was asked for,
// what people decided, and what stands now.
func moments(f Found, past []campaign.Record, history []campaign.Entry) []Moment {
	var all []Moment
	for i := range past {
		all = append(all, momentsOf(&past[i])...)
	}
	var decisions []Moment // about the latest attempt
	for _, e := range history {
		if e.About != "recipient "+f.Place.String() {
			continue
		}
		if m := (Moment{At: e.At, What: e.Verb, By: e.By, Why: e.Why}); m.What == momentResent {
			all = append(all, m)
		} else {
			decisions = append(decisions, m)
		}
	}
	r := &f.Seen.Record
	latest := momentsOf(r)
	if n := len(past); n > 0 && past[n-1].Attempt == r.Attempt {
		// Shown as it stood: from here on only what is new of it.
		latest = slices.DeleteFunc(latest, func(m Moment) bool { return slices.Contains(all, m) })
	}
	if n := len(latest); n > 0 && latest[n-1].What == MomentSettled {
		latest = slices.Insert(latest, n-1, decisions...)
	} else {
		latest = append(latest, decisions...)
	}
	all = append(all, latest...)
	if !r.DueAt.IsZero() {
		all = append(all, Moment{At: r.DueAt, What: MomentDue, Attempt: r.Attempt, State: r.State})
	}
	slices.SortStableFunc(all, func(a, b Moment) int { return a.second().Compare(b.second()) })
	return all
}

// second is when it happened as a record knows it: what happened within a second
// stays in the order of the attempts.
func (m Moment) second() time.Time { return m.At.Truncate(time.Second) }

// momentsOf is what happened by a record.
func momentsOf(r *campaign.Record) []Moment {
	all := []Moment{{At: r.ClaimedAt, What: MomentClaimed, Attempt: r.Attempt}, {At: r.PutOffAt, What: MomentPutOff, Attempt: r.Attempt}}
	for _, l := range Channels(r) {
		all = append(all, Moment{At: l.At, What: MomentHeard, Attempt: r.Attempt, Leg: l})
	}
	all = append(all, Moment{At: r.SettledAt, What: MomentSettled, Attempt: r.Attempt, State: r.State, Why: translate.Reason(r)})
	return slices.DeleteFunc(all, func(m Moment) bool { return m.At.IsZero() })
}

// Channels is what Telesign said of each channel, by Telesign's names of them.
func Channels(r *campaign.Record) []campaign.ChannelLeg {
	all := []campaign.ChannelLeg{{Channel: "whatsapp", Leg: r.WhatsApp}, {Channel: "sms", Leg: r.SMS}, {Channel: r.OtherChannel, Leg: r.Other}}
	return slices.DeleteFunc(all, func(l campaign.ChannelLeg) bool { return l.Rank == campaign.RankNone })
}
