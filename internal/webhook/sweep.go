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
	// lookTime is how often all workers together look whether there is something
	// to tell. What has come to be told in between travels together.
	lookTime = 2 * time.Second
	// lookLease keeps the others from looking; a killed worker's runs out.
	lookLease = 3 * lookTime
	// wideLook is how often campaigns are looked at in which nothing has happened
	// lately: a receipt may still come.
	wideLook = 30 * time.Second
	// lately is for how long a campaign is looked at each time after something
	// has happened in it.
	lately = 2 * time.Minute
)

// sight is what the one who looks remembers.
type sight struct {
	wideAt time.Time // of the last wide look
	seen   map[campaign.ID]time.Time
}

// sweep writes the notes that wake deliveries up, from what the ledger says, so
// that whatever happens to the queue, they go on within seconds.
func (s *Server) sweep() {
	ticker := time.NewTicker(lookTime)
	defer ticker.Stop()
	for {
		if err := s.look(s.stopping); err != nil && s.stopping.Err() == nil {
			s.log.Warn("look what is to be told", "error", err)
		}
		select {
		case <-ticker.C:
		case <-s.stopping.Done():
			// Whoever comes next needn't wait; should this fail, it runs out by itself.
			_, _ = s.outbox.Lease(context.WithoutCancel(s.stopping), s.token, 0)
			return
		}
	}
}

func (s *Server) look(ctx context.Context) error {
	mine, err := s.outbox.Lease(ctx, s.token, lookLease)
	if err != nil || !mine {
		s.sight = sight{} // another looks, and who comes after it begins anew
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
		s.sight = sight{}
		return nil
	}
	now := time.Now()
	ids, wide, err := s.worthALook(ctx, now)
	if err != nil {
		return err
	}
	boxes, err := s.outbox.Pending(ctx, ids)
	if err != nil {
		return err
	}
	var errs []error
	if wide {
		errs = append(errs, s.shed(ctx, endpoints, boxes))
	}
	for i := range boxes {
		s.sight.seen[boxes[i].ID] = now
		for _, e := range endpoints.Subscribers(boxes[i].ID) {
			if boxes[i].Waits(e.ID, now) {
				errs = append(errs, s.queue.Enqueue(ctx, tasks.NewDeliver(boxes[i].ID, e.ID, now.Unix())))
			}
		}
	}
	return errors.Join(errs...)
}

// worthALook are the campaigns in which something may have happened, the newest
// first: now and then, as it says, all of them.
func (s *Server) worthALook(ctx context.Context, now time.Time) (_ []campaign.ID, wide bool, _ error) {
	active, err := s.ledger.Active(ctx)
	if err != nil {
		return nil, false, err
	}
	if s.sight.seen == nil {
		s.sight.seen = make(map[campaign.ID]time.Time)
	}
	for _, id := range active {
		s.sight.seen[id] = now
	}
	if now.Sub(s.sight.wideAt) >= wideLook {
		ids, err := s.ledger.Campaigns(ctx, math.MaxInt32)
		if err == nil {
			s.sight.wideAt = now
		}
		return ids, true, err
	}
	ids := make([]campaign.ID, 0, len(s.sight.seen))
	for id, at := range s.sight.seen {
		if now.Sub(at) > lately {
			delete(s.sight.seen, id)
			continue
		}
		ids = append(ids, id)
	}
	return ids, false, nil
}
