package webhook

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/hibiken/asynq"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/webhook/outbox"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/tasks"
)

const (
	// runTime is how long one run stays with a campaign of which there is much to
	// tell; then it's another's turn.
	runTime = 15 * time.Second
	// tellLease outlives a delivery and its record.
	tellLease = 30 * time.Second
	// recordTime bounds what is written after a delivery, also while the process
	// is being stopped.
	recordTime = 5 * time.Second
)

// newMessage is a message's ID: by it the receiver knows that it is told again.
// A full stop would be ambiguous in what is signed.
func newMessage() string { return "msg_" + rand.Text() }

// deliver tells an endpoint what there is to tell of a campaign. Whatever comes
// of it is recorded, and no note is left behind: the next look writes another.
func (s *Server) deliver(ctx context.Context, t *asynq.Task) error {
	note, err := tasks.ParseDeliver(t.Payload())
	if err != nil {
		return fmt.Errorf("%w: %w", err, asynq.SkipRetry)
	}
	if !s.take(note.Endpoint) {
		return nil // it is being told of another campaign
	}
	defer s.free(note.Endpoint)
	err = s.tell(ctx, note)
	if err != nil && !errors.Is(err, ledger.ErrNotFound) && s.stopping.Err() == nil {
		s.log.Warn("tell a webhook", "webhook", note.Endpoint, "campaign", note.Campaign, "error", err)
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

// tell tells all of it, part by part. Two at once would tell it twice and lose
// nothing: the lease keeps it in order.
func (s *Server) tell(ctx context.Context, note tasks.Deliver) error {
	work, token := "webhook."+note.Endpoint, rand.Text()
	keep := func() (bool, error) { return s.ledger.Lease(ctx, note.Campaign, work, token, tellLease) }
	if mine, err := keep(); err != nil || !mine {
		return err
	}
	defer func() {
		// Should this fail, the lease runs out by itself.
		_ = s.ledger.Release(context.WithoutCancel(ctx), note.Campaign, work, token)
	}()
	for until := time.Now().Add(runTime); time.Now().Before(until) && s.stopping.Err() == nil; {
		more, err := s.tellPart(ctx, note)
		if err != nil || !more {
			return err
		}
		if mine, err := keep(); err != nil || !mine {
			return err
		}
	}
	return nil
}

// tellPart tells the next part: read, fix, POST, record. It says whether there may
// be more to tell at once.
func (s *Server) tellPart(ctx context.Context, note tasks.Deliver) (more bool, _ error) {
	endpoints, err := s.outbox.Endpoints(ctx)
	if err != nil {
		return false, err
	}
	who, to := endpoints.Subscribers(note.Campaign), endpoints.Find(note.Endpoint)
	if to == nil || !to.GoneAt.IsZero() {
		return false, nil
	}
	untold, err := s.outbox.Undelivered(ctx, note.Campaign, to.ID)
	if err != nil || len(untold.Entries) == 0 || (untold.Batch != nil && untold.Batch.Next.After(time.Now())) {
		return false, err
	}
	info, err := s.ledger.Info(ctx, note.Campaign)
	if err != nil {
		return false, err
	}
	var p part
	switch b := untold.Batch; {
	case b != nil && b.Dropped != nil:
		p = part{dropped: b.Dropped}
	case b != nil:
		p = nextPart(info, to, untold.Entries[:min(b.Count, len(untold.Entries))])
	default:
		p = nextPart(info, to, untold.Entries)
	}
	e, count, err := s.compose(ctx, info, to, p)
	if errors.Is(err, campaign.ErrPurged) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if e == nil {
		return s.outbox.Acknowledge(ctx, info.ID, to.ID, untold, p.count, who)
	}
	if untold.Batch == nil {
		// Before the POST: told again, it is the same message, of the same people.
		fixed, err := s.outbox.SetBatch(ctx, info.ID, to.ID, untold, outbox.Batch{Message: newMessage(), Count: p.count})
		if err != nil || !fixed {
			return false, err
		}
	}
	// Once begun, it ends and is recorded: asynq waits for it when it stops.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), postTime+recordTime)
	defer cancel()
	return s.send(ctx, &delivery{info: info, to: to, who: who, untold: untold, entries: p.count, event: *e, count: count})
}

// compose is what is told of a part; nil: nothing.
func (s *Server) compose(ctx context.Context, info *campaign.Info, to *outbox.Endpoint, p part) (*event, int, error) {
	switch {
	case p.dropped != nil:
		e, tell := droppedEvent(info.ID, to, p.dropped)
		if !tell {
			return nil, 0, nil
		}
		return &e, p.dropped.Recipients, nil
	case !p.tell:
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
	e, count := settledEvent(info.ID, outcomes, to.Phones, time.Now())
	if count == 0 {
		return nil, 0, nil
	}
	return &e, count, nil
}

// delivery is a part on its way.
type delivery struct {
	info    *campaign.Info
	to      *outbox.Endpoint
	who     []outbox.Endpoint // are told of the campaign
	untold  *outbox.Undelivered
	entries int // of the outbox
	event   event
	count   int // recipients
}

// send makes the delivery and records what came of it.
func (s *Server) send(ctx context.Context, d *delivery) (more bool, _ error) {
	started := time.Now()
	a := s.client.post(ctx, d.to, d.untold.Batch.Message, d.event.encode())
	s.deliveries.WithLabelValues(a.result()).Inc()
	logged := s.outbox.LogDelivery(ctx, d.to.ID, outbox.Delivery{
		At: started.UTC(), Message: d.untold.Batch.Message, Type: d.event.Type, Campaign: d.info.ID, Count: d.count,
		Status: a.status, Error: a.fault(), TookMS: a.took.Milliseconds(), Attempt: d.untold.Batch.Failed + 1,
	})
	more, err := s.record(ctx, d, a)
	return more, errors.Join(err, logged)
}

func (s *Server) record(ctx context.Context, d *delivery, a answer) (more bool, _ error) {
	batch := *d.untold.Batch
	switch a.result() {
	case resultTaken:
		if batch.Failed > 0 {
			if err := s.outbox.ClearFailing(ctx, d.to.ID); err != nil {
				return false, err
			}
		}
		return s.outbox.Acknowledge(ctx, d.info.ID, d.to.ID, d.untold, d.entries, d.who)
	case resultGone:
		s.log.Warn("webhook is gone (410), and is told nothing any more", "webhook", d.to.ID)
		return false, s.outbox.Disable(ctx, d.to.ID, time.Now())
	}
	now := time.Now().UTC()
	batch.Failed++
	if batch.Since.IsZero() {
		batch.Since = now
	}
	batch.Next = now.Add(backoff(batch.Failed))
	if now.Sub(batch.Since) >= failingAfter {
		if err := s.callFailing(ctx, d.to.ID, batch.Since, a); err != nil {
			return false, err
		}
	}
	_, err := s.outbox.SetBatch(ctx, d.info.ID, d.to.ID, d.untold, batch)
	return false, err
}

// callFailing notes, once, that an endpoint takes nothing any more.
func (s *Server) callFailing(ctx context.Context, endpoint string, since time.Time, a answer) error {
	first, err := s.outbox.SetFailing(ctx, endpoint, since)
	if err != nil {
		return err
	}
	if first {
		s.log.Error("webhook is failing", "webhook", endpoint, "since", since, "fault", a.fault())
	}
	return nil
}
