package producer

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/seen"
	"github.com/handout-dev/handout/test/redistest"
)

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
			who = i - 1
		case i%50 == 7 && i > 1_000:
			who = i * 7 % (i - 500)
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
	client := New(server.Client())
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
	if again := submit(); !again.Already || again.Summary.Duplicates != len(duplicates) {
		t.Errorf("the same list again is not seen to be the same: %+v", again.Summary)
	}
}

func TestSubmit_OfTooManyNumbersKeepsNothingAndSaysWhy(t *testing.T) {
	server := redistest.Start(t)
	client := New(server.Client())
	text, people, _ := withDuplicates(5_000)
	list := ListReader("list.csv", CSV, strings.NewReader(text))
	for _, setAside := range []bool{false, true} {
		run, err := newRun(bare(t), list, runOptions{setAside: setAside})
		if err != nil {
			t.Fatal(err)
		}
		run.seen = seen.NewNumbers(10_000)
		_, err = client.submit(t.Context(), run, run.file, SubmitOptions{SetAsideBadRows: setAside})
		run.close()
		var faults *Faults
		if !errors.As(err, &faults) || faults.Total != 1 || !strings.HasPrefix(err.Error(), "list.csv:") ||
			!strings.Contains(err.Error(), "split the list into several campaigns") || strings.Contains(err.Error(), "2015") {
			t.Errorf("error: %v", err)
		}
		if keys, err := server.Client().Keys(t.Context(), "*").Result(); err != nil || len(keys) > 0 {
			t.Errorf("keys left: %v (%v)", keys, err)
		}
	}
	result, err := client.Submit(t.Context(), bare(t), list, SubmitOptions{})
	if err != nil || result.Info.Total != people || result.Info.Phase != campaign.Running {
		t.Errorf("again: %+v, %v", result, err)
	}
}
