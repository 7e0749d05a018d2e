package api

import (
	"context"
	"time"

	"github.com/handout-dev/handout/internal/phone"
	"github.com/handout-dev/handout/internal/web/access"
)

// OptOut is a STOP whose number isn't known.
type OptOut struct {
	ID       string    `json:"id" example:"0123456789ABCDEF0123456789ABCDEF"`
	Written  time.Time `json:"written"`
	User     string    `json:"user" example:"US.13491208655302741918" doc:"what stood in the place of the number; empty when nothing did, and masked unless the key has the scope people"`
	Original string    `json:"original_reference_id" doc:"Telesign's name of the message that it answers; empty when unknown"`
}

// OptOuts are all that wait to be settled.
type OptOuts struct {
	OptOuts []OptOut `json:"optouts" nullable:"false"`
}

func (a *API) optOuts(ctx context.Context, _ *struct{}) (*OptOuts, error) {
	all, err := a.ops.OptOuts(ctx)
	out := &OptOuts{make([]OptOut, len(all))}
	for i, u := range all {
		if !caller(ctx).May(access.People) {
			u.User = phone.Mask(u.User)
		}
		out.OptOuts[i] = OptOut{u.ID, u.At, u.User, u.Original}
	}
	return out, err
}

type settleOptOutInput struct {
	Reference string `path:"reference" minLength:"1" maxLength:"128" doc:"its id in the list"`
	Body      struct {
		Phone string `json:"phone,omitempty" maxLength:"64" example:"+12015550100" doc:"whose STOP it is; without it the STOP is let go"`
		Why   string `json:"why,omitempty" maxLength:"200" example:"the support desk knows the user name" doc:"what for: one line of at most 200 bytes"`
	}
}

// SettledOptOut is what settling a STOP came to.
type SettledOptOut struct {
	Suppressed bool `json:"suppressed" doc:"the number is on the list"`
}

func (a *API) settleOptOut(ctx context.Context, in *settleOptOutInput) (SettledOptOut, error) {
	s, err := a.ops.SettleOptOut(ctx, in.Reference, in.Body.Phone, actor(ctx, in.Body.Why))
	return SettledOptOut{s != nil && s.Listed}, err
}
