package orderhistory

import (
	"errors"
	"strings"
	"time"
)

// Period is what an export is for: orders before a moment.
type Period struct {
	Key   string // as a person writes it, and as it's stored
	Until time.Time
}

// errPeriod means that a text isn't a period.
var errPeriod = errors.New("a period is a day as in 2026-11-23, or a day and a time as in 2026-11-23T14:00")

// ParsePeriod reads a period. It ends where the day begins, or at the time, by
// the clocks of zone.
func ParsePeriod(key string, zone *time.Location) (Period, error) {
	for _, layout := range []string{time.DateOnly, "2006-01-02T15:04"} {
		if at, err := time.ParseInLocation(layout, key, zone); err == nil {
			return Period{Key: key, Until: at}, nil
		}
	}
	return Period{}, errPeriod
}

// id is the period as a part of a campaign's ID: no two periods have the same.
func (p Period) id() string { return strings.ToLower(strings.ReplaceAll(p.Key, ":", "")) }
