package operations

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/proposal"
	"github.com/handout-dev/handout/internal/web/access"
	"github.com/handout-dev/handout/producer"
)

// Proposal is a campaign file that waits for its list, or that of a campaign that
// stands.
type Proposal struct {
	File  *producer.File
	Owner string // whose it is
	Stood bool   // the campaign stands
}

// FileDigest is the digest of a campaign file, by which a list names it.
func FileDigest(s *campaign.Spec) (string, error) {
	b, err := s.Encode()
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16]), err
}

// Propose keeps a campaign file that waits a day for its list, as the caller's. The
// same file again changes nothing but the day; added is false then. If the campaign
// stands already, with the same file, Propose returns how it stands, and changes
// nothing.
//
// Errors: OtherContent, for a campaign that stands, and for another file that waits
// unless it is to be replaced; Denied, for one that is another key's, unless the caller
// has the scope control and no limit to its own campaigns.
func (o *Operations) Propose(ctx context.Context, f *producer.File, replace bool) (stands *Standing, added bool, err error) {
	id := f.Spec.ID
	if err := o.checkAccount(ctx, f); err != nil {
		return nil, false, err
	}
	stands, err = o.Standing(ctx, id)
	switch {
	case err == nil && !stands.Info.Spec.Equal(f.Spec):
		e := about(id, &producer.OtherContentError{Info: stands.Info})
		return nil, false, byWhom(e, stands.Info.Owner)
	case err == nil || KindOf(err) != NotFound:
		return stands, false, err
	}
	by := campaign.Actor{Name: access.Caller(ctx).Principal()}
	err = o.traced(ctx, "propose", ofCampaign(id), by, func() error {
		added, err = o.ledger.Proposals().Propose(ctx, f.Spec, by, replace, others(ctx))
		if !errors.Is(err, proposal.ErrOther) {
			return about(id, err)
		}
		waits, unread := o.ledger.Proposals().Read(ctx, id)
		if unread != nil {
			return about(id, err)
		}
		return byWhom(about(id, err), waits.By)
	})
	return nil, added, err
}

// byWhom adds whose the campaign is.
func byWhom(err error, owner string) error {
	var own *Error
	if errors.As(err, &own) && owner != "" {
		own.Text += fmt.Sprintf("; that one is %s's", owner)
	}
	return err
}

// Withdraw deletes a campaign file that waits for its list. An upload under way has
// read it, and goes on.
//
// Errors: NotFound; WrongPhase for a campaign that stands; Denied as Propose; Stale if
// it has changed meanwhile.
func (o *Operations) Withdraw(ctx context.Context, id campaign.ID) error {
	p, err := o.ledger.Proposals().Read(ctx, id)
	if errors.Is(err, proposal.ErrNotFound) {
		s, err := o.Standing(ctx, id)
		if err != nil {
			return err
		}
		return refusef(WrongPhase, "", "campaign %s has its list, and is %s: cancel it, or purge it when it is done", id, s)
	}
	if err != nil {
		return about(id, err)
	}
	by := campaign.Actor{Name: access.Caller(ctx).Principal()}
	return o.traced(ctx, "withdraw", ofCampaign(id), by, func() error {
		if p.By != by.Name && !others(ctx) {
			return about(id, &proposal.ForeignError{ID: id, By: p.By})
		}
		done, err := o.ledger.Proposals().Withdraw(ctx, p.Spec)
		if err == nil && !done {
			err = refusef(Stale, "", "the campaign file of %s has changed meanwhile, or its list has come; nothing was done, look again", id)
		}
		return about(id, err)
	})
}

// others reports whether the caller may do with a proposal what else only its owner may.
func others(ctx context.Context) bool {
	key := access.Caller(ctx)
	return key == nil || key.May(access.Control) && !key.Own && len(key.Accounts) == 0
}

// Proposed returns the campaign file that waits for its list, else that of the campaign
// that stands. digest is what the caller takes for its digest; it may be empty for the
// caller's own.
//
// Errors: NotFound; Denied for another's without the scope control; Changed if the
// digest is another; Refused for a standing campaign, which takes one-off sends alone.
func (o *Operations) Proposed(ctx context.Context, id campaign.ID, digest string) (*Proposal, error) {
	waits, err := o.ledger.Proposals().Read(ctx, id)
	p, stood := new(Proposal), false
	if errors.Is(err, proposal.ErrNotFound) {
		var s *Standing
		if s, err = o.Standing(ctx, id); err == nil {
			waits, stood = &proposal.Proposal{Spec: s.Info.Spec, By: s.Info.Owner}, true
		}
	}
	if err != nil {
		return nil, about(id, err)
	}
	spec, owner := waits.Spec, waits.By
	p.Owner, p.Stood = owner, stood
	if spec.Standing {
		return nil, refusef(Refused, "id", "campaign %s takes one-off sends, and no list", id)
	}
	own := owner == access.Caller(ctx).Principal()
	if !p.Stood && !own && !others(ctx) {
		return nil, about(id, &proposal.ForeignError{ID: id, By: owner})
	}
	is, err := FileDigest(spec)
	switch {
	case err != nil:
		return nil, about(id, err)
	case digest == "" && !p.Stood && !own:
		return nil, refusef(Changed, "", "the campaign file of %s is %s's: say which one you have read, by If-Match with its ETag", id, owner)
	case digest != "" && digest != is:
		return nil, refusef(Changed, "", "the campaign file of %s isn't the one that you have read; nothing was done: read it again", id)
	}
	p.File, err = producer.NewFile(*spec)
	return p, submitting(id, err)
}

// Send sends to one person, by the day's standing campaign, as the caller's. The same
// key of the same caller, that day or the next, sends nothing more.
//
// Errors: Refused, OtherContent (the key was used for another message), WrongPhase
// (the day's campaign was canceled, or purged), Denied, Limited.
func (o *Operations) Send(ctx context.Context, s producer.OneOff) (*producer.Sent, error) {
	key := o.bounds(ctx)
	s.Region, s.Owner = o.o.Region, key.Principal()
	if _, err := o.account(ctx, cmp.Or(s.Account, campaign.DefaultAccount)); err != nil {
		return nil, err
	}
	if err := o.countSend(ctx, key, &s); err != nil {
		return nil, about("", err)
	}
	sent, err := o.producer.Send(ctx, s)
	return sent, submitting("", err)
}
