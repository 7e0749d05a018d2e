package queue

import (
	"errors"
	"time"
)

// ErrStillRunning means that servers of the queue didn't stop in time. Their Redis
// client must stay open until the process ends, since asynq v0.26.0 panics when its
// client is closed while it runs (subscriber.go reads from a closed channel).
var ErrStillRunning = errors.New("gave up stopping, since Redis doesn't answer: requests whose answer isn't recorded may end in doubt")

// StopWithin calls stop, and returns ErrStillRunning if that takes longer than d.
// While Redis or Sentinel can't be reached, asynq's Shutdown waits for one call
// after the other, for minutes.
func StopWithin(d time.Duration, stop func()) error {
	stopped := make(chan struct{})
	go func() {
		stop()
		close(stopped)
	}()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-stopped:
		return nil
	case <-timer.C:
		return ErrStillRunning
	}
}
