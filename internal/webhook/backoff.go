package webhook

import (
	"math/rand/v2"
	"time"
)

const (
	firstWait = 5 * time.Second
	maxWait   = time.Hour
	// failingAfter is how long all deliveries to an endpoint must have failed
	// before it is reported as failing. They go on.
	failingAfter = 3 * 24 * time.Hour
)

// backoff returns how long to wait after this many failures in a row: 5 s, doubled
// with each, an hour at most, less up to a fifth of it at random.
func backoff(failed int) time.Duration {
	d := min(firstWait<<min(max(failed, 1)-1, 10), maxWait)
	return d - rand.N(d/5+1)
}
