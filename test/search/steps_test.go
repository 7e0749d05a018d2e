package search_test

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/operations"
)

// starts are when a walk may begin: in the hours, before they end, before midnight.
var starts = []time.Time{
	time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC),
	time.Date(2026, 3, 2, 19, 59, 40, 0, time.UTC),
	time.Date(2026, 3, 2, 23, 59, 50, 0, time.UTC),
}

// names are the IDs that campaigns have here.
var names = []campaign.ID{"a", "b", "c"}

// phone is the number of person n of the campaign, the same in each of its lists and
// in no other campaign.
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
		if w.try(do[s.name]) {
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

func (w *world) try(do func()) (made bool) {
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
