package console

import (
	"html/template"
	"strconv"
	"strings"
	"time"

	"github.com/handout-dev/handout/campaign"
)

// functions are what templates call.
var functions = template.FuncMap{
	"asset":   asset,
	"count":   count,
	"percent": percent,
	"plural":  plural,
	"when":    when,
	"words":   words,
	"seconds": func(n int) string { return campaign.FormatDuration(time.Duration(n) * time.Second) },
	// about is the same view with other data, for a part of a page.
	"about": func(v *view, data any) *view {
		other := *v
		other.Data = data
		return &other
	},
	"limitOf": func(chart any) *deliveryChart {
		d, _ := chart.(*deliveryChart)
		return d
	},
}

// count is a number with its thousands apart.
func count(n int) string {
	text := strconv.Itoa(n)
	sign := ""
	if n < 0 {
		sign, text = "−", text[1:]
	}
	var b strings.Builder
	for i, c := range text {
		if i > 0 && (len(text)-i)%3 == 0 {
			b.WriteRune('\u202f') // a narrow space that doesn't break
		}
		b.WriteRune(c)
	}
	return sign + b.String()
}

// spaced is what a history's verb was done with, as pages write it: a count of
// recipients with its thousands apart, a time as when has it.
func spaced(about string) string {
	number, rest, _ := strings.Cut(about, " ")
	if n, err := strconv.Atoi(number); err == nil {
		return strings.TrimSuffix(count(n)+" "+rest, " ")
	}
	if at, err := time.Parse(time.RFC3339, about); err == nil {
		return when(at)
	}
	return about
}

// percent is a part of a whole; a part that isn't all is never said to be, nor
// one that is something nothing.
func percent(part, whole int) string {
	if whole == 0 {
		return "–"
	}
	p := 100 * float64(part) / float64(whole)
	switch {
	case part > 0 && p < 0.1:
		return "<0.1 %"
	case part < whole && p > 99.9:
		return ">99.9 %"
	}
	return strconv.FormatFloat(p, 'f', 1, 64) + " %"
}

// when is a time in UTC; empty for none.
func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05") + " UTC"
}

// words is the name of a state for people.
func words(state string) string { return strings.ReplaceAll(state, "_", " ") }
