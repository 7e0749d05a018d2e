package report

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/ledger"
)

// Limit is what keeps a campaign from sending faster at this moment.
type Limit string

// The limits, for JSON, metrics and pages; new ones may come.
const (
	LimitAccount   Limit = "account"      // the account's rate
	LimitCampaign  Limit = "campaign"     // the campaign's own rate
	LimitShared    Limit = "shared"       // other campaigns send at the account's rate, too
	LimitThrottled Limit = "throttled"    // Telesign has said "too fast"
	LimitHours     Limit = "hours"        // none of those who are left may be sent to at this hour
	LimitZone      Limit = "zone"         // those who are left have no zone, or none that ever opens
	LimitFiles     Limit = "files"        // its files are looked at first
	LimitCanary    Limit = "canary"       // the outcomes of the first ones are awaited
	LimitHeld      Limit = "held"         // by handout itself
	LimitPaused    Limit = "paused"       // by a person, or not begun yet
	LimitCanceled  Limit = "canceled"     // for good
	LimitNothing   Limit = "nothing left" // everyone has been sent to
	LimitWorker    Limit = "no worker"    // no worker runs
)

// Situation is what the limit depends on.
type Situation struct {
	Phase   campaign.Phase
	Reason  string    // of the phase
	StartAt time.Time // when a paused one goes on by itself; zero: never
	Balance *campaign.Balance
	Cursor  int // recipients before this position have been handed to the queue
	// The rates as they were set, in messages per second; 0: no limit.
	AccountRate, CampaignRate float64
	// Others is how many other campaigns send at this moment.
	Others int
	// Rate is how many were sent to per second of late, if Measured.
	Rate     float64
	Measured bool
	// Granted is what Telesign grants of the account's rate, as measured since
	// GrantedSince; 0 for all. BlockedUntil, if not zero, is until when it asked us
	// to wait.
	Granted                    float64
	GrantedSince, BlockedUntil time.Time
	OutsideHours               bool // none of those who are left may be sent to until HoursFrom
	HoursFrom                  time.Time
	NoZone                     int           // how many wait for a zone: theirs is unknown, or never opens
	Canary                     int           // how many are sent to first; 0: none
	CanaryPassed               bool          // their outcomes let the others be sent to
	ChecksFiles                bool          // they are looked at before the first send
	Unattended                 time.Duration // how long no worker was heard of
	// takes, if not nil, is how long those take who are left, at a rate and
	// within the hours; false when some of them will never be sent to.
	takes func(rate float64) (time.Duration, bool)
}

// unattendedTime is after how long without a word of any worker there is none. The one
// that looks at campaigns is heard of each second; when it dies another one takes over
// within its lease of 3 s.
const unattendedTime = 10 * time.Second

// Until is until when what binds does, where that is known; else the zero time.
func (s *Situation) Until() time.Time {
	switch limit, _ := s.Limit(); {
	case limit == LimitPaused:
		return s.StartAt
	case limit == LimitHours:
		return s.HoursFrom
	case limit == LimitThrottled && !s.BlockedUntil.IsZero():
		return s.BlockedUntil
	}
	return time.Time{}
}

// Limit is what binds, in words after "bound by" where it is a rate.
func (s *Situation) Limit() (Limit, string) {
	switch s.Phase {
	case campaign.Ended:
		return LimitCanceled, s.Reason
	case campaign.Held:
		return LimitHeld, s.Reason
	case campaign.Paused:
		return LimitPaused, s.Reason
	case campaign.Draft:
		return LimitPaused, "it is a draft"
	case campaign.Settling, campaign.Done:
		return LimitNothing, s.toCome()
	}
	switch {
	case waiting(s.Balance) == 0:
		return LimitNothing, s.toCome()
	case s.Unattended > unattendedTime:
		return LimitWorker, "no worker has been heard of for " + campaign.FormatDuration(s.Unattended)
	case s.ChecksFiles:
		return LimitFiles, "its files are looked at before the first is sent"
	case s.OutsideHours:
		if s.HoursFrom.IsZero() {
			return LimitZone, cmp.Or(s.zoneless(), "the zones of those who are left are unknown, or never open")
		}
		return LimitHours, "outside its hours until " + clock(s.HoursFrom)
	case s.awaitsCanary():
		return LimitCanary, fmt.Sprintf("the outcomes of its canary of %s are awaited", campaign.Number(s.Canary))
	}
	return s.rateLimit()
}

// zoneless says of those who wait for a zone what an operator may do, and is
// empty when there are none.
func (s *Situation) zoneless() string {
	if s.NoZone == 0 {
		return ""
	}
	wait := "wait"
	if s.NoZone == 1 {
		wait = "waits"
	}
	return fmt.Sprintf("%s %s for a zone, since theirs is unknown: nothing will be sent to them; "+
		"cancel the campaign to end it, and submit them anew with a column zone or unknown_zone", campaign.Number(s.NoZone), wait)
}

