package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/web/access"
)

func (a *API) registerSteering() {
	for _, verb := range []struct {
		name, summary, about string
		do                   func(context.Context, campaign.ID, campaign.Actor, time.Time) error
	}{
		{"pause", "Pause a campaign", "Nobody else is sent to from now on. Pausing a paused one changes nothing.", a.ledger.Pause},
		{"resume", "Let a paused or held campaign go on", "Resuming a running one changes nothing.", a.ledger.Resume},
		{"cancel", "End a campaign for good", "Those who haven't been sent to never are. What is under way is still settled.", a.ledger.Cancel},
	} {
		op := a.operation(verb.name+"-campaign", http.MethodPost, "/campaigns/{id}/"+verb.name, access.Control,
			verb.summary, verb.about, malformed, notFound, wrongState, tooLarge, mediaType, invalid)
		huma.Register(a.huma, op, func(ctx context.Context, in *steerInput) (*campaignOutput, error) {
			return a.steer(ctx, in.id(), func() error { return verb.do(ctx, in.id(), actor(ctx, in.why()), time.Now()) })
		})
	}
	start := a.operation("start-campaign", http.MethodPost, "/campaigns/{id}/start", access.Control,
		"Start a campaign that was put on hold, now or later",
		"With `at` it is paused until then, and goes on by itself. Without, it runs at once; starting a running one changes nothing.",
		malformed, notFound, wrongState, tooLarge, mediaType, invalid)
	huma.Register(a.huma, start, a.start)
	reschedule := a.operation("reschedule-campaign", http.MethodPost, "/campaigns/{id}/reschedule", access.Control,
		"Pause a campaign until a time", "It goes on by itself then. The same time again changes nothing.",
		malformed, notFound, wrongState, stale, tooLarge, mediaType, invalid)
	huma.Register(a.huma, reschedule, a.reschedule)
	retry := a.operation("retry-campaign", http.MethodPost, "/campaigns/{id}/retry", access.Control,
		"Send again to all who are in one state",
		"With the campaign's content as it stands. Who is in doubt or unconfirmed may get the file twice. "+expectedAbout,
		malformed, notFound, wrongState, stale, busy, tooLarge, mediaType, invalid)
	huma.Register(a.huma, retry, a.retry)
}

// Why is what a campaign's history keeps of a reason.
type Why struct {
	Why string `json:"why,omitempty" maxLength:"500" example:"wrong file" doc:"for the campaign's history"`
}

type steerInput struct {
	CampaignPath
	Body *Why
}

func (i *steerInput) why() string {
	if i.Body == nil {
		return ""
	}
	return i.Body.Why
}

// steer does something to a campaign and answers how it stands then.
func (a *API) steer(ctx context.Context, id campaign.ID, do func() error) (*campaignOutput, error) {
	if _, err := a.listed(ctx, id); err != nil {
		return nil, a.fail(ctx, err)
	}
	if err := do(); err != nil {
		return nil, a.fail(ctx, err)
	}
	info, err := a.ledger.Info(ctx, id)
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	return a.answer(ctx, info, http.StatusOK)
}

// Start is when a campaign begins.
type Start struct {
	At  *time.Time `json:"at,omitempty" example:"2026-11-23T09:00:00+01:00" doc:"not before this time; left out: at once"`
	Why string     `json:"why,omitempty" maxLength:"500" doc:"for the campaign's history"`
}

type startInput struct {
	CampaignPath
	Body *Start
}

func (a *API) start(ctx context.Context, in *startInput) (*campaignOutput, error) {
	body, now := in.Body, time.Now()
	if body == nil {
		body = new(Start)
	}
	if body.At != nil && !body.At.After(now) {
		return nil, problem(invalid, "", Fault{Field: "at", Message: "is past"})
	}
	return a.steer(ctx, in.id(), func() error {
		if body.At != nil {
			return a.ledger.Reschedule(ctx, in.id(), *body.At, actor(ctx, body.Why), now)
		}
		return a.ledger.Resume(ctx, in.id(), actor(ctx, body.Why), now)
	})
}

// Reschedule is when a campaign goes on.
type Reschedule struct {
	At  time.Time `json:"at" example:"2026-11-23T09:00:00+01:00"`
	Why string    `json:"why,omitempty" maxLength:"500" doc:"for the campaign's history"`
}

type rescheduleInput struct {
	CampaignPath
	Body Reschedule
}

func (a *API) reschedule(ctx context.Context, in *rescheduleInput) (*campaignOutput, error) {
	now := time.Now()
	if !in.Body.At.After(now) {
		return nil, problem(invalid, "", Fault{Field: "at", Message: "is past"})
	}
	return a.steer(ctx, in.id(), func() error {
		return a.ledger.Reschedule(ctx, in.id(), in.Body.At, actor(ctx, in.Body.Why), now)
	})
}

// Retry names those who are to be sent to again.
type Retry struct {
	Only     string `json:"only" enum:"failed,unconfirmed,in_doubt" example:"failed"`
	Expected int    `json:"expected" minimum:"1" doc:"how many they are by your knowledge"`
	Why      string `json:"why,omitempty" maxLength:"500" doc:"for the campaign's history"`
}

type retryInput struct {
	CampaignPath
	Body Retry
}

type retryOutput struct {
	Body struct {
		Retried int `json:"retried" doc:"how many are to be sent to again"`
	}
}

func (a *API) retry(ctx context.Context, in *retryInput) (*retryOutput, error) {
	state, _ := campaign.ParseState(in.Body.Only)
	out := new(retryOutput)
	var err error
	out.Body.Retried, err = a.decideAll(ctx, in.id(), state, in.Body.Expected, (*campaign.Info).Resendable, func(info *campaign.Info, began time.Time, progress func(int)) (int, error) {
		return a.ledger.ResendAll(ctx, info, state, actor(ctx, in.Body.Why), began, progress)
	})
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	return out, nil
}
