package metrics

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/report"
)

// webhooks reads what webhooks haven't taken of these campaigns.
func (l *Ledger) webhooks(ctx context.Context, current []report.Summary) ([]prometheus.Metric, error) {
	ids := make([]campaign.ID, len(current))
	for i := range current {
		ids[i] = current[i].ID
	}
	u, err := l.reports.Undelivered(ctx, ids)
	if err != nil {
		return nil, err
	}
	metrics := []prometheus.Metric{gauge(descOutbox, float64(u.Waiting)), gauge(descFailing, float64(u.Failing))}
	for endpoint, n := range u.Discarded { // an increase is seen from 0 on
		metrics = append(metrics, prometheus.MustNewConstMetric(descDropped, prometheus.CounterValue, float64(n), endpoint))
	}
	return metrics, nil
}
