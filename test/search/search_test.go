package search_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"github.com/handout-dev/handout/test/redistest"
)

var (
	lasts   = flag.Duration("search", 30*time.Second, "for how long to search")
	from    = flag.Uint64("search.from", 1, "the seed of the first walk; 0 draws one")
	withLog = flag.Bool("search.log", false, "tell what the house logs, too")
	with    = flag.String("search.with", "", "search for these known faults, too: their names, separated by commas, or all")
)

// repeats is how often the walk of one seed is made: chance keeps a part in it.
const repeats = 20

// hangs is how long a walk takes that hangs: far over what any takes on a busy
// machine.
const hangs = 2 * time.Minute

// TestSearch_FindsNothing walks until its time is over, with one seed after the
// other; with -rapid.seed it makes that one walk, several times.
func TestSearch_FindsNothing(t *testing.T) {
	server := redistest.Start(t)
	o, err := redis.ParseURL(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	seed, _ := flag.Lookup("rapid.seed").Value.(flag.Getter).Get().(uint64)
	only := seed != 0
	if seed == 0 {
		seed = *from
	}
	if seed == 0 {
		seed = rand.Uint64()>>32 + 1
	}
	walks, steps := 0, 0
	var found failure
	defer func() {
		if t.Failed() {
			t.Logf("%s. To make the walk again: make search SEED=%d, or -rapid.seed=%d. The shortest story of it:\n%s",
				found.headline, seed, seed, strings.Join(found.story, "\n"))
		}
	}()
	began := time.Now()
	set(t, "rapid.nofailfile", "true")
	set(t, "rapid.checks", "1")
	for time.Since(began) < *lasts && (!only || walks < repeats) {
		set(t, "rapid.seed", fmt.Sprint(seed))
		rapid.Check(t, func(r *rapid.T) { steps += search(t, r, o.Addr, &found) })
		walks++
		if !only {
			seed++
		}
	}
	took := time.Since(began)
	t.Logf("%d walks of %d steps in all, %.0f steps a second, the next one would be -rapid.seed=%d", walks, steps, float64(steps)/took.Seconds(), seed)
}

func set(t *testing.T, name, value string) {
	t.Helper()
	if err := flag.Set(name, value); err != nil {
		t.Fatal(err)
	}
}

// tries is how often a walk is made that may have failed: chance keeps a part in it.
const tries = 3

// search draws a walk and makes it.
func search(t *testing.T, r *rapid.T, addr string, found *failure) (steps int) {
	start := rapid.SampledFrom(starts).Draw(r, "start")
	begins := args(r)
	all := plan(r)
	for range tries {
		made, fault, story := walk(t, addr, start, begins, all)
		steps += made
		if fault != "" {
			found.keep(fault, story)
			r.Fatalf("%s", fault)
		}
		if found.headline == "" {
			break
		}
	}
	return steps
}

// walk makes a walk in a bubble of its own, where time passes when all wait.
func walk(t *testing.T, addr string, start time.Time, begins []uint64, all []step) (made int, fault string, story []string) {
	// What one bubble leaves in a sync.Pool (compressors, with their channels) must not
	// come into the next one: a pool is empty after two collections.
	runtime.GC()
	runtime.GC()
	var watch atomic.Pointer[world]
	dog := time.AfterFunc(hangs, func() {
		w := watch.Load()
		w.mu.Lock()
		panic("search: the walk hangs, in spite of its clock; its story:\n" + strings.Join(w.story, "\n"))
	})
	defer dog.Stop()
	defer func() {
		if p := recover(); p != nil && fault == "" { // of the bubble itself
			fault, story = hanging, append(story, fmt.Sprint(p), stuck())
		}
	}()
	synctest.Test(t, func(*testing.T) {
		w := newWorld(addr, start)
		w.listen()
		watch.Store(w)
		defer func() {
			if p := recover(); p != nil && w.fault == "" {
				w.fault = fmt.Sprint(p)
				w.say("%s", debug.Stack())
			}
			fault, story = w.fault, w.story
			w.close()
		}()
		made = w.walk(begins, all)
	})
	return made, fault, story
}

// failure is what a walk has found. rapid makes its story shorter for as long as it
// finds the same; of walks in which chance has a part, the shortest is kept.
type failure struct {
	headline string
	story    []string
}

func (f *failure) keep(headline string, story []string) {
	if f.headline == "" || (f.headline == headline && len(story) < len(f.story)) {
		f.headline, f.story = headline, story
	}
}

// stuck are the goroutines that a bubble has left behind, as far as they are ours.
func stuck() string {
	buf := make([]byte, 8<<20)
	var all []string
	for g := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.Contains(strings.SplitN(g, "\n", 2)[0], "bubble") {
			all = append(all, g)
		}
	}
	return strings.Join(all, "\n\n")
}
