package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/web/access"
)

func (a *API) registerPurge() {
	huma.Register(a.huma, a.operation("purge-campaign", http.MethodPost, "/campaigns/{id}/purge", access.Control,
		"Delete who is in a campaign that is done",
		"Phone numbers, names, columns, and what became of each; it can't be undone. The campaign's content, counts and history "+
			"stay, and its id stays taken. Workers do the same by themselves when its retention has passed. An interrupted "+
			"purge is finished by the same request, or by a worker.",
		malformed, notFound, wrongState, tooLarge, mediaType, invalid), a.purge)
}

// Purge confirms which campaign it is about.
type Purge struct {
	ID  string `json:"id" maxLength:"48" example:"order-history-2026-11" doc:"the campaign's id once more"`
	Why string `json:"why,omitempty" maxLength:"500" doc:"for the campaign's history"`
}

type purgeInput struct {
	CampaignPath
	Body Purge
}

func (a *API) purge(ctx context.Context, in *purgeInput) (*campaignOutput, error) {
	return a.steer(ctx, in.id(), func(s *operations.Standing) error {
		if err := s.Confirm(in.Body.ID); err != nil {
			return err
		}
		extend(ctx, longTime)
		return a.ops.Purge(ctx, s, actor(ctx, in.Body.Why), func(int, int) { extend(ctx, longTime) })
	})
}
