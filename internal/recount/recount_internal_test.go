package recount

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"go.uber.org/goleak"
	"golang.org/x/time/rate"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/references"
	"github.com/handout-dev/handout/internal/suppression"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/test/campaigntest"
	"github.com/handout-dev/handout/test/redistest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = time.Minute

// bundle is a counter in a hurry on a Redis of its own.
type bundle struct {
	*counter
	rdb      *redis.Client
	registry *prometheus.Registry
	mu       sync.Mutex
	logged   bytes.Buffer
}

func (b *bundle) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.logged.Write(line)
}

func (b *bundle) log() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.logged.String()
}

func open(rdb *redis.Client) *bundle {
	b := &bundle{rdb: rdb, registry: prometheus.NewRegistry()}
	b.counter = newCounter(Options{Redis: rdb, Logger: slog.New(slog.NewTextHandler(b, nil)), Metrics: b.registry})
	b.commands, b.again, b.round = rate.NewLimiter(rate.Inf, burst), 20*time.Millisecond, 20*time.Millisecond
	return b
}

// closes returns what the metric says of something, and false if nothing.
func (b *bundle) closes(of string) (float64, bool) {
	families, err := b.registry.Gather()
	if err != nil {
		panic(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "handout_balance_closes" && m.GetLabel()[0].GetValue() == of {
				return m.GetGauge().GetValue(), true
			}
		}
	}
	return 0, false
}

func (b *bundle) until(t *testing.T, of string, want float64) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; <-tick.C {
		got, ok := b.closes(of)
		if ok && got == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v (%v), want %v\n%s", of, got, ok, want, b.log())
		}
	}
}

// stand makes a running campaign of n recipients.
func (b *bundle) stand(t *testing.T, id campaign.ID, n int) *campaign.Info {
	t.Helper()
	o, err := b.ledger.Open(t.Context(), campaigntest.Spec(id), []string{"url"})
	if err != nil {
		t.Fatal(err)
	}
	var pages [][]byte
	for from := 0; from < n; from += campaign.PageSize {
		page, err := campaigntest.EncodePage(1, campaigntest.People(from, min(n, from+campaign.PageSize)))
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, page)
	}
	if err := o.AddPages(t.Context(), 0, pages); err != nil {
		t.Fatal(err)
	}
	info, err := o.Commit(t.Context(), ledger.Content{Total: n, Pages: len(pages), Digest: "digest"}, campaign.Beginning{})
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// accept has Telesign take the message of one.
func (b *bundle) accept(t *testing.T, info *campaign.Info, position int) {
	t.Helper()
	seen := ledger.Seen{}
	for _, e := range []campaign.Event{
		{Kind: campaign.EventClaim, Claim: 7},
		{Kind: campaign.EventAccept, Attempt: 1, Reference: campaigntest.Reference(position), DueAt: time.Now().Add(time.Hour)},
	} {
		e.At = time.Now()
		var err error
		if seen, err = b.ledger.Apply(t.Context(), info, campaign.PlaceOf(position), seen, e); err != nil {
			t.Error(err)
		}
	}
}

func TestRecount_SaysWhenACampaignsBalanceDoesNotClose(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ damage, mend, says string }{
		"a counter":          {"HINCRBY handout:{spring}:counts delivered 1", "HINCRBY handout:{spring}:counts delivered -1", "counted 1, by the records 0"},
		"a record that went": {"RENAME handout:{spring}:rec:1 elsewhere", "RENAME elsewhere handout:{spring}:rec:1", "accepted: counted 2, by the records 1"},
		"a page that went":   {"RENAME handout:{spring}:page:1 elsewhere", "RENAME elsewhere handout:{spring}:page:1", "page 1"},
		"a reference":        {"RENAME handout:{spring}:ref:0 elsewhere", "RENAME elsewhere handout:{spring}:ref:0", "doesn't lead to it"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := open(redistest.Start(t).Client())
			info := b.stand(t, "spring", 120)
			b.stand(t, "summer", 10)
			b.accept(t, info, 3)
			b.accept(t, info, 103)
			if strings.Contains(c.damage, ":ref:") { // the bucket that has one
				all := b.rdb.Keys(t.Context(), "handout:{spring}:ref:*").Val()
				c.damage, c.mend = strings.ReplaceAll(c.damage, "handout:{spring}:ref:0", all[0]), strings.ReplaceAll(c.mend, "handout:{spring}:ref:0", all[0])
			}
			do := func(command string) {
				var args []any
				for _, a := range strings.Fields(command) {
					args = append(args, a)
				}
				if err := b.rdb.Do(t.Context(), args...).Err(); err != nil {
					t.Fatal(err)
				}
			}
			defer b.start(t.Context())()
			b.until(t, campaigns, 1)
			do(c.damage)
			b.until(t, campaigns, 0)
			if log := b.log(); !strings.Contains(log, c.says) || strings.Count(log, "the balance doesn't close") != 1 || !strings.Contains(log, "campaign=spring") || strings.Contains(log, "campaign=summer") {
				t.Errorf("the log says:\n%s", log)
			}
			do(c.mend)
			b.until(t, campaigns, 1)
			if log := b.log(); !strings.Contains(log, "closes again") {
				t.Errorf("the log says:\n%s", log)
			}
		})
	}
}

