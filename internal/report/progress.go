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
	p.samples = append(p.samples, sample{now, b.Total() - b.Of(campaign.Planned) - b.Of(campaign.Retrying)})
	for len(p.samples) > 2 && now.Sub(p.samples[1].at) > rateTime {
		p.samples = p.samples[1:]
	}
}

// Rate is how many have been sent per second of late.
func (p *Progress) Rate() float64 {
	if len(p.samples) < 2 {
		return 0
	}
	first, last := p.samples[0], p.samples[len(p.samples)-1]
	return float64(last.sent-first.sent) / last.at.Sub(first.at).Seconds()
}

// Line is the campaign's progress in one line: a bar of who has an outcome (#)
// and who has been sent to (+), the numbers, the rate and the time left.
func (p *Progress) Line(phase campaign.Phase, b *campaign.Balance) string {
	total := b.Total()
	unsent := b.Of(campaign.Planned) + b.Of(campaign.Retrying)
	open := unsent + b.Of(campaign.Claimed) + b.Of(campaign.Accepted)
	line := fmt.Sprintf("%s %s sent %d/%d, delivered %d, waiting %d",
		bar(total-open, total-unsent, total), phase, total-unsent, total, b.Of(campaign.Delivered), b.Of(campaign.Accepted))
	if n := b.Of(campaign.Failed) + b.Of(campaign.Refused) + b.Of(campaign.Unconfirmed); n > 0 {
		line += fmt.Sprintf(", not delivered %d", n)
	}
	if n := b.Of(campaign.InDoubt); n > 0 {
		line += fmt.Sprintf(", in doubt %d", n)
	}
	if rate := p.Rate(); phase == campaign.Running && unsent > 0 && rate > 0 {
		left := time.Duration(float64(unsent) / rate * float64(time.Second))
		line += fmt.Sprintf(", %.1f/s, all sent in %s", rate, left.Round(time.Second))
	}
	return line
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
