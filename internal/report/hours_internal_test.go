package report

import (
	"testing"
	"time"

	"github.com/handout-dev/handout/campaign"
)

// Some of Zurich wait in the queue behind another campaign, while it is night where all
// the others are: the hours keep no one of Zurich.
func TestHours_WhoWaitsInTheQueueIsNotOutsideThem(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC) // 10:00 in Zurich, 04:00 in New York
	info := &campaign.Info{Spec: &campaign.Spec{Hours: &campaign.Hours{From: "09:00", To: "20:00", Zone: campaign.ZoneRecipient}}}
	for name, c := range map[string]struct {
		zurich, york, planned int
		outside               bool
	}{
		"in the queue":               {0, 90, 100, false},
		"all of Zurich are sent to":  {0, 90, 90, true},
		"some of Zurich are planned": {5, 90, 95, false},
	} {
		b := new(campaign.Balance)
		b.States[campaign.Planned] = c.planned
		s := &Situation{Phase: campaign.Running, Balance: b, AccountRate: 10}
		s.hours(info, []campaign.ZoneLeft{{Zones: "Europe/Zurich", Recipients: c.zurich}, {Zones: "America/New_York", Recipients: c.york}}, now)
		limit, detail := s.Limit()
		if (limit == LimitHours) != c.outside {
			t.Errorf("%s: %s (%s)", name, limit, detail)
		}
	}
}
