package campaign_test

import (
	"testing"
	"time"

	"github.com/handout-dev/handout/campaign"
)

func TestFormatDuration_HasTwoUnitsAtMost(t *testing.T) {
	t.Parallel()
	const second, minute, hour, day = time.Second, time.Minute, time.Hour, 24 * time.Hour
	for d, want := range map[time.Duration]string{
		-second: "0 s", 0: "0 s", 999 * time.Millisecond: "0 s", second: "1 s", 59 * second: "59 s",
		minute: "1 min", 61 * second: "1 min 1 s", 10 * minute: "10 min", 59*minute + 59*second: "59 min 59 s",
		hour: "1 h", 90 * minute: "1 h 30 min", 2*hour + 59*second: "2 h", 36 * hour: "36 h", 47*hour + 59*minute: "47 h 59 min",
		2 * day: "2 days", 7*day + 2*hour + 30*minute: "7 days 2 h", 90 * day: "90 days",
	} {
		if got := campaign.FormatDuration(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}
