package main

import (
	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/producer"
)

// maxZones is how many zones are worth a line each.
const maxZones = 10

// describeHours says who can be sent to when.
func describeHours(out func(format string, args ...any), s *campaign.Spec, p *producer.HoursPlan) {
	out("  hours        %s", s.Hours)
	out("    can be sent now    %d", p.Now)
	for _, o := range p.Opens {
		out("    not before         %d: %s, %s UTC", o.Recipients, o.At.Format("Mon 2006-01-02 15:04 MST"), o.At.UTC().Format("Mon 15:04"))
	}
	rule := "aren't sent to (unknown_zone: hold)"
	if s.UnknownZone != "" {
		rule = "are sent to by the clocks of " + s.UnknownZone
	}
	if p.Unknown > 0 {
		out("    zone unknown       %d: they %s", p.Unknown, rule)
	}
	if p.Apart > 0 {
		out("    zones too far apart %d: they may be in several, with no time in common, and %s", p.Apart, rule)
	}
	if !s.ByZone() {
		return
	}
	for i, z := range p.Zones {
		if i == maxZones {
			more := 0
			for _, z := range p.Zones[i:] {
				more += z.Recipients
			}
			out("    %d in %d other zones", more, len(p.Zones)-i)
			break
		}
		out("    %d in %s%s", z.Recipients, operations.ZoneName(z.Zones), opens(z))
	}
}

func opens(z producer.ZonePlan) string {
	switch {
	case z.Open:
		return ", open now"
	case z.Opens.IsZero():
		return ", never sent to"
	}
	return ", open from " + z.Opens.Format("Mon 15:04")
}
