package api

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/web/access"
	"github.com/handout-dev/handout/ledger"
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

func equalSpecs(a, b *campaign.Spec) bool {
	x, err := a.Encode()
	y, wrong := b.Encode()
	return err == nil && wrong == nil && string(x) == string(y)
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
	if _, wrong := a.ledger.Proposed(ctx, id); wrong == nil {
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
	b, err := a.ledger.Balance(ctx, info.ID)
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	c := newCampaign(info, b)
	if c.File, err = fileOf(info.Spec); err != nil {
		return nil, a.fail(ctx, err)
	}
	entries, err := a.ledger.History(ctx, info.ID)
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	c.History = historyLines(entries)
	pace, err := a.reports.Pace(ctx, info, b)
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	c.Pace = newPace(pace)
	return &campaignOutput{status, c}, nil
}

func (a *API) get(ctx context.Context, in *CampaignPath) (*campaignOutput, error) {
	info, err := a.ledger.Info(ctx, in.id())
	if errors.Is(err, ledger.ErrNotFound) {
		s, err := a.ledger.Proposed(ctx, in.id())
		if err != nil {
			return nil, a.fail(ctx, err)
		}
		c, err := proposed(s)
		if err != nil {
			return nil, a.fail(ctx, err)
		}
		return &campaignOutput{http.StatusOK, c}, nil
	}
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	return a.answer(ctx, info, http.StatusOK)
}

// Bounds of one request for a list of campaigns.
const (
	mostNames  = 100_000 // that are known to it
	mostLooked = 1000    // that it looks at
)

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
	ids, err := a.ledger.Campaigns(ctx, mostNames)
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	if in.Cursor != "" {
		at := slices.Index(ids, campaign.ID(in.Cursor))
		if at < 0 {
			return nil, problem(invalid, "", Fault{Field: "cursor", Message: "the campaign that it names isn't there: begin anew"})
		}
		ids = ids[at+1:]
	}
	out := new(listOutput)
	out.Body.Campaigns = []*Campaign{}
	looked := 0
	for i, id := range ids {
		if !strings.Contains(string(id), in.Text) {
			continue
		}
		if looked++; looked > mostLooked || len(out.Body.Campaigns) == in.Limit {
			out.Body.NextCursor = string(ids[i-1])
			break
		}
		info, err := a.ledger.Info(ctx, id)
		if errors.Is(err, ledger.ErrNotFound) || (err == nil && in.State != "" && string(info.Phase) != in.State) {
			continue
		}
		if err != nil {
			return nil, a.fail(ctx, err)
		}
		b, err := a.ledger.Balance(ctx, id)
		if err != nil {
			return nil, a.fail(ctx, err)
		}
		out.Body.Campaigns = append(out.Body.Campaigns, newCampaign(info, b))
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
	entries, err := a.ledger.History(ctx, in.id())
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
		lines[i] = HistoryLine{At: e.At, By: e.By, Verb: e.Verb, Why: e.Why, About: e.About}
	}
	return lines
}
