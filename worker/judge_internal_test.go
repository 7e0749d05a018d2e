package worker

import (
	"testing"
	"time"
)

// Who certainly wasn't sent to waits twice as long with each fault, five minutes
// at most, and not all at once.
func TestBackoff_DoublesToFiveMinutesWithJitter(t *testing.T) {
	t.Parallel()
	for faults, most := range map[int]time.Duration{
		0: time.Second, 1: 2 * time.Second, 2: 4 * time.Second, 5: 32 * time.Second, 8: 256 * time.Second,
		9: 5 * time.Minute, 10: 5 * time.Minute, 63: 5 * time.Minute, 10_000: 5 * time.Minute,
	} {
		seen := map[time.Duration]bool{}
		for range 100 {
			d := backoff(faults)
			if d < most*4/5 || d > most {
				t.Errorf("%d faults: %v, want %v to %v", faults, d, most*4/5, most)
			}
			seen[d] = true
		}
		if len(seen) < 2 {
			t.Errorf("%d faults: always the same", faults)
		}
	}
}
