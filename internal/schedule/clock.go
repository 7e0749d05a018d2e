package schedule

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// Clock says when a schedule ticks: a cron expression, by the clocks of a zone.
//
// Where clocks are put forward, a tick in the missing hour is due when that hour
// would have begun, and only one of several. Where they are put back, a tick in
// the doubled hour is due in the first of the two, and only once; an expression
// for every hour goes on through both.
type Clock struct {
	fields *cron.SpecSchedule
	zone   *time.Location
	hourly bool
}

// parser takes the five fields of cron, a field of seconds before them for
// rehearsals, and @daily and its like.
var parser = cron.NewParser(cron.SecondOptional | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)

var errEvery = errors.New("@every has no times of its own, and each scheduler would count from its own start: write it as in */15 * * * *")

var (
	weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}
	// daysPart is a day of the week or a range of them, with a step or without.
	daysPart = regexp.MustCompile(`^([0-7]|[a-z]{3})-([0-7]|[a-z]{3})(/\d+)?$|^7$`)
)

// untilSunday returns the expression with each day of the week from 0 to 6: in cron
// Sunday is 7, too, and ends ranges, as in 5-7 and FRI-SUN. What it doesn't know it
// leaves to the parser, which says what is wrong.
func untilSunday(expression string) string {
	fields := strings.Fields(expression)
	if len(fields) < 5 {
		return expression
	}
	last := &fields[len(fields)-1]
	parts := strings.Split(strings.ToLower(*last), ",")
	for i, part := range parts {
		m := daysPart.FindStringSubmatch(part)
		if m == nil {
			continue
		}
		if part == "7" {
			parts[i] = "0"
			continue
		}
		from, to, step := weekday(m[1]), weekday(m[2]), 1
		if m[3] != "" {
			step, _ = strconv.Atoi(m[3][1:]) // too large: 0, which the parser refuses
		}
		if to == 0 && from > 0 {
			to = 7
		}
		if from < 0 || to < from || step < 1 || to < 7 {
			continue
		}
		var days []string
		for day := from; day <= to; day += step {
			days = append(days, strconv.Itoa(day%7))
		}
		parts[i] = strings.Join(days, ",")
	}
	*last = strings.Join(parts, ",")
	return strings.Join(fields, " ")
}

// weekday returns a day's number; -1 if there is none.
func weekday(text string) int {
	if n, err := strconv.Atoi(text); err == nil {
		return n
	}
	return slices.Index(weekdays, text)
}

// allHours are the bits of a field of hours that names every one.
const allHours = 1<<24 - 1

// parseClock reads a cron expression; zone is a name as in Europe/Paris, empty
// for UTC.
func parseClock(expression, zone string) (*Clock, error) {
	if strings.HasPrefix(expression, "TZ=") || strings.HasPrefix(expression, "CRON_TZ=") {
		return nil, errors.New("the zone stands under zone, not in the expression")
	}
	if zone == "Local" {
		return nil, errors.New("zone Local is another one on each machine: name it, as in Europe/Paris")
	}
	at, err := time.LoadLocation(zone)
	if err != nil {
		return nil, fmt.Errorf("zone %q isn't known: name it as in Europe/Paris", zone)
	}
	parsed, err := parser.Parse(untilSunday(expression))
	if err != nil {
		return nil, fmt.Errorf("cron %q: %w", expression, err)
	}
	fields, ok := parsed.(*cron.SpecSchedule)
	if !ok {
		return nil, errEvery
	}
	c := &Clock{fields: fields, zone: at, hourly: fields.Hour&allHours == allHours}
	if c.hourly {
		fields.Location = at
	} else {
		fields.Location = time.UTC // of wall clocks, see Next
	}
	if c.Next(time.Now()).IsZero() {
		return nil, fmt.Errorf("cron %q never comes", expression)
	}
	return c, nil
}

// Zone returns the zone of the clocks.
func (c *Clock) Zone() *time.Location { return c.zone }

// widestChange is more than any zone's clocks were ever changed by: a whole day.
const widestChange = 26 * time.Hour

