package worker

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/pacing"
	"github.com/handout-dev/handout/internal/suppression"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/tasks"
	"github.com/handout-dev/handout/telesign"
)

// dropSuppressed settles those of a task who are on the suppression list, before
// a slot is spent on them. The claim asks again, and judges those who can't be
// found here.
func (w *Worker) dropSuppressed(ctx context.Context, payload tasks.Send) (suppressed []bool, err error) {
	none := make([]bool, payload.Count)
	s, err := w.cache.subject(ctx, payload.Campaign)
	if errors.Is(err, ledger.ErrNotFound) {
		return none, nil
	}
	if err != nil {
		return nil, err
	}
	page, err := w.cache.page(ctx, s, payload.Page)
	if errors.Is(err, ledger.ErrNotFound) || err == nil && payload.Index+payload.Count > len(page) {
		return none, nil
	}
	if err != nil {
		return nil, err
	}
	var all []string
	var of []int // which recipient an address is of
	for i := range payload.Count {
		for _, a := range s.cascade.Addresses(&page[payload.Index+i]) {
			all, of = append(all, a), append(of, i)
		}
	}
	listed, err := w.suppressions.Contains(ctx, all)
	if err != nil {
		w.metrics.ledgerErrors.Inc()
		return nil, err
	}
	suppressed = none
	for i := range listed {
		suppressed[of[i]] = suppressed[of[i]] || listed[i]
	}
	for i := range suppressed {
		if !suppressed[i] {
			continue
		}
		c := &claim{ctx: context.WithoutCancel(ctx), subject: s, place: campaign.Place{Page: payload.Page, Index: payload.Index + i}}
		if err := w.record(c, campaign.Event{Kind: campaign.EventSuppress, At: w.clock.Now()}); err != nil {
			return nil, err
		}
	}
	return suppressed, nil
}

// suppressed looks whether a recipient's number or e-mail address is on the suppression
// list, the last thing before the claim, and records it. A list that can't be read is an
// error: it never means "go ahead".
func (w *Worker) suppressed(c *claim, r *campaign.Recipient) (bool, error) {
	for _, address := range c.subject.cascade.Addresses(r) {
		_, suppressed, err := w.suppressions.Find(c.ctx, address)
		if err != nil {
			w.metrics.ledgerErrors.Inc()
			return false, err
		}
		if suppressed {
			return true, w.record(c, campaign.Event{Kind: campaign.EventSuppress, At: w.clock.Now()})
		}
	}
	return false, nil
}

// optOut puts the addresses of a claim on the suppression list when Telesign's code
// says that they must not be written to. That comes before the refusal is
// recorded: a settled recipient isn't looked at again.
func (w *Worker) optOut(c *claim, code telesign.Code) error {
	why, ok := suppression.WhyCode(code)
	if !ok {
		return nil
	}
	var all []suppression.Number
	for _, a := range []string{c.message.PhoneNumber, c.message.Email} {
		switch {
		case a == "":
			continue
		case !strings.Contains(a, "@"):
			a = "+" + a
		}
		all = append(all, suppression.Number{Phone: a, Entry: suppression.Entry{At: w.clock.Now(), Why: why, Campaign: c.subject.ID}})
	}
	wait := recordWait
	for start := time.Now(); ; { // as record does: the answer comes only once
		_, err := w.suppressions.AddAll(c.ctx, all)
		if err == nil {
			return nil
		}
		w.metrics.ledgerErrors.Inc()
		if time.Since(start)+wait > recordPatience {
			return err
		}
		if err := pacing.SleepUntil(c.ctx, time.Now().Add(wait)); err != nil {
			return err
		}
		wait = min(2*wait, time.Second)
	}
}

// optOut does the same for the answer to a status query. If it fails, it is asked
// again.
func (q *query) optOut(ctx context.Context, receipt telesign.Receipt) error {
	why, ok := suppression.WhyReceipt(receipt)
	if !ok {
		return nil
	}
	r, err := q.w.cache.recipient(ctx, q.s, q.place)
	if errors.Is(err, ledger.ErrNotFound) {
		return nil // purged, and the number with it
	}
	if err != nil {
		return err
	}
	var all []suppression.Number
	for _, a := range q.s.cascade.Addresses(r) {
		all = append(all, suppression.Number{Phone: a, Entry: suppression.Entry{At: q.w.clock.Now(), Why: why, Campaign: q.s.ID}})
	}
	_, err = q.w.suppressions.AddAll(ctx, all)
	return err
}
