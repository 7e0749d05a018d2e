// Package alertstest holds deploy/alerts.yml to what Prometheus itself makes of it.
package alertstest

import (
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/annotations"
)

const file = "../alerts.yml"

var parse = parser.NewParser(parser.Options{})

// rules are all alerts by their name, as Prometheus itself reads them: names,
// expressions, durations and templates.
func rules(t *testing.T) map[string]rulefmt.Rule {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	groups, errs := rulefmt.Parse(text, false, model.LegacyValidation, parse, slog.New(slog.DiscardHandler))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	all := make(map[string]rulefmt.Rule)
	for _, g := range groups.Groups {
		for _, r := range g.Rules {
			all[r.Alert] = r
		}
	}
	return all
}

// story is series as Prometheus would have them after half an hour, one value
// each 15 seconds, and how many alerts of a rule come of them.
type story struct {
	alert  string
	series string
	want   int
}

// running is a worker that sends and a console: whatever there are two of is one.
const running = `
handout_ledger_up{job="work"} 1x120
handout_ledger_up{job="console"} 1x120
handout_campaign_limit{campaign="a",limit="account",job="work"} 1x120
handout_campaign_limit{campaign="a",limit="account",job="console"} 1x120
`

var stories = []story{
	{"HandoutSendsNothing", running + `handout_recipients{campaign="a",state="planned",job="work"} 900x120
		handout_recipients{campaign="a",state="planned",job="console"} 900x120`, 1},
	{"HandoutSendsNothing", running + `handout_recipients{campaign="a",state="planned",job="work"} 9000-10x120`, 0},
	{"HandoutSendsNothing", running + `handout_recipients{campaign="a",state="planned",job="work"} 0x120`, 0},
	{"HandoutSendsNothing", `handout_recipients{campaign="a",state="planned"} 900x120
		handout_campaign_limit{campaign="a",limit="paused"} 1x120`, 0},
	{"HandoutSendsNothing", `handout_recipients{campaign="a",state="planned"} 900x120
		handout_campaign_limit{campaign="a",limit="hours"} 1x120`, 0},
	{"HandoutSendsNothing", `handout_recipients{campaign="a",state="planned"} 900x120
		handout_campaign_limit{campaign="a",limit="no worker"} 1x120`, 1},

	{"HandoutNoWorkerNorConsole", running, 0},
	{"HandoutNoWorkerNorConsole", `handout_ledger_up{job="work"} 0x120`, 1},
	{"HandoutNoWorkerNorConsole", `handout_ledger_up{job="work"} 0x120
		handout_ledger_up{job="console"} 1x120`, 0},
	{"HandoutNoWorkerNorConsole", `another 1x120`, 1},

	{"HandoutBalanceOff", `handout_balance_closes{of="campaigns",job="work"} 1x120
		handout_balance_closes{of="suppression",job="work"} 1x120`, 0},
	{"HandoutBalanceOff", `handout_balance_closes{of="campaigns",job="work"} 1x90 0x30
		handout_balance_closes{of="suppression",job="work"} 1x120`, 1},
	{"HandoutBalanceOff", `handout_balance_closes{of="campaigns",instance="1"} 0x80
		handout_balance_closes{of="campaigns",instance="2"} 1x120`, 0}, // mended, and recounted by another one

	{"HandoutOptOutUnresolved", "handout_optouts_unresolved{job=\"work\"} 0x120", 0},
	{"HandoutOptOutUnresolved", "handout_optouts_unresolved{job=\"work\"} 1x120\nhandout_optouts_unresolved{job=\"console\"} 1x120", 1},

	{"HandoutInDoubt", "handout_in_doubt{job=\"work\"} 0x120", 0},
	{"HandoutInDoubt", "handout_in_doubt{job=\"work\"} 3x120\nhandout_in_doubt{job=\"console\"} 3x120", 1},

	{"HandoutCampaignHeld", running, 0},
	{"HandoutCampaignHeld", `handout_campaign_limit{campaign="a",limit="held",job="work"} 1x120
		handout_campaign_limit{campaign="a",limit="held",job="console"} 1x120
		handout_campaign_limit{campaign="b",limit="held",job="work"} 1x120`, 2},

	{"HandoutWaitsForAZone", `handout_campaign_limit{campaign="a",limit="zone",job="work"} 1x120
		handout_campaign_limit{campaign="a",limit="zone",job="console"} 1x120`, 1},
	{"HandoutWaitsForAZone", running, 0},

	{"HandoutManyUnconfirmed", `handout_recipients{campaign="a",state="unconfirmed"} 6x120
		handout_recipients{campaign="a",state="delivered"} 94x120`, 1},
	{"HandoutManyUnconfirmed", `handout_recipients{campaign="a",state="unconfirmed",job="work"} 4x120
		handout_recipients{campaign="a",state="unconfirmed",job="console"} 4x120
		handout_recipients{campaign="a",state="delivered",job="work"} 96x120`, 0},
	{"HandoutManyUnconfirmed", `handout_recipients{campaign="a",state="unconfirmed"} 6x120
		handout_recipients{campaign="a",state="planned"} 900x120
		handout_recipients{campaign="a",state="failed"} 94x120`, 1},
	{"HandoutManyUnconfirmed", `handout_recipients{campaign="a",state="unconfirmed"} 2x120
		handout_recipients{campaign="a",state="delivered"} 4x120`, 0}, // too few to say

	{"HandoutReceiptsStopped", `handout_recipients{campaign="a",state="accepted"} 50x120
		handout_sends_total{class="accepted",code="3001"} 0+10x120
		handout_receipts_total{result="recorded"} 700x120`, 1},
	{"HandoutReceiptsStopped", `handout_recipients{campaign="a",state="accepted"} 50x120
		handout_sends_total{class="accepted",code="3001"} 0+10x120`, 1}, // nor any listener
	{"HandoutReceiptsStopped", `handout_recipients{campaign="a",state="accepted"} 50x120
		handout_sends_total{class="accepted",code="3001"} 0+10x120
		handout_receipts_total{result="unsigned"} 0+10x120`, 1},
	{"HandoutReceiptsStopped", `handout_recipients{campaign="a",state="accepted"} 50x120
		handout_sends_total{class="accepted",code="3001"} 0+10x120
		handout_receipts_total{result="recorded"} 0+10x120`, 0},
	{"HandoutReceiptsStopped", `handout_recipients{campaign="a",state="accepted"} 0x120
		handout_sends_total{class="accepted",code="3001"} 0+10x120
		handout_receipts_total{result="recorded"} 700x120`, 0},

	{"HandoutReceiptsNotRecorded", `handout_receipts_total{result="not recorded"} 0+1x120`, 1},
	{"HandoutReceiptsNotRecorded", `handout_receipts_total{result="not recorded"} 5x120
		handout_receipts_total{result="recorded"} 0+1x120`, 0},

	{"HandoutRedisMemory", "handout_redis_memory_used_bytes 71x120\nhandout_redis_memory_max_bytes 100x120", 1},
	{"HandoutRedisMemory", "handout_redis_memory_used_bytes 69x120\nhandout_redis_memory_max_bytes 100x120", 0},

	{"HandoutRedisErrors", `handout_redis_errors_total{kind="network"} 0+1x120`, 1},
	{"HandoutRedisErrors", `handout_redis_errors_total{kind="network"} 900x120`, 0},

	{"HandoutThrottled", "handout_rate_granted 60x120", 1},
	{"HandoutThrottled", "handout_rate_granted 0x120", 0},

	{"HandoutWebhookFailing", "handout_webhook_failing{job=\"work\"} 1x120\nhandout_webhook_failing{job=\"console\"} 1x120", 1},
	{"HandoutWebhookFailing", "handout_webhook_failing 0x120", 0},
	{"HandoutWebhookDropped", `handout_webhook_dropped_total{webhook="a",job="work"} 0x60 1000+0x60
		handout_webhook_dropped_total{webhook="a",job="console"} 0x60 1000+0x60
		handout_webhook_dropped_total{webhook="b",job="work"} 0x120`, 1},
	{"HandoutWebhookDropped", `handout_webhook_dropped_total{webhook="a"} 1000x120`, 0},

	{"HandoutQueueOld", `handout_queue_oldest_seconds{queue="bulk"} 601x120
		handout_queue_oldest_seconds{queue="polls"} 1x120`, 1},
	{"HandoutScheduleRefused", `handout_schedule_refused_total{schedule="a",reason="drift",job="1"} 0+0x60 1+0x60
		handout_schedule_refused_total{schedule="a",reason="drift",job="2"} 0x120`, 1},
	{"HandoutScheduleRefused", `handout_schedule_refused_total{schedule="a",reason="drift"} 3x120`, 0},
	{"HandoutScheduleRefused", `handout_schedule_refused_total{schedule="a",reason="export"} 0+0x60 1+0x60`, 1},
	{"HandoutScheduleRefused", `handout_schedule_refused_total{schedule="a",reason="empty"} 0+0x60 1+0x60`, 1},
	{"HandoutExportRefused", `handout_export_refused_total{reason="query"} 0+0x60 1+0x60
		handout_export_refused_total{reason="empty"} 7x120`, 1},
	{"HandoutExportRefused", `handout_export_refused_total{reason="query"} 3x120`, 0},
	{"HandoutExportOverdue", "handout_export_last_success_timestamp_seconds -99999x120", 1},
	{"HandoutExportOverdue", "handout_export_last_success_timestamp_seconds 1000x120", 0},
	{"HandoutScheduleMissed", `handout_schedule_ticks_total{schedule="a",state="missed"} 0+0x60 2+0x60`, 1},
	{"HandoutScheduleMissed", `handout_schedule_ticks_total{schedule="a",state="done"} 0+1x120`, 0},
	{"HandoutNoScheduler", `handout_schedule_next_timestamp_seconds{schedule="a"} 1795348800x80`, 1},
	{"HandoutNoScheduler", `handout_schedule_next_timestamp_seconds{schedule="a"} 1795348800x120`, 0},
	{"HandoutNoScheduler", running, 0},
	{"HandoutQueueBroken", `handout_queue_readable{queue="bulk",job="work"} 0x120
		handout_queue_readable{queue="bulk",job="console"} 0x120
		handout_queue_readable{queue="urgent"} 1x120`, 1},
}

