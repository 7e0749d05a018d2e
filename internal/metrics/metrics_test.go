package metrics_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"go.uber.org/goleak"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/metrics"
	"github.com/handout-dev/handout/internal/queue"
	"github.com/handout-dev/handout/internal/report"
	"github.com/handout-dev/handout/internal/secret"
	"github.com/handout-dev/handout/internal/suppression"
	"github.com/handout-dev/handout/internal/webhook/outbox"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/tasks"
	"github.com/handout-dev/handout/test/campaigntest"
	"github.com/handout-dev/handout/test/redistest"
)

func TestMain(m *testing.M) {
	logging.Disable() // tests kill their Redis, and the client would say so
	goleak.VerifyTestMain(m)
}

// bundle is the metrics of a ledger on a Redis of its own.
type bundle struct {
	server   *redistest.Server
	rdb      *redis.Client
	ledger   *ledger.Ledger
	registry *prometheus.Registry
}

func setup(t *testing.T, opts ...redistest.Option) *bundle {
	t.Helper()
	s := redistest.Start(t, opts...)
	b := &bundle{server: s, rdb: s.Client(), ledger: ledger.New(s.Client()), registry: prometheus.NewPedanticRegistry()}
	b.registry.MustRegister(metrics.NewLedger(b.rdb, report.NewReader(b.rdb, 10), slog.New(slog.DiscardHandler)))
	return b
}

// stand makes a running campaign of n recipients.
func (b *bundle) stand(t *testing.T, id campaign.ID, n int) *campaign.Info {
	t.Helper()
	spec := &campaign.Spec{
		ID: id, MessageType: "MKT", Lane: campaign.LaneBulk, OnDoubt: campaign.DoubtHold,
		Channels: []campaign.Channel{{Channel: "sms", Template: "text", Parameters: map[string]string{"text": "Hello."}}},
	}
	o, err := b.ledger.Open(t.Context(), spec, []string{"url"})
	if err != nil {
		t.Fatal(err)
	}
	var people []campaign.Recipient
	for i := range n {
		people = append(people, campaign.Recipient{ID: fmt.Sprintf("customer-%d", i), Phone: fmt.Sprintf("+120155501%02d", i), Values: []string{"https://example.com"}})
	}
	page, err := campaigntest.EncodePage(1, people)
	if err != nil {
		t.Fatal(err)
	}
	if err := o.AddPages(t.Context(), 0, [][]byte{page}); err != nil {
		t.Fatal(err)
	}
	info, err := o.Commit(t.Context(), ledger.Content{Total: n, Pages: 1, Digest: "digest"}, campaign.Beginning{})
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// scrape is all that is said now, by name and labels as Prometheus writes them.
func scrape(t *testing.T, g prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]float64)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			all[f.GetName()+"{"+strings.Join(labels, ",")+"}"] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return all
}

func check(t *testing.T, got, want map[string]float64) {
	t.Helper()
	for name, v := range want {
		if g, ok := got[name]; !ok || g != v {
			t.Errorf("%s is %v (there: %v), want %v", name, g, ok, v)
		}
	}
}

