package api

import (
	"context"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/phone"
	"github.com/handout-dev/handout/internal/report"
	"github.com/handout-dev/handout/internal/translate"
	"github.com/handout-dev/handout/internal/web/access"
)

func (a *API) registerPeople() {
	add(a, a.operation("list-recipients", "GET /campaigns/{id}/recipients", access.Read, "List recipients",
		"In the order of the list, by state, channel or reason. For everyone, the export is faster.",
		notFound, wrongState, invalid), a.people)
	add(a, a.operation("get-recipient", "GET /campaigns/{id}/recipients/{recipient}", access.Read,
		"Look at one recipient", "What became of them, by which channel and why, and when. By name it takes a look at the "+
			"list; by place it is immediate.", notFound, wrongState, ambiguous, invalid), a.person)
	add(a, a.operation("resend", "POST /campaigns/{id}/recipients/{recipient}/resend", access.Control,
		"Send to one recipient again", "Who is in doubt, failed, refused or unconfirmed, with the campaign's content as it stands. In doubt: "+operations.VerbResend.RiskOf(campaign.InDoubt)+
			" Unconfirmed: "+operations.VerbResend.RiskOf(campaign.Unconfirmed)+" Failed: "+operations.VerbResend.RiskOf(campaign.Failed),
		malformed, notFound, wrongState, stale, ambiguous, tooLarge, mediaType, invalid), a.decide(operations.VerbResend))
}

// Recipient is one person of a campaign, and what became of them.
type Recipient struct {
	Recipient           string     `json:"recipient" example:"customer-1" doc:"the name in the list"`
	Phone               string     `json:"phone" example:"+*********00" doc:"masked unless the key has the scope people"`
	Place               string     `json:"place" example:"0.17" doc:"page and index in the list"`
	State               string     `json:"state" enum:"planned,claimed,retrying,accepted,in_doubt,delivered,failed,refused,suppressed,canceled,unconfirmed"`
	DeliveredBy         string     `json:"delivered_by" enum:",whatsapp,sms,both,other"`
	DeliveredByChannels []string   `json:"delivered_by_channels" nullable:"false" example:"[\"rcs\",\"sms\"]" doc:"the channels that delivered, in the order of the cascade"`
	Read                bool       `json:"read"`
	Reason              string     `json:"reason" doc:"why, in handout's words, then in Telesign's"`
	Channels            []Leg      `json:"channels" nullable:"false" doc:"what Telesign said of each channel, in the order of the cascade"`
	Attempts            int        `json:"attempts" minimum:"0"`
	PutOff              int        `json:"put_off" minimum:"0" doc:"how often it was put off, since it certainly wasn't sent"`
	ReferenceID         string     `json:"reference_id" doc:"Telesign's, of the latest attempt"`
	ExternalID          string     `json:"external_id" doc:"handout's, of the latest attempt"`
	ClaimedAt           *time.Time `json:"claimed_at,omitempty" doc:"when the latest attempt was made"`
	SettledAt           *time.Time `json:"settled_at,omitempty" doc:"when the outcome was first known"`
	DueAt               *time.Time `json:"due_at,omitempty" doc:"when it is tried again, or asked for"`
	Earlier             []Attempt  `json:"earlier,omitempty" doc:"of one recipient alone: the attempts before, as they stood when another one was asked for, or made; the latest 20 are kept"`
	Timeline            []Moment   `json:"timeline" nullable:"false" doc:"what happened, and what is due, in its order; of one recipient alone with all attempts, and with what people decided about them, as far as the campaign's latest 1,000 lines of history go back"`
}

// Attempt is an earlier attempt, as it stood in the end.
type Attempt struct {
	Attempt     int        `json:"attempt" minimum:"1"`
	State       string     `json:"state" enum:"claimed,retrying,accepted,in_doubt,delivered,failed,refused,unconfirmed"`
	Reason      string     `json:"reason" doc:"why, in handout's words, then in Telesign's"`
	Channels    []Leg      `json:"channels" nullable:"false" doc:"what Telesign said of each channel, in the order of the cascade"`
	ReferenceID string     `json:"reference_id" doc:"Telesign's"`
	ExternalID  string     `json:"external_id" doc:"handout's"`
	ClaimedAt   *time.Time `json:"claimed_at,omitempty" doc:"when it was made"`
	SettledAt   *time.Time `json:"settled_at,omitempty" doc:"when its outcome was first known"`
}

// Leg is what is known of one channel.
type Leg struct {
	Channel string     `json:"channel" example:"whatsapp"`
	Outcome string     `json:"outcome" enum:"progress,gateway,probable,failed,delivered,read" doc:"how far it got; progress is also what an unknown code counts as, and probable a message that was sent out without a confirmation to be had"`
	Code    int        `json:"code" example:"3056" doc:"Telesign's status code"`
	Words   string     `json:"words" doc:"Telesign's words for it"`
	At      *time.Time `json:"at,omitempty" doc:"when handout first heard it"`
}

// Moment is when something happened.
type Moment struct {
	At      time.Time `json:"at"`
	What    string    `json:"what" enum:"claimed,put off,in doubt,heard,settled,due,resent,accepted as sent"`
	Attempt int       `json:"attempt,omitempty" minimum:"1" doc:"which attempt it is about"`
	Channel *Leg      `json:"channel,omitempty" doc:"heard: what Telesign said of it"`
	State   string    `json:"state,omitempty" enum:"planned,claimed,retrying,accepted,in_doubt,delivered,failed,refused,suppressed,canceled,unconfirmed" doc:"settled: the state then"`
	By      string    `json:"by,omitempty" example:"billing" doc:"who decided it"`
	Why     string    `json:"why,omitempty" doc:"in doubt, settled: the reason; else the one that was given"`
}

