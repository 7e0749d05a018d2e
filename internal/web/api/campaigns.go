package api

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/report"
	"github.com/handout-dev/handout/internal/web/access"
	"github.com/handout-dev/handout/producer"
)

// CampaignPath is a path that begins with a campaign.
type CampaignPath struct {
	ID string `path:"id" minLength:"1" maxLength:"48" pattern:"^[a-z0-9][a-z0-9_-]*$" example:"order-history-2026-11" doc:"the campaign"`
}

func (i CampaignPath) id() campaign.ID { return campaign.ID(i.ID) }

type campaignOutput struct {
	Status int
	Body   *Campaign
}

func (a *API) registerCampaigns() {
	create := a.operation("create-campaign", http.MethodPost, "/campaigns", access.Submit, "Create a campaign",
		"The first of two steps: the campaign file. Nothing is sent, and the campaign waits a day for its list: "+
			"`PUT /campaigns/{id}/recipients`. The same file again changes nothing.",
		malformed, otherContent, tooLarge, mediaType, invalid)
	create.DefaultStatus = http.StatusCreated
	a.also(&create, "200", "It was created before, with the same content; nothing has changed.", reflect.TypeFor[Campaign]())
	huma.Register(a.huma, create, a.create)
	huma.Register(a.huma, a.operation("list-campaigns", http.MethodGet, "/campaigns", access.Read, "List campaigns",
		"The newest first. Campaigns without a list aren't among them.", invalid), a.list)
	huma.Register(a.huma, a.operation("get-campaign", http.MethodGet, "/campaigns/{id}", access.Read, "Look at a campaign",
		"What it is, what became of it so far, how fast it goes, and what was done to it.", notFound, invalid), a.get)
	huma.Register(a.huma, a.operation("get-history", http.MethodGet, "/campaigns/{id}/history", access.Read, "Read a campaign's history",
		"Who steered it, when and why, the earliest first: the latest 1,000 lines.", notFound, invalid), a.history)
}

// withoutPlaces leaves out where in the text a campaign file's faults stand: the
// text is ours.
func withoutPlaces(err error) error {
	var faults *producer.Faults
	if errors.As(err, &faults) {
		for i := range faults.List {
			faults.List[i].Line, faults.List[i].Column = 0, 0
		}
	}
	return err
}

func proposed(s *campaign.Spec) (*Campaign, error) {
	c := newCampaign(&campaign.Info{ID: s.ID, Phase: "proposed"}, new(campaign.Balance))
	var err error
	c.File, err = fileOf(s)
	return c, err
}

// standing reads how a campaign stands. It tells one without a list from none at
// all.
func (a *API) standing(ctx context.Context, id campaign.ID) (*operations.Standing, error) {
	s, err := a.ops.Standing(ctx, id)
	if operations.KindOf(err) != operations.NotFound {
		return s, err
	}
	if _, wrong := a.reports.Proposed(ctx, id); wrong == nil {
		return nil, problem(wrongState, "campaign "+string(id)+" has no recipients yet: PUT its list first")
	}
	return nil, err
}

// listed is standing, without the balance.
func (a *API) listed(ctx context.Context, id campaign.ID) (*campaign.Info, error) {
	s, err := a.standing(ctx, id)
	if err != nil {
		return nil, err
	}
	return s.Info, nil
}

// answer is a campaign as it stands now.
func (a *API) answer(ctx context.Context, info *campaign.Info, status int) (*campaignOutput, error) {
	c, err := a.campaign(ctx, info.ID)
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	return &campaignOutput{status, c}, nil
}

func (a *API) campaign(ctx context.Context, id campaign.ID) (*Campaign, error) {
	r, info, err := a.reports.Read(ctx, id)
	if err != nil {
		return nil, err
	}
	c := newCampaign(info, r.Counts)
	c.History, c.Pace = historyLines(r.History), newPace(r.Pace)
	c.File, err = fileOf(info.Spec)
	return c, err
}

func (a *API) get(ctx context.Context, in *CampaignPath) (*campaignOutput, error) {
	c, err := a.campaign(ctx, in.id())
	if operations.KindOf(err) == operations.NotFound {
		var s *campaign.Spec
		if s, err = a.reports.Proposed(ctx, in.id()); err == nil {
			c, err = proposed(s)
		}
	}
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	return &campaignOutput{http.StatusOK, c}, nil
}

type listInput struct {
	State  string `query:"state" enum:"draft,running,paused,held,canceled,settling,done"`
	Text   string `query:"text" maxLength:"48" doc:"must stand in the id"`
	Cursor string `query:"cursor" maxLength:"48" doc:"next_cursor of the answer before"`
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"50"`
}

type listOutput struct {
	Body struct {
		Campaigns  []*Campaign `json:"campaigns" nullable:"false"`
		NextCursor string      `json:"next_cursor,omitempty" doc:"there may be more: ask with it as cursor; an answer may be short, or empty, and still have one"`
	}
}

func (a *API) list(ctx context.Context, in *listInput) (*listOutput, error) {
	q := report.ListQuery{Text: in.Text, After: campaign.ID(in.Cursor), Limit: in.Limit}
	if in.State != "" {
		q.States = []campaign.Phase{campaign.Phase(in.State)}
	}
	list, err := a.reports.List(ctx, q)
	if operations.KindOf(err) == operations.NotFound {
		return nil, problem(invalid, "", Fault{Field: "cursor", Message: "the campaign that it names isn't there: begin anew"})
	}
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	out := new(listOutput)
	out.Body.Campaigns, out.Body.NextCursor = make([]*Campaign, len(list.Campaigns)), string(list.Next)
	for i := range list.Campaigns {
		s := &list.Campaigns[i]
		out.Body.Campaigns[i] = newCampaign(&s.Info, &s.Balance)
	}
	return out, nil
}

// HistoryLine is something that was done to a whole campaign.
type HistoryLine struct {
	At    time.Time `json:"at"`
	By    string    `json:"by" example:"billing" doc:"a key's name, a person's login name, or handout"`
	Verb  string    `json:"verb" example:"paused"`
	Why   string    `json:"why,omitempty"`
	About string    `json:"about,omitempty" example:"1000 recipients"`
}

type historyOutput struct {
	Body struct {
		History []HistoryLine `json:"history" nullable:"false"`
	}
}

func (a *API) history(ctx context.Context, in *CampaignPath) (*historyOutput, error) {
	if _, err := a.listed(ctx, in.id()); err != nil {
		var p *problemError
		if !errors.As(err, &p) {
			return nil, a.fail(ctx, err)
		} // nothing was done to it yet
	}
	entries, err := a.reports.History(ctx, in.id())
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	out := new(historyOutput)
	out.Body.History = historyLines(entries)
	return out, nil
}

func historyLines(entries []campaign.Entry) []HistoryLine {
	lines := make([]HistoryLine, len(entries))
	for i, e := range entries {
		lines[i] = HistoryLine(e)
	}
	return lines
}
