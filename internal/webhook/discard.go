package webhook

import (
	"context"
	"errors"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/webhook/outbox"
	"github.com/handout-dev/handout/ledger"
)

// discard keeps what is pending for each endpoint within the backlog: over all
// campaigns, it discards the oldest entries of the oldest campaign first, down to
// nine tenths of the backlog. It stops after [scanEvery]; the next full scan goes on.
func (s *Server) discard(ctx context.Context, endpoints *outbox.Endpoints, boxes []outbox.Outbox) error {
	until := time.Now().Add(scanEvery)
	var errs []error
	for i := range endpoints.All {
		to := &endpoints.All[i]
		var subscribed []outbox.Outbox
		pending := 0
		for _, box := range boxes {
			if to.Subscribes(box.ID, outbox.EventCampaign) || to.Subscribes(box.ID, outbox.EventRecipients) {
				subscribed = append(subscribed, box)
				pending += box.Undelivered(to.ID)
			}
		}
		if pending > s.backlog {
			errs = append(errs, s.discardFor(ctx, endpoints, to, subscribed, pending-s.backlog*9/10, until))
		}
	}
	return errors.Join(errs...)
}

// discardFor discards surplus entries of an endpoint, boxes being its campaigns' with
// the newest first, and writes a line into the log of its deliveries.
func (s *Server) discardFor(ctx context.Context, endpoints *outbox.Endpoints, to *outbox.Endpoint, boxes []outbox.Outbox, surplus int, until time.Time) error {
	line := outbox.Delivery{At: time.Now().UTC(), Type: typeDropped, Error: "dropped: over " + campaign.Number(s.backlog) + " were pending"}
	var err error
	for i := len(boxes) - 1; i >= 0 && surplus > line.Count && err == nil; i-- {
		var n int
		n, err = s.discardOf(ctx, endpoints, to, boxes[i].ID, surplus-line.Count, until)
		if n > 0 {
			line.Campaign = boxes[i].ID // the newest, of several
		}
		line.Count += n
	}
	if line.Count == 0 {
		return err
	}
	s.log.Error("webhook backlog is full: dropped the oldest entries", "webhook", to.ID, "dropped", line.Count, "limit", s.backlog)
	return errors.Join(err, s.outbox.LogDelivery(ctx, to.ID, line))
}

// discardOf discards up to limit entries of one campaign and returns how many.
func (s *Server) discardOf(ctx context.Context, endpoints *outbox.Endpoints, to *outbox.Endpoint, id campaign.ID, limit int, until time.Time) (int, error) {
	info, err := s.ledger.Info(ctx, id)
	if errors.Is(err, ledger.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	discarded := 0
	for discarded < limit && time.Now().Before(until) {
		n, err := s.outbox.Discard(ctx, info, to, limit-discarded, newMessage(), endpoints.Subscribers(id))
		if err != nil || n == 0 {
			return discarded, err
		}
		discarded += n
	}
	return discarded, nil
}
