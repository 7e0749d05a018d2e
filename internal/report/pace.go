package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/ledger"
)

// Pace is how fast a campaign goes at this moment. Its JSON form is a contract.
type Pace struct {
	Rate         float64    `json:"rate" minimum:"0" doc:"how many were sent to per second of late, whatever came of it"`
	Limit        Limit      `json:"limit" example:"account" doc:"what keeps it from being more: account, campaign, shared, throttled, hours, canary, held, paused, canceled, nothing left or no worker; new ones may come"`
	LimitDetail  string     `json:"limit_detail" example:"the account's rate (10/s)" doc:"the same in words"`
	LimitUntil   *time.Time `json:"limit_until,omitempty" doc:"until when that keeps it; left out when it isn't known"`
	ETA          *time.Time `json:"eta" doc:"when everyone will have been sent to if it goes on so; null when that can't be said"`
	AccountRate  float64    `json:"account_rate" minimum:"0" doc:"as it was set, in messages per second; 0: none"`
	CampaignRate float64    `json:"campaign_rate" minimum:"0" doc:"likewise"`

	left     time.Duration // until ETA
	measured bool          // there was enough to tell the rate
	// zoneless says of people who will never be sent to while others are; empty
	// for none.
	zoneless string
}

// NewPace is the pace of a campaign in this situation. The samples are the
// latest, the earliest first; now is by the same clock.
func NewPace(s *Situation, samples []campaign.Sample, now time.Time) *Pace {
	p := &Pace{AccountRate: s.AccountRate, CampaignRate: s.CampaignRate}
	rate := 0.0
	if s.Phase == campaign.Running {
		rate, s.Measured = measure(samples, sentTo(s.Balance), now)
		s.Rate = rate
	}
	p.Limit, p.LimitDetail = s.Limit()
	if until := s.Until(); !until.IsZero() {
		p.LimitUntil = &until
	}
	if p.Limit != LimitZone {
		p.zoneless = s.zoneless()
	}
	if s.Phase != campaign.Running {
		return p
	}
	p.Rate, p.measured = math.Round(100*rate)/100, s.Measured
	p.estimate(s, now)
	return p
}

// Measured reports whether there was enough to tell the rate: not in a campaign's first
// seconds.
func (p *Pace) Measured() bool { return p.measured }

func (p *Pace) estimate(s *Situation, now time.Time) {
	left, rate := waiting(s.Balance), s.Rate
	wait := max(0, s.BlockedUntil.Sub(now))
	switch alone := s.alone(); {
	case !s.Measured, p.Limit == LimitHours, wait > 0: // once it has begun, or they open, or it goes on
		rate = s.inForce()
	case alone > 0: // what was measured at a higher rate is over
		rate = min(rate, alone)
	}
	if left == 0 || rate <= 0 || !(p.Limit.sends() || p.Limit == LimitHours && s.takes != nil) {
		return
	}
	p.left = duration(float64(left) / rate)
	if s.takes != nil {
		takes, sure := s.takes(rate)
		if !sure {
			return
		}
		p.left = takes
	}
	p.left += wait
	eta := now.Add(p.left).UTC().Truncate(time.Second)
	p.ETA = &eta
}

const (
	// measureTime is over how long a rate is measured, or a little more: to the
	// youngest sample that is so old.
	measureTime = 10 * time.Second
	// leastMeasure is less than which says nothing.
	leastMeasure = 5 * time.Second
	// maxMeasure is the longest time, where there are no samples in between.
	maxMeasure = 30 * time.Second
)

