package console

import (
	"fmt"
	"slices"
	"time"

	"github.com/handout-dev/handout/campaign"
)

// timing is how long deliveries took: from the claim, the last moment before
// the request, to the moment at which handout learned of the delivery. Both are
// whole seconds.
type timing struct {
	whatsApp []time.Duration // who was delivered to by WhatsApp alone
	sms      []time.Duration // by SMS alone, the wait for WhatsApp included
	both     int             // WhatsApp delivered after the SMS had gone out
}

func (t *timing) add(r *campaign.Record) {
	if r.State != campaign.Delivered {
		return
	}
	took := r.SettledAt.Sub(r.ClaimedAt)
	known := !r.ClaimedAt.IsZero() && !r.SettledAt.IsZero() && took >= 0
	switch r.DeliveredBy() {
	case campaign.ByWhatsApp:
		if known {
			t.whatsApp = append(t.whatsApp, took)
		}
	case campaign.BySMS:
		if known {
			t.sms = append(t.sms, took)
		}
	case campaign.ByBoth:
		t.both++
	}
}

func (t *timing) sort() {
	slices.Sort(t.whatsApp)
	slices.Sort(t.sms)
}

// telesignFallback is what Telesign waits without a fallback_time.
const telesignFallback = 5 * time.Minute

// fallbackOf is how long WhatsApp has before the next channel is tried; 0 if
// there is none, or no WhatsApp.
func fallbackOf(s *campaign.Spec) time.Duration {
	for i, channel := range s.Channels {
		if channel.Channel != "whatsapp" || i == len(s.Channels)-1 {
			continue
		}
		if channel.FallbackTime == 0 {
			return telesignFallback
		}
		return time.Duration(channel.FallbackTime) * time.Second
	}
	return 0
}

// percentile is the smallest of the sorted within which so many percent are;
// false if that is one of those beyond, of whom only the number is known.
func percentile(sorted []time.Duration, beyond, percent int) (time.Duration, bool) {
	n := len(sorted) + beyond
	at := (n*percent+99)/100 - 1 // the rank, rounded up
	if n == 0 || at >= len(sorted) {
		return 0, false
	}
	return sorted[max(0, at)], true
}

var percents = []int{50, 90, 95, 99}

// percentileRow is a channel's line in the table.
type percentileRow struct {
	Key, Name string
	People    int
	Cells     []string // one for each of percents
}

// table is how long each channel took. Of who got both, WhatsApp's time isn't
// recorded: it was over the fallback time, limit.
func (t *timing) table(limit time.Duration) []percentileRow {
	var rows []percentileRow
	row := func(key, name string, took []time.Duration, beyond int) {
		if len(took)+beyond == 0 {
			return
		}
		r := percentileRow{Key: key, Name: name, People: len(took) + beyond}
		for _, p := range percents {
			cell := "over " + campaign.FormatDuration(limit)
			if limit == 0 {
				cell = "not known"
			}
			if d, ok := percentile(took, beyond, p); ok {
				cell = campaign.FormatDuration(d)
			}
			r.Cells = append(r.Cells, cell)
		}
		rows = append(rows, r)
	}
	row("whatsapp", "WhatsApp", t.whatsApp, t.both)
	row("sms", "SMS", t.sms, 0)
	return rows
}

// fallbackPart says what today's fallback time does, and what would be enough.
type fallbackPart struct {
	Today   string
	Reached int    // whom WhatsApp reached, sooner or later
	Share   string // of them, within today's
	Late    int    // who got the SMS, too
	Enough  []enough
}

type enough struct{ Percent, Time string }

func (t *timing) fallback(limit time.Duration) *fallbackPart {
	reached := len(t.whatsApp) + t.both
	if limit == 0 || reached == 0 {
		return nil
	}
	within := 0
	for _, d := range t.whatsApp {
		if d <= limit {
			within++
		}
	}
	f := &fallbackPart{Today: campaign.FormatDuration(limit), Reached: reached, Late: t.both, Share: percent(within, reached)}
	for _, p := range percents {
		words := "more than today's " + campaign.FormatDuration(limit)
		if d, ok := percentile(t.whatsApp, t.both, p); ok {
			words = campaign.FormatDuration(max(d, leastFallback))
		}
		f.Enough = append(f.Enough, enough{fmt.Sprintf("%d %%", p), words})
	}
	return f
}

// leastFallback is the shortest fallback time that Telesign takes.
const leastFallback = 30 * time.Second
