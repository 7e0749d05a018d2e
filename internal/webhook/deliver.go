package webhook

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/hibiken/asynq"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/tracing"
	"github.com/handout-dev/handout/internal/webhook/outbox"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/tasks"
)

const (
	// runTime is how long one task goes on with a campaign; then the endpoint is
	// free for another's.
	runTime = 15 * time.Second
	// deliveryLease outlives a delivery and its record.
	deliveryLease = 30 * time.Second
	// recordTime bounds what is written after a delivery, also while the process
	// stops.
	recordTime = 5 * time.Second
)

// newMessage returns a message ID, by which the receiver knows a repeated delivery.
// It holds no full stop, which would be ambiguous in what is signed.
func newMessage() string { return "msg_" + rand.Text() }

// handle delivers to an endpoint what is pending of a campaign. It never asks asynq
// for a retry: the result is recorded, and the next scan writes another task.
func (s *Server) handle(ctx context.Context, t *asynq.Task) error {
	task, err := tasks.ParseDeliver(t.Payload())
	if err != nil {
		return tasks.Unread(err)
	}
	if !s.take(task.Endpoint) {
		return nil // another campaign's delivery is under way
	}
	defer s.free(task.Endpoint)
	err = s.deliver(ctx, task)
	if err != nil && !errors.Is(err, ledger.ErrNotFound) && s.stopping.Err() == nil {
		s.log.Warn("deliver to a webhook", "webhook", task.Endpoint, "campaign", task.Campaign, "error", err)
	}
	return nil
}

func (s *Server) take(endpoint string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy[endpoint] {
		return false
	}
	s.busy[endpoint] = true
	return true
}

func (s *Server) free(endpoint string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.busy, endpoint)
}

// deliver makes one delivery after the other, for [runTime]. Two processes at once
// would deliver twice and lose nothing; the lease keeps the order.
func (s *Server) deliver(ctx context.Context, task tasks.Deliver) error {
	work, token := "webhook."+task.Endpoint, rand.Text()
	lease := func() (bool, error) { return s.ledger.Lease(ctx, task.Campaign, work, token, deliveryLease) }
	if mine, err := lease(); err != nil || !mine {
		return err
	}
	defer func() {
		// If this fails, the lease runs out by itself.
		_, _ = s.ledger.Lease(context.WithoutCancel(ctx), task.Campaign, work, token, 0)
	}()
	for until := time.Now().Add(runTime); time.Now().Before(until) && s.stopping.Err() == nil; {
		more, err := s.deliverNext(ctx, task)
		if err != nil || !more {
			return err
		}
		if mine, err := lease(); err != nil || !mine {
			return err
		}
	}
	return nil
}

// deliverNext makes the next delivery: read, fix the batch, POST, record. It reports
// whether more may be pending.
func (s *Server) deliverNext(ctx context.Context, task tasks.Deliver) (more bool, _ error) {
	endpoints, err := s.outbox.Endpoints(ctx)
	if err != nil {
		return false, err
	}
	to := endpoints.Find(task.Endpoint)
	if to == nil || !to.GoneAt.IsZero() {
		return false, nil
	}
	pending, err := s.outbox.Undelivered(ctx, task.Campaign, to.ID)
	if err != nil || len(pending.Entries) == 0 || (pending.Batch != nil && pending.Batch.Next.After(time.Now())) {
		return false, err
	}
	info, err := s.ledger.Info(ctx, task.Campaign)
	if err != nil {
		return false, err
	}
	var p part
	switch b := pending.Batch; {
	case b != nil && b.Discarded != nil:
		p = part{discarded: b.Discarded}
	case b != nil:
		p = nextPart(info, to, pending.Entries[:min(b.Count, len(pending.Entries))])
	default:
		p = nextPart(info, to, pending.Entries)
	}
	e, people, err := s.compose(ctx, info, to, p)
	if errors.Is(err, campaign.ErrPurged) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	d := &delivery{info: info, to: to, subscribers: endpoints.Subscribers(task.Campaign), pending: pending, entries: p.count, people: people}
	if e == nil {
		return s.outbox.Acknowledge(ctx, info.ID, to.ID, pending, p.count, d.subscribers)
	}
	d.event = *e
	if pending.Batch == nil {
		// Before the POST: if the process dies after it, the same message is
		// delivered again, of the same people.
		fixed, err := s.outbox.SetBatch(ctx, info.ID, to.ID, pending, outbox.Batch{Message: newMessage(), Count: p.count})
		if err != nil || !fixed {
			return false, err
		}
	}
	// Once begun, it ends and is recorded: asynq waits for it when it stops.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), postTime+recordTime)
	defer cancel()
	return s.send(ctx, d)
}

