package callbacks

import (
	"context"
	"errors"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/templates"
	"github.com/handout-dev/handout/internal/translate"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/telesign"
)

// template takes a callback about a template. One that can't be sent any more holds the
// campaigns that use it, those that wait for their start too. If the listener dies
// before the last of them is held, Telesign gets no 200 and calls again.
func (l *Listener) template(ctx context.Context, r telesign.Receipt, by signers) error {
	code, n := r.Status.Code, r.Template
	if !translate.TemplateGone(code) {
		l.log.Info("Telesign says of a template", "channel", n.Channel, "template", n.Name, "code", int(code), "text", code.Text())
		return nil
	}
	l.log.Error("campaigns with a template held", "channel", n.Channel, "template", n.Name, "code", int(code), "error", code.Text())
	ids, err := l.ledger.Active(ctx)
	if err != nil {
		return err
	}
	reason := translate.TemplateHoldReason(code, n)
	var errs []error
	for _, id := range ids {
		info, err := l.ledger.Info(ctx, id)
		switch {
		case errors.Is(err, ledger.ErrNotFound): // it was purged, or isn't committed yet
			continue
		case err == nil && !(by.speakFor(info) && templates.Uses(info.Spec, n)):
			continue
		case err == nil && info.Phase == campaign.Paused && !info.StartAt.IsZero():
			err = l.ledger.HoldRestored(ctx, id, reason, time.Now()) // which holds a paused one, too
		case err == nil:
			err = l.ledger.Hold(ctx, id, reason, time.Now())
		}
		if err != nil && !errors.Is(err, ledger.ErrNotFound) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
