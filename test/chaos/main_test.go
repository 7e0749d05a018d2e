package chaos_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"

	"github.com/handout-dev/handout/test/program"
)

var long = flag.Bool("long", false, "thousands of recipients and many kills, as make chaos does")

// size chooses between the form in go test ./... and that of make chaos.
func size(short, longer int) int {
	if *long {
		return longer
	}
	return short
}

// scratch is where the programs under test are built.
var scratch string

// TestMain removes what was built, and prints the table.
func TestMain(m *testing.M) {
	flag.Parse()
	// The scenarios wait much more than they work; five thousand recipients are
	// some work.
	if err := flag.Set("test.parallel", strconv.Itoa(size(32, 6))); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	var err error
	if scratch, err = os.MkdirTemp("", "handout-chaos-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(scratch)
	table.print()
	os.Exit(code)
}

// handout is the program, built once for all scenarios.
var handout = sync.OnceValues(func() (string, error) { return program.Find("handout", scratch) })

// line is one scenario's line in the table.
type line struct {
	scenario                string
	recipients, kills       int
	accepted, twice, lost   int
	doubts, settled, remain int // in doubt: ever, then settled by a receipt, still
	balance                 string
	seconds                 float64
	number                  int // place in the table
}

type lines struct {
	mu  sync.Mutex
	all []line
}

var table lines

func (l *lines) add(one line) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, one)
}

func (l *lines) print() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.all) == 0 {
		return
	}
	slices.SortStableFunc(l.all, func(a, b line) int { return a.number - b.number })
	promised, forgetful := l.all, []line(nil)
	if i := slices.IndexFunc(l.all, func(o line) bool { return o.number > measured }); i >= 0 {
		promised, forgetful = l.all[:i], l.all[i:]
	}
	printTable("SCENARIO", promised)
	printTable("MEASURED, NOT PROMISED: A REDIS THAT FORGETS", forgetful)
}

// measured is where the numbers begin of what is measured and not promised.
const measured = 900

func printTable(heading string, all []line) {
	if len(all) == 0 {
		return
	}
	fmt.Println()
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, heading+"\tRECIPIENTS\tKILLS\tACCEPTED\tSENT TWICE\tLOST\tIN DOUBT\tBY RECEIPT\tLEFT\tBALANCE\tSECONDS")
	for _, o := range all {
		cells := []string{o.scenario}
		for _, n := range []int{o.recipients, o.kills, o.accepted, o.twice, o.lost, o.doubts, o.settled, o.remain} {
			cells = append(cells, fmt.Sprint(n))
		}
		cells = append(cells, o.balance, fmt.Sprintf("%.0f", o.seconds))
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	_ = w.Flush()
	fmt.Println()
}
