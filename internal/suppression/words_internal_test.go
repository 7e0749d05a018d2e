package suppression

import (
	"strings"
	"testing"
	"time"
)

var june = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// say reads a word on a number: what, and so many minutes after noon in June.
func say(t *testing.T, s string) Entry {
	t.Helper()
	name, minutes, _ := strings.Cut(s, " ")
	d, err := time.ParseDuration(minutes + "m")
	if err != nil {
		t.Fatal(err)
	}
	for why := WhyHand; why < whyUnknown; why++ {
		if strings.Contains(why.String(), name) {
			return Entry{At: june.Add(d), Why: why}
		}
	}
	t.Fatalf("%q is no word", s)
	return Entry{}
}

// The words arrive in this order, and each has the time after it: the last word said
// holds, whenever it arrives.
func TestHear_TheLastWordSaidHolds(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]string{
		"stop 1":                                "stop",
		"start 1":                               "",
		"stop 1, start 2":                       "",
		"stop 2, start 1":                       "stop", // the START is older
		"stop 1, start 1":                       "stop", // at the same time: rather not
		"stop 1, start 2, stop 3":               "stop",
		"stop 1, start 2, stop 3, start 2":      "stop", // a captured START
		"stop 1, start 2, stop 1":               "",     // a captured STOP
		"stop 1, start 3, stop 2":               "",     // a STOP that took its time
		"stop 1, stop 3, start 2":               "stop", // the second STOP counts
		"stop 3, stop 1, start 2":               "stop",
		"stop 1, removed 5":                     "",
		"stop 1, removed 5, stop 1":             "",     // repeated: who removed it knew of it
		"stop 1, removed 5, stop 4":             "stop", // before any word of it
		"stop 1, removed 5, start 3":            "",
		"stop 1, removed 5, stop 6, start 2":    "stop", // a START that counts no more
		"stop 1, removed 5, stop 6, start 7":    "",
		"hand 1, stop 2":                        "stop",
		"hand 3, stop 2":                        "by hand",
		"hand 3, stop 2, start 2":               "by hand",
		"hand 1, start 2":                       "",
		"hand 1, removed 1, hand 1":             "by hand", // all within a second
		"hand 1, removed 2, hand 1":             "",        // a list of before
		"hand 1, hand 5, removed 6":             "",
		"blocked 1, stop 2":                     "stop",
		"stop 1, blocked 2":                     "stop",
		"stop 1, deactivated 2":                 "stop",
		"deactivated 1, start 2":                "", // the next owner
		"deactivated 1, start 3, deactivated 1": "", // the same file again
		"deactivated 1, start 3, deactivated 2": "",
		"deactivated 1, start 3, deactivated 4": "deactivated",
		"blocked 1, start 2, blocked 1":         "",
		"blocked 1, start 2, blocked 3":         "blocked (3046)",
		"stop 1, start 2, stop 3, start 4, start 2, stop 3, stop 1": "",
	} {
		w := words{}
		for s := range strings.SplitSeq(said, ", ") {
			e := say(t, s)
			after, differs := w.hear(e)
			if again, twice := after.hear(e); twice {
				t.Errorf("%s: %s changes something when it is said twice: %v", said, s, again)
			}
			if !differs && after != w {
				t.Errorf("%s: %s changes what it says it doesn't", said, s)
			}
			var entry, past any // as Redis would keep it
			if after.entry != "" {
				entry = after.entry
			}
			if after.past != "" {
				past = after.past
			}
			w = newWords(entry, past)
		}
		got := ""
		if w.on() {
			got = w.listed.Why.String()
		}
		if got != want {
			t.Errorf("%s: listed as %q, want %q", said, got, want)
		}
	}
}

func TestHear_KeepsWhatNoLongerHolds(t *testing.T) {
	t.Parallel()
	w := words{}
	for _, s := range []string{"hand 1", "stop 2", "start 3", "blocked 4", "removed 5"} {
		w, _ = w.hear(say(t, s))
	}
	var got []string
	for _, e := range decodePast(w.past) {
		got = append(got, e.Why.String()+e.At.Format(" 15:04"))
	}
	if s := strings.Join(got, ", "); s != "by hand 12:01, stop 12:02, start 12:03, blocked (3046) 12:04, removed by hand 12:05" || w.on() {
		t.Error(s)
	}
	for i := range 100 {
		e := Entry{At: june.Add(time.Duration(10+i) * time.Minute), Why: []Why{WhyStop, WhyStart}[i%2]}
		w, _ = w.hear(e)
	}
	if past := decodePast(w.past); len(past) != maxPast || past[maxPast-1].At != june.Add(109*time.Minute) {
		t.Errorf("%d entries are kept, the last of %v", len(past), past[len(past)-1].At)
	}
}

// A number whose entry can't be read is on the list, and only a person takes it off.
func TestHear_AnEntryThatCannotBeReadStaysOnTheList(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{"", "x", "\x15\x01", "\x16\x01"} { // the last two say START and removed
		w := newWords(raw, nil)
		for _, s := range []string{"stop 1", "start 2", "hand 3"} {
			if after, differs := w.hear(say(t, s)); differs || !after.on() {
				t.Errorf("%q: %s changes it", raw, s)
			}
		}
		if after, differs := w.hear(say(t, "removed 4")); !differs || after.on() {
			t.Errorf("%q stays on the list", raw)
		}
	}
}
