package api

import (
	"context"
	"errors"

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

func (a *API) registerCampaigns() {
	addCreating(a, a.operation("create-campaign", "POST /campaigns", access.Submit, "Create a campaign",
		"The first of two steps: the campaign file. Nothing is sent, and the campaign waits a day for its list: "+
			"`PUT /campaigns/{id}/recipients`. The same file again changes nothing.",
		malformed, otherContent, tooLarge, mediaType, invalid),
		"It was created before, with the same content; nothing has changed.", a.create)
	add(a, a.operation("list-campaigns", "GET /campaigns", access.Read, "List campaigns",
		"The newest first. Campaigns without a list aren't among them.", invalid), a.list)
	add(a, a.operation("get-campaign", "GET /campaigns/{id}", access.Read, "Look at a campaign",
		"What it is, what became of it so far, how fast it goes, and what was done to it.", notFound, invalid), a.get)
	add(a, a.operation("get-history", "GET /campaigns/{id}/history", access.Read, "Read a campaign's history",
		"Who steered it, when and why, the earliest first: the latest 1,000 lines.", notFound, invalid), a.history)
}

type createInput struct {
	Replace bool `query:"replace" doc:"replace another campaign file that waits for its list under this id; one whose list has come stays"`
	Body    *CampaignFile
}

func (a *API) create(ctx context.Context, in *createInput) (*Campaign, bool, error) {
	if in.Body == nil {
		return nil, false, problem(invalid, "", Fault{Message: "a campaign file is needed"})
	}
	file, err := in.Body.parse()
	if err != nil {
		return nil, false, err
	}
	stands, added, err := a.ops.Propose(ctx, file, in.Replace)
	if err != nil {
		return nil, false, err
	}
	if stands != nil {
		c, err := a.campaign(ctx, stands.Info.ID)
		return c, false, err
	}
	c, err := proposed(file.Spec)
	return c, added, err
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

func (a *API) campaign(ctx context.Context, id campaign.ID) (*Campaign, error) {
	r, info, err := a.reports.Read(ctx, id)
	if err != nil {
		return nil, err
	}
	c := newCampaign(info, r.Counts)
	c.History, c.Pace = r.History, r.Pace
	c.File, err = fileOf(info.Spec)
	return c, err
}

func (a *API) get(ctx context.Context, in *CampaignPath) (*Campaign, error) {
	c, err := a.campaign(ctx, in.id())
	if operations.KindOf(err) != operations.NotFound {
		return c, err
	}
	s, err := a.reports.Proposed(ctx, in.id())
	if err != nil {
		return nil, err
	}
	return proposed(s)
}

type listInput struct {
	State  string `query:"state" enum:"draft,running,paused,held,canceled,settling,done"`
	Text   string `query:"text" maxLength:"48" doc:"must stand in the id"`
	Cursor string `query:"cursor" maxLength:"48" doc:"next_cursor of the answer before"`
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"50"`
}

// Campaigns are a part of all campaigns.
type Campaigns struct {
	Campaigns  []*Campaign `json:"campaigns" nullable:"false"`
	NextCursor string      `json:"next_cursor,omitempty" doc:"there may be more: ask with it as cursor; an answer may be short, or empty, and still have one"`
}

func (a *API) list(ctx context.Context, in *listInput) (*Campaigns, error) {
	q := report.ListQuery{Text: in.Text, After: campaign.ID(in.Cursor), Limit: in.Limit}
	if in.State != "" {
		q.States = []campaign.Phase{campaign.Phase(in.State)}
	}
	list, err := a.reports.List(ctx, q)
	if operations.KindOf(err) == operations.NotFound {
		return nil, problem(invalid, "", Fault{Field: "cursor", Message: "the campaign that it names isn't there: begin anew"})
	}
	if err != nil {
		return nil, err
	}
	out := &Campaigns{make([]*Campaign, len(list.Campaigns)), string(list.Next)}
	for i := range list.Campaigns {
		s := &list.Campaigns[i]
		out.Campaigns[i] = newCampaign(&s.Info, &s.Balance)
	}
	return out, nil
}

// History is what was done to a campaign.
type History struct {
	History []campaign.Entry `json:"history" nullable:"false"`
}

func (a *API) history(ctx context.Context, in *CampaignPath) (*History, error) {
	var without *problemError // no list, and nothing was done to it yet
	if _, err := a.standing(ctx, in.id()); err != nil && !errors.As(err, &without) {
		return nil, err
	}
	entries, err := a.reports.History(ctx, in.id())
	return &History{append([]campaign.Entry{}, entries...)}, err
}
