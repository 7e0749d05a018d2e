package pacing

import (
	"cmp"
	"math"
	"slices"
	"time"
)

const (
	// WindowTime is how long the window of a campaign lasts at its share. Shorter
	// ones run dry when a look is late; another campaign waits for longer ones.
	WindowTime = 2 * time.Second
	// runTime is how much of its share one task holds, and sharedRun the same where
	// campaigns share a lane: every worker should have tasks of all of them.
	runTime   = 500 * time.Millisecond
	sharedRun = 100 * time.Millisecond
	// maxRun is how many recipients one task holds at most: few, to spread a window
	// over all workers.
	maxRun = 25
	// soonestLook is how soon a campaign with a limit is looked at again, and
	// unlimitedLook one without: its window of 1,000 lasts some 70 ms.
	soonestLook   = 50 * time.Millisecond
	unlimitedLook = 25 * time.Millisecond
	// nextLead is how long before its turn the next recipient of a campaign is
	// written whose share is less than one in a window.
	nextLead = 250 * time.Millisecond
	// lineLate is how much later than by its own share a campaign of a line is looked at
	// that wasn't called.
	lineLate = 1.25
	// leastShare keeps a campaign that gets nothing now in the plan.
	leastShare = 1e-6
	// bulkFloor is what urgent campaigns leave to the bulk of the rate.
	bulkFloor = 0.02
)

// Demand is what one campaign could send now: open by its hours, past its canary
// and its check of files. Those who are to be tried again count as all others.
type Demand struct {
	Urgent bool
	Rate   float64   // its own, per second; 0: none
	Ready  int       // recipients who have no task yet
	Queued int       // recipients whose tasks stand in the queue
	Served time.Time // when tasks were written last
}

// Room is what a campaign gets by the plan.
type Room struct {
	Recipients int       // whose tasks may be written now
	Run        int       // recipients in one task, at most
	Share      float64   // per second; +Inf: there is no limit
	Look       time.Time // when to look at the campaign again; zero: it has no one left
	// Line: campaigns share less than one recipient in a window each, and it's the place
	// in their line that counts: to look at this one when a plan has room for it. Its
	// Look is some time later, should no one have called it.
	Line bool
}

// Plan divides a rate (per second; 0: no limit) between campaigns, and returns the
// room for each. Shares are max-min fair: a campaign that can't use its part leaves
// it to the others, urgent campaigns before all others. The window of a campaign is
// what it may have in the queue: its share for [WindowTime], window at most.
func Plan(now time.Time, rate float64, window int, demands []Demand) []Room {
	rooms := make([]Room, len(demands))
	left := rate
	for _, urgent := range []bool{true, false} {
		l := lane{now: now, rate: left, window: window, demands: demands, rooms: rooms, in: make([]int, 0, len(demands))}
		for i := range demands {
			if d := &demands[i]; d.Urgent == urgent && d.Ready+d.Queued > 0 {
				l.in = append(l.in, i)
			}
		}
		used := l.divide()
		l.give()
		left = math.Max(rate*bulkFloor, left-used)
	}
	return rooms
}

// lane is the campaigns that share a queue.
type lane struct {
	now     time.Time
	rate    float64 // 0: no limit
	window  int
	in      []int // indices of demands, and of rooms
	demands []Demand
	rooms   []Room
}

// divide sets the shares, and returns their sum.
func (l *lane) divide() (used float64) {
	order := make([]ranked[float64], 0, len(l.in))
	for _, i := range l.in {
		d := &l.demands[i]
		limit := math.Inf(1)
		if d.Rate > 0 {
			limit = d.Rate
		}
		if l.rate > 0 {
			limit = math.Min(limit, float64(d.Ready+d.Queued)/WindowTime.Seconds())
		}
		order = append(order, ranked[float64]{limit, i})
	}
	rank(order)
	for n, o := range order {
		share := o.by
		if l.rate > 0 {
			share = math.Min(share, (l.rate-used)/float64(len(order)-n))
			used += share
		}
		l.rooms[o.i].Share = math.Max(share, leastShare)
	}
	return used
}

// ranked is a campaign in an order: the index of its demand, and what it goes by.
type ranked[T cmp.Ordered] struct {
	by T
	i  int
}

func rank[T cmp.Ordered](all []ranked[T]) {
	slices.SortFunc(all, func(a, b ranked[T]) int {
		if a.by == b.by {
			return a.i - b.i
		}
		return cmp.Compare(a.by, b.by)
	})
}

// give sets the rooms, and when to look again.
func (l *lane) give() {
	var small []int // with a share of less than one recipient in a window
	for _, i := range l.in {
		d, r := &l.demands[i], &l.rooms[i]
		r.Run = l.run(r.Share)
		window := l.window
		if !math.IsInf(r.Share, 1) {
			if r.Share*WindowTime.Seconds() < 1 {
				small = append(small, i)
				continue
			}
			window = max(1, min(window, int(r.Share*WindowTime.Seconds())), min(window, r.Run))
		}
		if d.Queued <= window/2 || d.Ready <= window-d.Queued {
			r.Recipients = max(0, min(window-d.Queued, d.Ready))
		}
		if r.Recipients == d.Ready {
			continue
		}
		wait := unlimitedLook
		if !math.IsInf(r.Share, 1) {
			gone := float64(d.Queued+r.Recipients) - float64(window)/4
			wait = max(soonestLook, seconds(gone/r.Share))
		}
		r.Look = l.now.Add(wait)
	}
	l.giveSmall(small)
}

// run returns how many recipients a task holds.
func (l *lane) run(share float64) int {
	lasts := runTime
	if len(l.in) > 1 {
		lasts = sharedRun
	}
	if share*lasts.Seconds() >= maxRun {
		return maxRun
	}
	return max(1, int(share*lasts.Seconds()))
}

// giveSmall gives one recipient at a time to campaigns whose share is less than one
// in a window: to the one that has waited longest first, and to no more of them
// together than their shares, or half of the lane, last for a window.
func (l *lane) giveSmall(small []int) {
	together, queued := 0.0, 0
	waiting := make([]ranked[int64], 0, len(small))
	for _, i := range small {
		d, r := &l.demands[i], &l.rooms[i]
		together += r.Share
		queued += d.Queued
		turn := seconds(1 / r.Share)
		if r.Line = d.Rate == 0 || r.Share < d.Rate; r.Line {
			r.Look = l.now.Add(seconds(lineLate / r.Share))
		} else {
			r.Look = l.now.Add(max(soonestLook, turn-min(turn/4, nextLead)))
		}
		if d.Queued == 0 {
			waiting = append(waiting, ranked[int64]{d.Served.UnixMicro(), i})
		}
	}
	rank(waiting)
	free := max(1, int(math.Max(together, l.rate/2)*WindowTime.Seconds())) - queued
	for n, o := range waiting {
		r := &l.rooms[o.i]
		if n >= free {
			if !r.Line {
				r.Look = l.now.Add(max(soonestLook, seconds(float64(n-max(0, free)+1)/together)))
			}
		} else if r.Recipients = min(1, l.demands[o.i].Ready); r.Recipients == l.demands[o.i].Ready {
			r.Look = time.Time{}
		}
	}
}

// seconds is a number of them, up to an hour: nothing is planned for longer.
func seconds(n float64) time.Duration {
	return time.Duration(math.Min(math.Max(0, n), 3600) * float64(time.Second))
}
