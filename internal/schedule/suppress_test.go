package schedule

import (
	"strings"
	"testing"

	"github.com/handout-dev/handout/internal/suppression"
)

// A carrier's file goes on the suppression list, and no campaign opens.
func TestSuppress_PutsAFilesNumbersOnTheList(t *testing.T) {
	t.Parallel()
	m := newRoom(t)
	const file = "Carrier,Number\nx,+12015550101\ny,+12015550102\nz,no number\n"
	m.write("list.csv", file)
	r, s := m.runner(strings.Replace(never, "\n", "\nsuppress: deactivated\ncolumn: Number\nset_aside_bad_rows: true\n", 1) + "list: list.csv")
	tick := m.byHand(r, s, monday, Hand{By: "ann"})
	if tick.State != Done || tick.Total != 2 || tick.Campaign != "" || tick.Note != "2 numbers, 2 of them new on the suppression list; 1 bad row set aside" {
		t.Errorf("%+v", tick)
	}
	list := suppression.New(m.rdb)
	e, on, err := list.Find(t.Context(), "+12015550101")
	if !on || err != nil || e.Why != suppression.WhyDeactivated || e.By != "schedule nightly" || !e.At.Equal(monday.Time()) {
		t.Errorf("%v %+v, %v", on, e, err)
	}
	if ids := m.campaigns(); len(ids) > 0 {
		t.Errorf("campaigns: %v", ids)
	}
	if again := m.byHand(r, s, monday, Hand{By: "ann"}); again.State != Done || again.Attempt != 1 {
		t.Errorf("%+v", again)
	}
	next := PeriodOf(monday.Time().AddDate(0, 0, 1))
	// Nothing goes on the list of a file that looks wrong.
	for content, kind := range map[string]string{
		"":                      refusedEmpty,
		"Number\n":              refusedEmpty,
		"Phone\n+12015550103\n": refusedRows,
		file + "x,+12015550104\nx,+12015550105\nx,+12015550106\n": refusedDrift,
	} {
		m.write("list.csv", content)
		if tick := m.byHand(r, s, next, Hand{By: "ann"}); tick.State != Refused || tick.Kind != kind {
			t.Errorf("%q: %+v", content, tick)
		}
	}
	if n, err := list.Count(t.Context()); n != 2 || err != nil {
		t.Errorf("%d are on the list, %v", n, err)
	}
	m.write("list.csv", file+"x,+12015550104\nx,+12015550105\nx,+12015550106\n")
	if tick := m.byHand(r, s, next, Hand{By: "ann", AcceptDrift: true}); tick.State != Done || tick.Total != 5 {
		t.Errorf("%+v", tick)
	}
}

// Bad rows reject a file unless the schedule sets them aside.
func TestSuppress_ABadRowRejectsTheFile(t *testing.T) {
	t.Parallel()
	m := newRoom(t)
	m.write("list.csv", "phone\n+12015550101\nno number\n")
	r, s := m.runner(strings.Replace(never, "\n", "\nsuppress: deactivated\n", 1) + "list: list.csv")
	tick := m.byHand(r, s, monday, Hand{By: "ann"})
	if tick.State != Refused || tick.Kind != refusedRows || !strings.Contains(tick.Reason, "list.csv:3: phone: not a phone number") {
		t.Errorf("%+v", tick)
	}
	if n, err := suppression.New(m.rdb).Count(t.Context()); n != 0 || err != nil {
		t.Errorf("%d are on the list, %v", n, err)
	}
}
