package callbacks

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/references"
	"github.com/handout-dev/handout/internal/suppression"
	"github.com/handout-dev/handout/internal/tracing"
	"github.com/handout-dev/handout/internal/translate"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/telesign"
)

// The results of a receipt; labels of handout_receipts_total.
const (
	resultRecorded   = "recorded"   // the record has changed
	resultNoNews     = "no news"    // a duplicate, or overtaken by a truer one
	resultForeign    = "foreign"    // of a message that isn't ours
	resultMismatch   = "mismatch"   // its external ID and its reference disagree
	resultStop       = "stop"       // a recipient's own message: STOP
	resultStart      = "start"      // a recipient's own message: START
	resultOld        = "old"        // a START that isn't the last word
	resultUnresolved = "unresolved" // a STOP whose number isn't known; kept
	resultInbound    = "inbound"    // any other of a recipient's own messages
	resultTemplate   = "template"   // about a template, not a message
	resultEarly      = "early"      // for a reference that isn't known yet; kept
	resultDropped    = "dropped"    // for a reference that never became known
)

// record writes a receipt to the ledger. One that another account's key has signed than
// that of its campaign is foreign.
func (l *Listener) record(ctx context.Context, r telesign.Receipt, body []byte, by signers) (string, error) {
	if r.Inbound {
		return l.reply(ctx, r, body)
	}
	if r.Template.Name != "" {
		return resultTemplate, l.template(ctx, r, by)
	}
	to, err := l.find(ctx, r)
	if err == nil && !by.speakFor(to.info) {
		err = errForeign
	}
	switch {
	case errors.Is(err, errForeign):
		return resultForeign, nil
	case errors.Is(err, ledger.ErrNotFound):
		return l.keep(ctx, r, by.keep(body))
	case err != nil:
		return "", err
	}
	return l.apply(ctx, to, r)
}

// addressee is the recipient of a receipt.
type addressee struct {
	info    *campaign.Info
	place   campaign.Place
	attempt int // 0: the latest
}

var errForeign = errors.New("not a message of ours")

// find returns the recipient of a receipt: by our external ID, which it echoes,
// else by its reference.
func (l *Listener) find(ctx context.Context, r telesign.Receipt) (addressee, error) {
	if r.ExternalID == "" {
		return l.findReference(ctx, r.Reference)
	}
	a, err := campaign.ParseExternalID(r.ExternalID)
	if err != nil {
		return addressee{}, errForeign // another application's, on the same account
	}
	ours := func(info *campaign.Info) bool { return info.Salt == a.Salt && info.Has(a.Place) }
	info, err := l.infos.get(ctx, a.Campaign)
	if err == nil && !ours(info) {
		// It may have grown, or be another by now: after a restore, say.
		info, err = l.infos.read(ctx, a.Campaign)
	}
	if errors.Is(err, ledger.ErrNotFound) || (err == nil && !ours(info)) {
		return addressee{}, errForeign
	}
	return addressee{info, a.Place, a.Number}, err
}

func (l *Listener) findReference(ctx context.Context, reference string) (addressee, error) {
	if reference == "" {
		return addressee{}, errForeign
	}
	tags, err := l.references.Find(ctx, reference, time.Now())
	if err != nil {
		return addressee{}, err
	}
	for _, tag := range tags {
		ids, err := l.tags.campaigns(ctx, tag)
		if err != nil {
			return addressee{}, err
		}
		for _, id := range ids {
			info, err := l.infos.get(ctx, id)
			if errors.Is(err, ledger.ErrNotFound) {
				continue
			}
			if err != nil {
				return addressee{}, err
			}
			place, attempt, err := l.ledger.FindReference(ctx, info, reference)
			if !errors.Is(err, ledger.ErrNotFound) {
				return addressee{info, place, attempt}, err
			}
		}
	}
	return addressee{}, ledger.ErrNotFound
}

// tags are the campaigns by their tags in the index of references.
type tags struct {
	ledger *ledger.Ledger
	mu     sync.Mutex
	known  map[references.Tag][]campaign.ID
}

// campaigns returns the campaigns that have a tag. Only a tag that is new costs a
// command.
func (t *tags) campaigns(ctx context.Context, tag references.Tag) ([]campaign.ID, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if ids := t.known[tag]; len(ids) > 0 {
		return ids, nil
	}
	all, err := t.ledger.Campaigns(ctx, math.MaxInt)
	if err != nil {
		return nil, err
	}
	t.known = make(map[references.Tag][]campaign.ID, len(all))
	for _, id := range all {
		t.known[references.TagOf(id)] = append(t.known[references.TagOf(id)], id)
	}
	return t.known[tag], nil
}

