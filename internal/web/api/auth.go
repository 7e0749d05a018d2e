package api

import (
	"context"
	"errors"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/web/access"
)

type callerKey struct{}

// caller is whose key a request has.
func caller(ctx context.Context) *access.Key {
	key, _ := ctx.Value(callerKey{}).(*access.Key)
	return key
}

// actor is the caller in a campaign's history.
func actor(ctx context.Context, why string) campaign.Actor {
	return campaign.Actor{Name: caller(ctx).Name, Why: why}
}

// authenticate finds out who asks, and whether they may.
func (a *API) authenticate(ctx huma.Context, next func(huma.Context)) {
	r, w := humago.Unwrap(ctx)
	w.Header().Set("Cache-Control", "no-store")
	key, err := a.o.Gate.Bearer(r)
	switch {
	case errors.Is(err, access.ErrRefused):
		problem(unauthorized, err.Error()).write(w)
		return
	case err != nil:
		a.problem(r.Context(), err).write(w)
		return
	}
	for _, scope := range ctx.Operation().Security[0][securityScheme] {
		if err := key.Require(access.Scope(scope)); err != nil {
			problem(forbidden, err.Error()).write(w)
			return
		}
	}
	with := context.WithValue(ctx.Context(), callerKey{}, key)
	next(huma.WithContext(ctx, context.WithValue(with, exchangeKey{}, exchange{r, w})))
}

// field is a path within a request, without where in the request it stands.
func field(location string) string {
	for _, where := range []string{"body.", "query.", "path.", "header."} {
		if rest, ok := strings.CutPrefix(location, where); ok {
			return rest
		}
	}
	if location == "body" {
		return ""
	}
	return location
}
