package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/access"
	"github.com/handout-dev/handout/internal/report"
	"github.com/handout-dev/handout/internal/verdict"
)

func (a *API) registerPeople() {
	huma.Register(a.huma, a.operation("list-recipients", http.MethodGet, "/campaigns/{id}/recipients", access.Read, "List recipients",
		"In the order of the list, by state, channel or reason. For everyone, the export is faster.",
		notFound, wrongState, invalid), a.people)
	huma.Register(a.huma, a.operation("get-recipient", http.MethodGet, "/campaigns/{id}/recipients/{recipient}", access.Read,
		"Look at one recipient", "What became of them, by which channel and why, and when. By name it takes a look at the "+
			"whole list; by place it is immediate.", notFound, wrongState, ambiguous, invalid), a.person)
	huma.Register(a.huma, a.operation("resend", http.MethodPost, "/campaigns/{id}/recipients/{recipient}/resend", access.Control,
		"Send to one recipient again", "Who is in doubt, failed, refused or unconfirmed, with the campaign's content as it stands. In doubt: "+verdict.ResendRisk(campaign.InDoubt)+
			" Unconfirmed: "+verdict.ResendRisk(campaign.Unconfirmed)+" Failed: "+verdict.ResendRisk(campaign.Failed),
		malformed, notFound, wrongState, ambiguous, tooLarge, mediaType, invalid), a.resend)
}

// Recipient is one person of a campaign, and what became of them.
type Recipient struct {
	Recipient   string     `json:"recipient" example:"customer-1" doc:"the name in the list"`
	Phone       string     `json:"phone" example:"+*********00" doc:"masked unless the key has the scope people"`
	Place       string     `json:"place" example:"0.17" doc:"page and index in the list"`
	State       string     `json:"state" enum:"planned,claimed,retrying,accepted,in_doubt,delivered,failed,refused,suppressed,canceled,unconfirmed"`
	DeliveredBy string     `json:"delivered_by" enum:",whatsapp,sms,both,other"`
	Read        bool       `json:"read"`
	Reason      string     `json:"reason" doc:"why, in handout's words, then in Telesign's"`
	Channels    []Leg      `json:"channels" nullable:"false" doc:"what Telesign said of each channel"`
	Attempts    int        `json:"attempts" minimum:"0"`
	PutOff      int        `json:"put_off" minimum:"0" doc:"how often it was put off, since it certainly wasn't sent"`
	ReferenceID string     `json:"reference_id" doc:"Telesign's, of the latest attempt"`
	ExternalID  string     `json:"external_id" doc:"handout's, of the latest attempt"`
	ClaimedAt   *time.Time `json:"claimed_at,omitempty" doc:"when the latest attempt was made"`
	SettledAt   *time.Time `json:"settled_at,omitempty" doc:"when the outcome was first known"`
	DueAt       *time.Time `json:"due_at,omitempty" doc:"when it is tried again, or asked for"`
	Timeline    []Moment   `json:"timeline" nullable:"false" doc:"the times above in their order; of one recipient alone, with what people decided about them, as far as the campaign's latest 1,000 lines of history go back"`
}

// Leg is what is known of one channel.
type Leg struct {
	Channel string `json:"channel" example:"whatsapp"`
	Code    int    `json:"code" example:"3056" doc:"Telesign's status code"`
	Words   string `json:"words" doc:"Telesign's words for it"`
}

// Moment is when something happened.
type Moment struct {
	At   time.Time `json:"at"`
	What string    `json:"what" enum:"claimed,settled,due,resent,accepted as sent"`
	By   string    `json:"by,omitempty" example:"billing" doc:"who decided it"`
	Why  string    `json:"why,omitempty"`
}

func newRecipient(ctx context.Context, id campaign.ID, f campaign.Found) Recipient {
	r := f.Seen.Record
	name, number := f.Recipient.ID, f.Recipient.Phone
	if !caller(ctx).May(access.People) {
		name, number = report.MaskName(name, number), report.MaskPhone(number)
	}
	out := Recipient{
		Recipient: name, Phone: number, Place: placeName(f.Place),
		State: r.State.String(), DeliveredBy: r.DeliveredBy().String(), Read: r.Read(), Reason: verdict.Reason(&r),
		Channels: []Leg{}, Attempts: r.Attempt, PutOff: r.Faults, ReferenceID: r.Reference,
		ClaimedAt: when(r.ClaimedAt), SettledAt: when(r.SettledAt), DueAt: when(r.DueAt), Timeline: []Moment{},
	}
	if r.Attempt > 0 {
		out.ExternalID = campaign.ExternalID(id, f.Place, r.Attempt)
	}
	for _, l := range []struct {
		channel string
		leg     campaign.Leg
	}{{"whatsapp", r.WhatsApp}, {"sms", r.SMS}, {r.OtherChannel, r.Other}} {
		if l.leg.Rank != campaign.RankNone {
			out.Channels = append(out.Channels, Leg{l.channel, l.leg.Code, verdict.Words(l.leg)})
		}
	}
	for _, m := range []Moment{{At: r.ClaimedAt, What: "claimed"}, {At: r.SettledAt, What: "settled"}, {At: r.DueAt, What: "due"}} {
		if !m.At.IsZero() {
			out.Timeline = append(out.Timeline, m)
		}
	}
	return out
}

