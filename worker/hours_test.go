package worker_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/tasks"
	"github.com/handout-dev/handout/telesign"
	"github.com/handout-dev/handout/test/campaigntest"
	"github.com/handout-dev/handout/worker"
)

// skewed is a client whose Redis's clock is ahead: the one that hours go by.
type skewed struct{ ahead, read atomic.Int64 }

func (s *skewed) DialHook(next redis.DialHook) redis.DialHook { return next }

func (s *skewed) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (s *skewed) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if t, ok := cmd.(*redis.TimeCmd); ok && err == nil {
			t.SetVal(t.Val().Add(time.Duration(s.ahead.Load())))
			s.read.Add(1)
		}
		return err
	}
}

func (s *skewed) now() time.Time { return time.Now().Add(time.Duration(s.ahead.Load())) }

// at sets the clock to this time on a Monday, in UTC.
func (s *skewed) at(clock string) time.Time {
	t, err := time.Parse("2006-01-02 15:04:05", "2026-11-23 "+clock)
	if err != nil {
		panic(err)
	}
	return s.set(t)
}

func (s *skewed) set(t time.Time) time.Time {
	s.ahead.Store(int64(time.Until(t)))
	return t
}

// told returns once the workers know the time. There is one worker.
func (s *skewed) told(r *rig) {
	r.t.Helper()
	before := s.read.Load()
	r.until("the clock is read, and again", func() bool { return s.read.Load() >= before+2 })
}

// skew puts the rig's Redis at this time.
func (r *rig) skew(clock string) *skewed {
	s := &skewed{}
	s.at(clock)
	r.rdb.AddHook(s)
	return s
}

// inZone is n people in a zone.
type inZone struct {
	zone string
	n    int
}

// office are hours for all tests. The fallback takes 10 minutes, and 35 s are
// kept for the request and its record: the last send is before 19:49:25.
func office(zone string) func(*campaign.Spec) {
	return func(s *campaign.Spec) { s.Hours = &campaign.Hours{From: "09:00", To: "20:00", Zone: zone} }
}

// standByZone makes a campaign whose pages are by zone.
func (r *rig) standByZone(id campaign.ID, change func(*campaign.Spec), people ...inZone) *campaign.Info {
	r.t.Helper()
	spec := &campaign.Spec{
		ID: id, MessageType: "MKT", Lane: campaign.LaneBulk, OnDoubt: campaign.DoubtHold,
		Channels: []campaign.Channel{
			{Channel: "whatsapp", FallbackTime: 600, Template: "file", Parameters: map[string]string{"url": "{{.url}}"}},
			{Channel: "sms", Template: "text", Parameters: map[string]string{"text": "Yours is at {{.url}}."}},
		},
	}
	office(campaign.ZoneRecipient)(spec)
	if change != nil {
		change(spec)
	}
	opening, err := r.ledger.Open(r.t.Context(), spec, []string{"url"})
	if err != nil {
		r.t.Fatal(err)
	}
	c := ledger.Content{Digest: "d", Partial: map[int]int{}}
	for zone, in := range people {
		c.Zones = append(c.Zones, campaign.ZoneCount{Zones: in.zone, Recipients: in.n})
		for left := in.n; left > 0; {
			size := min(left, campaign.PageSize)
			var list []campaign.Recipient
			for range size {
				number := phone(c.Total, c.Total%35)
				r.phones = append(r.phones, number)
				list = append(list, campaign.Recipient{ID: fmt.Sprintf("r%d", c.Total), Phone: number, Values: []string{"https://example.com/x"}})
				c.Total++
			}
			page, err := campaigntest.EncodePage(1, list)
			if err != nil {
				r.t.Fatal(err)
			}
			if err := opening.AddPages(r.t.Context(), c.Pages, [][]byte{page}); err != nil {
				r.t.Fatal(err)
			}
			if size < campaign.PageSize {
				c.Partial[c.Pages] = size
			}
			c.PageZones = append(c.PageZones, uint16(zone))
			c.Pages++
			left -= size
		}
	}
	info, err := opening.Commit(r.t.Context(), c, campaign.Beginning{})
	if err != nil {
		r.t.Fatal(err)
	}
	return info
}

