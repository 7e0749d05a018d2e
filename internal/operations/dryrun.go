package operations

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/producer"
)

// DryRun is what submitting something would do.
type DryRun struct{ *producer.DryRun }

// Refusal returns why a submit would refuse the list for what stands in it; nil
// if it would take it.
func (d *DryRun) Refusal(setAside bool) error {
	bad, good := d.Summary.BadRows, d.Summary.Recipients
	switch {
	case bad > 0 && good == 0:
		return refusef(Refused, "", "the list has %s and no good one", count(bad, "bad row"))
	case good == 0:
		return about("", producer.ErrEmptyList)
	case bad > 0 && !setAside:
		return refusef(Refused, "set_aside_bad_rows", "the list has %s: correct it, or set bad rows aside to send to the others", count(bad, "bad row"))
	}
	return nil
}

// Takes says how long sending takes; empty if that isn't known.
func (d *DryRun) Takes() string {
	takes := "over a year"
	switch {
	case d.Duration == 0:
		return ""
	case d.Duration > 0:
		takes = campaign.FormatDuration(max(time.Second, d.Duration.Round(time.Second)))
	}
	return fmt.Sprintf("%s at %g messages a second", takes, d.Rate)
}

// Parts says how many SMS the text messages take, as in: 1 to 2 a message, 59 if
// everyone gets the SMS. It is empty for a campaign without any.
func (d *DryRun) Parts() string {
	each := strconv.Itoa(d.SMS.Min)
	switch {
	case d.SMS.Total == 0:
		return ""
	case d.SMS.Max != d.SMS.Min:
		each += " to " + strconv.Itoa(d.SMS.Max)
	}
	return fmt.Sprintf("%s a message, %d if everyone gets the SMS", each, d.SMS.Total)
}

// DuplicateLines names the lines of a list's duplicates: 61, 70, …
func DuplicateLines(s *producer.Summary) string {
	lines := make([]string, len(s.DuplicateLines))
	for i, n := range s.DuplicateLines {
		lines[i] = strconv.Itoa(n)
	}
	if s.Duplicates > len(lines) {
		lines = append(lines, "…")
	}
	return strings.Join(lines, ", ")
}

// ZoneName is the name of the zones that some recipients are in, or may be in.
func ZoneName(zones []string) string {
	switch n := len(zones); n {
	case 0:
		return "an unknown zone"
	case 1:
		return zones[0]
	default:
		return zones[0] + " or " + count(n-1, "other")
	}
}
