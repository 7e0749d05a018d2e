package worker_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/translate"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/telesign"
	"github.com/handout-dev/handout/telesign/simulator"
	"github.com/handout-dev/handout/worker"
)

// listen takes receipts into the ledger, as simply as can be: what nobody knows
// yet is asked for again.
func (r *rig) listen(c *campaign.Info) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if err := r.take(req, c); err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	r.t.Cleanup(server.Close)
	return server.URL
}

func (r *rig) take(req *http.Request, c *campaign.Info) error {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return err
	}
	receipt, err := telesign.ParseReceipt(body)
	if err != nil {
		return err
	}
	ctx := context.WithoutCancel(req.Context())
	named, err := campaign.ParseExternalID(receipt.ExternalID)
	place, attempt := named.Place, named.Number
	if err != nil {
		if place, attempt, err = r.ledger.FindReference(ctx, c, receipt.Reference); err != nil {
			return err
		}
	}
	now := time.Now()
	_, err = r.ledger.Apply(ctx, c, place, ledger.Seen{}, translate.Receipt(receipt, attempt, now, now.Add(3*time.Second)))
	var refused *campaign.TransitionError
	if errors.As(err, &refused) {
		return nil
	}
	return err
}

// Every story that the vendor's double knows ends as it should, everyone is
// sent to exactly once, and no number is ever logged.
func TestStories_EveryEndingEndsAsItShould(t *testing.T) {
	t.Parallel()
	vendor := newSimulator(t, simulator.Options{Speed: 20_000, Polling: true})
	r := setup(t, vendor)
	numbers := make([]string, 100)
	for i := range numbers {
		numbers[i] = phone(100+i, i)
	}
	c := r.stand("c", numbers, false)
	vendor.SetCallbackURL(r.listen(c))
	r.start(r.hasty(6*time.Second), func(o *worker.Options) { o.ReceiptDeadline, o.Rate, o.Concurrency = 4*time.Second, 500, 64 })
	r.untilPhase(c, campaign.Done)

	for i, number := range numbers {
		story := simulator.StoryOf(strings.TrimPrefix(number, "+"))
		rec := r.record(c, i)
		if rec.State.String() != story.ExpectedState || rec.DeliveredBy().String() != story.ExpectedDeliveredBy || rec.Read() != story.Read {
			t.Errorf("%02d %s: %s by %q, read %v; want %s by %q, read %v", i, story.Name,
				rec.State, rec.DeliveredBy(), rec.Read(), story.ExpectedState, story.ExpectedDeliveredBy, story.Read)
		}
	}
	sent := map[string]int{}
	for _, m := range vendor.Accepted() {
		sent[m.PhoneNumber]++
		if sent[m.PhoneNumber] > 1 {
			t.Errorf("%s: sent %d times", m.Story, sent[m.PhoneNumber])
		}
	}
	if len(sent) != 99 { // all but the refused
		t.Errorf("%d were sent to, want 99", len(sent))
	}
	if rec := r.record(c, 89); rec.Attempt != 3 {
		t.Errorf("unavailable twice: attempt %d", rec.Attempt)
	}
	for _, i := range []int{90, 91} {
		if rec := r.record(c, i); rec.Attempt != 1 {
			t.Errorf("throttled twice: attempt %d", rec.Attempt)
		}
	}
	r.closes(c)
	if a := r.archived(); len(a) > 0 {
		t.Errorf("archived: %q", a)
	}
	if strings.Count(r.log.String(), "\n") < 5 {
		t.Error("nothing was logged: the test of the log proves nothing")
	}
}
