package worker_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/suppression"
	"github.com/handout-dev/handout/tasks"
	"github.com/handout-dev/handout/telesign"
	"github.com/handout-dev/handout/worker"
)

func (r *rig) suppress(numbers ...string) {
	r.t.Helper()
	for _, n := range numbers {
		if _, err := r.suppressions.Add(r.t.Context(), n, suppression.Entry{At: time.Now(), Why: suppression.WhyStop}); err != nil {
			r.t.Fatal(err)
		}
	}
}

// listed is why a number is on the list, and by which campaign; "" if it isn't.
func (r *rig) listed(number string) string {
	r.t.Helper()
	s, on, err := r.suppressions.Find(r.t.Context(), number)
	if err != nil {
		r.t.Fatal(err)
	}
	if !on {
		return ""
	}
	return s.Reason() + " " + string(s.Campaign)
}

func TestSuppressed_OnTheListBetweenSubmitAndSendIsNotSent(t *testing.T) {
	t.Parallel()
	v := &vendor{}
	r := setup(t, v)
	numbers := phones(300)
	c := r.stand("c", numbers, false)
	for i := 0; i < len(numbers); i += 3 {
		r.suppress(numbers[i])
	}
	registry := prometheus.NewRegistry()
	r.start(func(o *worker.Options) { o.Metrics = registry })
	r.until("all are settled or sent", func() bool {
		b := r.balance(c)
		return b.Of(campaign.Suppressed) == 100 && b.Of(campaign.Accepted) == 200
	})
	r.untilQuiet()
	v.once(t, 200)
	by := v.byRecipient()
	for i := range numbers {
		rec := r.record(c, i)
		sent := by[fmt.Sprintf("c.%d.%d", i/campaign.PageSize, i%campaign.PageSize)] > 0
		switch {
		case i%3 != 0 && rec.State == campaign.Accepted && sent:
		case i%3 == 0 && rec.State == campaign.Suppressed && !sent && rec.Reason == campaign.ReasonSuppressed && rec.Attempt == 0 && !rec.SettledAt.IsZero():
		default:
			t.Errorf("%d: %s (%s), attempt %d, sent %v", i, rec.State, rec.Reason, rec.Attempt, sent)
		}
	}
	r.closes(c)
	if a := r.archived(); len(a) > 0 {
		t.Errorf("archived: %q", a)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprint(families)
	for _, number := range numbers {
		if strings.Contains(text, strings.TrimPrefix(number, "+")) {
			t.Errorf("%s is in the metrics: %s", number, text)
		}
	}
}

// A STOP comes from the ID that WhatsApp has, and stops what is planned for the number
// that was dialled, in every campaign.
func TestSuppressed_ByAnotherFormOfTheNumberIsNotSent(t *testing.T) {
	t.Parallel()
	v := &vendor{}
	r := setup(t, v)
	numbers := []string{"+525512345678", "+5511987654321", "+5491123456789", "+12015550123", "+4915112345678"}
	first, second := r.stand("c1", numbers, false), r.stand("c2", numbers, false)
	r.suppress("+5215512345678", "+551187654321", "+541123456789", "+12015550123")
	r.start()
	for _, c := range []*campaign.Info{first, second} {
		r.untilState(c, 4, campaign.Accepted)
		for i := range numbers[:4] {
			r.untilState(c, i, campaign.Suppressed)
		}
		r.closes(c)
	}
	v.once(t, 2)
}

// The account's rate is for those who are sent to.
func TestSuppressed_TakesNobodysSlot(t *testing.T) {
	t.Parallel()
	const n, left = 300, 20
	v := &vendor{}
	r := setup(t, v)
	numbers := phones(n)
	c := r.stand("c", numbers, false)
	r.suppress(numbers[:n-left]...)
	registry := prometheus.NewRegistry()
	r.start(func(o *worker.Options) { o.Rate, o.Metrics = 20, registry })
	r.until("all are settled or sent", func() bool {
		b := r.balance(c)
		return b.Of(campaign.Suppressed) == n-left && b.Of(campaign.Accepted) == left
	})
	if used := counter(t, registry, "handout_slots_used_total", "account"); used != left {
		t.Errorf("%v slots were taken for %d messages", used, left)
	}
	v.once(t, left)
	r.closes(c)
}

// counter is a counter with this label.
func counter(t *testing.T, from prometheus.Gatherer, name, label string) float64 {
	t.Helper()
	families, err := from.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if f.GetName() == name && l.GetValue() == label {
					return m.GetCounter().GetValue()
				}
			}
		}
	}
	t.Fatalf("there is no %s %s", name, label)
	return 0
}