// sentIn counts the recipients of each zone who were sent to.
func (r *rig) sentIn(v *vendor, c *campaign.Info) map[string]int {
	r.t.Helper()
	zones, err := r.ledger.PageZones(r.t.Context(), c)
	if err != nil {
		r.t.Fatal(err)
	}
	n := map[string]int{}
	for id := range v.byRecipient() {
		n[c.Zones[zones.Of(placeIn(r.t, id).Page)].Zones]++
	}
	return n
}

// looked returns once a worker has looked at a campaign, and again.
func (r *rig) looked(c *campaign.Info) {
	r.t.Helper()
	for range 2 {
		if err := r.ledger.Call(r.t.Context(), c.ID); err != nil {
			r.t.Fatal(err)
		}
		r.until("it is looked at", func() bool { return r.rdb.ZScore(r.t.Context(), "handout:due", string(c.ID)).Val() > 0 })
	}
}

// berlin is open from 8:00 in UTC, york from 14:00.
const berlin, york = "Europe/Berlin", "America/New_York"

func TestHours_AClosedZoneNeverBlocksAnOpenOne(t *testing.T) {
	t.Parallel()
	v := &vendor{}
	r := setup(t, v)
	clock := r.skew("13:58:00")
	// The closed one comes first in the list.
	c := r.standByZone("c", nil, inZone{york, 430}, inZone{berlin, 250}, inZone{berlin + "|" + york, 30})
	r.start(func(o *worker.Options) { o.Window = 100 })
	r.until("the open zone is sent to", func() bool { return r.balance(c).Of(campaign.Accepted) == 250 })
	r.looked(c)
	if sent := r.sentIn(v, c); len(sent) != 1 || sent[berlin] != 250 || r.cursor(c) != 250 {
		t.Errorf("sent to %v, fed %d", sent, r.cursor(c))
	}
	r.closes(c)
	left, err := r.ledger.ZonesLeft(t.Context(), c)
	if err != nil || left[0].Recipients != 430 || left[1].Recipients != 0 || left[2].Recipients != 30 {
		t.Errorf("left: %+v (%v)", left, err)
	}

	clock.at("14:00:00")
	r.until("everyone is sent to", func() bool { return r.balance(c).Of(campaign.Accepted) == 710 })
	v.once(t, 710)
	r.untilPhase(c, campaign.Settling)
	r.closes(c)
	for _, p := range v.all() {
		if place := placeIn(t, p.ExternalID[:strings.LastIndexByte(p.ExternalID, '.')]); !c.Has(place) {
			t.Errorf("%s is nobody in the list", p.ExternalID)
		}
	}
}

// placeIn is the place in <campaign>.<page>.<index>.
func placeIn(t testing.TB, id string) campaign.Place {
	t.Helper()
	_, text, _ := strings.Cut(id, ".")
	place, ok := campaign.ParsePlace(text)
	if !ok {
		t.Fatalf("no place in %q", id)
	}
	return place
}

func TestHours_WhoHasNoZoneWaitsOrGoesByAnothersClock(t *testing.T) {
	t.Parallel()
	v := &vendor{}
	r := setup(t, v)
	r.skew("10:00:00")
	tooFar := berlin + "|" + york
	// An hour a day: never in both zones at once.
	morning := func(s *campaign.Spec) { s.Hours.From, s.Hours.To = "11:00", "12:00" }
	held := r.standByZone("held", morning, inZone{"", 30}, inZone{berlin, 120}, inZone{tooFar, 7})
	by := r.standByZone("by", func(s *campaign.Spec) { morning(s); s.UnknownZone = berlin }, inZone{"", 30}, inZone{york, 120}, inZone{tooFar, 7})
	r.start()
	r.until("those are sent to who can be", func() bool {
		return r.balance(held).Of(campaign.Accepted) >= 120 && r.balance(by).Of(campaign.Accepted) >= 37
	})
	r.looked(held)
	r.looked(by)
	if a, b := r.balance(held), r.balance(by); a.Of(campaign.Accepted) != 120 || a.Of(campaign.Planned) != 37 ||
		b.Of(campaign.Accepted) != 37 || b.Of(campaign.Planned) != 120 {
		t.Errorf("held: %+v; by another's clock: %+v", a, b)
	}
	if p, _ := r.phase(held); p != campaign.Running {
		t.Errorf("it is %s", p)
	}
	v.once(t, 157)
	r.closes(held)
	r.closes(by)
}