func TestLedger_SaysWhatStandsInRedis(t *testing.T) {
	t.Parallel()
	b := setup(t, redistest.Set("maxmemory", "100mb"))
	ctx := t.Context()
	spring := b.stand(t, "spring", 30)
	b.stand(t, "summer", 3)
	if err := b.ledger.Hold(ctx, "summer", "no money", time.Now()); err != nil {
		t.Fatal(err)
	}
	claimed, err := b.ledger.Apply(ctx, spring, campaign.Place{}, ledger.Seen{}, campaign.Event{Kind: campaign.EventClaim, At: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	doubt := campaign.Event{Kind: campaign.EventDoubt, At: time.Now(), Attempt: 1, Reason: campaign.ReasonTimeout, DueAt: time.Now().Add(time.Hour)}
	if _, err := b.ledger.Apply(ctx, spring, campaign.Place{}, claimed, doubt); err != nil {
		t.Fatal(err)
	}
	claimed = ledger.Seen{}
	good := campaign.Leg{Rank: campaign.RankDelivered, Code: 3000}
	for _, e := range []campaign.Event{
		{Kind: campaign.EventClaim, At: time.Now()},
		{
			Kind: campaign.EventReceipt, At: time.Now(), Attempt: 1, Status: good,
			Legs: []campaign.ChannelLeg{{Channel: "sms", Leg: good}},
		},
	} {
		if claimed, err = b.ledger.Apply(ctx, spring, campaign.PlaceOf(1), claimed, e); err != nil {
			t.Fatal(err)
		}
	}
	queue := queue.New(b.rdb)
	for i := range 4 {
		if err := queue.Enqueue(ctx, tasks.QueueBulk, tasks.NewSend(campaign.Attempt{Campaign: "spring", Salt: "k3v7q2m5", Place: campaign.PlaceOf(i), Number: 1})); err != nil {
			t.Fatal(err)
		}
	}
	if err := queue.Enqueue(ctx, tasks.QueueBulk, tasks.NewSend(campaign.Attempt{Campaign: "spring", Salt: "k3v7q2m5", Place: campaign.PlaceOf(9), Number: 1}), asynq.ProcessIn(time.Hour)); err != nil {
		t.Fatal(err)
	}
	got := scrape(t, b.registry)
	check(t, got, map[string]float64{
		"handout_ledger_up{}": 1, "handout_held{}": 1, "handout_in_doubt{}": 1, "handout_campaigns_left_out{}": 0,
		"handout_campaigns{state=running}": 1, "handout_campaigns{state=held}": 1, "handout_campaigns{state=done}": 0,
		"handout_recipients{campaign=spring,state=planned}": 28, "handout_recipients{campaign=spring,state=in_doubt}": 1,
		"handout_recipients{campaign=summer,state=planned}": 3, "handout_recipients{campaign=summer,state=delivered}": 0,
		"handout_delivered{by=sms,campaign=spring}": 1, "handout_delivered{by=both,campaign=spring}": 0,
		"handout_campaign_limit{campaign=spring,limit=account}": 1, "handout_campaign_limit{campaign=summer,limit=held}": 1,
		"handout_queue_notes{queue=bulk,state=pending}": 4, "handout_queue_notes{queue=bulk,state=scheduled}": 1,
		"handout_queue_notes{queue=urgent,state=pending}": 0, "handout_queue_oldest_seconds{queue=polls}": 0,
		"handout_queue_readable{queue=bulk}": 1, "handout_redis_memory_max_bytes{}": 100 << 20,
	})
	if used := got["handout_redis_memory_used_bytes{}"]; used < 100<<10 || used > 100<<20 {
		t.Errorf("%v bytes of memory are used", used)
	}
	if age := got["handout_queue_oldest_seconds{queue=bulk}"]; age <= 0 || age > 60 {
		t.Errorf("the oldest note is %v s old", age)
	}
}

func TestLedger_SaysHowManyStopsWaitForAPerson(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	list := suppression.New(b.rdb)
	for _, u := range []suppression.Unresolved{{ID: "A"}, {ID: "B", User: "US.1"}, {ID: "C", Phone: "+12015550123"}} {
		if err := list.Keep(ctx, u); err != nil {
			t.Fatal(err)
		}
	}
	check(t, scrape(t, b.registry), map[string]float64{"handout_optouts_unresolved{}": 2}) // C has its number
}

func TestLedger_SaysWhatWebhooksWereNeverTold(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	e := outbox.Endpoint{ID: "e", URL: "https://example.com", Events: []string{outbox.EventCampaign}, Secret: secret.New("whsec_c2VjcmV0")}
	if err := b.ledger.Outbox().Add(ctx, e); err != nil {
		t.Fatal(err)
	}
	spring := b.stand(t, "spring", 3)
	for _, steer := range []func(context.Context, campaign.ID, campaign.Actor, time.Time) error{b.ledger.Pause, b.ledger.Resume} {
		if err := steer(ctx, "spring", campaign.Actor{Name: "ann"}, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := b.ledger.Outbox().Discard(ctx, spring, &e, 2, "m", []outbox.Endpoint{e}); err != nil || n != 2 {
		t.Fatal(n, err)
	}
	check(t, scrape(t, b.registry), map[string]float64{"handout_webhook_outbox{}": 1, "handout_webhook_dropped_total{webhook=e}": 2, "handout_webhook_failing{}": 0})
}

func TestLedger_WithoutMaxmemoryTheMachinesIsTheMost(t *testing.T) {
	t.Parallel()
	got := scrape(t, setup(t, redistest.Set("maxmemory", "0")).registry)
	if most := got["handout_redis_memory_max_bytes{}"]; most < 100<<20 {
		t.Errorf("%v bytes", most)
	}
}

func TestLedger_IsReadOnceInFiveSeconds(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.stand(t, "spring", 3)
	calls := func() (n int) {
		text, err := b.rdb.Info(t.Context(), "stats").Result()
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(text, "total_commands_processed:")
		_, _ = fmt.Sscan(rest, &n)
		return n
	}
	scrape(t, b.registry)
	before := calls()
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() { _, _ = b.registry.Gather() })
	}
	all.Wait()
	if n := calls() - before; n > 1 { // the count itself
		t.Errorf("%d calls to Redis for 20 pages", n)
	}
}

// stall keeps Redis from answering for a while.
func stall(t *testing.T, rdb *redis.Client, d time.Duration) {
	t.Helper()
	if err := rdb.Do(t.Context(), "CLIENT", "PAUSE", d.Milliseconds(), "ALL").Err(); err != nil {
		t.Fatal(err)
	}
}

func TestLedger_SaysThatItCannotBeRead(t *testing.T) {
	t.Parallel()
	b := setup(t, redistest.AppendOnly("always"))
	b.stand(t, "spring", 3)
	stall(t, b.rdb, 6*time.Second)
	began := time.Now()
	got := scrape(t, b.registry)
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	check(t, got, map[string]float64{"handout_ledger_up{}": 0})
	if len(got) != 1 {
		t.Errorf("and says nevertheless: %v", got)
	}
	for deadline := time.Now().Add(time.Minute); got["handout_ledger_up{}"] != 1; time.Sleep(50 * time.Millisecond) {
		if got = scrape(t, b.registry); time.Now().After(deadline) {
			t.Fatal("it can't be read any more")
		}
	}
	check(t, got, map[string]float64{"handout_recipients{campaign=spring,state=planned}": 3})
}

func TestLedger_ShowsFiftyCampaignsThoseThatMatterMostFirst(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	for i := range 60 {
		b.stand(t, campaign.ID(fmt.Sprintf("c%02d", i)), 1)
	}
	for i := range 8 { // the oldest
		if err := b.ledger.Pause(ctx, campaign.ID(fmt.Sprintf("c%02d", i)), campaign.Actor{}, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.ledger.Hold(ctx, "c08", "no money", time.Now()); err != nil {
		t.Fatal(err)
	}
	done := func(id campaign.ID, ago time.Duration) {
		if err := b.rdb.HSet(ctx, "handout:{"+string(id)+"}:meta", "state", "done", "finished", time.Now().Add(-ago).UnixMilli()).Err(); err != nil {
			t.Fatal(err)
		}
	}
	done("c59", 59*time.Minute)
	done("c58", 61*time.Minute)
	got := scrape(t, b.registry)
	check(t, got, map[string]float64{
		"handout_campaigns_left_out{}": 9, "handout_campaigns{state=running}": 49, "handout_campaigns{state=done}": 2,
		"handout_campaign_limit{campaign=c08,limit=held}": 1, "handout_campaign_limit{campaign=c09,limit=account}": 1,
	})
	for name := range got {
		if strings.Contains(name, "campaign=c58") || strings.Contains(name, "campaign=c59") || strings.Contains(name, "campaign=c00") {
			t.Errorf("%s is shown", name)
		}
	}
}

func TestLedger_OneQueueThatCannotBeReadSpoilsNothingElse(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.stand(t, "spring", 3)
	note := tasks.NewSend(campaign.Attempt{Campaign: "spring", Salt: "k3v7q2m5", Place: campaign.Place{}, Number: 1})
	if err := queue.New(b.rdb).Enqueue(t.Context(), tasks.QueueBulk, note); err != nil {
		t.Fatal(err)
	}
	ids, err := b.rdb.LRange(t.Context(), "asynq:{handout:bulk}:pending", 0, -1).Result()
	if err != nil || len(ids) != 1 {
		t.Fatal(ids, err)
	}
	if err := b.rdb.Del(t.Context(), "asynq:{handout:bulk}:t:"+ids[0]).Err(); err != nil {
		t.Fatal(err)
	}
	got := scrape(t, b.registry)
	check(t, got, map[string]float64{
		"handout_ledger_up{}": 1, "handout_queue_readable{queue=bulk}": 0, "handout_queue_readable{queue=urgent}": 1,
		"handout_recipients{campaign=spring,state=planned}": 3,
	})
}

func TestRedisErrors_CountsByKind(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Set("maxmemory", "1mb"))
	opts := *server.Client().Options()
	opts.MaxRetries, opts.ReadTimeout = -1, 200*time.Millisecond
	rdb := redis.NewClient(&opts)
	defer rdb.Close()
	registry := prometheus.NewRegistry()
	rdb.AddHook(metrics.NewRedisErrors(registry))
	ctx := t.Context()

	want := func(kind string, n float64) {
		t.Helper()
		for name, v := range scrape(t, registry) {
			expected := 0.0
			if name == "handout_redis_errors_total{kind="+kind+"}" {
				expected = n
			}
			if v != expected {
				t.Errorf("%s is %v, want %v", name, v, expected)
			}
		}
	}
	_ = rdb.Get(ctx, "nothing").Err()
	_ = redis.NewScript("return 1").Run(ctx, rdb, nil).Err()
	gone, cancel := context.WithCancel(ctx)
	cancel()
	_ = rdb.Get(gone, "nothing").Err()
	_, _ = rdb.Pipelined(ctx, func(p redis.Pipeliner) error { p.Get(ctx, "nothing"); p.Get(ctx, "neither"); return nil })
	want("none", 0)

	fresh := func() {
		registry = prometheus.NewRegistry()
		rdb = redis.NewClient(&opts)
		t.Cleanup(func() { _ = rdb.Close() })
		rdb.AddHook(metrics.NewRedisErrors(registry))
	}
	fresh()
	_ = rdb.Set(ctx, "a", strings.Repeat("a", 2<<20), 0).Err()
	_, _ = rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.Set(ctx, "b", strings.Repeat("a", 2<<20), 0)
		return nil
	})
	want("out of memory", 2)

	fresh()
	_ = rdb.Do(ctx, "NONSENSE").Err()
	want("answer", 1)

	fresh()
	_ = rdb.Ping(ctx).Err()
	stall(t, server.Client(), 2*time.Second)
	_ = rdb.Ping(ctx).Err()
	want("time-out", 1)

	fresh()
	server.Kill()
	_ = rdb.Ping(ctx).Err()
	want("network", 1)
}
