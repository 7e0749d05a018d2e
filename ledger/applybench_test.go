package ledger_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/test/campaigntest"
)

// BenchmarkApply claims and accepts two hundred recipients side by side, who travel
// together: the time is that of one change, and redis-µs that of the script for it.
func BenchmarkApply(b *testing.B) {
	const n = 200
	u := setup(b)
	changes := 0
	if err := u.rdb.ConfigResetStat(b.Context()).Err(); err != nil {
		b.Fatal(err)
	}
	for round := 0; b.Loop(); round++ {
		info := u.stand(b, campaign.ID(fmt.Sprint("c", round)), n)
		campaigntest.Together(n, func(i int) {
			seen, err := u.ledger.Apply(b.Context(), info, campaign.PlaceOf(i), ledger.Seen{}, claimBy(i))
			if err == nil {
				_, err = u.ledger.Apply(b.Context(), info, campaign.PlaceOf(i), seen, campaigntest.Accept(1))
			}
			if err != nil {
				b.Error(err)
			}
		})
		changes += 2 * n
	}
	text, err := u.rdb.Info(b.Context(), "commandstats").Result()
	if err != nil {
		b.Fatal(err)
	}
	for l := range strings.Lines(text) {
		var calls, usec float64
		if _, err := fmt.Sscanf(l, "cmdstat_evalsha:calls=%f,usec=%f", &calls, &usec); err == nil {
			b.ReportMetric(usec/float64(changes), "redis-µs/change")
			b.ReportMetric(calls/float64(changes), "calls/change")
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(changes), "µs/change")
	b.ReportMetric(0, "ns/op")
}
