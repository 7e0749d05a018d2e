package ledger_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/test/campaigntest"
)

// dueNow are the pages due at noon.
func (b *bundle) dueNow(t testing.TB) []ledger.DuePage {
	t.Helper()
	due, err := b.ledger.Due(t.Context(), "c", ledger.Watched, campaigntest.Noon, 100)
	if err != nil {
		t.Fatal(err)
	}
	return due
}

func numbers(due []ledger.DuePage) []int {
	var n []int
	for _, d := range due {
		n = append(n, d.Page)
	}
	return n
}

func TestAdvance_OfTwoFeedersOneMovesTheCursor(t *testing.T) {
	t.Parallel()
	b := setup(t)
	info := b.stand(t, "c", 1000)
	var moved atomic.Int32
	campaigntest.Together(8, func(int) {
		for cursor := 0; cursor < info.Total; {
			ok, err := b.ledger.Advance(t.Context(), "c", cursor, []int{cursor + 50}, []int{cursor / 100}, campaigntest.Noon)
			if err != nil {
				t.Error(err)
				return
			}
			if ok {
				moved.Add(50)
			}
			cursor += 50
		}
	})
	if n := moved.Load(); n != 1000 {
		t.Errorf("%d were fed, want each once", n)
	}
	if _, _, cursor, err := b.ledger.Phase(t.Context(), "c"); err != nil || cursor != 1000 {
		t.Errorf("cursor %d, %v", cursor, err)
	}
	if got := numbers(b.dueNow(t)); len(got) != 10 {
		t.Errorf("pages %v are due", got)
	}
	again, err := b.ledger.Info(t.Context(), "c")
	if err != nil || again.Cursor != 1000 {
		t.Errorf("%+v, %v", again, err)
	}
}

func TestAdvance_CallsTheTouchedPages(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.stand(t, "c", 1000)
	for _, step := range []struct {
		from, to int
		pages    []int
		moved    bool
		due      []int
	}{
		{0, 30, []int{0}, true, []int{0}},
		{0, 30, []int{0}, false, []int{0}},
		{30, 100, []int{0}, true, []int{0}},
		{100, 350, []int{1, 2, 3}, true, []int{0, 1, 2, 3}},
		{100, 1000, []int{1, 9}, false, []int{0, 1, 2, 3}},
	} {
		ok, err := b.ledger.Advance(t.Context(), "c", step.from, []int{step.to}, step.pages, campaigntest.Noon)
		if err != nil || ok != step.moved {
			t.Errorf("%d to %d: %v, %v", step.from, step.to, ok, err)
		}
		got := numbers(b.dueNow(t))
		slices.Sort(got)
		if !slices.Equal(got, step.due) {
			t.Errorf("%d to %d: pages %v are due, want %v", step.from, step.to, got, step.due)
		}
	}
}

func TestAdvance_DoesNotPutOffWhoIsCalledSooner(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.stand(t, "c", 100)
	if err := b.ledger.CallDue(t.Context(), "c", ledger.Watched, campaigntest.Noon, 0); err != nil {
		t.Fatal(err)
	}
	if ok, err := b.ledger.Advance(t.Context(), "c", 0, []int{100}, []int{0}, campaigntest.Noon.Add(time.Hour)); err != nil || !ok {
		t.Fatal(ok, err)
	}
	if got := b.dueNow(t); len(got) != 1 {
		t.Errorf("due: %v", got)
	}
}

