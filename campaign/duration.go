package campaign

import (
	"fmt"
	"time"
)

// FormatDuration returns a duration as people say it, in its two largest units:
// 45 s, 10 min, 1 h 30 min, 36 h, 7 days 2 h. What is smaller is cut off.
func FormatDuration(d time.Duration) string {
	s := max(int(d/time.Second), 0)
	switch {
	case s < 60:
		return fmt.Sprintf("%d s", s)
	case s < 60*60:
		return twoUnits(s/60, "min", s%60, "s")
	case s < 48*60*60:
		return twoUnits(s/60/60, "h", s/60%60, "min")
	}
	return twoUnits(s/60/60/24, "days", s/60/60%24, "h")
}

func twoUnits(large int, unit string, small int, smaller string) string {
	if small == 0 {
		return fmt.Sprintf("%d %s", large, unit)
	}
	return fmt.Sprintf("%d %s %d %s", large, unit, small, smaller)
}