// What comes on the list in the middle of a campaign holds from the next claim.
func TestSuppressed_AddedInTheMiddleHoldsFromTheNextClaim(t *testing.T) {
	t.Parallel()
	v := &vendor{}
	r := setup(t, v)
	numbers := phones(20)
	release := make(chan struct{})
	under := make(chan struct{}, len(numbers))
	v.send = func(w http.ResponseWriter, _ *http.Request, _ post) {
		under <- struct{}{}
		<-release
		accept(w, v.next())
	}
	c := r.stand("c", numbers, false)
	const inFlight = 2
	r.start(func(o *worker.Options) { o.Concurrency = inFlight })
	for range inFlight {
		<-under
	}
	r.suppress(numbers...) // of all but those under way it is the next claim
	close(release)
	r.until("all are settled or sent", func() bool {
		b := r.balance(c)
		return b.Of(campaign.Suppressed) == len(numbers)-inFlight && b.Of(campaign.Accepted) == inFlight
	})
	r.untilQuiet()
	v.once(t, inFlight)
	r.closes(c)
}

// Who waits for a slot has been looked for already, and is again at the claim.
func TestSuppressed_AddedDuringTheWaitForASlotHolds(t *testing.T) {
	t.Parallel()
	v := &vendor{}
	r := setup(t, v)
	numbers := phones(2)
	c := r.stand("c", numbers, false)
	a := &asker{}
	r.rdb.AddHook(a)
	r.start(func(o *worker.Options) { o.Rate = 0.5 }) // one at once, the next in two seconds
	r.until("one is sent to, and the other waits", func() bool { return len(v.all()) == 1 && a.numbers.Load() == 3 })
	r.suppress(numbers...)
	r.until("all are settled or sent", func() bool {
		b := r.balance(c)
		return b.Of(campaign.Suppressed) == 1 && b.Of(campaign.Accepted) == 1
	})
	v.once(t, 1)
	r.closes(c)
}

func TestSuppressed_AResendStaysUnsent(t *testing.T) {
	t.Parallel()
	v := &vendor{}
	r := setup(t, v)
	numbers := phones(2)
	c := r.stand("c", numbers, false)
	now := time.Now()
	failed := campaign.Event{Kind: campaign.EventReceipt, At: now, Attempt: 1, Status: campaign.Leg{Rank: campaign.RankFailed, Code: 3003}, Final: true}
	for i := range numbers {
		r.acceptedAt(c, i, now, now.Add(time.Hour))
		r.apply(c, i, failed)
	}
	r.suppress(numbers[0])
	for i := range numbers {
		r.apply(c, i, campaign.Event{Kind: campaign.EventResend, At: now})
	}
	r.fed(c)
	r.start()
	r.untilState(c, 1, campaign.Accepted)
	// The attempt before may have reached them: that it was left out isn't all.
	if rec := r.untilState(c, 0, campaign.Unconfirmed); rec.Reason != campaign.ReasonSuppressed || rec.Attempt != 1 {
		t.Errorf("%s, attempt %d", rec.Reason, rec.Attempt)
	}
	r.untilQuiet()
	v.once(t, 1)
	r.closes(c)
}

// While the list can't be read, no one is sent to, and no one is lost by it.
func TestSuppressed_AListThatCannotBeReadLetsNobodyThrough(t *testing.T) {
	t.Parallel()
	v := &vendor{}
	r := setup(t, v)
	numbers := phones(4)
	c := r.stand("c", numbers, false)
	if err := r.rdb.Set(t.Context(), "handout:suppressed", "no hash", 0).Err(); err != nil {
		t.Fatal(err)
	}
	r.start()
	r.until("the list was asked in vain", func() bool { return strings.Contains(r.log.String(), "suppression list") || r.retries() > 0 })
	if n := len(v.all()); n > 0 || r.balance(c).Of(campaign.Planned) != len(numbers) {
		t.Errorf("%d were sent to, %d are planned", n, r.balance(c).Of(campaign.Planned))
	}
	if err := r.rdb.Del(t.Context(), "handout:suppressed").Err(); err != nil {
		t.Fatal(err)
	}
	r.until("all are sent to", func() bool { return r.balance(c).Of(campaign.Accepted) == len(numbers) })
	v.once(t, len(numbers))
	r.closes(c)
}

// retries are the tasks that asynq will run again.
func (r *rig) retries() int {
	return int(r.rdb.ZCard(r.t.Context(), "asynq:{handout:"+tasks.QueueBulk+"}:retry").Val())
}

// asker counts the commands that ask the list.
type asker struct{ commands, numbers atomic.Int64 }

func (a *asker) DialHook(next redis.DialHook) redis.DialHook { return next }
func (a *asker) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (a *asker) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if args := cmd.Args(); len(args) > 1 && args[1] == "handout:suppressed" {
			a.commands.Add(1)
			a.numbers.Add(int64(len(args) - 2))
		}
		return next(ctx, cmd)
	}
}