// By hand: tasks that were written while the window was open, or twice, or late.
func (r *rig) enqueue(c *campaign.Info, p campaign.Place, attempt int) {
	r.t.Helper()
	if _, err := r.queue.EnqueueAll(r.t.Context(), tasks.QueueOf(c.Spec.Lane), []*asynq.Task{tasks.NewSend(r.attempt(c.ID, p, attempt))}); err != nil {
		r.t.Fatal(err)
	}
}

// 19:49:25 is the last moment: the SMS would go out at 19:59:25, and 35 s are
// kept for the request.
func TestHours_AFallbackThatWouldComeTooLateIsNeverBegun(t *testing.T) {
	t.Parallel()
	v := &vendor{}
	r := setup(t, v)
	clock := r.skew("19:49:30")
	c := r.standByZone("c", nil, inZone{"Etc/UTC", 5})
	fixed := r.stand("fixed", phones(5), false, office("Etc/UTC"))
	free := r.stand("free", phones(5), false)
	for i := range 5 {
		r.enqueue(c, campaign.Place{Index: i}, 1)
		r.enqueue(fixed, campaign.Place{Index: i}, 1)
	}
	r.start()
	r.until("the one without hours is through", func() bool { return r.balance(free).Of(campaign.Accepted) == 5 })
	r.looked(c)
	r.looked(fixed)
	r.untilQuiet()
	if a, b := r.balance(c), r.balance(fixed); a.Of(campaign.Planned) != 5 || b.Of(campaign.Planned) != 5 || r.cursor(c)+r.cursor(fixed) != 0 {
		t.Errorf("%+v, %+v; fed %d and %d", a, b, r.cursor(c), r.cursor(fixed))
	}
	clock.set(time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC))
	r.until("the next morning they are sent to", func() bool {
		return r.balance(c).Of(campaign.Planned)+r.balance(fixed).Of(campaign.Planned) == 0
	})
	r.until("all is recorded", func() bool { return r.balance(c).Of(campaign.Claimed)+r.balance(fixed).Of(campaign.Claimed) == 0 })
	v.once(t, 15)
	r.closes(c)
	r.closes(fixed)
}

// The last look is right before the claim: these waited for their turn when the
// window closed.
func TestHours_AWindowThatClosesDuringTheWaitForASlot(t *testing.T) {
	t.Parallel()
	v := &vendor{}
	r := setup(t, v)
	clock := r.skew("19:49:00")
	c := r.standByZone("c", nil, inZone{"Etc/UTC", 6})
	r.start(func(o *worker.Options) { o.Rate = 0.4 }) // a slot each 2.5 s
	r.until("the first one is sent to", func() bool { return len(v.all()) == 1 })
	clock.at("19:50:00")
	clock.told(r)
	r.untilQuiet()
	// The clock is read each second; a busy machine may let one more through.
	if n := len(v.all()); n > 2 || r.balance(c).Of(campaign.Planned) != 6-n {
		t.Errorf("%d were sent to: %+v", n, r.balance(c))
	}
	r.closes(c)
}

