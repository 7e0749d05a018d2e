package webhook

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/webhook/outbox"
	"github.com/handout-dev/handout/ledger"
)

// shed keeps what waits for each endpoint within the backlog: over all campaigns,
// the oldest of the oldest campaign first. A tenth more goes than must, so that it
// doesn't come to this at each look. It stops after a while; the next wide look
// goes on.
func (s *Server) shed(ctx context.Context, endpoints *outbox.Endpoints, boxes []outbox.Outbox) error {
	until := time.Now().Add(lookTime)
	var errs []error
	for i := range endpoints.All {
		to := &endpoints.All[i]
		var mine []outbox.Outbox
		waiting := 0
		for _, box := range boxes {
			if to.Subscribes(box.ID, outbox.EventCampaign) || to.Subscribes(box.ID, outbox.EventRecipients) {
				mine = append(mine, box)
				waiting += box.Undelivered(to.ID)
			}
		}
		if waiting <= s.backlog {
			continue
		}
		errs = append(errs, s.shedFor(ctx, endpoints, to, mine, waiting-s.backlog*9/10, until))
	}
	return errors.Join(errs...)
}

// shedFor drops so much of what waits for an endpoint, and notes it in the log of
// its deliveries.
func (s *Server) shedFor(ctx context.Context, endpoints *outbox.Endpoints, to *outbox.Endpoint, boxes []outbox.Outbox, surplus int, until time.Time) error {
	dropped, line := 0, outbox.Delivery{At: time.Now().UTC(), Type: typeDropped, Error: fmt.Sprintf("dropped: over %d waited", s.backlog)}
	var err error
	for i := len(boxes) - 1; i >= 0 && surplus > dropped && err == nil; i-- {
		var n int
		n, err = s.shedOf(ctx, endpoints, to, boxes[i].ID, surplus-dropped, until)
		if n > 0 {
			line.Campaign = boxes[i].ID // the newest, of several
		}
		dropped += n
	}
	if dropped == 0 {
		return err
	}
	line.Count = dropped
	s.log.Error("too much waited for a webhook, and the oldest was dropped", "webhook", to.ID, "dropped", dropped, "limit", s.backlog)
	return errors.Join(err, s.outbox.LogDelivery(ctx, to.ID, line))
}

// shedOf drops at most so much of one campaign.
func (s *Server) shedOf(ctx context.Context, endpoints *outbox.Endpoints, to *outbox.Endpoint, id campaign.ID, most int, until time.Time) (int, error) {
	info, err := s.ledger.Info(ctx, id)
	if errors.Is(err, ledger.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	dropped := 0
	for dropped < most && time.Now().Before(until) {
		n, err := s.outbox.Discard(ctx, info, to, most-dropped, newMessage(), endpoints.Subscribers(id))
		if err != nil || n == 0 {
			return dropped, err
		}
		dropped += n
	}
	return dropped, nil
}