// mostPages is how many pages of a list one request goes through, at most.
const mostPages = 1000

type peopleInput struct {
	CampaignPath
	State       string `query:"state" enum:"planned,claimed,retrying,accepted,in_doubt,delivered,failed,refused,suppressed,canceled,unconfirmed"`
	DeliveredBy string `query:"delivered_by" enum:"whatsapp,sms,both,other"`
	Reason      string `query:"reason" maxLength:"200" doc:"must stand in the reason; capital letters don't matter"`
	Cursor      int    `query:"cursor" minimum:"0" doc:"next_cursor of the answer before"`
	Limit       int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
}

type peopleOutput struct {
	Body struct {
		Recipients []Recipient `json:"recipients" nullable:"false"`
		NextCursor int         `json:"next_cursor,omitempty" doc:"there may be more: ask with it as cursor; an answer may be short, or empty, and still have one"`
	}
}

func (a *API) people(ctx context.Context, in *peopleInput) (*peopleOutput, error) {
	info, err := a.listed(ctx, in.id())
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	out := new(peopleOutput)
	out.Body.Recipients = []Recipient{}
	filter := &report.Filter{State: in.State, DeliveredBy: in.DeliveredBy, Reason: in.Reason}
	people, next, err := report.People(ctx, a.ledger, info, filter, campaign.PlaceOf(in.Cursor), in.Limit,
		func(pages int) bool { return pages >= mostPages })
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	out.Body.NextCursor = next
	for _, f := range people {
		out.Body.Recipients = append(out.Body.Recipients, newRecipient(ctx, info.ID, f))
	}
	return out, nil
}

type RecipientPath struct {
	CampaignPath
	Recipient string `path:"recipient" minLength:"1" maxLength:"4096" example:"customer-1" doc:"the name in the list; or the place, as in 12.7, which prevails; or, with the scope people, the phone number"`
}

// find looks a recipient up.
func (a *API) find(ctx context.Context, in *RecipientPath) (*campaign.Info, campaign.Found, error) {
	none := campaign.Found{}
	info, err := a.listed(ctx, in.id())
	if err != nil {
		return nil, none, err
	}
	if place, ok := campaign.ParsePlace(in.Recipient); ok {
		f, err := a.at(ctx, info, place)
		if !errors.Is(err, campaign.ErrNotFound) {
			return info, f, err
		}
	}
	extend(ctx, longTime)
	found, err := a.ledger.Find(ctx, info, in.Recipient)
	if err != nil {
		return nil, none, err
	}
	if !caller(ctx).May(access.People) {
		named := found[:0]
		for _, f := range found {
			if f.Recipient.ID == in.Recipient {
				named = append(named, f)
			}
		}
		found = named
	}
	switch len(found) {
	case 0:
		return nil, none, campaign.ErrNotFound
	case 1:
		return info, found[0], nil
	}
	faults := make([]Fault, len(found))
	for i, f := range found {
		faults[i] = Fault{Field: "recipient", Message: placeName(f.Place)}
	}
	return nil, none, problem(ambiguous, fmt.Sprintf("there are %d recipients of this name", len(found)), faults...)
}

func (a *API) at(ctx context.Context, info *campaign.Info, p campaign.Place) (campaign.Found, error) {
	page, err := a.ledger.Recipients(ctx, info.ID, p.Page)
	if err == nil && p.Index >= len(page) {
		err = campaign.ErrNotFound
	}
	if err != nil {
		return campaign.Found{}, err
	}
	seen, err := a.ledger.Look(ctx, info, p)
	return campaign.Found{Place: p, Recipient: page[p.Index], Seen: seen}, err
}

type personOutput struct{ Body Recipient }

func (a *API) person(ctx context.Context, in *RecipientPath) (*personOutput, error) {
	info, f, err := a.find(ctx, in)
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	out := &personOutput{newRecipient(ctx, info.ID, f)}
	history, err := a.ledger.History(ctx, info.ID)
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	for _, e := range history {
		if e.About == "recipient "+out.Body.Place {
			out.Body.Timeline = append(out.Body.Timeline, Moment{At: e.At, What: e.Verb, By: e.By, Why: e.Why})
		}
	}
	slices.SortStableFunc(out.Body.Timeline, func(x, y Moment) int { return x.At.Compare(y.At) })
	return out, nil
}

type resendInput struct {
	RecipientPath
	Body *Why
}

func (a *API) resend(ctx context.Context, in *resendInput) (*personOutput, error) {
	return a.decide(ctx, &in.RecipientPath, in.Body, a.ledger.Resend)
}