func (s *Situation) rateLimit() (Limit, string) {
	account := s.accountRate()
	switch {
	case !s.BlockedUntil.IsZero():
		return LimitThrottled, "Telesign's throttling, which lets nothing through until " + s.BlockedUntil.Local().Format("15:04:05 MST")
	case s.shares():
		return LimitShared, fmt.Sprintf("the account's rate (%s/s), which %s", number(account), s.sharers())
	case s.CampaignRate > 0 && (account == 0 || s.CampaignRate <= account):
		return LimitCampaign, fmt.Sprintf("the campaign's rate (%s/s)", number(s.CampaignRate))
	case account == 0:
		return LimitAccount, "no rate of the account's or its own"
	case account < s.AccountRate:
		return LimitThrottled, fmt.Sprintf("what Telesign grants (%.1f of the account's %s/s, since %s)", account, number(s.AccountRate), clock(s.GrantedSince))
	}
	return LimitAccount, fmt.Sprintf("the account's rate (%s/s)", number(account))
}

// shares reports whether other campaigns keep this one from what the rates allow.
func (s *Situation) shares() bool {
	account, alone := s.accountRate(), s.alone()
	switch {
	case s.Others == 0 || account == 0:
		return false
	case s.Measured:
		return s.Rate < 0.9*alone // less than a tenth comes and goes by itself
	}
	return s.inForce() < alone
}

func (s *Situation) sharers() string {
	if s.Others == 1 {
		return "1 other campaign shares"
	}
	return campaign.Count(s.Others, "other campaign") + " share"
}

// accountRate is the account's rate in force.
func (s *Situation) accountRate() float64 {
	if s.Granted > 0 && s.Granted < s.AccountRate {
		return s.Granted
	}
	return s.AccountRate
}

// inForce is the rate in force, 0 for none: what may be sent, not what is. Of the
// account's it is the share that the campaign has at least.
func (s *Situation) inForce() float64 { return s.capped(s.accountRate() / float64(s.Others+1)) }

// alone is the rate in force if no other campaign sent.
func (s *Situation) alone() float64 { return s.capped(s.accountRate()) }

func (s *Situation) capped(account float64) float64 {
	if s.CampaignRate > 0 && (account == 0 || s.CampaignRate < account) {
		return s.CampaignRate
	}
	return account
}

// awaitsCanary: all of the canary has been handed out, none of it is still to
// be sent to, and the others have to wait.
func (s *Situation) awaitsCanary() bool {
	unfed := s.Balance.Total() - s.Cursor
	handedOut := s.Balance.Of(campaign.Planned) + s.Balance.Of(campaign.Claimed) - unfed
	return s.Canary > 0 && !s.CanaryPassed && s.Cursor >= s.Canary && unfed > 0 && handedOut <= 0
}

func (s *Situation) toCome() string {
	if n := s.Balance.Of(campaign.Accepted); n > 0 {
		return "outcomes to come: " + campaign.Number(n)
	}
	return ""
}

// sends says whether a limit is a rate, so that something is sent.
func (l Limit) sends() bool {
	return l == LimitAccount || l == LimitCampaign || l == LimitShared || l == LimitThrottled
}

// hoursMargin is what is kept at the end of a window for a request; a worker's
// own is near it.
const hoursMargin = time.Minute

func (s *Situation) readHours(ctx context.Context, l *ledger.Ledger, info *campaign.Info, now time.Time) error {
	if info.Spec.Hours == nil || waiting(s.Balance) == 0 {
		return nil
	}
	left, err := l.ZonesLeft(ctx, info)
	if err != nil {
		return err
	}
	s.hours(info, left, now)
	return nil
}

// hours adds whether any recipient may be sent to now, and when the next may be.
func (s *Situation) hours(info *campaign.Info, left []campaign.ZoneLeft, now time.Time) {
	unfed := 0
	for _, z := range left {
		unfed += z.Recipients
	}
	queued := waiting(s.Balance) - unfed
	s.OutsideHours = s.Balance.Of(campaign.Claimed) == 0
	for _, z := range left {
		if z.Recipients == 0 && queued <= 0 {
			continue // everyone of it was sent to
		}
		if info.Spec.Open(z.Zones, now, hoursMargin) {
			s.OutsideHours = false
			continue
		}
		from, ever := info.Spec.NextOpen(z.Zones, now, hoursMargin)
		if !ever {
			s.NoZone += z.Recipients
		}
		if ever && (s.HoursFrom.IsZero() || from.Before(s.HoursFrom)) {
			s.HoursFrom = from
		}
	}
	// Recipients who have been handed to the queue are sent to in a moment, or wait
	// in a zone that has just closed; either way the rate decides.
	s.takes = func(rate float64) (time.Duration, bool) {
		takes, held := campaign.Estimate(info.Spec, left, rate, now)
		takes += duration(float64(waiting(s.Balance)-unfed) / rate)
		return takes, takes >= 0 && held == 0
	}
}
