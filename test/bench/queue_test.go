package bench_test

import (
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/tasks"
	"github.com/handout-dev/handout/test/redistest"
)

// BenchmarkQueueOfALongList sends a long list as fast as it goes and looks all
// the while at how much of it stands in the queue: pending, active, scheduled
// and to be retried together, read at one moment.
func BenchmarkQueueOfALongList(b *testing.B) {
	const recipients = 100_000
	for b.Loop() {
		server := redistest.Start(b)
		to, stop := startVendor(b, vendorOptions{})
		h := newHandout(b, server)
		h.submit(b, people(recipients, acceptedDigits, false))
		watch := watchQueue(b, server)
		rate := h.send(b, to, recipients)
		sends, looks, dry := watch()
		stop()
		server.Kill()

		b.Logf("looked %d times, found the queue empty %.1f %% of them; %s sends/s over the whole list",
			looks, 100*float64(dry)/float64(looks), count(rate))
		b.ReportMetric(float64(sends), "tasks")
		b.ReportMetric(float64(recipients), "plain-tasks")
		b.ReportMetric(rate, "sends/s")
		table = append(table, line{
			"tasks in the queue at most, list of 100,000", count(float64(sends)), count(recipients),
			ratio(float64(sends), recipients), "≤ window of " + count(window), met(sends <= window),
		})
	}
	noTime(b)
}

// watchQueue looks every few milliseconds until the function that it returns is
// called.
func watchQueue(b *testing.B, server *redistest.Server) (stop func() (sends int64, looks, dry int)) {
	b.Helper()
	var sends int64
	var looks, dry int
	done := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		for tick := time.NewTicker(5 * time.Millisecond); ; {
			s := queued(b, server.Client(), tasks.QueueBulk, tasks.QueueUrgent)
			sends = max(sends, s)
			looks++
			if s == 0 {
				dry++
			}
			select {
			case <-tick.C:
			case <-done:
				tick.Stop()
				return
			}
		}
	})
	return func() (int64, int, int) {
		close(done)
		watching.Wait()
		return sends, looks, dry
	}
}

// queued is how many tasks of asynq's stand in queues, in one transaction.
func queued(b *testing.B, rdb *redis.Client, queues ...string) int64 {
	b.Helper()
	var counts []*redis.IntCmd
	_, err := rdb.TxPipelined(b.Context(), func(p redis.Pipeliner) error {
		for _, q := range queues {
			key := "asynq:{handout:" + q + "}:"
			counts = append(counts,
				p.LLen(b.Context(), key+"pending"), p.LLen(b.Context(), key+"active"),
				p.ZCard(b.Context(), key+"scheduled"), p.ZCard(b.Context(), key+"retry"))
		}
		return nil
	})
	if err != nil {
		b.Errorf("look at the queue: %v", err)
	}
	var n int64
	for _, c := range counts {
		n += c.Val()
	}
	return n
}
