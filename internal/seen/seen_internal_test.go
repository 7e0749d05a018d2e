package seen

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
)

func TestNumbers_FindsExactlyTheDuplicatesInAnyOrder(t *testing.T) {
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
			s, want := NewNumbers(MaxBytes), map[uint64]bool{}
			for i := range c.adds {
				number := 12012000000 + random.Uint64N(c.numbers)
				fresh, err := s.Add(number)
				if err != nil || fresh == want[number] {
					t.Fatalf("of %d numbers, seed %d: number %d: known is %v (%v)", c.numbers, seed, i, want[number], err)
				}
				want[number] = true
			}
			for number := range want {
				if fresh, err := s.Add(number); fresh || err != nil {
					t.Fatalf("of %d numbers, seed %d: a number is not found at the end (%v)", c.numbers, seed, err)
				}
			}
		}
	}
}

func TestNumbers_TakesNoMoreThanItsBytes(t *testing.T) {
	const most = 84_000 // a thousand numbers that each begin a block
	full := func(step uint64) (added int) {
		s := NewNumbers(most)
		for i := range uint64(most) {
			fresh, err := s.Add(12012000000 + i*step)
			if !fresh {
				t.Fatalf("step %d: number %d is not new", step, i)
			}
			if err != nil {
				if !errors.Is(err, ErrFull) {
					t.Fatal(err)
				}
				if fresh, err := s.Add(12012000000); fresh || err != nil {
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

func TestNames_KnowsThoseThatWereAdded(t *testing.T) {
	s := NewNames()
	for i := range 100_000 {
		name := fmt.Sprint("customer-", i)
		if s.Has(name) {
			t.Fatalf("%s is known", name)
		}
		if err := s.Add(name); err != nil || !s.Has(name) {
			t.Fatalf("%s isn't known, %v", name, err)
		}
	}
}

// BenchmarkNumbers adds a million numbers in random order: of one country, and
// scattered over all of 10 to 15 digits.
func BenchmarkNumbers(b *testing.B) {
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
				s := NewNumbers(MaxBytes)
				for range numbers {
					if _, err := s.Add(c.from + random.Uint64N(c.of)); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/numbers, "ns/number")
			b.ReportMetric(0, "ns/op")
		})
	}
}
