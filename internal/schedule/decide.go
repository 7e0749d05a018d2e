package schedule

import (
	"fmt"
	"time"

	"github.com/handout-dev/handout/campaign"
)

// Overlap is what a tick does whose predecessor isn't done.
type Overlap string

// The overlaps.
const (
	OverlapWait   Overlap = "wait"   // until it is done
	OverlapSkip   Overlap = "skip"   // is left out
	OverlapBeside Overlap = "beside" // doesn't care
)

// State is what became of a tick.
type State string

// The states. A tick runs from when its list is read until its campaign is
// done.
const (
	Waiting State = "waiting"
	Running State = "running"
	Done    State = "done"
	Refused State = "refused" // nothing was sent
	Missed  State = "missed"  // nobody was there to do it in time
	Skipped State = "skipped" // its predecessor wasn't done
)

// Final says whether nothing more becomes of the tick by itself.
func (s State) Final() bool { return s != Waiting && s != Running }

// mostWaiting is how many ticks of a schedule may wait, so that one whose
// campaign is held for months doesn't send a hundred at its end.
const mostWaiting = 20

// late is under what a tick counts as on time: schedulers look each second, and
// a restart takes a few.
const late = 30 * time.Second

// birth is what becomes of a tick that comes up at now, beside so many that wait
// already, and why.
func birth(tick, now time.Time, catchUp time.Duration, waiting int) (State, string) {
	switch behind := now.Sub(tick); {
	case behind > late && behind > catchUp:
		return Missed, fmt.Sprintf("no scheduler ran; found %s late, which is over catch_up (%s)", campaign.FormatDuration(behind), campaign.FormatDuration(catchUp))
	case waiting >= mostWaiting:
		return Missed, fmt.Sprintf("%d ticks wait already", waiting)
	case behind > late:
		return Waiting, fmt.Sprintf("caught up, %s late", campaign.FormatDuration(behind))
	}
	return Waiting, ""
}

// Move is what a waiting tick does now.
type Move int

// The moves.
const (
	Go Move = iota
	Wait
	Skip
)

// decide is what a waiting tick does, by the ticks of its schedule. Those that
// come after it don't count.
func decide(p Period, ticks map[Period]State, overlap Overlap) (Move, Period) {
	if overlap == OverlapBeside {
		return Go, ""
	}
	var before Period // the latest that isn't done
	running := false
	for other, state := range ticks {
		// By their times: as texts 02:00Z would come after 02:00:01Z.
		if !state.Final() && other.Time().Before(p.Time()) && (before == "" || other.Time().After(before.Time())) {
			before, running = other, state == Running
		}
	}
	switch {
	case before == "":
		return Go, ""
	case running && overlap == OverlapSkip:
		return Skip, before
	}
	return Wait, before // one that waits itself will run first
}