// apply applies the receipt to its recipient.
func (l *Listener) apply(ctx context.Context, to addressee, r telesign.Receipt) (string, error) {
	now := time.Now()
	due := now.Add(l.deadline)
	if l.deadline == 0 {
		due = now.Add(to.info.Spec.FallbackTotal() + l.margin)
	}
	event := translate.Receipt(r, to.attempt, now, due)
	if _, out := suppression.WhyReceipt(r); !out {
		made, err := l.ledger.Receive(ctx, to.info, to.place, event)
		switch {
		case made != nil:
			tracing.Changed(ctx, "receipt", now, to.info, to.place, made.Was, made.Record)
			return resultRecorded, l.hold(ctx, to, r)
		case err != nil && !gone(err):
			return "", err
		}
	}
	return l.applyWithCare(ctx, to, r, event, now)
}

// gone reports whether the campaign has no people any more, or others.
func gone(err error) bool {
	return errors.Is(err, campaign.ErrPurged) || errors.Is(err, campaign.ErrReplaced)
}

// applyWithCare is apply for the cases that need a look first.
func (l *Listener) applyWithCare(ctx context.Context, to addressee, r telesign.Receipt, event campaign.Event, now time.Time) (string, error) {
	before, err := l.ledger.ReadRecord(ctx, to.info, to.place)
	if gone(err) {
		l.infos.forget(to.info.ID)
		return resultForeign, nil
	}
	if err != nil {
		return "", err
	}
	if to.attempt > before.Record.Attempt && r.Reference != "" {
		// The ledger doesn't know the attempt: Redis has lost its last second,
		// unless the reference is another's.
		known, err := l.findReference(ctx, r.Reference)
		switch {
		case err == nil && (known.info.ID != to.info.ID || known.place != to.place):
			return resultMismatch, nil
		case err != nil && !errors.Is(err, ledger.ErrNotFound):
			return "", err
		}
	}
	// Before the record: if the listener dies in between, Telesign sends it again.
	if err := l.optOut(ctx, to, r, before.Record.ClaimedAt); err != nil {
		return "", err
	}
	after, err := l.ledger.Apply(ctx, to.info, to.place, before, event)
	var refused *campaign.TransitionError
	switch {
	case errors.As(err, &refused):
		return resultMismatch, nil
	case gone(err):
		return resultForeign, nil
	case err != nil:
		return "", err
	case after == before:
		return resultNoNews, nil
	}
	tracing.Changed(ctx, "receipt", now, to.info, to.place, before.Record.State, after.Record)
	return resultRecorded, l.hold(ctx, to, r)
}

// hold holds every campaign of the account when a receipt says that the fault is the
// account's: the others would fail of the same. It holds this one when its template can't be sent any
// more. If the listener dies before that, the next receipt holds them.
func (l *Listener) hold(ctx context.Context, to addressee, r telesign.Receipt) error {
	code, account := translate.AccountFault(r)
	reason, template := translate.TemplateFault(r, to.info.Spec)
	if !account && !template {
		return nil
	}
	seen, err := l.ledger.ReadRecord(ctx, to.info, to.place)
	switch {
	case gone(err), err == nil && to.attempt != 0 && to.attempt < seen.Record.Attempt:
		return nil // the latest attempt says how the account stands
	case err != nil:
		return err
	}
	ctx = tracing.Of(ctx, to.info, to.place, seen.Record.Attempt)
	if account {
		name := to.info.Spec.AccountName()
		l.log.ErrorContext(ctx, "the account has a fault", "account", name, "campaign", to.info.ID, "code", int(code), "error", code.Text())
		return l.ledger.HoldAccount(ctx, name, translate.HoldReason(code), seen.Record.ClaimedAt, time.Now())
	}
	l.log.ErrorContext(ctx, "held for its template", "campaign", to.info.ID, "error", reason)
	return l.ledger.HoldSince(ctx, to.info.ID, reason, seen.Record.ClaimedAt, time.Now())
}

// infos caches the part of a campaign that never changes.
type infos struct {
	ledger *ledger.Ledger
	mu     sync.Mutex
	known  map[campaign.ID]*campaign.Info
}

// maxInfos bounds the cache.
const maxInfos = 2000

func (c *infos) get(ctx context.Context, id campaign.ID) (*campaign.Info, error) {
	c.mu.Lock()
	info := c.known[id]
	c.mu.Unlock()
	if info != nil {
		return info, nil
	}
	return c.read(ctx, id)
}

func (c *infos) forget(id campaign.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.known, id)
}

func (c *infos) read(ctx context.Context, id campaign.ID) (*campaign.Info, error) {
	info, err := c.ledger.Info(ctx, id)
	if err != nil {
		return nil, err
	}
	if info.Phase == campaign.Draft {
		return nil, ledger.ErrNotFound
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil || len(c.known) >= maxInfos {
		c.known = make(map[campaign.ID]*campaign.Info)
	}
	c.known[id] = info
	return info, nil
}
