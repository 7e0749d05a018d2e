package search_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing/synctest"
	"time"

	"github.com/hibiken/asynq"
	"pgregory.net/rapid"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/producer"
	"github.com/handout-dev/handout/telesign"
)

// starts are when a walk may begin: in the hours, before they end, before midnight.
var starts = []time.Time{
	time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC),
	time.Date(2026, 3, 2, 19, 59, 40, 0, time.UTC),
	time.Date(2026, 3, 2, 23, 59, 50, 0, time.UTC),
}

// names are the IDs that campaigns have here.
var names = []campaign.ID{"a", "b", "c"}

// phone is a number that nobody else has: of person n of the campaign, whichever
// list they stand in.
func phone(id campaign.ID, n int) string { return fmt.Sprintf("+41790%c%05d", '0'+id[0]-'a', n) }

// step is one of a walk: its name, and what chance says of the rest. It is drawn
// before the walk, so that a walk can be made again.
type step struct {
	name string
	args []uint64
}

// plan draws a walk.
func plan(t *rapid.T) (all []step) {
	actions := map[string]func(*rapid.T){}
	for name := range (&world{}).steps() {
		if left, _ := leftOut(name); !left {
			actions[name] = func(t *rapid.T) { all = append(all, step{name, args(t)}) }
		}
	}
	t.Repeat(actions)
	return all
}

func args(t *rapid.T) []uint64 {
	return rapid.SliceOfN(chance, maxArgs, maxArgs).Draw(t, "by chance")
}

// chance draws evenly, as a range wouldn't: 120 is a multiple of most numbers of
// things to choose from.
var chance = rapid.SampledFrom(upTo(120))

func upTo(n uint64) (all []uint64) {
	for i := range n {
		all = append(all, i)
	}
	return all
}

// maxArgs is how many choices a step has at most.
const maxArgs = 8

// walk makes the steps, until something is wrong, and then lets everything come to
// its end. It returns how many it has made.
func (w *world) walk(begins []uint64, all []step) (made int) {
	w.args = begins
	w.polls = draw(w, false, true)
	w.saved = w.snapshot()
	w.work()
	w.submit()
	do := w.steps()
	for _, s := range all {
		w.args = s.args
		if w.make(do[s.name]) {
			made++
			w.pass(200 * time.Millisecond)
			w.check()
		}
		if w.fault != "" {
			return made
		}
	}
	w.calm()
	return made
}

// skipped is thrown by a step that has nothing to do it with.
type skipped struct{}

func (w *world) skip() { panic(skipped{}) }

func (w *world) make(do func()) (made bool) {
	defer func() {
		if p := recover(); p != nil {
			if _, ok := p.(skipped); !ok {
				panic(p)
			}
		}
	}()
	do()
	return true
}

// pick is the next choice among n; when chance has nothing left to say, the first.
func (w *world) pick(n int) int {
	if len(w.args) == 0 {
		return 0
	}
	a := w.args[0]
	w.args = w.args[1:]
	return int(a % uint64(n))
}

func draw[T any](w *world, from ...T) T { return from[w.pick(len(from))] }

// steps are what may happen, by name.
func (w *world) steps() map[string]func() {
	return map[string]func(){
		"submit":       w.submit,
		"pause":        func() { w.steer("pause") },
		"resume":       func() { w.steer("resume") },
		"cancel":       func() { w.steer("cancel") },
		"reschedule":   func() { w.steer("reschedule") },
		"retry":        w.retry,
		"resend":       func() { w.decide(operations.VerbResend) },
		"accept":       func() { w.decide(operations.VerbAccept) },
		"purge":        func() { w.steer("purge") },
		"rate":         func() { w.steer("rate") },
		"one-off send": w.oneOff,

		"the vendor answers": w.answer,
		"the vendor refuses": w.answer,
		"a receipt":          w.receipt,
		"receipts":           w.receipts,
		"a foreign receipt":  w.foreign,
		"STOP":               func() { w.inbound("STOP") },
		"START":              func() { w.inbound("START") },

		"time passes":      w.time,
		"more time passes": w.time,
		"a night passes":   w.night,

		"the queue is flushed":        w.flush,
		"tasks are archived":          w.archive,
		"an old task runs again":      w.again,
		"another application's task":  w.foreignTask,
		"another worker":              w.another,
		"a worker stops":              w.stop,
		"a worker is killed":          w.kill,
		"Redis is restarted":          w.restart,
		"Redis stands still":          w.freeze,
		"a snapshot of Redis":         w.save,
		"Redis is restored":           w.back,
		"the limiters' keys get lost": w.losePace,
	}
}

