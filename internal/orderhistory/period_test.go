package orderhistory_test

import (
	"testing"
	"time"

	"github.com/handout-dev/handout/internal/orderhistory"
)

func TestParsePeriod_EndsByTheClocksOfItsZone(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	must(t, err)
	for key, want := range map[string]string{
		"2026-11-23": "2026-11-22T23:00:00Z", "2026-07-01": "2026-06-30T22:00:00Z", "2026-11-23T14:30": "2026-11-23T13:30:00Z",
	} {
		p, err := orderhistory.ParsePeriod(key, berlin)
		if err != nil || p.Key != key || p.Until.UTC().Format(time.RFC3339) != want {
			t.Errorf("%s: %+v, %v", key, p, err)
		}
	}
	for _, key := range []string{"", "2026-11", "2026-13-01", "2026/11/23", "2026-11-23T14", "2026-11-23 14:00", " 2026-11-23", "2026-W47"} {
		if p, err := orderhistory.ParsePeriod(key, berlin); err == nil {
			t.Errorf("%q is %+v", key, p)
		}
	}
}
