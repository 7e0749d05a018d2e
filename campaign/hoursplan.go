package campaign

import (
	"slices"
	"time"
)

// HoursPlan says how many of a list can be sent to when.
type HoursPlan struct {
	// Zones are the people by their zones, most of them first. A campaign whose
	// hours are in one zone for all has that one alone.
	Zones []ZonePlan
	// Now is how many can be sent to at once, and Opens how many must wait, by the
	// time when their window opens, the earliest first.
	Now   int
	Opens []OpensPlan
	// Unknown is how many have no known zone, and Apart how many may be in zones
	// that have no minute of the hours in common. The campaign's unknown_zone says
	// what becomes of both; Waiting is how many are never sent to.
	Unknown, Apart, Waiting int
}

// ZonePlan is the people of a list in one zone, or in any of several.
type ZonePlan struct {
	Zones      []string // none: unknown
	Recipients int
	// Opens is when they can be sent to, if not now; zero when never.
	Open  bool
	Opens time.Time
}

// OpensPlan is the people whose window opens at a time.
type OpensPlan struct {
	At         time.Time // in the zone of most of them
	Recipients int
}

// PlanHours says how many of those left can be sent to when.
func PlanHours(s *Spec, left []ZoneLeft, now time.Time) *HoursPlan {
	strict := *s
	strict.UnknownZone = ""
	p := &HoursPlan{}
	for _, l := range left {
		z := ZonePlan{Zones: SplitZones(l.Zones), Recipients: l.Recipients}
		clock := "" // the zone whose hours hold
		if len(z.Zones) > 0 {
			clock = z.Zones[0]
		}
		if _, own := strict.NextOpen(l.Zones, now, RequestMargin); !own {
			clock = s.UnknownZone
			if len(z.Zones) == 0 {
				p.Unknown += l.Recipients
			} else {
				p.Apart += l.Recipients
			}
		}
		opens, ever := s.NextOpen(l.Zones, now, RequestMargin)
		switch {
		case !ever:
			p.Waiting += l.Recipients
		case opens.Equal(now):
			z.Open = true
			p.Now += l.Recipients
		default:
			if loc, err := LoadZone(clock); err == nil {
				opens = opens.In(loc)
			}
			z.Opens = opens
			p.opens(opens, l.Recipients)
		}
		p.Zones = append(p.Zones, z)
	}
	slices.SortStableFunc(p.Opens, func(a, b OpensPlan) int { return a.At.Compare(b.At) })
	return p
}

func (p *HoursPlan) opens(at time.Time, n int) {
	for i := range p.Opens {
		if p.Opens[i].At.Equal(at) {
			p.Opens[i].Recipients += n
			return
		}
	}
	p.Opens = append(p.Opens, OpensPlan{at, n})
}
