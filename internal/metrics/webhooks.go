package metrics

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/handout-dev/handout/campaign"
)

// webhooks looks how much there is to tell, of the newest campaigns and all active
// ones.
func (l *Ledger) webhooks(ctx context.Context) ([]prometheus.Metric, error) {
	endpoints, err := l.ledger.Outbox().Endpoints(ctx)
	if err != nil {
		return nil, err
	}
	waiting, failing := 0, 0
	var drops []prometheus.Metric
	if len(endpoints.All) > 0 {
		glances, err := l.glances(ctx)
		if err != nil {
			return nil, err
		}
		ids := make([]campaign.ID, len(glances))
		for i, g := range glances {
			ids[i] = g.ID
		}
		if waiting, err = l.ledger.Outbox().Length(ctx, ids); err != nil {
			return nil, err
		}
		if failing, err = l.ledger.Outbox().CountFailing(ctx); err != nil {
			return nil, err
		}
		dropped, err := l.ledger.Outbox().CountDiscarded(ctx)
		if err != nil {
			return nil, err
		}
		for _, e := range endpoints.All { // an increase is seen from 0 on
			drops = append(drops, prometheus.MustNewConstMetric(descDropped, prometheus.CounterValue, float64(dropped[e.ID]), e.ID))
		}
	}
	return append(drops, gauge(descOutbox, float64(waiting)), gauge(descFailing, float64(failing))), nil
}