// one draws a campaign.
func (w *world) one() *submitted {
	all := slices.Sorted(maps.Keys(w.campaigns))
	if len(all) == 0 {
		w.skip()
	}
	return w.campaigns[draw(w, all...)]
}

func (w *world) submit() {
	id := draw(w, names...)
	n := draw(w, 1, 3, 12, 25)
	first := draw(w, 0, 2)
	s := &submitted{
		id: id, resends: draw(w, false, false, true), hours: draw(w, false, false, true),
		rate: draw(w, 0, 0, 2.0, 0.2),
	}
	spec := campaign.Spec{
		ID: id, MessageType: "MKT", Lane: campaign.LaneBulk, OnDoubt: campaign.DoubtHold, Rate: s.rate, MaxFailureRate: 1,
		Channels: []campaign.Channel{
			{Channel: "whatsapp", FallbackTime: 60, Template: "text", Parameters: map[string]string{"text": "Hello"}},
			{Channel: "sms", Template: "text", Parameters: map[string]string{"text": "Hello"}},
		},
	}
	if s.resends {
		spec.OnDoubt = campaign.DoubtResend
	}
	if s.hours {
		spec.Hours, spec.UnknownZone = &campaign.Hours{From: "09:00", To: "20:00", Zone: "UTC"}, ""
	}
	if draw(w, campaign.LaneBulk, campaign.LaneBulk, campaign.LaneUrgent) == campaign.LaneUrgent {
		spec.Lane = campaign.LaneUrgent
	}
	f, err := producer.NewFile(spec)
	w.must(err)
	rows := func(yield func(producer.Row, error) bool) {
		for i := range n {
			if !yield(producer.Row{Recipient: fmt.Sprintf("p%d", first+i), Phone: phone(id, first+i)}, nil) {
				return
			}
		}
	}
	for i := range n {
		s.phones = append(s.phones, phone(id, first+i))
	}
	begin := campaign.Beginning{By: ann, Hold: draw(w, "at once", "at once", "held") == "held"}
	r, err := w.ops.Submit(w.ctx, &operations.Submission{File: f, List: producer.ListRows(nil, rows), Begin: begin})
	w.say("submit %s: %d people from person %d on, %s, on_doubt %s, rate %v, hours %v, held %v%s", id, n, first, spec.Lane, spec.OnDoubt, s.rate, s.hours, begin.Hold, refused(err))
	if err == nil && !r.Already {
		s.rated = time.Now()
		if begin.Hold {
			s.stopped = time.Now()
		}
		w.campaigns[id] = s
	}
}

func refused(err error) string {
	if err != nil {
		return ": refused: " + err.Error()
	}
	return ""
}