// Who isn't on the list is looked for there before the slot, and at the claim.
func TestSuppressed_CostsTwoCommandsAtMost(t *testing.T) {
	t.Parallel()
	v := &vendor{}
	r := setup(t, v)
	const n = 400
	c := r.stand("c", phones(n), false)
	a := &asker{}
	r.rdb.AddHook(a)
	r.start()
	r.until("all are sent to", func() bool { return r.balance(c).Of(campaign.Accepted) == n })
	if numbers, commands := a.numbers.Load(), a.commands.Load(); numbers != 2*n || commands < 1 || commands > 2*n {
		t.Errorf("%d commands for %d numbers, want %d numbers", commands, numbers, 2*n)
	}
}

// Telesign's word that a person must not be written to puts the number on the
// list, whether it comes as the answer to a request or to a question.
func TestOptOut_AnAnswerPutsTheNumberOnTheList(t *testing.T) {
	t.Parallel()
	codes := []telesign.Code{3046, 3052, 3101}
	want := []string{"blocked (3046) ", "blocklist (3052) ", ""}
	v := &vendor{send: func(w http.ResponseWriter, _ *http.Request, p post) {
		var c, page, i int
		_, _ = fmt.Sscanf(p.ExternalID, "c%d.%d.%d.", &c, &page, &i)
		answer(w, 400, codes[i])
	}}
	r := setup(t, v)
	numbers := phones(3)
	first := r.stand("c1", numbers, false)
	r.start()
	for i := range numbers {
		rec := r.untilState(first, i, campaign.Refused)
		if w := want[i]; w != "" {
			w += "c1"
			if got := r.listed(numbers[i]); got != w || rec.Status.Code != int(codes[i]) {
				t.Errorf("%d: listed as %q, want %q; code %d", i, got, w, rec.Status.Code)
			}
		} else if got := r.listed(numbers[i]); got != "" {
			t.Errorf("%d: listed as %q", i, got)
		}
	}
	second := r.stand("c2", numbers, false)
	r.untilState(second, 0, campaign.Suppressed)
	r.untilState(second, 1, campaign.Suppressed)
	r.untilState(second, 2, campaign.Refused)
	v.once(t, 4)
}

func TestOptOut_APolledOutcomePutsTheNumberOnTheList(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body  string
		state campaign.State
		want  string
	}{
		"status":       {`{"status":{"code":3046}}`, campaign.Failed, "blocked (3046) c"},
		"a leg":        {`{"status":{"code":3000},"channel_status":[{"whatsapp":{"code":3052}},{"sms":{"code":3000}}]}`, campaign.Delivered, "blocklist (3052) c"},
		"neither":      {`{"status":{"code":3003},"channel_status":[{"sms":{"code":3031}}]}`, campaign.Failed, ""},
		"not yet over": {`{"status":{"code":3001},"channel_status":[{"whatsapp":{"code":3046}}]}`, campaign.Accepted, "blocked (3046) c"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := &vendor{poll: func(w http.ResponseWriter, _ *http.Request, _ string) { _, _ = io.WriteString(w, c.body) }}
			r := setup(t, v)
			numbers := phones(1)
			info := r.stand("c", numbers, false)
			r.acceptedAt(info, 0, time.Now().Add(-time.Minute), time.Now().Add(-time.Second))
			r.fed(info)
			r.start()
			if c.state == campaign.Accepted {
				r.until("it is put off", func() bool {
					return time.Until(r.record(info, 0).DueAt) > time.Minute && v.polled(reference(0)) > 0
				})
			}
			r.untilState(info, 0, c.state)
			if d := cmp.Diff(c.want, r.listed(numbers[0])); d != "" {
				t.Error(d)
			}
			r.closes(info)
		})
	}
}

// A refusal is answered once. What it says of the list isn't lost with a Redis
// that is away at the time.
func TestOptOut_IsWrittenWhenRedisIsBack(t *testing.T) {
	t.Parallel()
	v := &vendor{}
	r := setupDurable(t, v)
	killed, under := make(chan struct{}), make(chan struct{})
	v.send = func(w http.ResponseWriter, _ *http.Request, _ post) {
		close(under)
		<-killed
		answer(w, 400, 3046)
	}
	numbers := phones(1)
	c := r.stand("c", numbers, false)
	r.start(func(o *worker.Options) { o.Concurrency = 1 })
	<-under
	r.server.Kill()
	close(killed)
	r.server.Restart()
	r.untilState(c, 0, campaign.Refused)
	if got := r.listed(numbers[0]); got != "blocked (3046) c" {
		t.Errorf("listed as %q", got)
	}
	v.once(t, 1)
}
