package pacing

import "github.com/prometheus/client_golang/prometheus"

// SlotCounts are those of one limiter.
type SlotCounts struct{ Reserved, Used, Lost prometheus.Counter }

// uncounted is for a limiter without metrics.
var uncounted = SlotCounts{nowhere, nowhere, nowhere}

var nowhere = prometheus.NewCounter(prometheus.CounterOpts{Name: "nowhere"})