// Who stands in the queue when the window closes isn't sent to, and doesn't take
// the place of those whose window opens.
func TestHours_WhatStandsInTheQueueAtTheEndWaitsAndBlocksNobody(t *testing.T) {
	t.Parallel()
	const early, late = "Etc/GMT", "Etc/GMT+11" // 20:00 here is 9:00 there
	v := &vendor{}
	r := setup(t, v)
	clock := r.skew("19:40:00")
	c := r.standByZone("c", nil, inZone{early, 300}, inZone{late, 150})
	r.start(func(o *worker.Options) { o.Rate, o.Window, o.Poll = 50, 100, false })
	r.until("it is under way", func() bool { return len(v.all()) >= 20 })
	clock.at("19:50:00")
	clock.told(r)
	r.until("nobody is claimed", func() bool { return r.balance(c).Of(campaign.Claimed) == 0 })
	r.untilQuiet()
	r.looked(c)
	sent := r.sentIn(v, c)
	if sent[early] >= 300 || sent[late] != 0 || r.balance(c).Of(campaign.Planned) != 450-sent[early] {
		t.Fatalf("sent to %v: %+v", sent, r.balance(c))
	}
	if stuck := r.cursor(c) - sent[early]; stuck < 30 {
		t.Fatalf("%d stand before the others: too few to prove anything", stuck)
	}
	clock.at("20:00:00")
	r.until("the other zone is sent to", func() bool { return r.sentIn(v, c)[late] == 150 })
	r.looked(c)
	if now := r.sentIn(v, c); now[early] != sent[early] {
		t.Errorf("%d were sent to after the end", now[early]-sent[early])
	}
	r.until("all is recorded", func() bool { return r.balance(c).Of(campaign.Claimed) == 0 })
	r.closes(c)
	clock.set(time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC))
	r.until("the rest is sent to in the morning", func() bool { b := r.balance(c); return b.Of(campaign.Planned)+b.Of(campaign.Claimed) == 0 })
	v.once(t, 450)
	r.closes(c)
}

// Retries go by the same hours.
func TestHours_AnotherTryWaitsForTheWindow(t *testing.T) {
	t.Parallel()
	v := &vendor{}
	v.send = func(w http.ResponseWriter, _ *http.Request, p post) { accept(w, v.next()) }
	r := setup(t, v)
	clock := r.skew("07:58:00")
	c := r.standByZone("c", nil, inZone{york, 100}, inZone{berlin, 4})
	now := clock.now()
	var places []campaign.Place
	for i, events := range [][]campaign.Event{
		{claimed(now), {Kind: campaign.EventDefer, At: now, Attempt: 1, Reason: campaign.ReasonUnavailable, DueAt: now}},
		{claimed(now), {Kind: campaign.EventDefer, At: now, Attempt: 1, Reason: campaign.ReasonThrottled, DueAt: now, Uncounted: true}},
		{claimed(now), {Kind: campaign.EventRefuse, At: now, Attempt: 1, Reason: campaign.ReasonRefused, Code: 3113}},
		{claimed(now)},
	} {
		p := campaign.Place{Page: 1, Index: i}
		places = append(places, p)
		var seen ledger.Seen
		for _, e := range events {
			var err error
			if seen, err = r.ledger.Apply(t.Context(), c, p, seen, e); err != nil {
				t.Fatal(err)
			}
		}
	}
	found, err := r.ledger.Find(t.Context(), c, "r102", false)
	if err != nil || len(found) != 1 || found[0].Place != places[2] {
		t.Fatalf("%+v (%v)", found, err)
	}
	if _, err := r.ledger.Resend(t.Context(), c, places[2], found[0].Seen, campaign.Actor{Name: "ann"}, now); err != nil {
		t.Fatal(err)
	}
	if ok, err := r.ledger.Advance(t.Context(), c.ID, 0, []int{0, 4}, []int{1}, now); !ok || err != nil {
		t.Fatal(ok, err)
	}
	for _, p := range places[:3] {
		r.enqueue(c, p, 2)
	}
	r.start()
	r.looked(c)
	r.untilQuiet()
	if n := len(v.all()); n != 0 {
		t.Errorf("%d POSTs before the window opens", n)
	}
	if b := r.balance(c); b.Of(campaign.Retrying) != 3 || b.Of(campaign.Claimed) != 1 {
		t.Errorf("%+v", b)
	}
	clock.at("08:00:00")
	r.until("they are sent to", func() bool { return r.balance(c).Of(campaign.Accepted) == 3 })
	for _, p := range v.all() {
		if want := []string{"c.1.0.2", "c.1.1.1", "c.1.2.2"}; !slices.Contains(want, p.ExternalID) { // a throttled one doesn't count
			t.Errorf("%s", p.ExternalID)
		}
	}
	r.until("the lost claim is in doubt", func() bool { return r.balance(c).Of(campaign.InDoubt) == 1 })
	v.once(t, 3)
	r.closes(c)
}

