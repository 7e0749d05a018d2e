package callbacks

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/phone"
	"github.com/handout-dev/handout/internal/references"
	"github.com/handout-dev/handout/internal/suppression"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/telesign"
)

const (
	// originalTimeout bounds the search for the message that a reply answers, while
	// Telesign waits. A STOP is recorded without it, too.
	originalTimeout = time.Second
	// resolveEvery is how often STOPs without a number are looked up again, and
	// resolveFor for how long: the message they answer may not be recorded yet.
	// After resolveOften it is once an hour.
	resolveEvery = time.Minute
	resolveOften = 10 * time.Minute
	resolveFor   = references.EarlyLife
	// maxResolve bounds one round, the newest first: a look-up asks up to
	// maxCampaigns campaigns.
	maxResolve = 100
)

// due reports whether a STOP that is kept is looked up in the round of now.
func due(u suppression.Unresolved, now time.Time) bool {
	age := now.Sub(u.Heard)
	often := age < resolveOften || age%time.Hour < resolveEvery
	return often && (age < resolveFor || u.Phone != "")
}

// reply acts on a recipient's own message: STOP puts the number on the suppression
// list, START takes it off.
func (l *Listener) reply(ctx context.Context, r telesign.Receipt, body []byte) (string, error) {
	switch r.Reply.Action {
	case "STOP":
		return l.stop(ctx, r, body)
	case "START":
		return l.start(ctx, r)
	}
	return resultInbound, nil
}

// said is when a recipient's message, or what a receipt reports, happened: by
// Telesign's clock, but never later than now.
func said(at, now time.Time) time.Time {
	if at.IsZero() || at.After(now) {
		return now
	}
	return at
}

// stop records a STOP: of the number it comes from, and of the recipient whose message
// it answers. These may differ: a WhatsApp ID isn't always the number that was
// dialled, and a reply may bring no number at all. What isn't known of it is kept, to be
// looked up again and, in the end, settled by a person. If the listener dies in between,
// it hasn't answered, and Telesign sends the STOP again.
func (l *Listener) stop(ctx context.Context, r telesign.Receipt, body []byte) (string, error) {
	now := time.Now()
	e := suppression.Entry{At: said(r.Reply.At, now), Why: suppression.WhyStop}
	name := r.Reference
	if name == "" {
		digest := sha256.Sum256(body)
		name = hex.EncodeToString(digest[:16])
	}
	u := suppression.Unresolved{ID: name, At: e.At, Heard: now, Original: r.Reply.OriginalReference, User: r.Reply.User}
	var phones []string
	if own := "+" + r.Reply.Phone; suppression.IsPhone(own) {
		u.Phone, phones = own, []string{own}
	}
	search, cancel := context.WithTimeout(ctx, originalTimeout)
	defer cancel()
	recipient, id, err := l.answered(search, r.Reply.OriginalReference)
	e.Campaign = id
	if err == nil && (u.Phone == "" || !slices.Contains(phone.Variants(u.Phone), recipient)) {
		phones = append(phones, recipient)
	}
	if len(phones) > 0 {
		reference := "" // a message with a time is known by it
		if r.Reply.At.IsZero() {
			reference = name
		}
		if err := l.suppressions.Stop(ctx, phones, e, reference); err != nil {
			return "", err
		}
		l.log.Info("a recipient's STOP is on the suppression list", "campaign", id, "reference", r.Reference)
	}
	switch {
	case err == nil, errors.Is(err, ledger.ErrNotFound) && len(phones) > 0:
		return resultStop, nil
	case len(phones) == 0:
		l.log.Error("a STOP without a number is kept, to be settled by a person", "reference", name, "original", u.Original)
	}
	if err := l.suppressions.Keep(ctx, u); err != nil {
		return "", err
	}
	if len(phones) > 0 {
		return resultStop, nil
	}
	return resultUnresolved, nil
}