// TestAlerts_FireWhenTheyShouldAndOnlyThen asks Prometheus's own engine. Its
// packages stand in a module of their own, since they would raise the Go version
// and the modules of everybody who imports handout's.
func TestAlerts_FireWhenTheyShouldAndOnlyThen(t *testing.T) {
	t.Parallel()
	all := rules(t)
	told := make(map[string]map[bool]bool)
	engine := promql.NewEngine(promql.EngineOpts{
		Logger: slog.New(slog.DiscardHandler), MaxSamples: 1_000_000, Timeout: time.Minute, LookbackDelta: 5 * time.Minute, Parser: parse,
	})
	for _, s := range stories {
		rule, ok := all[s.alert]
		if !ok {
			t.Errorf("there is no alert %s", s.alert)
			continue
		}
		if told[s.alert] == nil {
			told[s.alert] = make(map[bool]bool)
		}
		told[s.alert][s.want > 0] = true
		query, err := engine.NewInstantQuery(t.Context(), s.store(t), nil, rule.Expr, end)
		if err != nil {
			t.Fatal(err)
		}
		result := query.Exec(t.Context())
		vector, err := result.Vector()
		if err != nil {
			t.Errorf("%s: %v", s.alert, err)
		}
		if len(vector) != s.want {
			t.Errorf("%s: %d alerts, want %d, of\n%s\n%v", s.alert, len(vector), s.want, s.series, vector)
		}
		query.Close()
	}
	for name, rule := range all {
		if !told[name][true] {
			t.Errorf("no story has %s fire", name)
		}
		for _, annotation := range []string{"summary", "description", "todo"} {
			if rule.Annotations[annotation] == "" {
				t.Errorf("%s has no %s", name, annotation)
			}
		}
		if s := rule.Labels["severity"]; s != "critical" && s != "warning" {
			t.Errorf("%s has the severity %q", name, s)
		}
	}
}

