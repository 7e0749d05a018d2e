package webhook

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/tasks"
)

const (
	// scanEvery is how often one of all workers scans the outboxes. What has come
	// in between is delivered together.
	scanEvery = 2 * time.Second
	// scanLease keeps other workers from scanning; a killed worker's runs out.
	scanLease = 3 * scanEvery
	// fullScanEvery is how often all campaigns are scanned, also those without
	// recent changes: a receipt may still come.
	fullScanEvery = 30 * time.Second
	// recent is how long after a change every scan covers its campaign.
	recent = 2 * time.Minute
)

// scanned is the memory of the worker that scans, between two scans.
type scanned struct {
	fullAt  time.Time                 // of the last full scan
	changed map[campaign.ID]time.Time // when a campaign had entries or was active last
}

// scanLoop scans the outboxes until the server stops, and writes the tasks of
// deliveries from what the ledger says: a flushed queue is full again within
// seconds.
func (s *Server) scanLoop() {
	ticker := time.NewTicker(scanEvery)
	defer ticker.Stop()
	for {
		if err := s.scan(s.stopping); err != nil && s.stopping.Err() == nil {
			s.log.Warn("scan the outboxes", "error", err)
		}
		select {
		case <-ticker.C:
		case <-s.stopping.Done():
			// Give the lease back for the next worker; if that fails, it runs out.
			_, _ = s.outbox.Lease(context.WithoutCancel(s.stopping), s.token, 0)
			return
		}
	}
}

func (s *Server) scan(ctx context.Context) error {
	mine, err := s.outbox.Lease(ctx, s.token, scanLease)
	if err != nil || !mine {
		s.scanned = scanned{} // another worker scans
		return err
	}
	endpoints, err := s.outbox.Endpoints(ctx)
	if err != nil {
		return err
	}
	if err := s.outbox.ArmAll(ctx, endpoints); err != nil {
		return err
	}
	if len(endpoints.All) == 0 {
		s.scanned = scanned{}
		return nil
	}
	now := time.Now()
	ids, full, err := s.candidates(ctx, now)
	if err != nil {
		return err
	}
	boxes, err := s.outbox.Pending(ctx, ids)
	if err != nil {
		return err
	}
	var errs []error
	if full {
		errs = append(errs, s.discard(ctx, endpoints, boxes))
	}
	for i := range boxes {
		s.scanned.changed[boxes[i].ID] = now
		for _, e := range endpoints.Subscribers(boxes[i].ID) {
			if boxes[i].Due(e.ID, now) {
				errs = append(errs, s.queue.Enqueue(ctx, tasks.QueueWebhooks, tasks.NewDeliver(boxes[i].ID, e.ID, now.Unix())))
			}
		}
	}
	return errors.Join(errs...)
}

// candidates returns the campaigns to scan: those that are active or changed
// recently, or, for a full scan, all of them, the newest first.
func (s *Server) candidates(ctx context.Context, now time.Time) (_ []campaign.ID, full bool, _ error) {
	active, err := s.ledger.Active(ctx)
	if err != nil {
		return nil, false, err
	}
	if s.scanned.changed == nil {
		s.scanned.changed = make(map[campaign.ID]time.Time)
	}
	for _, id := range active {
		s.scanned.changed[id] = now
	}
	if now.Sub(s.scanned.fullAt) >= fullScanEvery {
		ids, err := s.ledger.Campaigns(ctx, math.MaxInt32)
		if err == nil {
			s.scanned.fullAt = now
		}
		return ids, true, err
	}
	ids := make([]campaign.ID, 0, len(s.scanned.changed))
	for id, at := range s.scanned.changed {
		if now.Sub(at) > recent {
			delete(s.scanned.changed, id)
			continue
		}
		ids = append(ids, id)
	}
	return ids, false, nil
}
