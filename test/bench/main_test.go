package bench_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
)

var profiles = flag.String("profiles", "", "directory for CPU profiles of handout's side")

// TestMain is also the processes of the vendor and of senders, and prints the
// table at the end.
func TestMain(m *testing.M) {
	for variable, be := range map[string]func(string) error{vendorVariable: beVendor, senderVariable: beSender} {
		if o := os.Getenv(variable); o != "" {
			if err := be(o); err != nil {
				fmt.Fprintln(os.Stderr, variable+":", err)
				os.Exit(1)
			}
			return
		}
	}
	code := m.Run()
	printTable()
	os.Exit(code)
}

// line is a line of the table.
type line struct {
	what, ours, plain, ratio, requirement string
	met                                   verdict
}

type verdict string

const noRequirement verdict = "-"

func met(ok bool) verdict {
	if ok {
		return "yes"
	}
	return "NO"
}

var table []line

func printTable() {
	if len(table) == 0 {
		return
	}
	fmt.Println()
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "WHAT\tHANDOUT\tPLAIN\tRATIO\tREQUIREMENT\tMET")
	for _, l := range table {
		fmt.Fprintln(w, strings.Join([]string{l.what, l.ours, l.plain, l.ratio, l.requirement, string(l.met)}, "\t"))
	}
	_ = w.Flush()
	fmt.Println()
}

func ratio(ours, plain float64) string { return fmt.Sprintf("%.2f", ours/plain) }

// rounds are figures of both ways, measured in turns.
type rounds struct{ ours, plain, ratios []float64 }

// run measures both ways n times, each first in every other round. What else
// the machine does changes more slowly than the turns, so that the ratio within
// a round says more than that of two medians.
func (r *rounds) run(n int, ours, plain func(round int) float64) {
	for round := range n {
		var o, p float64
		if round%2 == 0 {
			o = ours(round)
			p = plain(round)
		} else {
			p = plain(round)
			o = ours(round)
		}
		r.add(o, p)
	}
}

// report adds the medians to the benchmark and to the table.
func (r *rounds) add(ours, plain float64) {
	r.ours, r.plain, r.ratios = append(r.ours, ours), append(r.plain, plain), append(r.ratios, ours/plain)
}

func (r *rounds) report(b *testing.B, unit, what string, least float64) {
	b.Helper()
	o, p, times := median(r.ours), median(r.plain), median(r.ratios)
	b.ReportMetric(o, unit)
	b.ReportMetric(p, "plain-"+unit)
	b.ReportMetric(times, "ratio")
	table = append(table, line{
		what, count(o) + "/s", count(p) + "/s", fmt.Sprintf("%.2f", times),
		fmt.Sprintf("ratio ≥ %.1f", least), met(times >= least),
	})
}

// count writes a number with a comma between thousands.
func count(n float64) string {
	s := fmt.Sprintf("%.0f", n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func median(values []float64) float64 {
	v := slices.Sorted(slices.Values(values))
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}

// noTime leaves out the time of a whole benchmark, which says nothing.
func noTime(b *testing.B) { b.ReportMetric(0, "ns/op") }

// profile profiles this process until the function that it returns is called,
// where profiles are wanted.
func profile(b *testing.B, name string) (stop func()) {
	b.Helper()
	if *profiles == "" {
		return func() {}
	}
	f, err := os.Create(filepath.Join(*profiles, name+".pprof"))
	if err != nil {
		b.Fatal(err)
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		b.Fatal(err)
	}
	return func() {
		pprof.StopCPUProfile()
		_ = f.Close()
	}
}