// Next returns the first tick after t, in UTC; zero if there is none within years.
func (c *Clock) Next(t time.Time) time.Time {
	if c.hourly {
		next := c.fields.Next(t)
		if next.IsZero() {
			return next
		}
		return next.UTC()
	}
	// The expression is matched with what the wall clock shows, as if that were
	// UTC; from earlier on, since clocks may have been put back.
	for wall := c.wall(t).Add(-widestChange); ; {
		wall = c.fields.Next(wall)
		if wall.IsZero() {
			return wall
		}
		if at := c.instant(wall); at.After(t) {
			return at
		}
	}
}

// wall returns what the clocks show at t, as if it were UTC.
func (c *Clock) wall(t time.Time) time.Time {
	_, offset := t.In(c.zone).Zone()
	return t.UTC().Add(time.Duration(offset) * time.Second)
}

// instant returns when the clocks show wall for the first time, or pass it.
func (c *Clock) instant(wall time.Time) time.Time {
	_, before := wall.Add(-widestChange).In(c.zone).Zone()
	_, after := wall.Add(widestChange).In(c.zone).Zone()
	early, late := wall.Add(-time.Duration(max(before, after))*time.Second), wall.Add(-time.Duration(min(before, after))*time.Second)
	for _, at := range []time.Time{early, late} {
		if c.wall(at).Equal(wall) {
			return at
		}
	}
	// The clocks skip it: it falls into the change that is under way.
	start, _ := late.In(c.zone).ZoneBounds()
	return start.UTC()
}

// between returns the ticks after from, up to and including to.
func (c *Clock) between(from, to time.Time) []time.Time {
	var ticks []time.Time
	for t := c.Next(from); !t.IsZero() && !t.After(to); t = c.Next(t) {
		ticks = append(ticks, t)
	}
	return ticks
}

// Last returns the latest tick up to and including t; zero if there is none within years.
func (c *Clock) Last(t time.Time) time.Time {
	for back := time.Hour; back < 10*366*24*time.Hour; back *= 4 {
		if ticks := c.between(t.Add(-back), t); len(ticks) > 0 {
			return ticks[len(ticks)-1]
		}
	}
	return time.Time{}
}

// nearest returns the tick that is nearest to t, of those up to now; zero if there is
// none.
func (c *Clock) nearest(t, now time.Time) time.Time {
	before, after := c.Last(t), c.Next(t)
	if after.IsZero() || after.After(now) || !before.IsZero() && t.Sub(before) <= after.Sub(t) {
		return before
	}
	return after
}

// Period is a tick's time in UTC, as it stands in keys and reports:
// 2026-11-23T02:00Z, with seconds where there are any. Periods sort by time.
type Period string

// PeriodOf returns the period of a tick.
func PeriodOf(t time.Time) Period {
	t = t.UTC()
	if t.Second() != 0 {
		return Period(t.Format("2006-01-02T15:04:05Z"))
	}
	return Period(t.Format("2006-01-02T15:04Z"))
}

var errPeriod = errors.New("a period is a time, as in 2026-11-23T02:00Z or 2026-11-23T03:00:00+01:00")

// ParsePeriod reads a time in any zone; schedule's name may stand before it, as
// in nightly:2026-11-23T02:00Z.
func ParsePeriod(schedule, text string) (Period, error) {
	text = strings.TrimPrefix(text, schedule+":")
	t, err := parsePeriod(text)
	if err != nil || t.Nanosecond() != 0 || t.Year() <= 0 {
		return "", errPeriod
	}
	return PeriodOf(t), nil
}

func parsePeriod(text string) (time.Time, error) {
	if t, err := time.Parse("2006-01-02T15:04Z07:00", text); err == nil {
		return t, nil
	}
	return time.Parse(time.RFC3339, text)
}

// Time returns when the period's tick is due.
func (p Period) Time() time.Time {
	t, _ := parsePeriod(string(p)) // zero if it isn't one
	return t.UTC()
}

// id returns the period as a part of a campaign's ID, unique to it: 20261123t0200z.
func (p Period) id() string {
	return strings.ToLower(strings.NewReplacer("-", "", ":", "").Replace(string(p)))
}
