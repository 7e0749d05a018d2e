package metrics

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/redisx"
	"github.com/handout-dev/handout/internal/report"
	"github.com/handout-dev/handout/tasks"
)

const (
	// maxCampaigns is how many campaigns, the newest, are looked at beside the
	// active ones.
	maxCampaigns = 1000
	// maxShown is how many have series of their own.
	maxShown = 50
	// doneTime is for how long one that is done keeps them.
	doneTime = time.Hour
)

var (
	descUp         = desc("ledger_up", "1 if the ledger could be read for this page; if not, the other gauges of the ledger are missing.")
	descCampaigns  = desc("campaigns", "Campaigns by their state: all active ones, and the newest 1,000.", "state")
	descHeld       = desc("held", "Campaigns that are held.")
	descInDoubt    = desc("in_doubt", "Recipients in doubt, in all those campaigns.")
	descRecipients = desc("recipients", "Recipients of a campaign by their state; of active campaigns, and of those done within the hour.", "campaign", "state")
	descLimit      = desc("campaign_limit", "1 for what keeps a campaign from sending faster: account, campaign, throttled, hours, zone, files, canary, held, paused, canceled, nothing left, no worker.", "campaign", "limit")
	descLeftOut    = desc("campaigns_left_out", "Campaigns without series of their own, since there are over 50.")
	descNotes      = desc("queue_notes", "Notes in a queue by their state: pending, active, scheduled, retry, archived.", "queue", "state")
	descOldest     = desc("queue_oldest_seconds", "For how long the oldest pending task has been in its queue.", "queue")
	descReadable   = desc("queue_readable", "1 if the queue could be read; 0 if parts of its tasks were deleted.", "queue")
	descMemory     = desc("redis_memory_used_bytes", "Memory that Redis uses; of a cluster, its fullest node.")
	descOutbox     = desc("webhook_outbox", "Outcomes and changes that some webhook has yet to take.")
	descFailing    = desc("webhook_failing", "Webhooks whose deliveries have all failed for three days.")
	descDropped    = desc("webhook_dropped_total", "Outcomes and changes dropped undelivered, since too many were pending for a webhook.", "webhook")
	descOptOuts    = desc("optouts_unresolved", "STOPs whose number isn't known, which wait for a person.")
	descMemoryMost = desc("redis_memory_max_bytes", "Memory that Redis has: its maxmemory, or without one its machine's.")
)

var descriptions = []*prometheus.Desc{
	descUp, descCampaigns, descHeld, descInDoubt, descRecipients, descLimit, descLeftOut,
	descNotes, descOldest, descReadable, descMemory, descMemoryMost, descOutbox, descFailing, descDropped,
	descOptOuts,
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("handout_"+name, help, labels, nil)
}

// read reads everything, or nothing.
func (l *Ledger) read(ctx context.Context) ([]prometheus.Metric, error) {
	current, err := l.reports.Current(ctx, maxCampaigns)
	if err != nil {
		return nil, err
	}
	var all []prometheus.Metric
	for _, part := range []func(context.Context, []report.Summary) ([]prometheus.Metric, error){l.campaigns, l.notes, l.memory, l.webhooks, l.optOuts} {
		metrics, err := part(ctx, current)
		if err != nil {
			return nil, err
		}
		all = append(all, metrics...)
	}
	return all, nil
}

func (l *Ledger) campaigns(ctx context.Context, current []report.Summary) ([]prometheus.Metric, error) {
	byPhase, inDoubt := make(map[campaign.Phase]int), 0
	for i := range current {
		byPhase[current[i].Phase]++
		inDoubt += current[i].Balance.Of(campaign.InDoubt)
	}
	shown := worthShowing(current, time.Now())
	leftOut := max(0, len(shown)-maxShown)
	metrics := []prometheus.Metric{
		gauge(descHeld, float64(byPhase[campaign.Held])), gauge(descInDoubt, float64(inDoubt)), gauge(descLeftOut, float64(leftOut)),
	}
	for _, p := range campaign.Phases() {
		metrics = append(metrics, gauge(descCampaigns, float64(byPhase[p]), string(p)))
	}
	for _, s := range shown[:len(shown)-leftOut] {
		pace, err := l.reports.PaceOf(ctx, &s)
		if err != nil {
			return nil, err
		}
		for _, state := range campaign.States() {
			metrics = append(metrics, gauge(descRecipients, float64(s.Balance.Of(state)), string(s.ID), state.String()))
		}
		metrics = append(metrics, gauge(descLimit, 1, string(s.ID), string(pace.Limit)))
	}
	return metrics, nil
}

// worthShowing are those that are neither drafts nor long done, in the order in
// which they matter.
func worthShowing(current []report.Summary, now time.Time) []report.Summary {
	matters := map[campaign.Phase]int{
		campaign.Held: 0, campaign.Running: 1, campaign.Settling: 2, campaign.Ended: 3, campaign.Paused: 4, campaign.Done: 5,
	}
	shown := slices.DeleteFunc(slices.Clone(current), func(s report.Summary) bool {
		_, ok := matters[s.Phase]
		return !ok || s.Phase == campaign.Done && now.Sub(s.FinishedAt) > doneTime
	})
	slices.SortStableFunc(shown, func(a, b report.Summary) int { return cmp.Compare(matters[a.Phase], matters[b.Phase]) })
	return shown
}

// notes asks the queues. Those that have never been written to are empty.
func (l *Ledger) notes(context.Context, []report.Summary) ([]prometheus.Metric, error) {
	known, err := l.queues.Queues()
	if err != nil {
		return nil, fmt.Errorf("list queues: %w", err)
	}
	var metrics []prometheus.Metric
	for _, queue := range []string{tasks.QueueSystem, tasks.QueueUrgent, tasks.QueueBulk, tasks.QueueWebhooks, tasks.QueueSchedule} {
		states, oldest := map[string]int{"pending": 0, "active": 0, "scheduled": 0, "retry": 0, "archived": 0}, 0.0
		if slices.Contains(known, queue) {
			info, err := l.queues.GetQueueInfo(queue)
			if err != nil { // a note of which only a part is left spoils asynq's count, and nothing else
				metrics = append(metrics, gauge(descReadable, 0, queue))
				continue
			}
			states = map[string]int{
				"pending": info.Pending, "active": info.Active, "scheduled": info.Scheduled, "retry": info.Retry, "archived": info.Archived,
			}
			oldest = info.Latency.Seconds()
		}
		for state, n := range states {
			metrics = append(metrics, gauge(descNotes, float64(n), queue, state))
		}
		metrics = append(metrics, gauge(descOldest, oldest, queue), gauge(descReadable, 1, queue))
	}
	return metrics, nil
}

func (l *Ledger) memory(ctx context.Context, _ []report.Summary) ([]prometheus.Metric, error) {
	used, most, err := redisx.Memory(ctx, l.rdb)
	if err != nil {
		return nil, fmt.Errorf("read Redis's memory: %w", err)
	}
	return []prometheus.Metric{gauge(descMemory, float64(used)), gauge(descMemoryMost, float64(most))}, nil
}

func (l *Ledger) optOuts(ctx context.Context, _ []report.Summary) ([]prometheus.Metric, error) {
	n, err := l.reports.UnresolvedOptOuts(ctx)
	if err != nil {
		return nil, err
	}
	return []prometheus.Metric{gauge(descOptOuts, float64(n))}, nil
}
