package operating_test

import (
	"bufio"
	"os"
	"slices"
	"strings"
	"testing"
)

// block is a fenced block of commands in the runbook.
type block struct {
	section string // its ## heading; empty: before the first
	number  int    // in its section, from 1
	line    int
	runner  string // who runs it
	text    string
}

// runners are who may run a block: this test, or that of a way of installing.
var runners = []string{"run", "compose", "kubernetes", "systemd", "release"}

// shells are the languages of blocks of commands; one without a language may be of any.
var shells = []string{"sh", "bash", "shell", "console", "zsh"}

// page reads the blocks of commands in the runbook.
func page(t *testing.T) (all []block) {
	t.Helper()
	file, err := os.Open("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	section, in, open, number := "", bufio.NewScanner(file), false, 0
	for line := 1; in.Scan(); line++ {
		text := in.Text()
		switch info, fence := strings.CutPrefix(text, "```"); {
		case fence && open:
			open = false
		case fence:
			open = true
			language, runner, _ := strings.Cut(info, " ")
			if slices.Contains(shells, language) {
				number++
			}
			all = append(all, block{section: section, number: number, line: line, runner: strings.TrimSpace(language + " " + runner)})
		case open:
			all[len(all)-1].text += text + "\n"
		case strings.HasPrefix(text, "## "):
			section, number = strings.TrimPrefix(text, "## "), 0
		}
	}
	if err := in.Err(); err != nil || open {
		t.Fatalf("docs/operating.md: %v, a block is open: %t", err, open)
	}
	return all
}

// ours are the blocks that these tests run, of these sections; none: of all.
func ours(t *testing.T, sections ...string) (all []block) {
	t.Helper()
	for _, b := range page(t) {
		if b.runner == "sh run" && (len(sections) == 0 || slices.Contains(sections, b.section)) {
			all = append(all, b)
		}
	}
	if len(all) == 0 {
		t.Fatalf("docs/operating.md has no block to run in %v", sections)
	}
	return all
}

func TestPage_EachBlockOfCommandsNamesItsRunner(t *testing.T) {
	t.Parallel()
	for _, b := range page(t) {
		language, runner, _ := strings.Cut(b.runner, " ")
		if language != "" && !slices.Contains(shells, language) {
			continue // nothing to run
		}
		if language != "sh" || !slices.Contains(runners, runner) {
			t.Errorf("docs/operating.md:%d: a block of %q: write ```sh and one of %v, which says what runs it in a test", b.line, b.runner, runners)
		}
	}
}
