package campaign

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// Hours are when a campaign may be sent to its people, by the clock of a zone.
type Hours struct {
	// From and To are times of the day as in 09:00; To may be 24:00. From comes
	// before To: no window goes over midnight.
	From string `json:"from"`
	To   string `json:"to"`
	// Days are some of [Weekdays], in their order; none: every day.
	Days []string `json:"days,omitempty"`
	// Zone is [ZoneRecipient] or the IANA name of one zone for all.
	Zone string `json:"zone"`
}

// String says them in words: 09:00 to 20:00 in Europe/Berlin, mon, tue.
func (h *Hours) String() string {
	where, days := h.Zone, "every day"
	if where == ZoneRecipient {
		where = "the recipient's own zone"
	}
	if len(h.Days) > 0 {
		days = strings.Join(h.Days, ", ")
	}
	return h.From + " to " + h.To + " in " + where + ", " + days
}

// ZoneRecipient stands for each recipient's own zone.
const ZoneRecipient = "recipient"

// Weekdays are the names of days, Monday first.
var Weekdays = []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}

// RequestMargin is the time allowed for a request where the worker's own time-out
// isn't known.
const RequestMargin = time.Minute

// ByZone says whether the people of a campaign have hours of their own each, so
// that its list is in pages by zone.
func (s *Spec) ByZone() bool { return s.Hours != nil && s.Hours.Zone == ZoneRecipient }

// UntilLast returns how long Telesign may wait until it tries the last channel: the
// sum of the fallback times of all others.
func (s *Spec) UntilLast() time.Duration {
	var sum time.Duration
	for _, c := range s.Channels[:max(0, len(s.Channels)-1)] {
		sum += seconds(c.FallbackTime, telesignFallback)
	}
	return sum
}

// ParseClock reads a time of the day as in 09:00, since midnight; 24:00 is the
// day's end.
func ParseClock(s string) (time.Duration, error) {
	if s == "24:00" {
		return 24 * time.Hour, nil
	}
	t, err := time.Parse("15:04", s)
	if err != nil || len(s) != len("15:04") {
		return 0, errBadClock
	}
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute, nil
}

var errBadClock = errors.New(`must be a time of the day such as "09:00", up to "24:00"`)

// ErrBadZone means that a text isn't the name of a time zone.
var ErrBadZone = errors.New("not the name of a time zone such as Europe/Berlin")

var locations sync.Map // name to *time.Location

// LoadZone finds a time zone by its IANA name; ErrBadZone, which doesn't quote it.
func LoadZone(name string) (*time.Location, error) {
	if loc, ok := locations.Load(name); ok {
		return loc.(*time.Location), nil // nothing else is stored
	}
	// Some systems have more files there than zones: the machine's own, and every
	// zone again with leap seconds.
	other := strings.HasPrefix(name, "right/") || strings.HasPrefix(name, "posix/") ||
		slices.Contains([]string{"", "Local", "localtime", "posixrules", "Factory"}, name)
	if other || !plainZone.MatchString(name) {
		return nil, ErrBadZone
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, ErrBadZone // the cause would quote it, and name files
	}
	locations.Store(name, loc)
	return loc, nil
}

// plainZone keeps out what can't be a name, or would be taken apart later on.
var plainZone = regexp.MustCompile(`^[A-Za-z0-9/_+-]{0,64}$`)

// zoneSeparator joins the names of a recipient's zones.
const zoneSeparator = "|"

// JoinZones is a recipient's possible zones as one text: sorted names with a
// bar between them. "" is an unknown zone.
func JoinZones(names []string) string {
	sorted := slices.Clone(names)
	slices.Sort(sorted)
	return strings.Join(slices.Compact(sorted), zoneSeparator)
}

// SplitZones are the names in a text of [JoinZones]; none for an unknown zone.
func SplitZones(zones string) []string {
	if zones == "" {
		return nil
	}
	return strings.Split(zones, zoneSeparator)
}

// Window is a time in which sends may begin: From on, and before To.
type Window struct{ From, To time.Time }

