package simulator_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/handout-dev/handout/telesign/simulator"
)

// outcome is a story's end in words.
func outcome(s simulator.Story) string {
	text := s.ExpectedState
	if s.ExpectedDeliveredBy != "" {
		text += ", " + s.ExpectedDeliveredBy
	}
	if s.Read {
		text += ", read"
	}
	if s.NeedsPolling {
		text += " (unconfirmed without polling)"
	}
	return text
}

func TestDocumentation_ShowsTheTableOfStories(t *testing.T) {
	t.Parallel()
	var want strings.Builder
	want.WriteString("| ending | story | what happens | ends as |\n|---|---|---|---|\n")
	for _, s := range simulator.Stories() {
		fmt.Fprintf(&want, "| %s | %s | %s | %s |\n", s.Digits, s.Name, s.Doc, outcome(s))
	}
	got, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(got), want.String()) {
		t.Errorf("README.md doesn't have the table as it is in stories.go:\n%s", want.String())
	}
}

func TestStories_HaveEveryEndingOnce(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	names := map[string]bool{}
	for _, s := range simulator.Stories() {
		if names[s.Name] {
			t.Errorf("two stories are named %q", s.Name)
		}
		names[s.Name] = true
		if len(s.Endings()) == 0 {
			t.Errorf("%s has no ending", s.Name)
		}
		for _, ending := range s.Endings() {
			if other, twice := seen[ending]; twice {
				t.Errorf("ending %s belongs to %s and to %s", ending, other, s.Name)
			}
			seen[ending] = s.Name
			if got := simulator.StoryOf("155500000" + ending).Name; got != s.Name {
				t.Errorf("StoryOf a number with ending %s = %s, want %s", ending, got, s.Name)
			}
		}
	}
	if len(seen) != 100 {
		t.Errorf("%d endings have a story, want 100", len(seen))
	}
}

func TestStories_AreHalfPlainAndAFifthFallback(t *testing.T) {
	t.Parallel()
	var plain, sms int
	for _, s := range simulator.Stories() {
		switch {
		case s.Name == "delivered" || s.Name == "read":
			plain += len(s.Endings())
		case s.ExpectedDeliveredBy == "sms":
			sms += len(s.Endings())
		}
	}
	if plain != 50 || sms < 18 || sms > 22 {
		t.Errorf("%d plain and %d SMS endings of 100, want 50 and about 20", plain, sms)
	}
}

func TestStoryOf_MalformedNumberHasAStoryOutsideTheTable(t *testing.T) {
	t.Parallel()
	for _, phone := range []string{"+15550000000", "123456", "1234567890123456", "01234567890", "1555000000x", "15 5500 0000"} {
		if s := simulator.StoryOf(phone); s.Name != "bad number" || s.ExpectedState != "failed" || s.Endings() != nil {
			t.Errorf("StoryOf(%q) = %+v", phone, s)
		}
	}
}