// start takes numbers off the list, if the START is the last word: it has a time, and
// that is after their entries'.
func (l *Listener) start(ctx context.Context, r telesign.Receipt) (string, error) {
	var phones []string
	if own := "+" + r.Reply.Phone; suppression.IsPhone(own) {
		phones = append(phones, own)
	}
	recipient, id, err := l.answered(ctx, r.Reply.OriginalReference)
	switch {
	case err == nil:
		phones = append(phones, recipient)
	case !errors.Is(err, ledger.ErrNotFound) && len(phones) == 0:
		return "", err
	}
	about := []any{"campaign", id, "reference", r.Reference}
	switch {
	case len(phones) == 0:
		l.log.Warn("a START without a number changes nothing", about...)
		return resultInbound, nil
	case r.Reply.At.IsZero():
		l.log.Warn("a START without a time changes nothing: it may be older than the STOP", about...)
		return resultOld, nil
	}
	e := suppression.Entry{At: said(r.Reply.At, time.Now()), Why: suppression.WhyStart, Campaign: id}
	result := resultStart
	for _, number := range phones {
		removed, err := l.suppressions.Remove(ctx, number, e)
		if err != nil {
			return "", err
		}
		if removed {
			l.log.Info("a recipient's START has taken their number off the suppression list", about...)
			continue
		}
		if _, listed, err := l.suppressions.Find(ctx, number); listed {
			l.log.Warn("a START that is older than what put the number on the suppression list changes nothing", about...)
			result = resultOld
		} else if err != nil {
			return "", err
		}
	}
	return result, nil
}

// answered returns the number, or else the e-mail address, of the recipient whose message a reply answers, and the
// campaign, as far as they are known. The error is ledger.ErrNotFound if they aren't.
func (l *Listener) answered(ctx context.Context, reference string) (string, campaign.ID, error) {
	to, err := l.findReference(ctx, reference)
	if errors.Is(err, errForeign) {
		err = ledger.ErrNotFound // no reference
	}
	if err != nil {
		return "", "", err
	}
	addresses, err := l.addressesOf(ctx, to)
	if err != nil {
		return "", "", err
	}
	return addresses[0], to.info.ID, nil
}

// addressesOf returns a recipient's number and e-mail address, at least one of them;
// ledger.ErrNotFound if they have been purged.
func (l *Listener) addressesOf(ctx context.Context, to addressee) ([]string, error) {
	page, err := l.ledger.Recipients(ctx, to.info.ID, to.place.Page)
	if err != nil {
		return nil, err
	}
	if to.place.Index >= len(page) {
		return nil, ledger.ErrNotFound
	}
	return to.info.Addresses(&page[to.place.Index]), nil
}

// resolve looks up the STOPs that are kept. If it dies after one is on the list, the
// next look finds it there.
func (l *Listener) resolve(ctx context.Context, now time.Time) error {
	kept, err := l.suppressions.Unresolved(ctx)
	if err != nil {
		return err
	}
	looked := 0
	for _, u := range slices.Backward(kept) {
		if !due(u, now) {
			continue
		}
		if looked++; looked > maxResolve {
			break
		}
		number, id, err := l.answered(ctx, u.Original)
		unknown := errors.Is(err, ledger.ErrNotFound)
		switch {
		case err != nil && !unknown:
			return err
		case unknown && u.Phone == "":
			continue
		case err == nil:
			e := suppression.Entry{At: u.At, Why: suppression.WhyStop, Campaign: id}
			if err := l.suppressions.Stop(ctx, []string{number}, e, ""); err != nil {
				return err
			}
			l.log.Info("a STOP that was kept is on the suppression list", "campaign", id, "reference", u.ID)
		}
		if _, err := l.suppressions.Settle(ctx, u.ID); err != nil {
			return err
		}
	}
	return nil
}

// optOut puts a receipt's recipient on the suppression list if the receipt says that
// they have opted out: when it says, but not before the attempt that it is about was
// claimed. So a captured receipt is older than a START that followed it, and a
// timestamp in a zone of its own isn't.
func (l *Listener) optOut(ctx context.Context, to addressee, r telesign.Receipt, claimed time.Time) error {
	why, ok := suppression.WhyReceipt(r)
	if !ok {
		return nil
	}
	addresses, err := l.addressesOf(ctx, to)
	if errors.Is(err, ledger.ErrNotFound) {
		return nil // purged, and the number with it
	}
	if err != nil {
		return err
	}
	at := said(r.Status.At, time.Now())
	if at.Before(claimed) {
		at = claimed
	}
	all := make([]suppression.Number, len(addresses))
	for i, a := range addresses {
		all[i] = suppression.Number{Phone: a, Entry: suppression.Entry{At: at, Why: why, Campaign: to.info.ID}}
	}
	_, err = l.suppressions.AddAll(ctx, all)
	return err
}
