package campaign

import (
	"fmt"
	"strconv"
	"strings"
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

// ParseMoment reads a time as in 2026-11-22T09:00:00Z, or one that is a span as in 90m,
// 24h or 90d from now: after it, or before it if sign is -1.
func ParseMoment(text string, now time.Time, sign time.Duration) (time.Time, error) {
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	span, err := time.ParseDuration(text)
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, wrong := strconv.Atoi(days)
		span, err = time.Duration(min(n, 100*365))*24*time.Hour, wrong
	}
	if err != nil || span <= 0 {
		return time.Time{}, fmt.Errorf("%q isn't a time as in 24h, 90d or 2026-11-22T09:00:00Z", text)
	}
	return now.Add(sign * span).Truncate(time.Second), nil
}
