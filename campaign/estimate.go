package campaign

import (
	"math"
	"time"
)

// maxEstimate is how far Estimate looks ahead.
const maxEstimate = 400 * 24 * time.Hour

// Estimate is how long it takes to send to these people, from now on at rate
// messages a second, within the spec's hours. waiting is how many of them will
// never be sent to: their zone is unknown, or its window never opens. The
// duration is that of the others; it is -1 s when they take over a year.
func Estimate(s *Spec, left []ZoneLeft, rate float64, now time.Time) (takes time.Duration, waiting int) {
	type zone struct {
		schedule *Schedule
		window   Window
		left     float64
	}
	var zones []*zone
	for _, l := range left {
		z := &zone{schedule: s.Schedule(l.Zones, RequestMargin), left: float64(l.Recipients)}
		w, ok := z.schedule.Next(now)
		switch {
		case l.Recipients <= 0:
		case !ok:
			waiting += l.Recipients
		default:
			z.window = w
			zones = append(zones, z)
		}
	}
	at, end := now, now.Add(maxEstimate)
	for len(zones) > 0 {
		if at.After(end) {
			return -time.Second, waiting
		}
		// Until one of the windows opens or closes those that are open share the
		// rate, in proportion to who is left in them.
		next, open := end.Add(time.Hour), 0.0
		for _, z := range zones {
			if !at.Before(z.window.To) {
				var ok bool
				if z.window, ok = z.schedule.Next(at); !ok {
					z.window = Window{From: end.Add(time.Hour), To: end.Add(2 * time.Hour)}
				}
			}
			if z.window.Contains(at) {
				next = earlier(next, z.window.To)
				open += z.left
			} else {
				next = earlier(next, z.window.From)
			}
		}
		needs := 0.0
		if rate > 0 {
			needs = open / rate
		}
		until := next
		if needs < math.MaxInt64/float64(time.Second) {
			until = earlier(next, at.Add(time.Duration(needs*float64(time.Second))))
		}
		if open == 0 {
			at = next
			continue
		}
		sent := 1.0
		if until.Equal(next) && needs > 0 {
			sent = min(1, until.Sub(at).Seconds()/needs)
		}
		kept := zones[:0]
		for _, z := range zones {
			if z.window.Contains(at) {
				z.left -= z.left * sent
			}
			if z.left > 1e-6 {
				kept = append(kept, z)
			}
		}
		zones, at = kept, until
	}
	return at.Sub(now), waiting
}

// LinkMargin is how much longer a link to a file must hold than Telesign needs it.
const LinkMargin = time.Hour

// LinkLife is for how long from now on the links in a campaign's messages must
// hold: until the last of these people is sent to, at rate messages a second (0:
// no limit) and within the hours, Telesign has tried the last channel, and
// LinkMargin. The duration is -1 s when sending takes over a year.
func LinkLife(s *Spec, left []ZoneLeft, rate float64, now time.Time) time.Duration {
	takes, _ := Estimate(s, left, rate, now)
	if takes < 0 {
		return takes
	}
	return takes + s.FallbackTotal() + LinkMargin
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