// measure is how many were sent to per second of late; false when there is too
// little to tell.
func measure(samples []campaign.Sample, sent int, now time.Time) (float64, bool) {
	if len(samples) == 0 {
		return 0, false
	}
	i := 0
	for i+1 < len(samples) && now.Sub(samples[i+1].At) >= measureTime {
		i++
	}
	from := samples[i].At
	if i+1 == len(samples) && now.Sub(from) > 2*ledger.SampleTime && sent != sentTo(&samples[i].Balance) {
		return 0, false // it has moved for less than the time until the next sample
	}
	if i+1 < len(samples) {
		// None in between: nothing moved until five seconds before the next.
		from = latest(from, samples[i+1].At.Add(-ledger.SampleTime))
	} else {
		from = latest(from, now.Add(-maxMeasure))
	}
	took := now.Sub(from)
	if took < leastMeasure {
		return 0, false
	}
	return float64(max(0, sent-sentTo(&samples[i].Balance))) / took.Seconds(), true
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Line is the pace in words: how fast, what binds, and for how long still; and
// who will never have their turn.
func (p *Pace) Line() string {
	if p.zoneless != "" {
		return p.goes() + "; " + p.zoneless
	}
	return p.goes()
}

func (p *Pace) goes() string {
	if !p.Limit.sends() {
		return p.stands()
	}
	line := fmt.Sprintf("%.1f messages/s, bound by %s", p.Rate, p.LimitDetail)
	if !p.measured {
		line = "it has just begun, bound by " + p.LimitDetail
	}
	if p.ETA != nil {
		line += fmt.Sprintf("; about %s left (until %s)", campaign.FormatDuration(p.left.Round(10*time.Second)), clock(*p.ETA))
	}
	return line
}

// stands says why nothing is sent; the reason of a phase stands beside it.
func (p *Pace) stands() string {
	switch p.Limit {
	case LimitNothing:
		if p.LimitDetail == "" {
			return "everyone has been sent to"
		}
		return "everyone has been sent to; " + p.LimitDetail
	case LimitZone:
		return p.LimitDetail
	case LimitHeld, LimitPaused, LimitCanceled:
		return "nothing is sent: " + string(p.Limit)
	}
	line := "nothing is sent: " + p.LimitDetail
	if p.ETA != nil {
		line += "; about " + campaign.FormatDuration(p.left.Round(10*time.Second)) + " left (until " + clock(*p.ETA) + ")"
	}
	return line
}

// clock is a time of day here, with its zone, and with the day if it isn't
// within one from now.
func clock(t time.Time) string {
	if d := time.Until(t); d > 20*time.Hour || d < -20*time.Hour {
		return t.Local().Format("2 Jan 15:04 MST")
	}
	return t.Local().Format("15:04 MST")
}

func number(rate float64) string {
	return strconv.FormatFloat(math.Round(100*rate)/100, 'f', -1, 64)
}

// Progress follows a campaign and writes it as one line. The zero Progress is
// ready to use.
type Progress struct {
	samples []sample // of the last rateTime, the oldest first
}

type sample struct {
	at   time.Time
	sent int
}

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

// span is the time between the first look and the last.
func (p *Progress) span() time.Duration {
	if len(p.samples) == 0 {
		return 0
	}
	return p.samples[len(p.samples)-1].at.Sub(p.samples[0].at)
}

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
	line := fmt.Sprintf("%s %s sent %s/%s", bar(total-left-b.Of(campaign.Accepted), total-left, total), phase, campaign.Number(sent), campaign.Number(total))
	if phase == campaign.Running && left > 0 {
		line += p.goes(left, pace)
	}
	line += fmt.Sprintf(", delivered %s", campaign.Number(b.Of(campaign.Delivered)))
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
			line += fmt.Sprintf(", %s %s", part.name, campaign.Number(part.n))
		}
	}
	return line
}

func (p *Progress) goes(left int, pace *Pace) string {
	if pace == nil {
		rate := p.Rate()
		if rate == 0 {
			return ""
		}
		return fmt.Sprintf(" at %.1f/s, %s left", rate, duration(float64(left)/rate))
	}
	if !pace.Limit.sends() {
		return ", " + pace.stands()
	}
	rate, in := pace.Rate, pace.left
	if p.span() >= leastMeasure { // it looks oftener than samples are taken
		rate, in = p.Rate(), 0
		if rate > 0 && pace.ETA != nil {
			in = duration(float64(left) / rate)
		}
	}
	line := ""
	if rate > 0 {
		line = fmt.Sprintf(" at %.1f/s", rate)
	}
	line += ", by " + pace.LimitDetail
	if in > 0 {
		line += fmt.Sprintf(", %s left", in.Round(time.Second))
	}
	return line
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
