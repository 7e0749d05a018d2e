package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/handout-dev/handout/campaign"
)

// Progress follows a campaign and writes it as one line. The zero Progress is
// ready to use.
type Progress struct {
	samples []sample // of the last rateTime, the oldest first
}

type sample struct {
	at   time.Time
	sent int
}

// rateTime is over how long the rate is measured.
const rateTime = 10 * time.Second

// Add notes where the campaign stands.
func (p *Progress) Add(now time.Time, b *campaign.Balance) {
	p.samples = append(p.samples, sample{now, sentTo(b)})
	for len(p.samples) > 2 && now.Sub(p.samples[1].at) > rateTime {
		p.samples = p.samples[1:]
	}
}

// sentTo is how many have been sent to, whatever came of it: not those whose turn
// is yet to come, and not those who were dropped before it came.
func sentTo(b *campaign.Balance) int { return b.Total() - waiting(b) - dropped(b) }

func waiting(b *campaign.Balance) int {
	return b.Of(campaign.Planned) + b.Of(campaign.Retrying) + b.Of(campaign.Claimed)
}

func dropped(b *campaign.Balance) int { return b.Of(campaign.Canceled) + b.Of(campaign.Suppressed) }

// Rate is how many have been sent per second of late.
func (p *Progress) Rate() float64 {
	if len(p.samples) < 2 {
		return 0
	}
	first, last := p.samples[0], p.samples[len(p.samples)-1]
	if took := last.at.Sub(first.at).Seconds(); took > 0 {
		return float64(last.sent-first.sent) / took
	}
	return 0
}

// Line is the campaign's progress in one line: a bar of who has an outcome (#)
// and who has been sent to (+), then numbers. What matters most comes first, as
// a narrow terminal cuts the end off. pace, which may be nil, says what binds.
func (p *Progress) Line(phase campaign.Phase, b *campaign.Balance, pace *Pace) string {
	total, sent, left := b.Total(), sentTo(b), waiting(b)
	line := fmt.Sprintf("%s %s sent %d/%d", bar(total-left-b.Of(campaign.Accepted), total-left, total), phase, sent, total)
	if phase == campaign.Running && left > 0 {
		line += p.goes(left, pace)
	}
	line += fmt.Sprintf(", delivered %d", b.Of(campaign.Delivered))
	for _, part := range []struct {
		name string
		n    int
	}{
		{"waiting for receipts", b.Of(campaign.Accepted)},
		{"not delivered", b.Of(campaign.Failed) + b.Of(campaign.Refused) + b.Of(campaign.Unconfirmed)},
		{"in doubt", b.Of(campaign.InDoubt)},
		{"never sent", dropped(b)},
	} {
		if part.n > 0 {
			line += fmt.Sprintf(", %s %d", part.name, part.n)
		}
	}
	return line
}

// goes says how fast a running campaign goes, and why not faster.
func (p *Progress) goes(left int, pace *Pace) string {
	rate := p.Rate()
	if pace != nil && !pace.Limit.sends() {
		return ", " + pace.stands()
	}
	if len(p.samples) < 2 && pace != nil { // the first look
		rate = pace.Rate
	}
	if rate == 0 {
		return ""
	}
	by := ""
	if pace != nil {
		by = ", by " + pace.LimitDetail
	}
	return fmt.Sprintf(" at %.1f/s%s, %s left", rate, by, duration(float64(left)/rate))
}

func duration(seconds float64) time.Duration {
	return min(time.Duration(seconds*float64(time.Second)), 1000*time.Hour).Round(time.Second)
}

const barWidth = 24

func bar(done, sent, total int) string {
	if total == 0 {
		return ""
	}
	d := done * barWidth / total
	s := max(d, sent*barWidth/total)
	return "[" + strings.Repeat("#", d) + strings.Repeat("+", s-d) + strings.Repeat(".", barWidth-s) + "]"
}