// Contains says whether a send may begin at t.
func (w Window) Contains(t time.Time) bool { return !t.Before(w.From) && t.Before(w.To) }

// Schedule is the hours of a campaign for people in certain zones. Make one with
// [Spec.Schedule]. It is safe for concurrent use.
type Schedule struct {
	from, to time.Duration
	days     [7]bool // Sunday first, as time.Weekday
	cut      time.Duration
	zones    []*time.Location
	unknown  []*time.Location // for recipients without a zone; empty: they wait
}

// Schedule returns when people in these zones may be sent to. A send must begin
// early enough for the fallback to the last channel, and margin for the request, to
// fall into the same window. A recipient who may be in several zones is sent to
// while the window is open in all of them. For an unknown zone, or several that
// have no minute in common in a week, the spec's UnknownZone counts.
//
// A spec without hours, or with hours that can't be read, has a nil Schedule.
func (s *Spec) Schedule(zones string, margin time.Duration) *Schedule {
	if s.Hours == nil {
		return nil
	}
	h := &Schedule{cut: s.UntilLast() + margin, days: [7]bool{true, true, true, true, true, true, true}}
	var errFrom, errTo error
	h.from, errFrom = ParseClock(s.Hours.From)
	h.to, errTo = ParseClock(s.Hours.To)
	if errFrom != nil || errTo != nil {
		return &Schedule{} // never: it was checked before it stood
	}
	if len(s.Hours.Days) > 0 {
		h.days = [7]bool{}
		for _, name := range s.Hours.Days {
			h.days[(slices.Index(Weekdays, name)+1)%7] = true
		}
	}
	if !s.ByZone() {
		h.zones = loadZones(s.Hours.Zone)
		return h
	}
	h.zones, h.unknown = loadZones(zones), loadZones(s.UnknownZone)
	return h
}

// loadZones returns nil when one of the zones isn't known on this machine: half of
// a recipient's zones can't say when to send.
func loadZones(zones string) []*time.Location {
	var all []*time.Location
	for _, name := range SplitZones(zones) {
		loc, err := LoadZone(name)
		if err != nil {
			return nil
		}
		all = append(all, loc)
	}
	return all
}

// Open reports whether people in these zones may be sent to at this time.
func (s *Spec) Open(zones string, at time.Time, margin time.Duration) bool {
	next, ok := s.NextOpen(zones, at, margin)
	return ok && next.Equal(at)
}

// NextOpen returns the first time from at on when people in these zones may be sent
// to; false when there is none within a week.
func (s *Spec) NextOpen(zones string, at time.Time, margin time.Duration) (time.Time, bool) {
	w, ok := s.Schedule(zones, margin).Next(at)
	if w.From.Before(at) {
		w.From = at
	}
	return w.From, ok
}

// lookAhead is for how many days windows are looked for: a week, and the days
// that it begins and ends in, whatever the zone.
const lookAhead = 9

// Next is the window that is open at this time, or the next one; false when
// there is none in a week. A nil Schedule is always open.
func (h *Schedule) Next(at time.Time) (Window, bool) {
	if h == nil {
		return Window{From: at, To: at.AddDate(1, 0, 0)}, true
	}
	if w, ok := h.next(h.zones, at); ok {
		return w, true
	}
	return h.next(h.unknown, at)
}

func (h *Schedule) next(zones []*time.Location, at time.Time) (Window, bool) {
	var common []Window
	for i, loc := range zones {
		own := h.windows(loc, at)
		if i == 0 {
			common = own
		} else {
			common = intersect(common, own)
		}
	}
	for _, w := range common {
		if w.To = w.To.Add(-h.cut); w.From.Before(w.To) && at.Before(w.To) {
			return w, true
		}
	}
	return Window{}, false
}