func (w *world) steer(verb string) {
	s := w.one()
	stands, err := w.ops.Standing(w.ctx, s.id)
	w.must(err)
	about := ""
	switch verb {
	case "pause":
		if err = w.ops.Pause(w.ctx, stands, ann); err == nil {
			s.stopped, s.startAt = time.Now(), time.Time{}
		}
	case "resume":
		if err = w.ops.Resume(w.ctx, stands, ann); err == nil {
			s.stopped, s.startAt = time.Time{}, time.Time{}
		}
	case "cancel":
		if err = w.ops.Cancel(w.ctx, stands, ann); err == nil {
			s.stopped, s.startAt = time.Now(), time.Time{}
		}
	case "reschedule":
		at := time.Now().Add(draw(w, 2*time.Second, 30*time.Second, 8*time.Hour))
		about = " to " + at.Format("15:04:05")
		if err = w.ops.Reschedule(w.ctx, stands, at, true, ann); err == nil {
			s.stopped, s.startAt = time.Now(), at
		}
	case "purge":
		if err = w.ops.Purge(w.ctx, stands, ann, nil); err == nil {
			s.purged = true
		}
	case "rate":
		to := draw(w, 0.5, 3, 20)
		about = fmt.Sprintf(" to %v", to)
		if err = w.ops.SetRate(w.ctx, stands, to, ann); err == nil {
			s.rate, s.rated = to, time.Now()
		}
	}
	w.say("%s %s%s%s", verb, s.id, about, refused(err))
}

// peopleOf are those of a campaign, with their records.
func (w *world) peopleOf(s *submitted, yield func(campaign.Place, campaign.Recipient, campaign.Record)) {
	info, err := w.ledger.Info(w.ctx, s.id)
	w.must(err)
	if info.Gone() != nil {
		s.purged = true
		return
	}
	w.must(w.ledger.EachPage(w.ctx, info, func(p *ledger.Page) error {
		for i, r := range p.Recipients {
			yield(campaign.Place{Page: p.Number, Index: i}, r, p.Record(i))
		}
		return nil
	}))
}

func (w *world) retry() {
	s := w.one()
	by := map[campaign.State][]string{}
	w.peopleOf(s, func(_ campaign.Place, r campaign.Recipient, rec campaign.Record) {
		by[rec.State] = append(by[rec.State], r.Phone)
	})
	var states []campaign.State
	for _, state := range operations.Retryable() {
		if len(by[state]) > 0 {
			states = append(states, state)
		}
	}
	if len(states) == 0 {
		w.skip()
	}
	state := draw(w, states...)
	phones := by[state]
	selected, err := w.ops.Select(w.ctx, s.id, operations.VerbResend, state)
	n := 0
	if err == nil {
		n, err = w.ops.DecideAll(w.ctx, selected, ann, nil)
	}
	w.say("retry %s --only %s: %d of %d%s", s.id, state, n, len(phones), refused(err))
	for _, p := range phones {
		w.asked[p]++
	}
}

func (w *world) decide(v operations.Verb) {
	s := w.one()
	i := w.pick(len(s.phones))
	p, err := w.ops.PersonAt(w.ctx, s.id, campaign.PlaceOf(i))
	if err == nil {
		if v == operations.VerbResend {
			w.asked[s.phones[i]]++
		}
		err = w.ops.Decide(w.ctx, p, v, ann)
	}
	w.say("%s %s, person %d%s", v, s.id, i, refused(err))
}

// oneOff sends to one person, or makes an earlier send again.
func (w *world) oneOff() {
	n := draw(w, 0, 1, 2, 3)
	key := fmt.Sprintf("key %d", n)
	number := fmt.Sprintf("+417909%05d", n)
	sent, err := w.ops.Send(w.ctx, producer.OneOff{
		Key: key, Recipient: key, Phone: number, MessageType: "ARN",
		Channels: []producer.Channel{{Channel: "sms", Template: "text", Parameters: map[string]string{"text": "hi"}}},
	})
	if err != nil {
		w.say("one-off send by %q: %s", key, refused(err))
		return
	}
	w.say("one-off send by %q: %s %s, already %v", key, sent.Campaign, sent.Place, sent.Already)
	if first, known := w.keys[key]; !known || sent.Already {
		if !known {
			w.keys[key] = time.Now()
		}
	} else if days(first, time.Now()) <= 1 {
		w.wrong(keyTwice, "%q, first used at %s", key, first.Format(time.DateTime))
	} else { // a key is kept that day and the next
		w.keys[key] = time.Now()
		w.asked[number]++
	}
	s := w.campaigns[sent.Campaign]
	if s == nil {
		s = &submitted{id: sent.Campaign, standing: true}
		w.campaigns[sent.Campaign] = s
	}
	for len(s.phones) <= sent.Place.Index {
		s.phones = append(s.phones, "")
	}
	s.phones[sent.Place.Index] = number
}

