package operations

import (
	"context"
	"slices"
	"strings"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/phone"
	"github.com/handout-dev/handout/internal/suppression"
)

// OptOut is a recipient's STOP whose number isn't known.
type OptOut = suppression.Unresolved

// OptOuts returns the STOPs that wait for a person, the oldest first.
func (o *Operations) OptOuts(ctx context.Context) ([]OptOut, error) {
	all, err := o.suppressions.Unresolved(ctx)
	// One with a number is on the list, and settles itself.
	return slices.DeleteFunc(all, func(u OptOut) bool { return u.Phone != "" }), err
}

// SettleOptOut settles a STOP: it puts the number on the suppression list or, with an
// empty number, lets the STOP go, which needs a reason. It returns what the list then
// says of the number. If the process dies in between, the number is on the list, and
// the STOP can be settled again. Errors: NotFound for one that isn't there, such as one
// that was settled already; Refused.
func (o *Operations) SettleOptOut(ctx context.Context, id, number string, by campaign.Actor) (*Suppression, error) {
	all, err := o.OptOuts(ctx)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(all, func(u OptOut) bool { return strings.EqualFold(u.ID, id) })
	if i < 0 {
		return nil, refusef(NotFound, "", "there is no such STOP: it may have been settled already")
	}
	if err := everyones(ctx, "a STOP is for all"); err != nil {
		return nil, err
	}
	entry, err := byHand(suppression.WhyStop, by)
	if err != nil {
		return nil, err
	}
	if number == "" && entry.Note == "" {
		return nil, refusef(Refused, "why", "say which number it is about, or why none is put on the list")
	}
	var s *Suppression
	object := "an opt-out without a number"
	if number != "" {
		if s, err = o.Suppression(ctx, number); err != nil {
			return nil, err
		}
		entry.At = all[i].At
		object = "opt-out of " + phone.Mask(s.Phone)
	}
	err = o.traced(ctx, "settle", object, by, func() error {
		if s != nil {
			if err := o.suppressions.Stop(ctx, []string{s.Phone}, entry, ""); err != nil {
				return err
			}
			if s, err = o.Suppression(ctx, s.Phone); err != nil {
				return err
			}
		}
		_, err := o.suppressions.Settle(ctx, all[i].ID)
		return err
	})
	return s, err
}