// compose returns the event of a part and of how many recipients it is; nil if the
// endpoint gets none.
func (s *Server) compose(ctx context.Context, info *campaign.Info, to *outbox.Endpoint, p part) (*event, int, error) {
	switch {
	case p.discarded != nil:
		e, wanted := droppedEvent(info.ID, to, p.discarded)
		if !wanted {
			return nil, 0, nil
		}
		return &e, p.discarded.Recipients, nil
	case !p.wanted:
		return nil, 0, nil
	case p.change != nil:
		balance, err := s.ledger.Balance(ctx, info.ID)
		if err != nil {
			return nil, 0, err
		}
		e := campaignEvent(info, p.change, balance)
		return &e, 0, nil
	}
	outcomes, err := s.ledger.Outcomes(ctx, info.ID, p.places)
	if err != nil {
		return nil, 0, err
	}
	e, count := settledEvent(info, outcomes, to.Phones, time.Now())
	if count == 0 {
		return nil, 0, nil
	}
	return &e, count, nil
}

// delivery is one part of an outbox on its way to an endpoint.
type delivery struct {
	info        *campaign.Info
	to          *outbox.Endpoint
	subscribers []outbox.Endpoint // of the campaign
	pending     *outbox.Undelivered
	entries     int // of the outbox
	event       event
	people      int
}

// send makes the delivery and records its result.
func (s *Server) send(ctx context.Context, d *delivery) (more bool, _ error) {
	started := time.Now()
	a := s.client.post(ctx, d.to, d.pending.Batch.Message, d.event.encode())
	s.deliveries.WithLabelValues(a.result()).Inc()
	tracing.Delivered(started, d.info, d.to.ID, d.people, a.status)
	logged := s.outbox.LogDelivery(ctx, d.to.ID, outbox.Delivery{
		At: started.UTC(), Message: d.pending.Batch.Message, Type: d.event.Type, Campaign: d.info.ID, Count: d.people,
		Status: a.status, Error: a.fault(), TookMS: a.took.Milliseconds(), Attempt: d.pending.Batch.Failed + 1,
	})
	more, err := s.record(ctx, d, a)
	return more, errors.Join(err, logged)
}

func (s *Server) record(ctx context.Context, d *delivery, a answer) (more bool, _ error) {
	batch := *d.pending.Batch
	switch a.result() {
	case resultTaken:
		if batch.Failed > 0 {
			if err := s.outbox.ClearFailing(ctx, d.to.ID); err != nil {
				return false, err
			}
		}
		return s.outbox.Acknowledge(ctx, d.info.ID, d.to.ID, d.pending, d.entries, d.subscribers)
	case resultGone:
		s.log.Warn("webhook is gone (410): no more deliveries", "webhook", d.to.ID)
		return false, s.outbox.Disable(ctx, d.to.ID, time.Now())
	}
	now := time.Now().UTC()
	batch.Failed++
	if batch.Since.IsZero() {
		batch.Since = now
		s.log.Warn("a webhook doesn't take its events; it is tried again", "webhook", d.to.ID, "campaign", d.info.ID, "fault", a.fault())
	}
	batch.Next = now.Add(backoff(batch.Failed))
	if now.Sub(batch.Since) >= failingAfter {
		if err := s.reportFailing(ctx, d.to.ID, batch.Since, a); err != nil {
			return false, err
		}
	}
	_, err := s.outbox.SetBatch(ctx, d.info.ID, d.to.ID, d.pending, batch)
	return false, err
}

// reportFailing marks an endpoint as failing, and logs that once.
func (s *Server) reportFailing(ctx context.Context, endpoint string, since time.Time, a answer) error {
	first, err := s.outbox.SetFailing(ctx, endpoint, since)
	if err != nil {
		return err
	}
	if first {
		s.log.Error("webhook is failing", "webhook", endpoint, "since", since, "fault", a.fault())
	}
	return nil
}