// windows are those of one zone in the days around and after at, in order.
func (h *Schedule) windows(loc *time.Location, at time.Time) []Window {
	y, m, d := at.In(loc).Date()
	all := make([]Window, 0, lookAhead+1)
	for i := -1; i < lookAhead; i++ {
		day := time.Date(y, m, d+i, 0, 0, 0, 0, time.UTC)
		if !h.days[day.Weekday()] {
			continue
		}
		_, from := crossings(loc, day.Add(h.from).Unix())
		to, _ := crossings(loc, day.Add(h.to).Unix())
		if from < to {
			all = append(all, Window{time.Unix(from, 0).UTC(), time.Unix(to, 0).UTC()})
		}
	}
	return all
}

// crossings returns when the clocks of a zone first show a time or a later one, and
// from when on they do for good. The time is given as if it were UTC. The two differ
// where clocks are put back; where they are put forward over the time, both are that
// moment. Between the last crossing of a window's beginning and the first of its end
// the clocks show nothing outside the window.
func crossings(loc *time.Location, wall int64) (first, last int64) {
	const around = 16 * 3600 // over the greatest distance of a zone from UTC
	found := false
	end := wall + around
	for t := wall - around; t < end; {
		here := time.Unix(t, 0).In(loc)
		_, offset := here.Zone()
		until := end
		if _, change := here.ZoneBounds(); !change.IsZero() {
			until = min(end, change.Unix())
		}
		reached := max(t, wall-int64(offset))
		if reached < until && !found {
			first, found = reached, true
		}
		if before := min(until, wall-int64(offset)); t < before {
			last = before
		}
		t = until
	}
	return first, last
}

// intersect is what two lists of windows, each in order, have in common.
func intersect(a, b []Window) []Window {
	var both []Window
	for i, j := 0, 0; i < len(a) && j < len(b); {
		w := a[i]
		if b[j].From.After(w.From) {
			w.From = b[j].From
		}
		if b[j].To.Before(w.To) {
			w.To = b[j].To
		}
		if w.From.Before(w.To) {
			both = append(both, w)
		}
		if a[i].To.Before(b[j].To) {
			i++
		} else {
			j++
		}
	}
	return both
}

// CheckHours returns what is wrong with a spec's hours, by the path in a campaign
// file. It sorts the days.
func (s *Spec) CheckHours() map[string]string {
	wrong := map[string]string{}
	if s.UnknownZone != "" {
		if _, err := LoadZone(s.UnknownZone); err != nil {
			wrong["unknown_zone"] = "must be hold, or " + ErrBadZone.Error()[len("not "):]
		} else if !s.ByZone() {
			wrong["unknown_zone"] = "needs hours with zone: recipient"
		}
	}
	h := s.Hours
	if h == nil {
		return wrong
	}
	if h.Zone == "" {
		wrong["hours.zone"] = "missing: recipient, or the name of a time zone such as Europe/Berlin"
	} else if _, err := LoadZone(h.Zone); err != nil && h.Zone != ZoneRecipient {
		wrong["hours.zone"] = "must be recipient, or " + ErrBadZone.Error()[len("not "):]
	}
	for _, day := range h.Days {
		if !slices.Contains(Weekdays, day) {
			wrong["hours.days"] = "must be some of " + strings.Join(Weekdays, ", ")
		}
	}
	slices.SortFunc(h.Days, func(a, b string) int { return slices.Index(Weekdays, a) - slices.Index(Weekdays, b) })
	if h.Days = slices.Compact(h.Days); len(h.Days) == len(Weekdays) || len(h.Days) == 0 {
		h.Days = nil
	}
	from, err := ParseClock(h.From)
	if err != nil {
		wrong["hours.from"] = errBadClock.Error()
	}
	to, err := ParseClock(h.To)
	if err != nil {
		wrong["hours.to"] = errBadClock.Error()
	}
	if wrong["hours.from"] != "" || wrong["hours.to"] != "" {
		return wrong
	}
	switch needs := s.UntilLast() + RequestMargin; {
	case from >= to:
		wrong["hours.to"] = "must be later than from: a window can't go over midnight; 24:00 is the day's end"
	case to-from <= needs:
		wrong["hours"] = fmt.Sprintf("the window of %s is too short: the last channel is tried up to %s after a send, and must fall into it", FormatDuration(to-from), FormatDuration(needs))
	}
	return wrong
}