// A campaign that moves, and one that grows, are never off.
func TestRecount_GivesNoFalseAlarmBesideRunningSends(t *testing.T) {
	t.Parallel()
	b := open(redistest.Start(t).Client())
	b.again = 0 // each look counts
	info := b.stand(t, "spring", 400)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stop := b.start(ctx)
	var moves sync.WaitGroup
	for from := range 4 {
		moves.Go(func() {
			for i := from; i < 400; i += 4 {
				b.accept(t, info, i)
				if _, err := b.ledger.Receive(t.Context(), info, campaign.PlaceOf(i), campaigntest.ByWhatsApp(1)); err != nil {
					t.Error(err)
				}
				message := campaigntest.Spec("")
				message.ID = ""
				r := campaign.Recipient{ID: fmt.Sprint(i), Phone: fmt.Sprintf("+4179%07d", i)}
				if _, _, _, err := b.ledger.Append(t.Context(), "", fmt.Sprint("key", i), r, message, time.Now()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	moves.Wait()
	b.until(t, campaigns, 1)
	stop()
	if log := b.log(); strings.Contains(log, "doesn't close") || strings.Contains(log, "level=WARN") {
		t.Errorf("the log says:\n%s", log)
	}
	if n := b.counted(t); n < 10 {
		t.Errorf("only %v campaigns were recounted meanwhile", n)
	}
}

func (b *bundle) counted(t *testing.T) float64 {
	t.Helper()
	families, err := b.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "handout_recounted_total" {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	return 0
}

func TestRecount_IsOneWorkersAtATime(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	first, second := open(server.Client()), open(server.Client())
	first.stand(t, "spring", 10)
	stop := first.start(t.Context())
	first.until(t, campaigns, 1)
	if err := second.countAll(t.Context()); err != errNotMine {
		t.Errorf("the second one: %v", err)
	}
	if _, told := second.closes(campaigns); told {
		t.Error("the second one says whether it closes")
	}
	stop()
	defer second.start(t.Context())()
	second.until(t, campaigns, 1)
}

func TestRecount_LooksAtTheSuppressionListAndTheReferences(t *testing.T) {
	t.Parallel()
	b := open(redistest.Start(t).Client())
	ctx := t.Context()
	list := suppression.New(b.rdb)
	at := time.Now().Add(-time.Hour)
	for i, e := range []suppression.Entry{{At: at, Why: suppression.WhyStop}, {At: at.Add(time.Minute), Why: suppression.WhyStop}} {
		if err := list.Stop(ctx, []string{"+12015550100"}, e, fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := references.New(b.rdb).Add(ctx, []references.Entry{{Reference: campaigntest.Reference(1), Campaign: "spring"}}, time.Now()); err != nil {
		t.Fatal(err)
	}
	defer b.start(ctx)()
	b.until(t, suppressed, 1)
	b.until(t, referencing, 1)
	if err := b.rdb.HDel(ctx, "handout:suppressed", "12015550100").Err(); err != nil {
		t.Fatal(err)
	}
	b.until(t, suppressed, 0)
	keys, err := b.rdb.Keys(ctx, "handout:{handout:ref}:*").Result()
	if err != nil || len(keys) != 1 {
		t.Fatal(keys, err)
	}
	if err := b.rdb.Persist(ctx, keys[0]).Err(); err != nil {
		t.Fatal(err)
	}
	b.until(t, referencing, 0)
	log := b.log()
	for _, want := range []string{"of=suppression", "1 number off the list, and no word took them off", "of=references", "1 bucket of the index without an expiry"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log doesn't say %q:\n%s", want, log)
		}
	}
	if strings.Contains(log, "2015550100") {
		t.Errorf("the log has a number:\n%s", log)
	}
}

func TestRecount_GoesOnOnceRedisIsBack(t *testing.T) {
	t.Parallel()
	logging.Disable() // the client would say that Redis is away
	server := redistest.Start(t, redistest.AppendOnly("always"))
	b := open(server.Client())
	b.wait = 20 * time.Millisecond
	b.stand(t, "spring", 10)
	defer b.start(t.Context())()
	b.until(t, campaigns, 1)
	server.Kill()
	server.Restart()
	if err := server.Client().HIncrBy(t.Context(), "handout:{spring}:counts", "delivered", 1).Err(); err != nil {
		t.Fatal(err)
	}
	b.until(t, campaigns, 0)
}
