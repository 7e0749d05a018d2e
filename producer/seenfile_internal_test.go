package producer

import (
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// fresh adds a number to a set whose file is well.
func fresh(t testing.TB, s *seen, number uint64) bool {
	t.Helper()
	added, err := s.add(number)
	if err != nil {
		t.Fatal(err)
	}
	return added
}

// temporary gives the test a directory for temporary files, and checks that
// nothing is left in it, nor open, at the end.
func temporary(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	t.Setenv("TMPDIR", dir)
	t.Cleanup(func() { nothingLeft(t, dir) })
	return dir
}

func nothingLeft(t *testing.T, dir string) {
	t.Helper()
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left: %v (%v)", left, err)
	}
	if open := openIn(dir); len(open) > 0 {
		t.Errorf("still open: %v", open)
	}
}

// openIn are this process's open files in a directory, on Linux.
func openIn(dir string) (names []string) {
	links, _ := filepath.Glob("/proc/self/fd/*")
	for _, link := range links {
		if name, err := os.Readlink(link); err == nil && strings.HasPrefix(name, dir) {
			names = append(names, name)
		}
	}
	return names
}

func TestSeen_IsAMapHoweverManyRunsThereAre(t *testing.T) {
	temporary(t)
	for _, c := range []struct {
		most, adds int
		numbers    uint64 // to choose from
	}{
		{1, 500, 300},
		{7, 2_000, 1_500},
		{511, 20_000, 12_000},
		{512, 20_000, 1 << 62},
		{1_500, 30_000, 2_000}, // nearly all are duplicates
		{5_000, 60_000, 40_000},
		{1_000_000, 60_000, 40_000},
	} {
		for seed := range uint64(3) {
			random := rand.New(rand.NewPCG(seed, uint64(c.most)))
			s, want := seen{most: c.most}, map[uint64]bool{}
			for i := range c.adds {
				number := 12012000000 + random.Uint64N(c.numbers)
				if fresh(t, &s, number) == want[number] {
					t.Fatalf("%d in memory, seed %d: number %d: known is %v", c.most, seed, i, want[number])
				}
				want[number] = true
			}
			for number := range want {
				if fresh(t, &s, number) {
					t.Fatalf("%d in memory, seed %d: a number is not found at the end", c.most, seed)
				}
			}
			if spilled := s.file.file != nil; spilled != (len(want) > c.most) {
				t.Errorf("%d in memory, %d numbers: there is a file: %v", c.most, len(want), spilled)
			}
			s.close()
		}
	}
}

func TestSeen_HasNoFileBeforeItsTableIsFull(t *testing.T) {
	dir := temporary(t)
	const most = 1_000
	s := seen{most: most}
	for i := range uint64(2 * most) { // everyone twice
		fresh(t, &s, 12012000000+i/2)
	}
	if s.file.file != nil || len(openIn(dir)) > 0 {
		t.Error("there is a file for numbers that fit")
	}
	fresh(t, &s, 12013000000)
	if s.file.file == nil || s.n != 0 {
		t.Fatal("there is no file for numbers that don't fit")
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) > 0 {
		t.Errorf("the open file has a name: %v (%v)", names, err)
	}
	info, err := s.file.file.Stat()
	if err != nil || info.Mode().Perm() != 0o600 || info.Size() != (most+1)*seenKey {
		t.Errorf("mode %v, %d bytes (%v)", info.Mode(), info.Size(), err)
	}
	s.close()
	s.close() // as often as one likes
}

func TestSeen_KeepsTheMemoryOfItsTable(t *testing.T) {
	temporary(t)
	const most = 100_000
	size := func(s *seen) (bytes int) {
		for i := range s.shards {
			bytes += len(s.shards[i].slots) * 8
		}
		return bytes
	}
	s := seen{most: most}
	defer s.close()
	for i := range uint64(most) {
		fresh(t, &s, 12012000000+i)
	}
	one := size(&s)
	for i := range uint64(7 * most) {
		fresh(t, &s, 12022000000+i)
	}
	known := 0
	for _, run := range s.file.runs {
		known += len(run.firsts)*8 + len(run.filter)*32
	}
	if len(s.file.runs) != 7 {
		t.Errorf("%d runs", len(s.file.runs))
	}
	if perNumber := float64(known) / (7 * most); perNumber > 1.35 {
		t.Errorf("%.2f bytes of memory for a number in the file", perNumber)
	}
	if grown := size(&s); grown > one*3/2 {
		t.Errorf("the table takes %d bytes, and %d when it was full first", grown, one)
	}
}

