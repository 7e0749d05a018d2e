package schedule

import (
	"fmt"
	"time"

	"github.com/handout-dev/handout/campaign"
)

// overlap is what a tick does while its predecessor isn't done.
type overlap string

// The overlaps.
const (
	overlapWait   overlap = "wait"   // it waits
	overlapSkip   overlap = "skip"   // it is skipped
	overlapBeside overlap = "beside" // it runs at the same time
)

// State is how far a tick is.
type State string

// The states. A tick runs from when its list is read until its campaign is
// done.
const (
	Waiting State = "waiting"
	Running State = "running"
	Done    State = "done"
	Refused State = "refused" // nothing was sent
	Missed  State = "missed"  // no scheduler ran in time
	Skipped State = "skipped" // its predecessor wasn't done
)

// final reports whether the tick is over, unless a person runs it again.
func (s State) final() bool { return s != Waiting && s != Running }

// maxWaiting is how many ticks of a schedule may wait: after a campaign that was held
// for months, not a hundred are sent at once.
const maxWaiting = 20

// late is from when on a tick isn't on time: schedulers scan each second, and a
// restart takes a few.
const late = 30 * time.Second

// birth returns the first state of a tick that comes up at now, and why, if so many
// others wait already.
func birth(tick, now time.Time, catchUp time.Duration, waiting int) (State, string) {
	switch behind := now.Sub(tick); {
	case behind > late && behind > catchUp:
		return Missed, fmt.Sprintf("no scheduler ran; found %s late, which is over catch_up (%s)", campaign.FormatDuration(behind), campaign.FormatDuration(catchUp))
	case waiting >= maxWaiting:
		return Missed, campaign.Count(waiting, "tick") + " wait already"
	case behind > late:
		return Waiting, fmt.Sprintf("caught up, %s late", campaign.FormatDuration(behind))
	}
	return Waiting, ""
}

// move is what a waiting tick does now.
type move int

// The moves.
const (
	moveRun move = iota
	moveWait
	moveSkip
)

// decide returns what a waiting tick does, by the earlier ticks of its schedule, and
// the tick that it waits for or is skipped for.
func decide(p Period, ticks map[Period]State, overlap overlap) (move, Period) {
	if overlap == overlapBeside {
		return moveRun, ""
	}
	var before Period // the latest that isn't done
	running := false
	for other, state := range ticks {
		// Compared by time: as text, 02:00Z comes after 02:00:01Z.
		if !state.final() && other.Time().Before(p.Time()) && (before == "" || other.Time().After(before.Time())) {
			before, running = other, state == Running
		}
	}
	switch {
	case before == "":
		return moveRun, ""
	case running && overlap == overlapSkip:
		return moveSkip, before
	}
	return moveWait, before // before runs first, if it waits itself
}
