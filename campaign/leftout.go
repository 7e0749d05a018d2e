package campaign

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// MaxLeftOutLines bounds how many lines of each kind a campaign keeps of the rows that
// were left out.
const MaxLeftOutLines = 100

// LeftOut are the rows of a campaign's list that nothing is sent for. They stay with
// the campaign, also when it is purged: no one's data is in them.
type LeftOut struct {
	BadRows        int   `json:"bad_rows" minimum:"0" doc:"rows that were set aside"`
	BadLines       []int `json:"bad_lines,omitempty" nullable:"false" maxItems:"100" doc:"where the first 100 stand"`
	Duplicates     int   `json:"duplicates" minimum:"0" doc:"rows with a phone number that stands further up"`
	DuplicateLines []int `json:"duplicate_lines,omitempty" nullable:"false" maxItems:"100" doc:"where the first 100 stand"`
}

// Encode returns the stored form; empty when no row was left out.
func (l LeftOut) Encode() string {
	if l.BadRows+l.Duplicates == 0 {
		return ""
	}
	b, err := json.Marshal(l)
	if err != nil {
		panic(err) // impossible: numbers
	}
	return string(b)
}

// DecodeLeftOut reads the stored form.
func DecodeLeftOut(text string) (l LeftOut, err error) {
	if text != "" {
		err = json.Unmarshal([]byte(text), &l)
	}
	return l, err
}

// String says them in words, as in "6 bad rows (lines 3, 9, 11, 12, 20, 31) and 1
// duplicate (line 7)"; empty when no row was left out.
func (l LeftOut) String() string {
	var parts []string
	if l.BadRows > 0 {
		parts = append(parts, leftOut(l.BadRows, "bad row", l.BadLines))
	}
	if l.Duplicates > 0 {
		parts = append(parts, leftOut(l.Duplicates, "duplicate", l.DuplicateLines))
	}
	return strings.Join(parts, " and ")
}

// Beside says in a campaign's history what was submitted.
func (l LeftOut) Beside(total int) string {
	if left := l.String(); left != "" {
		return Count(total, "recipient") + "; left out: " + left
	}
	return Count(total, "recipient")
}

func leftOut(n int, what string, lines []int) string {
	where := "lines "
	if n == 1 {
		where = "line "
	}
	words := make([]string, len(lines))
	for i, line := range lines {
		words[i] = strconv.Itoa(line)
	}
	if n > len(lines) {
		words = append(words, "…")
	}
	return fmt.Sprintf("%s (%s%s)", Count(n, what), where, strings.Join(words, ", "))
}
