package suppression_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/suppression"
	"github.com/handout-dev/handout/test/campaigntest"
	"github.com/handout-dev/handout/test/redistest"
)

func TestMain(m *testing.M) {
	logging.Disable() // tests kill their Redis, and the client would say so
	os.Exit(m.Run())
}

// bundle is a list on a Redis of its own.
type bundle struct {
	server       *redistest.Server
	rdb          *redis.Client
	suppressions *suppression.List
}

func setup(t testing.TB, opts ...redistest.Option) *bundle {
	t.Helper()
	s := redistest.Start(t, opts...)
	return &bundle{server: s, rdb: s.Client(), suppressions: suppression.New(s.Client())}
}

func number(i int) string { return fmt.Sprintf("+4179%07d", i) }

func stop() suppression.Entry {
	return suppression.Entry{At: campaigntest.Noon, Why: suppression.WhyStop}
}

// listed is the whole list by number.
func (b *bundle) listed(t testing.TB) map[string]suppression.Entry {
	t.Helper()
	all := map[string]suppression.Entry{}
	err := b.suppressions.Each(t.Context(), func(n suppression.Number) error {
		all[n.Phone] = n.Entry
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// removed is a person's word that takes a number off the list.
func removed() suppression.Entry {
	return suppression.Entry{At: campaigntest.Noon, Why: suppression.WhyRemoved, By: "ann"}
}

func TestSuppress_TheFirstEntryStays(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := suppression.Entry{At: campaigntest.Noon, Why: suppression.WhyHand, By: "ann", Note: "asked by letter"}
	for i, c := range []struct {
		entry suppression.Entry
		added bool
	}{
		{first, true},
		{first, false},
		{suppression.Entry{At: campaigntest.Noon.Add(time.Hour), Why: suppression.WhyBlocked, Campaign: "spring"}, false},
	} {
		added, err := b.suppressions.Add(t.Context(), number(1), c.entry)
		if err != nil || added != c.added {
			t.Errorf("%d: added %v, %v", i, added, err)
		}
		got, on, err := b.suppressions.Find(t.Context(), number(1))
		if d := cmp.Diff(first, got); d != "" || !on || err != nil {
			t.Errorf("%d: %v, %v\n%s", i, on, err, d)
		}
	}
	if _, on, err := b.suppressions.Find(t.Context(), number(2)); on || err != nil {
		t.Errorf("a number that isn't there: %v, %v", on, err)
	}
	for i, want := range []bool{true, false} {
		if there, err := b.suppressions.Remove(t.Context(), number(1), removed()); there != want || err != nil {
			t.Errorf("removed for the %d. time: %v, %v", i+1, there, err)
		}
	}
	if _, on, err := b.suppressions.Find(t.Context(), number(1)); on || err != nil {
		t.Errorf("a number that was removed: %v, %v", on, err)
	}
}

// One person's number has several forms. Whichever came on the list, and under
// whichever it stands there, all of them are on it, with one command.
func TestSuppressed_InAllFormsOfANumber(t *testing.T) {
	t.Parallel()
	const dialled, other = "+525512345678", "+5215512345678"
	for _, c := range []struct{ added, stands string }{{dialled, ""}, {other, ""}, {"", dialled}, {"", other}} {
		b := setup(t)
		if c.added != "" {
			if added, err := b.suppressions.Add(t.Context(), c.added, stop()); !added || err != nil {
				t.Fatal(added, err)
			}
		} else if err := b.rdb.HSet(t.Context(), "handout:suppressed", c.stands[1:], "\x11\x01").Err(); err != nil {
			t.Fatal(err)
		}
		b.server.ResetCommandStats()
		for _, form := range []string{dialled, other} {
			if _, on, err := b.suppressions.Find(t.Context(), form); !on || err != nil {
				t.Errorf("%+v: %s: %v, %v", c, form, on, err)
			}
		}
		on, err := b.suppressions.Contains(t.Context(), []string{number(1), dialled, number(2), other})
		if d := cmp.Diff([]bool{false, true, false, true}, on); err != nil || d != "" {
			t.Errorf("%+v: %v %s", c, err, d)
		}
		if n := b.server.CommandStats()["hmget"]; n != 3 {
			t.Errorf("%+v: %d commands for three questions", c, n)
		}
		for _, form := range []string{dialled, other} {
			if added, err := b.suppressions.Add(t.Context(), form, stop()); added || err != nil {
				t.Errorf("%+v: %s added again: %v, %v", c, form, added, err)
			}
		}
		if c.added != "" && b.listed(t)[dialled].Why != suppression.WhyStop {
			t.Errorf("%+v: the list names another form: %v", c, b.listed(t))
		}
		start := suppression.Entry{At: campaigntest.Noon.Add(time.Hour), Why: suppression.WhyStart}
		if gone, err := b.suppressions.Remove(t.Context(), other, start); !gone || err != nil {
			t.Errorf("%+v: removed: %v, %v", c, gone, err)
		}
		if n, err := b.suppressions.Count(t.Context()); n != 0 || err != nil {
			t.Errorf("%+v: %d are left, %v", c, n, err)
		}
	}
}

// Those who say something of one number at the same time lose nothing of each other.
func TestSuppress_EveryWordOfManyAtOnceCounts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const n = 16
	campaigntest.Together(n, func(i int) {
		e := suppression.Entry{At: campaigntest.Noon.Add(time.Duration(i) * time.Minute), Why: suppression.WhyStop, Note: fmt.Sprint(i)}
		if _, err := b.suppressions.Add(t.Context(), number(1), e); err != nil {
			t.Error(err)
		}
		e.Why = suppression.WhyStart
		if i < n-1 {
			if _, err := b.suppressions.Remove(t.Context(), number(1), e); err != nil {
				t.Error(err)
			}
		}
	})
	e, on, err := b.suppressions.Find(t.Context(), number(1))
	if !on || e.Note != fmt.Sprint(n-1) || err != nil {
		t.Errorf("the last word is %v (%v), %v", e.Note, on, err)
	}
}

func TestHistory_HasEachChangeWithWhoWhenAndWhy(t *testing.T) {
	t.Parallel()
	b := setup(t)
	at := func(hours int) time.Time { return campaigntest.Noon.Add(time.Duration(hours) * time.Hour) }
	said := []suppression.Entry{
		{At: at(1), Why: suppression.WhyHand, By: "ann", Note: "the letter of May"},
		{At: at(2), Why: suppression.WhyRemoved, By: "bob", Note: "a mistake"},
		{At: at(3), Why: suppression.WhyStop, Campaign: "spring"},
		{At: at(4), Why: suppression.WhyStart},
		{At: at(5), Why: suppression.WhyDeactivated, By: "carrier"},
	}
	for i, e := range said {
		var changed bool
		var err error
		if e.Why.Removes() {
			changed, err = b.suppressions.Remove(t.Context(), number(1), e)
		} else {
			changed, err = b.suppressions.Add(t.Context(), number(1), e)
		}
		if !changed || err != nil {
			t.Errorf("%d: %v, %v", i, changed, err)
		}
		got, err := b.suppressions.History(t.Context(), number(1))
		if d := cmp.Diff(said[:i+1], got); err != nil || d != "" {
			t.Errorf("%d: %v\n%s", i, err, d)
		}
	}
	if got, err := b.suppressions.History(t.Context(), number(2)); len(got) > 0 || err != nil {
		t.Errorf("of a number that was never on the list: %v, %v", got, err)
	}
}

// The list of before comes back whole, and takes nothing back that was said since.
func TestAddAll_OfAnOldListChangesNothingSaidSince(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var old []suppression.Number
	for i := range 4 {
		old = append(old, suppression.Number{Phone: number(i), Entry: stop()})
	}
	old = append(old, old[0]) // a row twice
	if n, err := b.suppressions.AddAll(t.Context(), old); n != 4 || err != nil {
		t.Errorf("%d new, %v", n, err)
	}
	later := suppression.Entry{At: campaigntest.Noon.Add(time.Hour), Why: suppression.WhyStart}
	if _, err := b.suppressions.Remove(t.Context(), number(0), later); err != nil {
		t.Fatal(err)
	}
	later.Why = suppression.WhyRemoved
	if _, err := b.suppressions.Remove(t.Context(), number(1), later); err != nil {
		t.Fatal(err)
	}
	if n, err := b.suppressions.AddAll(t.Context(), old); n != 0 || err != nil {
		t.Errorf("%d new, %v", n, err)
	}
	if all := b.listed(t); len(all) != 2 {
		t.Errorf("%v", all)
	}
}

func TestAreSuppressed_SaysItOfEachWithOneCommand(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, i := range []int{1, 3} {
		if _, err := b.suppressions.Add(t.Context(), number(i), suppression.Entry{At: campaigntest.Noon, Why: suppression.WhyStop}); err != nil {
			t.Fatal(err)
		}
	}
	b.server.ResetCommandStats()
	got, err := b.suppressions.Contains(t.Context(), []string{number(0), number(1), number(2), number(3), number(1)})
	if d := cmp.Diff([]bool{false, true, false, true, true}, got); err != nil || d != "" {
		t.Errorf("%v\n%s", err, d)
	}
	if n := b.server.CommandStats()["hmget"]; n != 1 {
		t.Errorf("%d commands", n)
	}
	if _, err := b.suppressions.Contains(t.Context(), []string{number(1), "no number"}); err == nil || strings.Contains(err.Error(), "no number") {
		t.Errorf("of what is no number: %v", err)
	}
	b.server.Kill()
	if got, err := b.suppressions.Contains(t.Context(), []string{number(1)}); err == nil || strings.Contains(err.Error(), strings.TrimPrefix(number(1), "+")) {
		t.Errorf("without Redis: %v, %v", got, err)
	}
}

func TestSuppress_KeepsAllThatIsSaid(t *testing.T) {
	t.Parallel()
	b := setup(t)
	long := campaign.ID(strings.Repeat("c", 48))
	entries := map[string]suppression.Entry{
		"+4111":            {At: campaigntest.Noon, Why: suppression.WhyStop},
		"+999999999999999": {At: campaigntest.Noon.Add(50 * 365 * 24 * time.Hour), Why: suppression.WhyBlocked, Campaign: long},
		number(1):          {At: campaigntest.Noon, Why: suppression.WhyBlocklist, Campaign: "c"},
		number(2):          {At: campaigntest.Noon, Why: suppression.WhyHand, By: strings.Repeat("b", 64), Note: strings.Repeat("n", 200)},
		number(3):          {At: campaigntest.Noon, Why: suppression.WhyHand, Note: "ärgerlich, \"sehr\""},
		number(4):          {At: campaigntest.Noon, Why: suppression.WhyStop, Campaign: long, By: "b", Note: "n"},
	}
	for phone, e := range entries {
		if _, err := b.suppressions.Add(t.Context(), phone, e); err != nil {
			t.Fatal(err)
		}
	}
	if d := cmp.Diff(entries, b.listed(t)); d != "" {
		t.Error(d)
	}
	for why, words := range map[suppression.Why]string{
		suppression.WhyStop: "stop", suppression.WhyBlocked: "blocked (3046)", suppression.WhyBlocklist: "blocklist (3052)", suppression.WhyHand: "by hand",
	} {
		if why.String() != words {
			t.Errorf("%q, want %q", why, words)
		}
	}
}

// What isn't a number, or not an entry, is refused without a word of it.
func TestSuppress_NeverNamesANumber(t *testing.T) {
	t.Parallel()
	b := setup(t)
	errs := map[string]error{
		"a START that suppresses": b.suppressions.Stop(t.Context(), []string{number(1)}, removed(), ""),
	}
	for _, phone := range []string{"", "+", "41790000001", "+04179000001", "+4179000000100000", "+41 790000001", "+4179000000x"} {
		_, err := b.suppressions.Add(t.Context(), phone, stop())
		errs["suppress "+phone] = err
		_, err = b.suppressions.Remove(t.Context(), phone, removed())
		errs["unsuppress "+phone] = err
		_, on, err := b.suppressions.Find(t.Context(), phone)
		errs["suppressed "+phone] = err
		if on || suppression.IsPhone(phone) {
			t.Errorf("%q is taken for a number", phone)
		}
	}
	for name, e := range map[string]suppression.Entry{
		"note": {At: campaigntest.Noon, Note: strings.Repeat("x", 201)}, "line": {At: campaigntest.Noon, Note: "a\nb"},
		"by": {At: campaigntest.Noon, By: strings.Repeat("x", 65)}, "text": {At: campaigntest.Noon, By: "\xff"}, "why": {At: campaigntest.Noon, Why: 9},
	} {
		_, err := b.suppressions.Add(t.Context(), number(1), e)
		errs[name] = err
	}
	if all := b.listed(t); len(all) > 0 {
		t.Errorf("on the list: %v", all)
	}
	// A Redis that doesn't know a command says it with its arguments.
	config := filepath.Join(t.TempDir(), "redis.conf")
	if err := os.WriteFile(config, []byte("rename-command HMGET away\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	renamed := setup(t, redistest.ConfigFile(config))
	_, err := renamed.suppressions.Add(t.Context(), number(1), stop())
	errs["renamed HMGET, add"] = err
	_, _, err = renamed.suppressions.Find(t.Context(), number(1))
	errs["renamed HMGET"] = err
	_, err = renamed.suppressions.Remove(t.Context(), number(1), removed())
	errs["renamed HMGET, remove"] = err
	for name, err := range errs {
		if err == nil {
			t.Errorf("%s: no error", name)
		} else if strings.Contains(err.Error(), "790000") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSuppressAll_MayBeDoneTwice(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var numbers []suppression.Number
	for i := range 2500 {
		numbers = append(numbers, suppression.Number{Phone: number(i), Entry: stop()})
	}
	for i, want := range []int{2500, 0} {
		if n, err := b.suppressions.AddAll(t.Context(), numbers); n != want || err != nil {
			t.Errorf("for the %d. time: %d, %v", i+1, n, err)
		}
	}
	if n, err := b.suppressions.AddAll(t.Context(), nil); n != 0 || err != nil {
		t.Errorf("nothing: %d, %v", n, err)
	}
	all := b.listed(t)
	if len(all) != 2500 || all[number(2499)] != stop() {
		t.Errorf("%d numbers", len(all))
	}
	enough := errors.New("enough")
	if err := b.suppressions.Each(t.Context(), func(suppression.Number) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("the walk goes on: %v", err)
	}
}

// Those who ask at the same time share a command, and each gets its own answer.
func TestSuppressed_ConcurrentQuestionsShareACommand(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const n = 2000
	for i := 0; i < n; i += 3 {
		if _, err := b.suppressions.Add(t.Context(), number(i), suppression.Entry{At: campaigntest.Noon, Why: suppression.WhyStop, Note: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	b.server.ResetCommandStats()
	campaigntest.Together(n, func(i int) {
		s, on, err := b.suppressions.Find(t.Context(), number(i))
		if err != nil || on != (i%3 == 0) || (on && s.Note != fmt.Sprint(i)) {
			t.Errorf("%d: %v %q, %v", i, on, s.Note, err)
		}
	})
	stats := b.server.CommandStats()
	if got := stats["hmget"]; got == 0 || got > n/2 {
		t.Errorf("%d commands for %d questions", got, n)
	}
	for command, times := range stats {
		if command != "hmget" && !slices.Contains([]string{"info", "hello", "client|setinfo", "ping", "config|resetstat"}, command) {
			t.Errorf("%s was called %d times", command, times)
		}
	}
}

// A list that can't be read lets no one through.
func TestSuppressed_WithoutAnAnswerIsAnError(t *testing.T) {
	t.Parallel()
	b := setup(t, redistest.AppendOnly("always"))
	if _, err := b.suppressions.Add(t.Context(), number(1), stop()); err != nil {
		t.Fatal(err)
	}
	b.server.Kill()
	campaigntest.Together(20, func(i int) {
		if _, _, err := b.suppressions.Find(t.Context(), number(i)); err == nil || strings.Contains(err.Error(), "4179") {
			t.Errorf("%d: %v", i, err)
		}
	})
	b.server.Restart()
	if _, on, err := b.suppressions.Find(t.Context(), number(1)); !on || err != nil {
		t.Errorf("after the restart: %v, %v", on, err)
	}
	for _, raw := range []string{"", "x", "\x20\x01", "\x11", "\x11\x01\xff", "\x1f\x01", "\x11\x01\x00\x00\x00\x00"} {
		if err := b.rdb.HSet(t.Context(), "handout:suppressed", "41790000002", raw).Err(); err != nil {
			t.Fatal(err)
		}
		if _, on, err := b.suppressions.Find(t.Context(), number(2)); !on || !errors.Is(err, suppression.ErrBadEntry) {
			t.Errorf("%q: %v, %v", raw, on, err)
		}
	}
	if err := b.rdb.Set(t.Context(), "handout:suppressed", "no hash", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if _, on, err := b.suppressions.Find(t.Context(), number(1)); on || err == nil {
		t.Errorf("a key of another kind: %v, %v", on, err)
	}
}

// The walk takes as much memory for many as for few, and sees all of them while
// others come and go.
func TestEachSuppressed_SeesAllWhileTheListChanges(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const n = 20_000
	b.suppress(t, 0, n, stop())
	seen, calls := map[string]bool{}, 0
	err := b.suppressions.Each(t.Context(), func(s suppression.Number) error {
		if calls++; calls%1000 == 0 {
			b.suppress(t, n+calls, 500, stop())
		}
		seen[s.Phone] = true
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if !seen[number(i)] {
			t.Fatalf("the %d. of %d isn't seen", i, n)
		}
	}
}

// suppress puts n numbers on the list.
func (b *bundle) suppress(t testing.TB, from, n int, s suppression.Entry) {
	t.Helper()
	for i := 0; i < n; i += 1000 {
		var numbers []suppression.Number
		for j := i; j < min(n, i+1000); j++ {
			numbers = append(numbers, suppression.Number{Phone: number(from + j), Entry: s})
		}
		if _, err := b.suppressions.AddAll(t.Context(), numbers); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSuppress_TakesLittleMemory(t *testing.T) {
	t.Parallel()
	const n = 100_000
	for name, c := range map[string]struct {
		entry suppression.Entry
		most  int64
	}{
		"a bare STOP":         {suppression.Entry{At: campaigntest.Noon, Why: suppression.WhyStop}, 75},
		"of a campaign":       {suppression.Entry{At: campaigntest.Noon, Why: suppression.WhyBlocked, Campaign: "order-history-2026-11"}, 100},
		"by hand with a note": {suppression.Entry{At: campaigntest.Noon, By: "ann", Note: "asked by letter of 3 May"}, 110},
	} {
		b := setup(t)
		before := b.server.UsedMemory()
		b.suppress(t, 0, n, c.entry)
		each := (b.server.UsedMemory() - before) / n
		t.Logf("%s: %d bytes", name, each)
		if each > c.most {
			t.Errorf("%s: %d bytes, want at most %d", name, each, c.most)
		}
	}
}

// What no longer holds costs memory only of those of whom it is kept.
func TestSuppress_AHistoryTakesLittleMemory(t *testing.T) {
	t.Parallel()
	const n = 20_000
	b := setup(t)
	b.suppress(t, 0, n, stop())
	before := b.server.UsedMemory()
	later := suppression.Entry{At: campaigntest.Noon.Add(time.Hour), Why: suppression.WhyStart}
	for i := range n {
		if _, err := b.suppressions.Remove(t.Context(), number(i), later); err != nil {
			t.Fatal(err)
		}
	}
	// Redis shrinks the list's table later; what was in it is gone.
	each := (b.server.UsedMemory() - before) / n
	t.Logf("a number that was taken off takes %d bytes more than one on the list", each)
	if each > 40 {
		t.Errorf("%d bytes", each)
	}
}