func TestSeen_ADiskThatFailsIsAnError(t *testing.T) {
	dir := temporary(t)
	const most = 1_000
	full := func() *seen {
		s := &seen{most: most}
		for i := range uint64(most + 1) {
			fresh(t, s, 12012000000+i)
		}
		if err := s.file.file.Close(); err != nil {
			t.Fatal(err)
		}
		return s
	}
	check := func(err error) {
		t.Helper()
		var failed *seenError
		var network net.Error
		if !errors.As(err, &failed) || errors.As(err, &network) || !strings.Contains(err.Error(), "TMPDIR") ||
			strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "1201") {
			t.Errorf("error: %v", err)
		}
	}
	t.Run("when it's read", func(t *testing.T) {
		s := full()
		defer s.close()
		_, err := s.add(12012000000)
		check(err)
	})
	t.Run("when it's written", func(t *testing.T) {
		s := full()
		defer s.close()
		var err error
		for i := uint64(0); err == nil && i < 2*most; i++ {
			// All are in the run, or pass its filter seldom: writing fails first.
			if number := 12022000000 + i; !s.file.runs[0].filter.may(mix(number)) {
				_, err = s.add(number)
			}
		}
		check(err)
	})
	t.Run("when there is none", func(t *testing.T) {
		t.Setenv("TMPDIR", filepath.Join(dir, "missing"))
		s := seen{most: most}
		defer s.close()
		var err error
		added := 0
		for ; err == nil && added < 2*most; added++ {
			_, err = s.add(12012000000 + uint64(added))
		}
		check(err)
		if added != most+1 {
			t.Errorf("%d numbers were added", added)
		}
	})
}

func TestSeenFilter_ForgetsNothingAndLetsFewThrough(t *testing.T) {
	const n = 100_000
	f := newSeenFilter(n)
	for i := range uint64(n) {
		f.add(mix(12012000000 + i))
	}
	passed := 0
	for i := range uint64(n) {
		if !f.may(mix(12012000000 + i)) {
			t.Fatal("a number is forgotten")
		}
		if f.may(mix(12022000000 + i)) {
			passed++
		}
	}
	if part := float64(passed) / n; part > 0.015 {
		t.Errorf("%.3f of the others pass", part)
	}
}

func TestSeenRun_EveryMixIsInTheBlockThatIsNamed(t *testing.T) {
	for _, n := range []int{1, 2, seenBlock - 1, seenBlock, seenBlock + 1, 3 * seenBlock, 5_000} {
		keys := make([]uint64, n)
		for i := range keys {
			keys[i] = mix(uint64(i + 1))
		}
		slices.Sort(keys)
		const at = 80
		run := newSeenRun(at, n)
		file := run.add(run.add(make([]byte, at), keys[:n/3]), keys[n/3:])
		for _, key := range keys {
			from, length := run.block(key)
			if from < at || length == 0 || length > seenBlock*seenKey || !inBlock(file[from:from+int64(length)], key) {
				t.Fatalf("%d mixes: one is not in %d+%d", n, from, length)
			}
		}
		for i := range uint64(20_000) {
			key := mix(1_000_000 + i)
			if from, length := run.block(key); inBlock(file[from:from+int64(length)], key) {
				t.Fatalf("%d mixes: another is found", n)
			}
		}
	}
}

// BenchmarkSeen adds numbers, none of them twice, or all.
func BenchmarkSeen(b *testing.B) {
	const numbers = 10_000_000
	for _, c := range []struct {
		name string
		most int
		of   uint64
	}{
		{"in memory", numbers, numbers},
		{"in a file", seenMost, numbers},
		{"in a file, everyone twice", seenMost, numbers / 2},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				s := seen{most: c.most}
				duplicates := 0
				for i := range uint64(numbers) {
					added, err := s.add(12000000000 + i%c.of*7)
					if err != nil {
						b.Fatal(err)
					}
					if !added {
						duplicates++
					}
				}
				if duplicates != numbers-int(c.of) {
					b.Fatalf("%d duplicates", duplicates)
				}
				s.close()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/numbers, "ns/number")
			b.ReportMetric(float64(b.Elapsed().Seconds())/float64(b.N), "s")
			b.ReportMetric(0, "ns/op")
		})
	}
}