// end is when the stories are over.
var end = time.Unix(1800, 0)

// store is the story's series as Prometheus would have collected them.
func (s story) store(t *testing.T) storage.Queryable {
	t.Helper()
	var all []promql.Series
	for line := range strings.Lines(s.series) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		name, values, err := parse.ParseSeriesDesc(line)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		one := promql.Series{Metric: name}
		for i, v := range values {
			one.Floats = append(one.Floats, promql.FPoint{T: int64(i) * 15_000, F: v.Value})
		}
		all = append(all, one)
	}
	return &storage.MockQueryable{MockQuerier: &storage.MockQuerier{
		SelectMockFunction: func(_ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
			found := &set{at: -1}
			for _, one := range all {
				if !slices.ContainsFunc(matchers, func(m *labels.Matcher) bool { return !m.Matches(one.Metric.Get(m.Name)) }) {
					found.all = append(found.all, one)
				}
			}
			return found
		},
	}}
}

// set is a storage.SeriesSet.
type set struct {
	all []promql.Series
	at  int
}

func (s *set) Next() bool                        { s.at++; return s.at < len(s.all) }
func (s *set) At() storage.Series                { return promql.NewStorageSeries(s.all[s.at]) }
func (s *set) Err() error                        { return nil }
func (s *set) Warnings() annotations.Annotations { return nil }
