package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/web/access"
)

func (a *API) registerSteering() {
	for _, verb := range []struct {
		name, summary, about string
		do                   func(context.Context, *operations.Standing, campaign.Actor) error
	}{
		{"pause", "Pause a campaign", "Nobody else is sent to from now on. Pausing a paused one changes nothing.", a.ops.Pause},
		{"resume", "Let a paused or held campaign go on", "Resuming a running one changes nothing.", a.ops.Resume},
		{"cancel", "End a campaign for good", "Those who haven't been sent to never are. What is under way is still settled.", a.ops.Cancel},
	} {
		op := a.operation(verb.name+"-campaign", http.MethodPost, "/campaigns/{id}/"+verb.name, access.Control,
			verb.summary, verb.about, malformed, notFound, wrongState, tooLarge, mediaType, invalid)
		huma.Register(a.huma, op, func(ctx context.Context, in *steerInput) (*campaignOutput, error) {
			return a.steer(ctx, in.id(), func(s *operations.Standing) error { return verb.do(ctx, s, actor(ctx, in.why())) })
		})
	}
	start := a.operation("start-campaign", http.MethodPost, "/campaigns/{id}/start", access.Control,
		"Start a campaign that was put on hold, now or later",
		"With `at` it is paused until then, and goes on by itself. Without, it runs at once; starting a running one changes nothing.",
		malformed, notFound, wrongState, tooLarge, mediaType, invalid)
	huma.Register(a.huma, start, a.start)
	reschedule := a.operation("reschedule-campaign", http.MethodPost, "/campaigns/{id}/reschedule", access.Control,
		"Pause a campaign until a time", "It goes on by itself then. The same time again changes nothing. A held campaign stays held; resumed by then, it waits for the time.",
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
func (a *API) steer(ctx context.Context, id campaign.ID, do func(*operations.Standing) error) (*campaignOutput, error) {
	s, err := a.standing(ctx, id)
	if err == nil {
		err = do(s)
	}
	if err == nil {
		s, err = a.ops.Standing(ctx, id)
	}
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	return a.answer(ctx, s.Info, http.StatusOK)
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
	body := in.Body
	if body == nil {
		body = new(Start)
	}
	return a.steer(ctx, in.id(), func(s *operations.Standing) error {
		if body.At != nil {
			return a.ops.Reschedule(ctx, s, *body.At, false, actor(ctx, body.Why))
		}
		return a.ops.Resume(ctx, s, actor(ctx, body.Why))
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
	return a.steer(ctx, in.id(), func(s *operations.Standing) error {
		return a.ops.Reschedule(ctx, s, in.Body.At, false, actor(ctx, in.Body.Why))
	})
}
