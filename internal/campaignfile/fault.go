package campaignfile

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// MaxFaults is how many faults are kept, unless more are asked for; the others
// are only counted.
const MaxFaults = 50

// Fault is one thing wrong in a campaign file or a list, and where. Its message
// never quotes a cell of a list: a fault ends up in logs and tickets, and a
// cell may be a phone number.
type Fault struct {
	File    string // as it was named by the caller; may be empty
	Line    int    // counted from 1; the row's number for an iterator; 0 when it concerns the whole
	Column  int    // in bytes, counted from 1; 0 when it concerns the whole line
	Message string
}

// String is file:line:column: message without the parts that are unknown.
func (f Fault) String() string {
	var b strings.Builder
	b.WriteString(f.File)
	for _, n := range [...]int{f.Line, f.Column} {
		if n == 0 {
			break
		}
		if b.Len() > 0 {
			b.WriteByte(':')
		}
		b.WriteString(strconv.Itoa(n))
	}
	if b.Len() > 0 {
		b.WriteString(": ")
	}
	b.WriteString(f.Message)
	return b.String()
}

// Faults is the error of a campaign file or a list that can't be taken: every
// fault in it, the first MaxFaults of them in full.
type Faults struct {
	List  []Fault // at most MaxFaults, or as many as were asked for
	Total int     // all of them
	Good  int     // rows of a list without a fault, which are sent to when the others are set aside

	// Keep is how many of them are kept, if over MaxFaults.
	Keep int
}

// Error has a line for each fault that was kept, and one that counts the rest.
func (f *Faults) Error() string {
	var b strings.Builder
	for i, fault := range f.List {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(fault.String())
	}
	if more := f.Total - len(f.List); more > 0 {
		fmt.Fprintf(&b, "\n… and %d more faults", more)
	}
	return b.String()
}

// Add counts a fault, and keeps it while there is room. A fault of a whole line
// stands in its first column.
func (f *Faults) Add(fault Fault) {
	if fault.File != "" && fault.Line > 0 && fault.Column == 0 {
		fault.Column = 1
	}
	f.Total++
	if len(f.List) < max(f.Keep, MaxFaults) {
		f.List = append(f.List, fault)
	}
}

// First returns as many faults as were asked for, at least MaxFaults.
func (f *Faults) First(asked int) []Fault {
	return f.List[:min(len(f.List), max(asked, MaxFaults))]
}

// Sort brings faults into the order of the file.
func (f *Faults) Sort() {
	slices.SortStableFunc(f.List, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}

// Err returns the faults as an error; nil for none.
func (f *Faults) Err() error {
	if f.Total == 0 {
		return nil
	}
	return f
}