// days are those between two times, by the calendar.
func days(a, b time.Time) int {
	return int(b.Truncate(24*time.Hour).Sub(a.Truncate(24*time.Hour)) / (24 * time.Hour))
}

func (w *world) answer() {
	n := draw(w, 1, 1, 2, 12)
	a := draw(w, answers...)
	w.vendor.mu.Lock()
	for range n {
		w.vendor.script = append(w.vendor.script, a)
	}
	w.vendor.mu.Unlock()
	w.say("from now, %d times: the vendor %s", n, a)
}

// receipt brings a receipt for something that the vendor has taken, however old.
func (w *world) receipt() {
	if len(w.vendor.taken) == 0 {
		w.skip()
	}
	m := draw(w, w.vendor.taken...)
	what := draw(w, slices.Sorted(maps.Keys(outcomes))...)
	named := draw(w, true, true, false)
	if what == "out of money" {
		w.poor = time.Now()
	}
	w.tell(m, what, named)
}

// receipts brings one for all that is out.
func (w *world) receipts() {
	what := draw(w, "delivered by WhatsApp", "failed")
	n := 0
	for _, m := range w.vendor.taken {
		if !m.final {
			w.tell(m, what, true)
			n++
		}
	}
	if n == 0 {
		w.skip()
	}
}

func (w *world) tell(m *message, what string, named bool) {
	externalID := ""
	if named {
		externalID = m.externalID
	}
	if what != "in progress" {
		m.final, m.told = true, time.Now()
	}
	body, err := outcomes[what].receipt(m.reference, externalID)
	w.must(err)
	status, err := call(w.hears, body)
	w.must(err)
	w.say("receipt for %s (our ID in it: %v): %s; answered %d", m.externalID, named, what, status)
	if status != 200 {
		w.wrong(w.life(notTaken), "%d", status)
	}
}

// foreign brings a receipt of another installation on the account: for what we
// never sent.
func (w *world) foreign() {
	s := w.one()
	i := w.pick(len(s.phones))
	attempt := draw(w, 1, 2)
	what := draw(w, slices.Sorted(maps.Keys(outcomes))...)
	externalID := fmt.Sprintf("%s.0.%d.%d", s.id, i, attempt)
	for _, m := range w.vendor.posts {
		if m.externalID == externalID {
			w.skip()
		}
	}
	body, err := outcomes[what].receipt(fmt.Sprintf("%032X", 0xF000_0000_0000+i), externalID)
	w.must(err)
	status, err := call(w.hears, body)
	w.must(err)
	w.say("receipt of another installation for %s: %s; answered %d", externalID, what, status)
}

func (w *world) inbound(action string) {
	s := w.one()
	i := w.pick(len(s.phones))
	number := s.phones[i]
	at := stamp()
	body, err := json.Marshal(map[string]any{
		"reference_id": fmt.Sprintf("%032X", 0xE000_0000_0000+len(w.story)), "sub_resource": "mo_sms", "errors": map[string]any{}, "submit_timestamp": at,
		"status": map[string]any{"code": telesign.CodeInbound, "description": "", "updated_on": at},
		"user_response": map[string]any{
			"sender_id": "55555", "iso_country_code": "US", "action": strings.ToLower(action), "keyword": action,
			"phone_number": strings.TrimPrefix(number, "+"), "mo_message": action, "price": nil,
		},
	})
	w.must(err)
	status, err := call(w.hears, body)
	w.must(err)
	w.say("%s by %s (person %d of %s); answered %d", action, number, i, s.id, status)
	if action == "STOP" {
		if _, ok := w.stops[number]; !ok {
			w.stops[number] = time.Now()
		}
	} else {
		delete(w.stops, number)
	}
}

func (w *world) time() {
	d := draw(w, time.Second, 3*time.Second, 10*time.Second, 35*time.Second)
	w.say("%s pass", d)
	w.pass(d)
}

