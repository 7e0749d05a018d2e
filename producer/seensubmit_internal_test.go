package producer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/test/redistest"
)

// inMemory is how many numbers the submits here keep in memory.
const inMemory = 100

func bare(t *testing.T) *File {
	t.Helper()
	f, err := ParseCampaign("campaign.yaml", []byte(`{id: c, message_type: MKT, channels: [{channel: sms, template: text, parameters: {text: hello}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// withDuplicates are n people in lines 2 to n+1, of whom some stand at a second
// line, near and far.
func withDuplicates(n int) (text string, people int, duplicates []int) {
	var b strings.Builder
	b.WriteString("recipient,phone\n")
	lineOf := make(map[int]bool)
	for i := range n {
		who := i
		switch {
		case i%50 == 49:
			who = i - 1 // in memory still
		case i%50 == 7 && i > 10*inMemory:
			who = i * 7 % (i - 5*inMemory) // in a run long since
		}
		if lineOf[who] {
			duplicates = append(duplicates, i+2)
		}
		lineOf[who] = true
		fmt.Fprintf(&b, "p%d,+120155%05d\n", i, who)
	}
	return b.String(), len(lineOf), duplicates
}

func TestSubmit_FindsDuplicatesHoweverFarApart(t *testing.T) {
	server := redistest.Start(t)
	temporary(t)
	client := New(server.Client())
	client.inMemory = inMemory
	text, people, duplicates := withDuplicates(5_000)
	submit := func() *Result {
		t.Helper()
		result, err := client.Submit(t.Context(), bare(t), ListReader("list.csv", CSV, strings.NewReader(text)), SubmitOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return result
	}
	first := submit()
	s := first.Summary
	if first.Info.Total != people || s.Recipients != people || s.Duplicates != len(duplicates) || len(duplicates) < 100 {
		t.Errorf("%d of %d people, %d of %d duplicates", first.Info.Total, people, s.Duplicates, len(duplicates))
	}
	if want := duplicates[:min(MaxFaults, len(duplicates))]; !slices.Equal(s.DuplicateLines, want) {
		t.Errorf("lines %v, want %v", s.DuplicateLines, want)
	}
	if again := submit(); !again.Already {
		t.Error("the same list again is not seen to be the same")
	}
	client.inMemory = 0
	if again := submit(); !again.Already || again.Summary.Duplicates != len(duplicates) {
		t.Errorf("all in memory: %+v", again.Summary)
	}
}

func TestSubmit_WithoutADirectoryForTheFileKeepsNothing(t *testing.T) {
	server := redistest.Start(t)
	dir := temporary(t)
	client := New(server.Client())
	client.inMemory = inMemory
	text, people, _ := withDuplicates(5_000)
	list := ListReader("list.csv", CSV, strings.NewReader(text))

	t.Setenv("TMPDIR", filepath.Join(dir, "missing"))
	_, err := client.Submit(t.Context(), bare(t), list, SubmitOptions{})
	if err == nil || !strings.Contains(err.Error(), "set TMPDIR to a directory") || strings.Contains(err.Error(), "\n") {
		t.Errorf("error: %v", err)
	}
	if keys, err := server.Client().Keys(t.Context(), "*").Result(); err != nil || len(keys) > 0 {
		t.Errorf("keys left: %v (%v)", keys, err)
	}

	t.Setenv("TMPDIR", dir)
	result, err := client.Submit(t.Context(), bare(t), list, SubmitOptions{})
	if err != nil || result.Info.Total != people || result.Info.Phase != campaign.Running {
		t.Errorf("again: %+v, %v", result, err)
	}
}

func TestSubmit_LeavesNoFileHoweverItEnds(t *testing.T) {
	server := redistest.Start(t)
	dir := temporary(t)
	broken := errors.New("broken")
	text, _, _ := withDuplicates(40_000) // more than a block of rows
	for name, c := range map[string]struct {
		at   func(cancel context.CancelFunc) error // in the middle of the list
		gate error
		want error
	}{
		"well":                 {},
		"a list that breaks":   {at: func(context.CancelFunc) error { return broken }, want: broken},
		"a context that ended": {at: func(cancel context.CancelFunc) error { cancel(); return nil }, want: context.Canceled},
		"a gate that refuses":  {gate: broken, want: broken},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		client := New(server.Client())
		client.inMemory = inMemory
		seen := 0 // files open in the middle
		middle := readFunc(func() error {
			for seen == 0 && ctx.Err() == nil {
				seen = len(openIn(dir)) // the rows before are on their way to it
			}
			if c.at == nil {
				return nil
			}
			return c.at(cancel)
		})
		half := strings.LastIndex(text[:len(text)*9/10], "\n") + 1
		in := io.MultiReader(strings.NewReader(text[:half]), middle, strings.NewReader(text[half:]))
		file := bare(t)
		file.Spec.ID = campaign.ID(strings.ReplaceAll(name, " ", "-"))
		_, err := client.Submit(ctx, file, ListReader("list.csv", CSV, in), SubmitOptions{Gate: func(Summary) error { return c.gate }})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if seen != 1 {
			t.Errorf("%s: %d files were open in the middle", name, seen)
		}
		nothingLeft(t, dir)
		cancel()
	}
}

// readFunc is called when a reader comes to it, and has no bytes of its own.
type readFunc func() error

func (f readFunc) Read([]byte) (int, error) {
	if err := f(); err != nil {
		return 0, err
	}
	return 0, io.EOF
}
