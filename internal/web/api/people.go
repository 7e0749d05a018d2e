package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/phone"
	"github.com/handout-dev/handout/internal/report"
	"github.com/handout-dev/handout/internal/translate"
	"github.com/handout-dev/handout/internal/web/access"
	"github.com/handout-dev/handout/ledger"
)

func (a *API) registerPeople() {
	huma.Register(a.huma, a.operation("list-recipients", http.MethodGet, "/campaigns/{id}/recipients", access.Read, "List recipients",
		"In the order of the list, by state, channel or reason. For everyone, the export is faster.",
		notFound, wrongState, invalid), a.people)
	huma.Register(a.huma, a.operation("get-recipient", http.MethodGet, "/campaigns/{id}/recipients/{recipient}", access.Read,
		"Look at one recipient", "What became of them, by which channel and why, and when. By name it takes a look at the "+
			"whole list; by place it is immediate.", notFound, wrongState, ambiguous, invalid), a.person)
	huma.Register(a.huma, a.operation("resend", http.MethodPost, "/campaigns/{id}/recipients/{recipient}/resend", access.Control,
		"Send to one recipient again", "Who is in doubt, failed, refused or unconfirmed, with the campaign's content as it stands. In doubt: "+translate.ResendRisk(campaign.InDoubt)+
			" Unconfirmed: "+translate.ResendRisk(campaign.Unconfirmed)+" Failed: "+translate.ResendRisk(campaign.Failed),
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
	Earlier     []Attempt  `json:"earlier,omitempty" doc:"of one recipient alone: the attempts before, as they stood when another one was asked for, or made; the latest 20 are kept"`
	Timeline    []Moment   `json:"timeline" nullable:"false" doc:"what happened, and what is due, in its order; of one recipient alone with all attempts, and with what people decided about them, as far as the campaign's latest 1,000 lines of history go back"`
}

// Attempt is an earlier attempt, as it stood in the end.
type Attempt struct {
	Attempt     int        `json:"attempt" minimum:"1"`
	State       string     `json:"state" enum:"claimed,retrying,accepted,in_doubt,delivered,failed,refused,unconfirmed"`
	Reason      string     `json:"reason" doc:"why, in handout's words, then in Telesign's"`
	Channels    []Leg      `json:"channels" nullable:"false" doc:"what Telesign said of each channel"`
	ReferenceID string     `json:"reference_id" doc:"Telesign's"`
	ExternalID  string     `json:"external_id" doc:"handout's"`
	ClaimedAt   *time.Time `json:"claimed_at,omitempty" doc:"when it was made"`
	SettledAt   *time.Time `json:"settled_at,omitempty" doc:"when its outcome was first known"`
}

// Leg is what is known of one channel.
type Leg struct {
	Channel string     `json:"channel" example:"whatsapp"`
	Code    int        `json:"code" example:"3056" doc:"Telesign's status code"`
	Words   string     `json:"words" doc:"Telesign's words for it"`
	At      *time.Time `json:"at,omitempty" doc:"when handout first heard it"`
}

// Moment is when something happened.
type Moment struct {
	At      time.Time `json:"at"`
	What    string    `json:"what" enum:"claimed,put off,heard,settled,due,resent,accepted as sent"`
	Attempt int       `json:"attempt,omitempty" minimum:"1" doc:"which attempt it is about"`
	Channel *Leg      `json:"channel,omitempty" doc:"heard: what Telesign said of it"`
	State   string    `json:"state,omitempty" enum:"planned,claimed,retrying,accepted,in_doubt,delivered,failed,refused,suppressed,canceled,unconfirmed" doc:"settled: the state then"`
	By      string    `json:"by,omitempty" example:"billing" doc:"who decided it"`
	Why     string    `json:"why,omitempty" doc:"settled: the outcome's reason; else the reason that was given"`
}

func newRecipient(ctx context.Context, id campaign.ID, f ledger.Found) Recipient {
	r := f.Seen.Record
	name, number := f.Recipient.ID, f.Recipient.Phone
	if !caller(ctx).May(access.People) {
		name, number = phone.MaskName(name, number), phone.Mask(number)
	}
	out := Recipient{
		Recipient: name, Phone: number, Place: placeName(f.Place),
		State: r.State.String(), DeliveredBy: r.DeliveredBy().String(), Read: r.Read(), Reason: translate.Reason(&r),
		Channels: newLegs(&r), Attempts: r.Attempt, PutOff: r.Faults, ReferenceID: r.Reference,
		ClaimedAt: when(r.ClaimedAt), SettledAt: when(r.SettledAt), DueAt: when(r.DueAt),
	}
	if r.Attempt > 0 {
		out.ExternalID = campaign.ExternalID(id, f.Place, r.Attempt)
	}
	return out.tell(f, nil, nil)
}

// tell puts in what happened.
func (r Recipient) tell(f ledger.Found, past []campaign.Record, history []campaign.Entry) Recipient {
	r.Timeline = []Moment{}
	for _, m := range report.Story(f, past, history) {
		told := Moment{At: m.At, What: m.What, Attempt: m.Attempt, By: m.By, Why: m.Why}
		switch m.What {
		case report.MomentHeard:
			told.Channel = new(newLeg(m.Leg))
		case report.MomentSettled:
			told.State = m.State.String()
		}
		r.Timeline = append(r.Timeline, told)
	}
	return r
}

func newLeg(l campaign.ChannelLeg) Leg {
	return Leg{l.Channel, l.Code, translate.Words(l.Leg), when(l.At)}
}

func newLegs(r *campaign.Record) []Leg {
	legs := []Leg{}
	for _, l := range report.Channels(r) {
		legs = append(legs, newLeg(l))
	}
	return legs
}

func newAttempt(id campaign.ID, p campaign.Place, r *campaign.Record) Attempt {
	return Attempt{
		Attempt: r.Attempt, State: r.State.String(), Reason: translate.Reason(r), Channels: newLegs(r), ReferenceID: r.Reference,
		ExternalID: campaign.ExternalID(id, p, r.Attempt), ClaimedAt: when(r.ClaimedAt), SettledAt: when(r.SettledAt),
	}
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
	people, next, err := a.reports.People(ctx, info, filter, campaign.PlaceOf(in.Cursor), in.Limit,
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
func (a *API) find(ctx context.Context, in *RecipientPath) (*campaign.Info, ledger.Found, error) {
	none := ledger.Found{}
	info, err := a.listed(ctx, in.id())
	if err != nil {
		return nil, none, err
	}
	if place, ok := campaign.ParsePlace(in.Recipient); ok {
		f, err := a.at(ctx, info, place)
		if !errors.Is(err, ledger.ErrNotFound) {
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
		return nil, none, ledger.ErrNotFound
	case 1:
		return info, found[0], nil
	}
	faults := make([]Fault, len(found))
	for i, f := range found {
		faults[i] = Fault{Field: "recipient", Message: placeName(f.Place)}
	}
	return nil, none, problem(ambiguous, fmt.Sprintf("there are %d recipients of this name", len(found)), faults...)
}

func (a *API) at(ctx context.Context, info *campaign.Info, p campaign.Place) (ledger.Found, error) {
	page, err := a.ledger.Recipients(ctx, info.ID, p.Page)
	if err == nil && p.Index >= len(page) {
		err = ledger.ErrNotFound
	}
	if err != nil {
		return ledger.Found{}, err
	}
	seen, err := a.ledger.ReadRecord(ctx, info, p)
	return ledger.Found{Place: p, Recipient: page[p.Index], Seen: seen}, err
}

type personOutput struct{ Body Recipient }

func (a *API) person(ctx context.Context, in *RecipientPath) (*personOutput, error) {
	info, f, err := a.find(ctx, in)
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	past, err := a.ledger.Attempts(ctx, info, f.Place, &f.Seen.Record)
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	history, err := a.ledger.History(ctx, info.ID)
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	out := newRecipient(ctx, info.ID, f).tell(f, past, history)
	for i := range past {
		out.Earlier = append(out.Earlier, newAttempt(info.ID, f.Place, &past[i]))
	}
	return &personOutput{out}, nil
}

type resendInput struct {
	RecipientPath
	Body *Why
}

func (a *API) resend(ctx context.Context, in *resendInput) (*personOutput, error) {
	return a.decide(ctx, &in.RecipientPath, in.Body, a.ledger.Resend)
}