// night lets everything stop, hours pass, and as much begin again.
func (w *world) night() {
	d := draw(w, 30*time.Minute, 11*time.Hour, 25*time.Hour)
	w.say("everything stops, and %s pass", d)
	w.rest(d)
}

func (w *world) flush() {
	keys, err := w.rdb.Keys(w.ctx, "asynq:*").Result()
	w.must(err)
	if len(keys) == 0 {
		w.skip()
	}
	w.must(w.rdb.Del(w.ctx, keys...).Err())
	clear(w.ours)
	w.say("the queue is flushed")
}

func (w *world) archive() {
	queues, err := w.queues.Queues()
	w.must(err)
	n := 0
	for _, q := range queues {
		for _, f := range []func(string) (int, error){w.queues.ArchiveAllPendingTasks, w.queues.ArchiveAllScheduledTasks, w.queues.ArchiveAllRetryTasks} {
			m, err := f(q)
			w.must(err)
			n += m
		}
	}
	if n == 0 {
		w.skip()
	}
	clear(w.ours)
	w.say("a person archives %d tasks", n)
}

// again has the queue run a task again that it has had before.
func (w *world) again() {
	if len(w.old) == 0 {
		w.skip()
	}
	i := w.pick(len(w.old))
	o := w.old[i]
	_, err := w.tasks.Enqueue(asynq.NewTask(o.kind, o.payload), asynq.Queue(o.queue))
	w.must(err)
	w.say("the queue runs %s %s again", o.kind, o.payload)
}

func (w *world) foreignTask() {
	queues, err := w.queues.Queues()
	w.must(err)
	if len(queues) == 0 {
		w.skip()
	}
	slices.Sort(queues)
	q := draw(w, "bulk", "urgent", "system")
	i, err := w.tasks.Enqueue(asynq.NewTask("email:welcome", []byte("{}")), asynq.Queue(q), asynq.MaxRetry(0))
	w.must(err)
	w.ours[q+"/"+i.ID] = true
	w.say("another application puts a task into its queue %q", q)
}

func (w *world) another() {
	if len(w.working()) >= 2 {
		w.skip()
	}
	w.say("another worker starts")
	w.work()
}

func (w *world) stop() {
	running := w.working()
	if len(running) == 0 {
		w.skip()
	}
	c := draw(w, running...)
	w.say("%s is asked to stop", c.name)
	c.stop()
}

// kill has a worker killed at one of its next writes to Redis, or now.
func (w *world) kill() {
	running := w.working()
	if len(running) == 0 {
		w.skip()
	}
	c := draw(w, running...)
	c.process.done = draw(w, "done", "not done") == "done"
	n := w.pick(26)
	w.say("%s will be killed in %d writes", c.name, n)
	c.process.doom.Store(int64(n))
}

func (w *world) restart() {
	w.must(w.rdb.ScriptFlush(w.ctx).Err())
	w.wire.cut()
	w.say("Redis is restarted")
}

func (w *world) freeze() {
	d := draw(w, 500*time.Millisecond, 2*time.Second, 8*time.Second)
	w.say("Redis stands still for %s", d)
	w.wire.freeze()
	time.Sleep(d)
	synctest.Wait()
	w.must(w.wire.thaw())
}

func (w *world) save() {
	w.saved = w.snapshot()
	w.say("a snapshot of Redis is taken")
}

func (w *world) back() {
	if !w.restored.IsZero() {
		w.skip() // once in a walk is rare enough
	}
	w.say("Redis is restored to its state of %s before", time.Since(w.saved.at).Round(time.Millisecond))
	w.restore(w.saved)
}

func (w *world) losePace() {
	keys, err := w.rdb.Keys(w.ctx, "*pace*").Result()
	w.must(err)
	if len(keys) == 0 {
		w.skip()
	}
	w.must(w.rdb.Del(w.ctx, keys...).Err())
	w.say("%d keys of limiters get lost", len(keys))
}
