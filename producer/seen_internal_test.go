package producer

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/test/redistest"
)

func TestSeen_FindsExactlyTheDuplicatesInAnyOrder(t *testing.T) {
	for _, c := range []struct {
		adds    int
		numbers uint64 // to choose from
	}{
		{500, 300},
		{30_000, 2_000}, // nearly all are duplicates
		{60_000, 40_000},
		{200_000, 100_000}, // over 4,096 to a block: another kind of container
		{60_000, 900_000_000_000_000},
	} {
		for seed := range uint64(3) {
			random := rand.New(rand.NewPCG(seed, c.numbers))
			s, want := seen{max: maxSeenBytes}, map[uint64]bool{}
			for i := range c.adds {
				number := 12012000000 + random.Uint64N(c.numbers)
				fresh, err := s.add(number)
				if err != nil || fresh == want[number] {
					t.Fatalf("of %d numbers, seed %d: number %d: known is %v (%v)", c.numbers, seed, i, want[number], err)
				}
				want[number] = true
			}
			for number := range want {
				if fresh, err := s.add(number); fresh || err != nil {
					t.Fatalf("of %d numbers, seed %d: a number is not found at the end (%v)", c.numbers, seed, err)
				}
			}
		}
	}
}

func TestSeen_TakesNoMoreThanItsBytes(t *testing.T) {
	const most = 84_000 // a thousand numbers that each begin a block
	full := func(step uint64) (added int) {
		s := seen{max: most}
		for i := range uint64(most) {
			fresh, err := s.add(12012000000 + i*step)
			if !fresh {
				t.Fatalf("step %d: number %d is not new", step, i)
			}
			if err != nil {
				if !errors.Is(err, errTooManyNumbers) {
					t.Fatal(err)
				}
				if fresh, err := s.add(12012000000); fresh || err != nil {
					t.Errorf("step %d: a duplicate of a full set: %v, %v", step, fresh, err)
				}
				break
			}
			added++
		}
		return added
	}
	if n := full(1 << 16); n < 900 || n > 1_000 {
		t.Errorf("%d scattered numbers fit", n)
	}
	if n := full(1); n < 19_000 || n > most/seenNumberBytes {
		t.Errorf("%d numbers of a run fit", n)
	}
}

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
		run.seen.max = 10_000
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

// BenchmarkSeen adds a million numbers in random order: of one country, and
// scattered over all of 10 to 15 digits.
func BenchmarkSeen(b *testing.B) {
	const numbers = 1_000_000
	for _, c := range []struct {
		name     string
		from, of uint64
	}{
		{"one country", 12_012_000_000, 8_000_000_000},
		{"scattered", 1_000_000_000, 999_999_000_000_000},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				random := rand.New(rand.NewPCG(1, 2))
				s := seen{max: maxSeenBytes}
				for range numbers {
					if _, err := s.add(c.from + random.Uint64N(c.of)); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/numbers, "ns/number")
			b.ReportMetric(0, "ns/op")
		})
	}
}