func newRecipient(ctx context.Context, info *campaign.Info, f report.Found) Recipient {
	r := f.Seen.Record
	legs := info.Spec.Legs(&f.Recipient, &r)
	name, number := f.Recipient.ID, f.Recipient.Phone
	if !caller(ctx).May(access.People) {
		name, number = phone.MaskName(name, number), phone.Mask(number)
	}
	out := Recipient{
		Recipient: name, Phone: number, Place: f.Place.String(),
		State: r.State.String(), DeliveredBy: r.DeliveredBy().String(), Read: r.Read(), Reason: translate.Reason(&r, legs),
		DeliveredByChannels: campaign.DeliveredChannels(legs), Channels: newLegs(legs), Attempts: r.Attempt, PutOff: r.Faults, ReferenceID: r.Reference,
		ClaimedAt: when(r.ClaimedAt), SettledAt: when(r.SettledAt), DueAt: when(r.DueAt),
	}
	if r.Attempt > 0 {
		out.ExternalID = info.ExternalID(f.Place, r.Attempt)
	}
	return out.tell(report.LatestMoments(info.Spec, f))
}

// tell puts in what happened.
func (r Recipient) tell(story []report.Moment) Recipient {
	r.Timeline = []Moment{}
	for _, m := range story {
		out := Moment{At: m.At, What: m.What, Attempt: m.Attempt, By: m.By, Why: m.Why}
		switch m.What {
		case report.MomentHeard:
			out.Channel = new(newLeg(m.Leg))
		case report.MomentSettled:
			out.State = m.State.String()
		}
		r.Timeline = append(r.Timeline, out)
	}
	return r
}

func newLeg(l campaign.ChannelLeg) Leg {
	return Leg{l.Channel, l.Rank.String(), l.Code, translate.Words(l.Leg), when(l.At)}
}

func newLegs(of []campaign.ChannelLeg) []Leg {
	legs := make([]Leg, len(of))
	for i, l := range of {
		legs[i] = newLeg(l)
	}
	return legs
}

// maxPages is how many pages of a list one request goes through, at most.
const maxPages = 1000

type peopleInput struct {
	CampaignPath
	State       string `query:"state" enum:"planned,claimed,retrying,accepted,in_doubt,delivered,failed,refused,suppressed,canceled,unconfirmed"`
	DeliveredBy string `query:"delivered_by" enum:"whatsapp,sms,both,other"`
	Reason      string `query:"reason" maxLength:"200" doc:"must stand in the reason; capital letters don't matter"`
	Cursor      int    `query:"cursor" minimum:"0" doc:"next_cursor of the answer before"`
	Limit       int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
}

// Recipients are a part of a campaign's people.
type Recipients struct {
	Recipients []Recipient `json:"recipients" nullable:"false"`
	NextCursor int         `json:"next_cursor,omitempty" doc:"there may be more: ask with it as cursor; an answer may be short, or empty, and still have one"`
}

func (a *API) people(ctx context.Context, in *peopleInput) (*Recipients, error) {
	stands, err := a.standing(ctx, in.id())
	if err != nil {
		return nil, err
	}
	filter := &report.Filter{State: in.State, DeliveredBy: in.DeliveredBy, Reason: in.Reason}
	people, next, err := a.reports.People(ctx, stands.Info, filter, campaign.PlaceOf(in.Cursor), in.Limit,
		func(pages int) bool { return pages >= maxPages })
	out := &Recipients{make([]Recipient, len(people)), next}
	for i, f := range people {
		out.Recipients[i] = newRecipient(ctx, stands.Info, f)
	}
	return out, err
}

type RecipientPath struct {
	CampaignPath
	Recipient string `path:"recipient" minLength:"1" maxLength:"4096" example:"customer-1" doc:"the name in the list; or the place, as in 12.7, which prevails; or, with the scope people, the phone number"`
}

// find reads who is meant. Without the scope people a number finds only a
// recipient of that name.
func (a *API) find(ctx context.Context, in *RecipientPath) (*operations.Person, error) {
	extend(ctx, longTime)
	p, err := a.ops.Person(ctx, in.id(), in.Recipient, caller(ctx).May(access.People))
	if operations.KindOf(err) == operations.NotFound {
		// A campaign that waits for its list says so.
		if _, wrong := a.standing(ctx, in.id()); wrong != nil {
			return nil, wrong
		}
	}
	return p, err
}

func (a *API) person(ctx context.Context, in *RecipientPath) (out Recipient, err error) {
	p, err := a.find(ctx, in)
	if err != nil {
		return out, err
	}
	story, err := a.reports.Story(ctx, p.Info, p.Found)
	if err != nil {
		return out, err
	}
	out = newRecipient(ctx, p.Info, p.Found).tell(story.Moments)
	for i := range story.Earlier {
		r := &story.Earlier[i]
		legs := p.Info.Spec.Legs(&p.Found.Recipient, r)
		out.Earlier = append(out.Earlier, Attempt{
			Attempt: r.Attempt, State: r.State.String(), Reason: translate.Reason(r, legs), Channels: newLegs(legs), ReferenceID: r.Reference,
			ExternalID: p.Info.ExternalID(p.Found.Place, r.Attempt), ClaimedAt: when(r.ClaimedAt), SettledAt: when(r.SettledAt),
		})
	}
	return out, nil
}
