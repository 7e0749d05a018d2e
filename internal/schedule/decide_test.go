package schedule

import (
	"errors"
	"testing"
	"time"
)

func TestBirth_CatchesUpWithinTheLimit(t *testing.T) {
	t.Parallel()
	tick := time.Date(2026, 11, 23, 2, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		after, catchUp time.Duration
		waiting        int
		want           State
		why            string
	}{
		{0, 0, 0, Waiting, ""},
		{30 * time.Second, 0, 0, Waiting, ""}, // as a restart takes
		{31 * time.Second, 0, 0, Missed, "no scheduler ran; found 31 s late, which is over catch_up (0 s)"},
		{2 * time.Hour, 2 * time.Hour, 0, Waiting, "caught up, 2 h late"},
		{2*time.Hour + time.Second, 2 * time.Hour, 0, Missed, "no scheduler ran; found 2 h late, which is over catch_up (2 h)"},
		{90 * time.Minute, 2 * time.Hour, 19, Waiting, "caught up, 1 h 30 min late"},
		{0, 0, 20, Missed, "20 ticks wait already"},
	} {
		if got, why := birth(tick, tick.Add(c.after), c.catchUp, c.waiting); got != c.want || why != c.why {
			t.Errorf("%s late, catch_up %s, %d waiting: %s, %q", c.after, c.catchUp, c.waiting, got, why)
		}
	}
}

func TestDecide_IsTheWholeTable(t *testing.T) {
	t.Parallel()
	const p = Period("2026-11-23T02:00Z")
	const first, second, later = Period("2026-11-21T02:00Z"), Period("2026-11-22T02:00Z"), Period("2026-11-24T02:00Z")
	for _, c := range []struct {
		name               string
		ticks              map[Period]State
		wait, skip, beside move
		before             Period
	}{
		{"alone", map[Period]State{p: Waiting}, moveRun, moveRun, moveRun, ""},
		{"all before it is over", map[Period]State{first: Done, second: Refused, p: Waiting}, moveRun, moveRun, moveRun, ""},
		{"missed and skipped are over", map[Period]State{first: Missed, second: Skipped, p: Waiting}, moveRun, moveRun, moveRun, ""},
		{"one runs", map[Period]State{second: Running, p: Waiting}, moveWait, moveSkip, moveRun, second},
		{"one further back runs", map[Period]State{first: Running, second: Skipped, p: Waiting}, moveWait, moveSkip, moveRun, first},
		{"one waits to run", map[Period]State{second: Waiting, p: Waiting}, moveWait, moveWait, moveRun, second},
		{"one waits for one that runs", map[Period]State{first: Running, second: Waiting, p: Waiting}, moveWait, moveWait, moveRun, second},
		{"what comes after doesn't count", map[Period]State{p: Waiting, later: Running}, moveRun, moveRun, moveRun, ""},
	} {
		for overlap, want := range map[overlap]move{overlapWait: c.wait, overlapSkip: c.skip, overlapBeside: c.beside} {
			before := c.before
			if overlap == overlapBeside {
				before = ""
			}
			if got, because := decide(p, c.ticks, overlap); got != want || because != before {
				t.Errorf("%s, %s: %v because of %q", c.name, overlap, got, because)
			}
		}
	}
}

func TestJudgeSize_RefusesWhatLooksWrong(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		size, last int
		most       float64
		kind       string
	}{
		{0, 0, 0.5, refusedEmpty}, {0, 10, 1, refusedEmpty}, {1, 0, 0.5, ""}, {100, 100, 0, ""}, {101, 100, 0, refusedDrift},
		{50, 100, 0.5, ""}, {49, 100, 0.5, refusedDrift}, {150, 100, 0.5, ""}, {151, 100, 0.5, refusedDrift}, {400, 100, 3, ""},
	} {
		err := judgeSize(c.size, c.last, c.most)
		var r *refusal
		if errors.As(err, &r) != (c.kind != "") || r != nil && r.Kind != c.kind {
			t.Errorf("%d after %d: %v", c.size, c.last, err)
		}
	}
	if err := judgeSize(20, 100, 0.5); err.Error() != "20 recipients, and 100 the last time: 80 % off, over max_drift (50 %)" {
		t.Error(err)
	}
}

// TestDecide_AFullMinuteComesBeforeItsSeconds has a schedule with seconds, whose
// periods at full minutes are written without them.
func TestDecide_AFullMinuteComesBeforeItsSeconds(t *testing.T) {
	t.Parallel()
	minute, second := Period("2026-11-23T02:00Z"), Period("2026-11-23T02:00:01Z")
	ticks := map[Period]State{minute: Running, second: Waiting}
	if move, before := decide(second, ticks, overlapWait); move != moveWait || before != minute {
		t.Errorf("the second: %v, %s", move, before)
	}
	ticks[minute] = Waiting
	if move, _ := decide(minute, ticks, overlapWait); move != moveRun {
		t.Errorf("the minute: %v", move)
	}
}
