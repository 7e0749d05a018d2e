package queue_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/handout-dev/handout/internal/queue"
)

func TestStopWithin_GivesUpInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, takes := range []time.Duration{0, time.Second, 59 * time.Second, 61 * time.Second, time.Hour} {
			start := time.Now()
			err := queue.StopWithin(time.Minute, func() { time.Sleep(takes) })
			if late := takes > time.Minute; errors.Is(err, queue.ErrStillRunning) != late || time.Since(start) != min(takes, time.Minute) {
				t.Errorf("takes %v: %v after %v", takes, err, time.Since(start))
			}
		}
		time.Sleep(2 * time.Hour) // the last one ends
	})
}