func TestDue_TheLongestDueFirst(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for page, d := range map[int]time.Duration{5: -3 * time.Minute, 2: -2 * time.Minute, 11: 0, 9: time.Millisecond} {
		if err := b.ledger.CallDue(t.Context(), "c", ledger.Watched, campaigntest.Noon.Add(d), page); err != nil {
			t.Fatal(err)
		}
	}
	if got := numbers(b.dueNow(t)); !slices.Equal(got, []int{5, 2, 11}) {
		t.Errorf("due %v", got)
	}
	if first, err := b.ledger.Due(t.Context(), "c", ledger.Watched, campaigntest.Noon, 1); err != nil || !slices.Equal(numbers(first), []int{5}) {
		t.Errorf("%v, %v", first, err)
	}
	if next, err := b.nextDue(t.Context()); err != nil || !next.Equal(campaigntest.Noon.Add(-3*time.Minute)) {
		t.Errorf("next %v, %v", next, err)
	}
	if _, err := b.ledger.State(t.Context(), "nobody", time.Now()); !errors.Is(err, ledger.ErrNotFound) {
		t.Error(err)
	}
	if err := b.ledger.CallDue(t.Context(), "c", ledger.Watched, campaigntest.Noon); err != nil {
		t.Errorf("no pages: %v", err)
	}
}

func TestSetDue_PutsOffOnlyWhatWasRead(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if err := b.ledger.CallDue(t.Context(), "c", ledger.Watched, campaigntest.Noon, 1, 2); err != nil {
		t.Fatal(err)
	}
	due := b.dueNow(t)
	later := campaigntest.Noon.Add(time.Hour)
	if ok, err := b.ledger.SetDue(t.Context(), "c", due[0], later); err != nil || !ok {
		t.Errorf("%v, %v", ok, err)
	}
	if ok, err := b.ledger.SetDue(t.Context(), "c", due[0], later); err != nil || ok {
		t.Errorf("again, with the time that stood before: %v, %v", ok, err)
	}
	if ok, err := b.ledger.SetDue(t.Context(), "c", due[1], time.Time{}); err != nil || !ok {
		t.Errorf("nothing left: %v, %v", ok, err)
	}
	if ok, err := b.ledger.SetDue(t.Context(), "c", due[1], later); err != nil || ok {
		t.Errorf("of a page that nobody waits for: %v, %v", ok, err)
	}
	if next, err := b.nextDue(t.Context()); err != nil || !next.Equal(later) {
		t.Errorf("next %v, %v", next, err)
	}
}

// A visitor reads a page, someone calls for it, the visitor puts it off: the
// call must be heard, whatever its time.
func TestSetDue_NeverLosesACallInBetween(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for page, at := range []time.Duration{-time.Hour, 0, time.Hour} {
		if err := b.ledger.CallDue(t.Context(), "c", ledger.Watched, campaigntest.Noon, page); err != nil {
			t.Fatal(err)
		}
		due := b.dueNow(t)
		read := due[slices.IndexFunc(due, func(d ledger.DuePage) bool { return d.Page == page })]
		call := campaigntest.Noon.Add(at)
		if err := b.ledger.CallDue(t.Context(), "c", ledger.Watched, call, page); err != nil {
			t.Fatal(err)
		}
		for _, next := range []time.Time{{}, campaigntest.Noon.Add(9 * time.Hour)} {
			if ok, err := b.ledger.SetDue(t.Context(), "c", read, next); err != nil || ok {
				t.Errorf("called for %v, put off all the same: %v", at, err)
			}
		}
		due = b.dueNow(t)
		stands := due[slices.IndexFunc(due, func(d ledger.DuePage) bool { return d.Page == page })]
		if stands.At.After(call) {
			t.Errorf("called for %v, stands for %v", call, stands.At)
		}
	}
}

func TestCallDue_NeverPutsOff(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, at := range []time.Duration{-time.Minute, time.Hour, -time.Second} {
		if err := b.ledger.CallDue(t.Context(), "c", ledger.Watched, campaigntest.Noon.Add(at), 3); err != nil {
			t.Fatal(err)
		}
	}
	due := b.dueNow(t)
	if len(due) != 1 || due[0].At.After(campaigntest.Noon.Add(-time.Minute)) {
		t.Errorf("%v", due)
	}
}

func (b *bundle) nextDue(ctx context.Context) (time.Time, error) {
	z, err := b.rdb.ZRangeWithScores(ctx, key("c", "due"), 0, 0).Result()
	if err != nil || len(z) == 0 {
		return time.Time{}, err
	}
	return time.UnixMilli(int64(z[0].Score)), nil
}
