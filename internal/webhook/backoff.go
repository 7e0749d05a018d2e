package webhook

import (
	"math/rand/v2"
	"time"
)

const (
	firstWait   = 5 * time.Second
	longestWait = time.Hour
	// failingAfter is for how long an endpoint may take nothing before it is
	// called failing. It goes on being tried.
	failingAfter = 3 * 24 * time.Hour
)

// backoff is how long to wait after so many failures in a row: 5 s, doubled with
// each, an hour at most, with jitter: somewhere in the last fifth of it.
func backoff(failed int) time.Duration {
	d := min(firstWait<<min(max(failed, 1)-1, 10), longestWait)
	return d - rand.N(d/5+1)
}