// Nothing is written to the queue for those who sleep, and whoever was sent to
// before a crash is settled when somebody calls, though their page was never fed.
func TestHours_SettlePutsAPageOffUntilItOpens(t *testing.T) {
	t.Parallel()
	v := &vendor{}
	r := setup(t, v)
	clock := r.skew("13:58:00")
	c := r.standByZone("c", nil, inZone{york, 105})
	now := clock.now()
	late := campaign.Place{Page: 1, Index: 4}
	var seen ledger.Seen
	for _, e := range []campaign.Event{claimed(now), {
		Kind: campaign.EventAccept, At: now, Attempt: 1, Code: 3001, Reference: reference(9999), DueAt: now.Add(-time.Second),
	}} {
		var err error
		if seen, err = r.ledger.Apply(t.Context(), c, late, seen, e); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.ledger.CallDue(t.Context(), c.ID, ledger.Watched, now, late.Page); err != nil {
		t.Fatal(err)
	}
	if ok, err := r.ledger.Advance(t.Context(), c.ID, 0, []int{100}, []int{0}, now.Add(-time.Second)); !ok || err != nil {
		t.Fatal(ok, err)
	}
	r.start(func(o *worker.Options) { o.Poll = false })
	r.until("the late one is settled", func() bool { return r.balance(c).Of(campaign.Unconfirmed) == 1 })
	opens := time.Date(2026, 11, 23, 14, 0, 0, 0, time.UTC)
	r.until("the page is put off until it opens", func() bool {
		return r.nextDue(c.ID).Equal(opens)
	})
	if n := len(v.all()); n != 0 || r.rdb.Exists(t.Context(), "asynq:{handout:bulk}:pending").Val() != 0 {
		t.Errorf("%d POSTs, or tasks", n)
	}
	clock.at("14:00:00")
	r.until("everyone else is sent to", func() bool { return r.balance(c).Of(campaign.Accepted) == 104 })
	v.once(t, 104)
	r.closes(c)
}

// The tasks were written, and the cursor wasn't moved; then other zones are open.
func TestHours_ACrashBeforeTheCursorMovesDoesNoHarm(t *testing.T) {
	t.Parallel()
	v := &vendor{}
	r := setup(t, v)
	clock := r.skew("13:58:00")
	c := r.standByZone("c", nil, inZone{berlin, 250}, inZone{york, 130})
	var sends []*asynq.Task
	for page := range 3 {
		for i := 0; i < c.Size(page); i += 10 {
			sends = append(sends, tasks.NewSends(r.attempt("c", campaign.Place{Page: page, Index: i}, 1), 10, nil))
		}
	}
	// And of a page whose zone is closed: they come to nothing.
	sends = append(sends, tasks.NewSends(r.attempt("c", campaign.Place{Page: 3}, 1), 25, nil))
	if _, err := r.queue.EnqueueAll(t.Context(), tasks.QueueBulk, sends); err != nil {
		t.Fatal(err)
	}
	r.start()
	r.until("the open zone is sent to and fed", func() bool {
		return r.cursor(c) == 250 && r.balance(c).Of(campaign.Accepted) == 250
	})
	r.untilQuiet()
	if sent := r.sentIn(v, c); sent[york] != 0 {
		t.Errorf("sent to %v", sent)
	}
	clock.at("14:00:00")
	r.until("everyone is sent to", func() bool { return r.balance(c).Of(campaign.Accepted) == 380 })
	v.once(t, 380)
	r.untilPhase(c, campaign.Settling)
	r.closes(c)
}

func TestHours_TwoFeedsAtOnceDoNoHarm(t *testing.T) {
	t.Parallel()
	const n = 700
	v := &vendor{}
	r := setup(t, v)
	r.skew("14:00:00")
	c := r.standByZone("c", nil, inZone{berlin, n - 230}, inZone{york, 230})
	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for ctx.Err() == nil {
			_ = r.rdb.Del(ctx, "handout:due:lease").Err()
			_ = r.ledger.Call(ctx, "c")
			time.Sleep(5 * time.Millisecond) // the tests beside want to work too
		}
	}()
	for range 2 {
		r.start(func(o *worker.Options) { o.Window = 50 })
	}
	r.until("everyone is sent to", func() bool { return r.balance(c).Of(campaign.Accepted) == n })
	cancel()
	<-stopped
	v.once(t, n)
	r.closes(c)
}

