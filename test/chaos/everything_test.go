package chaos_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/handout-dev/handout/telesign/simulator"
	"github.com/handout-dev/handout/test/redistest"
)

// unanswered is how many of the list's messages end in doubt by their story
// alone, or may: the vendor takes them and doesn't say so.
func unanswered(n int, endings []int) int {
	var stories int
	for i := range n {
		ending := endings[i*7%len(endings)]
		s := simulator.StoryOf(fmt.Sprintf("121220000%02d", ending))
		if s.ExpectedState == "in_doubt" || ending >= 85 && ending <= 88 || ending == 97 {
			stories++
		}
	}
	return stories
}

func TestEverything_AtOnceAndOnAllStoriesLosesNobody(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{
		recipients: size(400, 5000), rate: size(100, 250), endings: every(), deaf: true,
		redis: []redistest.Option{redistest.AppendOnly("always")},
	})
	r.listen()
	r.submit()
	workers := []*process{r.work(), r.work()}
	blows, workerKills, redisKills := size(4, 60), 0, 0
	for i := range blows {
		r.awaitTaken(min((i+1)*r.recipients*2/3/(blows+1), r.taken()+r.recipients/4))
		pause(0, 500*time.Millisecond)
		switch i % 4 { // each of them happens, whenever
		case 0, 2:
			w := rand.IntN(len(workers))
			r.kill(workers[w])
			workers[w] = r.work()
			workerKills++
		case 1:
			r.killRedis(nil, 0)
			redisKills++
		case 3:
			r.flush(t.Context())
			r.kills.Add(1)
		}
	}
	r.awaitDone(2 * finishTime)
	// Redis has two workers to disappoint.
	most := inFlight*(workerKills+2*redisKills) + unanswered(r.recipients, every())
	r.judge(90, "everything at once, all stories").require(r, most)
}
