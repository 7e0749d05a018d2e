package bench_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/test/redistest"
)

// BenchmarkRedisCommandsOfASend counts what Redis is asked for a send, asynq's
// own included: paced at 10 and at 100 per second, and as fast as it goes, where
// many sends share a call. Counted is what INFO commandstats counts: the commands
// that clients send, scripts among them, and those that the scripts carry out. At
// 10 per second most of it is what is done however little is sent: queues that
// are looked at for urgent sends, slots, sweeps.
func BenchmarkRedisCommandsOfASend(b *testing.B) {
	const (
		unthrottled = 20_000
		paced       = 1_500
		rate        = 100
		slowest     = 150
		slowRate    = 10 // the default
		most        = 12
	)
	for b.Loop() {
		slower, slow := commandsOfOurs(b, slowest, slowRate), commandsOfOurs(b, paced, rate)
		fast, plain := commandsOfOurs(b, unthrottled, 0), commandsOfPlain(b, unthrottled)
		b.Logf("at %d per second: %s\nat %d per second: %s\nwithout a limit: %s\nplain: %s", slowRate, slower, rate, slow, fast, plain)

		b.ReportMetric(slow.sent.sum(), "commands/paced-send")
		b.ReportMetric(fast.sent.sum(), "commands/send")
		b.ReportMetric(plain.sent.sum(), "plain-commands/send")
		add := func(what string, ours, plain float64, requirement string, met verdict) {
			table = append(table, line{what, fmt.Sprintf("%.1f", ours), fmt.Sprintf("%.1f", plain), ratio(ours, plain), requirement, met})
		}
		limit := fmt.Sprintf("≤ %d", most)
		add("Redis commands per send, in all, at 100/s", slow.carriedOut.sum(), plain.carriedOut.sum(), limit, met(slow.carriedOut.sum() <= most))
		add("  the same, without a limit", fast.carriedOut.sum(), plain.carriedOut.sum(), limit, met(fast.carriedOut.sum() <= most))
		add("  the same, at 10/s", slower.carriedOut.sum(), plain.carriedOut.sum(), "", noRequirement)
		add("  those that clients send, at 100/s", slow.sent.sum(), plain.sent.sum(), limit, met(slow.sent.sum() <= most))
		add("  the same, without a limit", fast.sent.sum(), plain.sent.sum(), limit, met(fast.sent.sum() <= most))
		add("  the same, at 10/s", slower.sent.sum(), plain.sent.sum(), limit, met(slower.sent.sum() <= most))
	}
	noTime(b)
}

// commands are how often each was called, per send.
type commands map[string]float64

// load is what sends ask of Redis.
type load struct {
	sent       commands // by clients
	carriedOut commands // by Redis, those inside scripts included
	scripts    commands // calls of scripts, by what they are about
}

// String is both breakdowns.
func (l load) String() string {
	return fmt.Sprintf("%.2f carried out:%s; %.2f sent:%s; %.2f scripts:%s",
		l.carriedOut.sum(), l.carriedOut, l.sent.sum(), l.sent, l.scripts.sum(), l.scripts)
}

func (c commands) sum() float64 {
	var n float64
	for _, calls := range c {
		n += calls
	}
	return n
}

// String lists them, the most frequent first.
func (c commands) String() string {
	var b strings.Builder
	for _, name := range slices.SortedFunc(maps.Keys(c), func(x, y string) int { return cmp.Compare(c[y], c[x]) }) {
		if c[name] >= 0.005 {
			fmt.Fprintf(&b, " %s %.2f", name, c[name])
		}
	}
	return b.String()
}

// meter is a hook that counts the commands that a client sends.
type meter struct {
	mu      sync.Mutex
	calls   map[string]int
	scripts map[string]int
}

// script names a call of a script by its first key, without the queue's note and
// the campaign's page in it.
func script(c redis.Cmder) string {
	args := c.Args()
	if len(args) < 4 {
		return "without keys"
	}
	key, _ := args[3].(string)
	for _, name := range [...]string{"{bulk}:t:", "{urgent}:t:", "{system}:t:", "asynq:servers:", "asynq:workers:"} {
		if before, _, ok := strings.Cut(key, name); ok {
			return before + name + "*"
		}
	}
	return strings.Replace(key, "{"+string(campaignID)+"}", "{c}", 1)
}

func (m *meter) count(cmds ...redis.Cmder) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.calls == nil {
		m.calls, m.scripts = map[string]int{}, map[string]int{}
	}
	for _, c := range cmds {
		m.calls[c.Name()]++
		if strings.HasPrefix(c.Name(), "eval") {
			m.scripts[script(c)]++
		}
	}
}

// DialHook counts nothing.
func (m *meter) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

// ProcessHook counts a command.
func (m *meter) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		m.count(cmd)
		return next(ctx, cmd)
	}
}

// ProcessPipelineHook counts those of a pipeline.
func (m *meter) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		m.count(cmds...)
		return next(ctx, cmds)
	}
}

// read is the load per send so far; looks are the benchmark's own commands.
func (m *meter) read(server *redistest.Server, n int, looks map[string]int) load {
	l := load{commands{}, commands{}, commands{}}
	m.mu.Lock()
	for name, calls := range m.calls {
		l.sent[name] = float64(calls-looks[name]) / float64(n)
	}
	for name, calls := range m.scripts {
		l.scripts[name] = float64(calls) / float64(n)
	}
	m.mu.Unlock()
	for name, calls := range server.CommandStats() {
		if name != "info" && name != "config|resetstat" {
			l.carriedOut[name] = float64(calls-int64(looks[name])) / float64(n)
		}
	}
	return l
}

// commandsOfOurs counts from the start of the worker until everything is sent,
// with whatever the worker does beside it.
func commandsOfOurs(b *testing.B, n int, rate float64) load {
	b.Helper()
	server := redistest.Start(b)
	defer server.Kill()
	to, stop := startVendor(b, vendorOptions{})
	defer stop()
	h := newHandout(b, server)
	h.submit(b, people(n, acceptedDigits, false))
	m := new(meter)
	h.rdb.AddHook(m)
	server.ResetCommandStats()
	w := h.work(b, to, rate)
	defer w.stop()
	looks := 0
	await(b, func() bool {
		looks++
		return h.balance(b).Of(campaign.Accepted) == n
	})
	return m.read(server, n, map[string]int{"hmget": looks})
}

func commandsOfPlain(b *testing.B, n int) load {
	b.Helper()
	server := redistest.Start(b)
	defer server.Kill()
	to, stop := startVendor(b, vendorOptions{})
	defer stop()
	p := newPlain(b, server)
	m := new(meter)
	p.rdb.AddHook(m)
	p.opt = metered{p.opt, m}
	server.ResetCommandStats()
	p.enqueue(b, people(n, acceptedDigits, false))
	p.send(b, to, n, concurrency)
	return m.read(server, n, nil)
}

// metered makes asynq's clients count.
type metered struct {
	asynq.RedisConnOpt
	m *meter
}

// MakeRedisClient is for asynq.
func (o metered) MakeRedisClient() any {
	client := o.RedisConnOpt.MakeRedisClient()
	if c, ok := client.(redis.UniversalClient); ok {
		c.AddHook(o.m)
	}
	return client
}
