package report

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/ledger"
)

// Pace is how fast a campaign goes at this moment. Its JSON form is a contract.
type Pace struct {
	// Rate is how many were sent to per second of late, whatever came of it.
	Rate float64 `json:"rate"`
	// Limit is what keeps it from being more, and LimitDetail the same in words.
	Limit       Limit  `json:"limit"`
	LimitDetail string `json:"limit_detail"`
	// ETA is when everyone will have been sent to if it goes on so; nil when
	// that can't be said.
	ETA *time.Time `json:"eta"`
	// AccountRate and CampaignRate are the rates as they were set, in messages
	// per second; 0: none.
	AccountRate  float64 `json:"account_rate"`
	CampaignRate float64 `json:"campaign_rate"`

	left time.Duration // until ETA
	// zoneless says of people who will never be sent to while others are; empty
	// for none.
	zoneless string
}

// NewPace is the pace of a campaign in this situation. The samples are the
// latest, the earliest first; now is by the same clock.
func NewPace(s *Situation, samples []campaign.Sample, now time.Time) *Pace {
	p := &Pace{AccountRate: s.AccountRate, CampaignRate: s.CampaignRate}
	p.Limit, p.LimitDetail = s.Limit()
	if p.Limit != LimitZone {
		p.zoneless = s.zoneless()
	}
	if s.Phase != campaign.Running {
		return p
	}
	rate, measured := measure(samples, sentTo(s.Balance), now)
	p.Rate = math.Round(100*rate) / 100
	if !measured {
		rate = s.inForce() // it has only begun
	}
	p.estimate(s, rate, now)
	return p
}

// estimate says when everyone will have been sent to at this rate.
func (p *Pace) estimate(s *Situation, rate float64, now time.Time) {
	left := waiting(s.Balance)
	if p.Limit == LimitHours {
		rate = s.inForce() // once they open
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

// number is a rate with as many digits as it needs, two at most.
func number(rate float64) string {
	return strconv.FormatFloat(math.Round(100*rate)/100, 'f', -1, 64)
}
