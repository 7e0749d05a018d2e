package worker

import (
	"context"
	"sync/atomic"
)

// flights bounds the sends in flight. Urgent ones have some places more than the bulk:
// they never wait for bulk sends that wait for the rate.
type flights struct {
	all, bulk chan struct{}
	waiting   atomic.Int32 // tasks of the bulk with recipients who have no place yet
	again     func()       // has the bulk's server look at its queue
}

func newFlights(n int, again func()) *flights {
	return &flights{all: make(chan struct{}, n+max(1, n/urgentShare)), bulk: make(chan struct{}, n), again: again}
}

const (
	// urgentShare: for so many places there is one more that only urgent sends have.
	urgentShare = 16
	// maxWaiting is how many tasks of the bulk wait for places before the next one stays
	// in the queue, for a worker that has places: the one that feeds a campaign sees
	// its tasks first, and would take them all. Two, so that there is a next one when
	// the first has all its places.
	maxWaiting = 2
)

// room reports whether the bulk's server may take another task.
func (f *flights) room() bool { return f.waiting.Load() < maxWaiting }

// begin notes that a task of the bulk wants places, and end that it has them.
func (f *flights) begin() { f.waiting.Add(1) }
func (f *flights) end() {
	if f.waiting.Add(-1) == maxWaiting-1 {
		f.again()
	}
}

// take waits for a place, and returns how to give it back.
func (f *flights) take(ctx context.Context, urgent bool) (land func(), err error) {
	if !urgent {
		select {
		case f.bulk <- struct{}{}:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	select {
	case f.all <- struct{}{}:
	case <-ctx.Done():
		if !urgent {
			<-f.bulk
		}
		return nil, ctx.Err()
	}
	return func() {
		<-f.all
		if !urgent {
			<-f.bulk
		}
	}, nil
}
