package simulator

import (
	"maps"
	"math/rand/v2"
	"sync"
	"time"
)

// Stats are counts since the start.
type Stats struct {
	// Requests are the POSTs that were authorized, whatever the answer, and
	// MaxPerSecond the most of them in any one-second window, half open: two
	// that are exactly a second apart aren't in the same.
	Requests     int `json:"requests"`
	MaxPerSecond int `json:"max_per_second"`

	// Elsewhere are the requests of another application; see Options.Bursts.
	Elsewhere int `json:"elsewhere"`

	Accepted int            `json:"accepted"`
	ByStory  map[string]int `json:"by_story"` // accepted messages
	// ByAnswer are the answers to POSTs: "200/3001", "429/3204", "413", "500",
	// "200/unreadable", and "held" and "reset" for none at all.
	ByAnswer map[string]int `json:"by_answer"`
	// ByPoll are the answers to status queries.
	ByPoll map[string]int `json:"by_poll"`

	Callbacks CallbackStats `json:"callbacks"`

	// FilesFetched and FilesRefused count files; see Options.FetchFiles.
	FilesFetched int `json:"files_fetched"`
	FilesRefused int `json:"files_refused"`
}

// CallbackStats count callbacks. Each is tried up to four times.
type CallbackStats struct {
	Attempts  int `json:"attempts"`
	Confirmed int `json:"confirmed"` // answered with exactly 200
	Failed    int `json:"failed"`    // attempts without such an answer
	GivenUp   int `json:"given_up"`  // after the last attempt
	Pending   int `json:"pending"`   // neither confirmed nor given up yet
}

// Stats are the counts so far.
func (s *Simulator) Stats() Stats {
	t := s.tally
	t.mu.Lock()
	defer t.mu.Unlock()
	t.elsewhere(time.Since(s.start), &s.o)
	all := t.stats
	all.ByStory, all.ByAnswer, all.ByPoll = maps.Clone(all.ByStory), maps.Clone(all.ByAnswer), maps.Clone(all.ByPoll)
	all.Callbacks.Pending = s.agenda.count()
	return all
}

// tally keeps the counts, and what is decided by counting.
type tally struct {
	mu       sync.Mutex
	stats    Stats
	arrived  window // every authorized POST
	passed   window // those that were within the rate, and another application's
	chance   *rand.Rand
	other    time.Duration // when the next request of another application comes
	polls    window        // status queries within the rate
	refusals uint64
	refused  map[string]int // by phone number, for the stories that refuse at first
	// nextSlow is how many messages must have been taken before the next number whose
	// story is "too fast".
	nextSlow int
}

func newTally(seed uint64) *tally {
	return &tally{
		stats:   Stats{ByStory: map[string]int{}, ByAnswer: map[string]int{}, ByPoll: map[string]int{}},
		refused: map[string]int{},
		chance:  rand.New(rand.NewPCG(seed, 0)),
	}
}

// arrive counts a POST and says whether it is within the rate.
func (t *tally) arrive(now time.Duration, o *Options) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.elsewhere(now, o)
	t.stats.Requests++
	t.arrived.count(now)
	t.arrived.add(now)
	t.stats.MaxPerSecond = max(t.stats.MaxPerSecond, t.arrived.size)
	if o.Denies > 0 && t.chance.Float64() < o.Denies {
		return false
	}
	return t.passed.pass(now, o.Rate)
}

// elsewhere lets another application's requests come until now, in the second half
// of each two lengths of a burst.
func (t *tally) elsewhere(now time.Duration, o *Options) {
	if o.Bursts == 0 {
		return
	}
	for ; t.other <= now; t.other += 2 * time.Second / time.Duration(o.Rate) {
		if into := t.other % (2 * o.Bursts); into < o.Bursts {
			t.other += o.Bursts - into
			if t.other > now {
				return
			}
		}
		t.passed.count(t.other)
		t.passed.add(t.other)
		t.stats.Elsewhere++
	}
}

func (t *tally) poll(now time.Duration, rate int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.polls.pass(now, rate)
}

// slowEvery is how many messages are taken between two numbers whose story is "too
// fast". That answer is about the account: it stops all sends for up to a second, and
// several of them near each other say that the account grants less than its rate. At
// two numbers in a hundred a rehearsal would crawl.
const slowEvery = 500

// refuses says whether a number's story refuses this POST.
func (t *tally) refuses(sc *script, phone string) bool {
	if sc.refuses == 0 {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.refused[phone]
	if n >= sc.refuses {
		return false
	}
	if n == 0 && sc.refusal == rateLimited {
		if t.stats.Accepted < t.nextSlow {
			return false
		}
		t.nextSlow = t.stats.Accepted + slowEvery
	}
	t.refused[phone]++
	return true
}

func (t *tally) refusal() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.refusals++
	return t.refusals
}

func (t *tally) accept(story string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stats.Accepted++
	t.stats.ByStory[story]++
}

func (t *tally) answer(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stats.ByAnswer[name]++
}

func (t *tally) polled(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stats.ByPoll[name]++
}

func (t *tally) callback(failed, givenUp bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := &t.stats.Callbacks
	c.Attempts++
	switch {
	case givenUp:
		c.Failed++
		c.GivenUp++
	case failed:
		c.Failed++
	default:
		c.Confirmed++
	}
}

func (t *tally) fetched(good bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if good {
		t.stats.FilesFetched++
	} else {
		t.stats.FilesRefused++
	}
}