func TestHours_APauseStopsAtOnceAndAResumeFinishes(t *testing.T) {
	t.Parallel()
	const n = 330
	v := &vendor{}
	r := setup(t, v)
	clock := r.skew("14:00:00")
	c := r.standByZone("c", nil, inZone{berlin, 200}, inZone{york, n - 200})
	r.start(func(o *worker.Options) { o.Rate = 100 })
	r.pauseTwice(v, c, clock.now)
	r.until("everyone is sent to", func() bool { return r.balance(c).Of(campaign.Accepted) == n })
	v.once(t, n)
	r.closes(c)
}

// Also those whose window is closed: who was fed and stands in the queue no
// more, and who was never fed.
func TestHours_ACancelEndsForEveryoneAtOnce(t *testing.T) {
	t.Parallel()
	const n = 300 + 2150
	v := &vendor{}
	r := setup(t, v)
	clock := r.skew("19:40:00")
	c := r.standByZone("c", nil, inZone{"Etc/UTC", 300}, inZone{york, 0}, inZone{"Etc/GMT+11", 2150})
	r.start(func(o *worker.Options) { o.Rate, o.Window = 50, 100; soon(o) })
	r.until("it is under way", func() bool { return len(v.all()) >= 20 })
	clock.at("19:50:00")
	clock.told(r)
	r.untilQuiet()
	r.looked(c)
	if err := r.ledger.Cancel(t.Context(), "c", campaign.Actor{Name: "ann", Why: "enough"}, clock.now()); err != nil {
		t.Fatal(err)
	}
	r.untilPhase(c, campaign.Done)
	b, sent := r.balance(c), len(v.all())
	if b.Of(campaign.Unconfirmed) != sent || b.Of(campaign.Canceled) != n-sent || sent >= 300 {
		t.Errorf("%d POSTs: %+v", sent, b)
	}
	v.once(t, sent)
	r.closes(c)
}

// The vendor refuses for a while; what is tried again is tried within the hours.
func TestHours_EndsWithTheRetriesOfABusyVendor(t *testing.T) {
	t.Parallel()
	v := &vendor{}
	v.send = func(w http.ResponseWriter, _ *http.Request, p post) {
		if p.N == 1 && strings.HasSuffix(p.ExternalID, ".1") {
			answer(w, 503, telesign.Code(3500))
			return
		}
		accept(w, v.next())
	}
	r := setup(t, v)
	r.skew("14:00:00")
	c := r.standByZone("c", nil, inZone{berlin, 15}, inZone{york, 15})
	r.start()
	r.until("everyone is sent to", func() bool { return r.balance(c).Of(campaign.Accepted) == 30 })
	r.closes(c)
}

func TestHours_ACanaryIsOfThoseWhoMayBeSentTo(t *testing.T) {
	t.Parallel()
	v := &vendor{}
	r := setup(t, v)
	r.skew("12:00:00") // 21:00 in Tokyo
	c := r.standByZone("c", func(s *campaign.Spec) { s.Canary = 50 }, inZone{"Asia/Tokyo", 30}, inZone{"Europe/Berlin", 40}, inZone{"Europe/Paris", 130})
	r.start()
	r.until("the canary is sent", func() bool { return r.balance(c).Of(campaign.Accepted) == 50 })
	r.aFewLooks()
	sent := r.balance(c).Of(campaign.Accepted)
	if sent != 50 || r.cursor(c) != sent || r.sentIn(v, c)["Asia/Tokyo"] > 0 {
		t.Errorf("%d were sent to, and %d were fed: %v", sent, r.cursor(c), r.sentIn(v, c))
	}
	zones, err := r.ledger.PageZones(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	for page := range zones.Pages() {
		records, err := r.ledger.Records(t.Context(), c.ID, page)
		if err != nil {
			t.Fatal(err)
		}
		for i := range records {
			r.outcomes(c, campaign.Place{Page: page, Index: i}.Position(), campaign.Place{Page: page, Index: i}.Position()+1, true)
		}
	}
	r.until("the others follow", func() bool { return len(v.all()) == 170 })
	if sent := r.sentIn(v, c); sent["Asia/Tokyo"] > 0 {
		t.Errorf("%v", sent)
	}
	v.once(t, 170)
}
