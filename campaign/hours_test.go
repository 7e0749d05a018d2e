package campaign_test

import (
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/test/campaigntest"
)

// withHours is a spec with these, in a cascade whose fallback takes ten minutes.
func withHours(h campaign.Hours, unknown string) *campaign.Spec {
	s := campaigntest.Spec("c")
	s.Hours, s.UnknownZone = &h, unknown
	return s
}

func at(t *testing.T, text string) time.Time {
	t.Helper()
	v, err := time.Parse("2006-01-02T15:04:05Z07:00", text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

var weekdays = campaign.Hours{From: "09:00", To: "20:00", Days: []string{"mon", "tue", "wed", "thu", "fri"}, Zone: "recipient"}

func daily(from, to string) campaign.Hours {
	return campaign.Hours{From: from, To: to, Zone: "recipient"}
}

// The fallback takes 10 minutes and the request one, so that a window ends 11
// minutes before it closes.
func TestHours_Open(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name           string
		hours          campaign.Hours
		unknown, zones string
		at             string
		next           string // the same time: it is open; "": never
	}{
		{"before it opens", weekdays, "", "Europe/Berlin", "2026-11-23T08:59:59+01:00", "2026-11-23T09:00:00+01:00"},
		{"as it opens", weekdays, "", "Europe/Berlin", "2026-11-23T09:00:00+01:00", "2026-11-23T09:00:00+01:00"},
		{"the last moment for the fallback", weekdays, "", "Europe/Berlin", "2026-11-23T19:48:59+01:00", "2026-11-23T19:48:59+01:00"},
		{"a fallback would come too late", weekdays, "", "Europe/Berlin", "2026-11-23T19:49:00+01:00", "2026-11-24T09:00:00+01:00"},
		{"Friday evening", weekdays, "", "Europe/Berlin", "2026-11-27T19:49:00+01:00", "2026-11-30T09:00:00+01:00"},
		{"Saturday", weekdays, "", "Europe/Berlin", "2026-11-28T12:00:00+01:00", "2026-11-30T09:00:00+01:00"},
		{"already Monday there", weekdays, "", "Pacific/Auckland", "2026-11-22T21:00:00Z", "2026-11-22T21:00:00Z"},
		{"still Sunday there", weekdays, "", "Pacific/Honolulu", "2026-11-23T09:00:00Z", "2026-11-23T19:00:00Z"},
		{"one day a week, just over", campaign.Hours{From: "09:00", To: "10:00", Days: []string{"wed"}, Zone: "recipient"}, "", "Europe/Berlin",
			"2026-11-25T09:49:00+01:00", "2026-12-02T09:00:00+01:00"},
		{"until midnight", daily("22:00", "24:00"), "", "Asia/Kolkata", "2026-11-23T23:48:59+05:30", "2026-11-23T23:48:59+05:30"},
		{"midnight is the day's end", daily("22:00", "24:00"), "", "Asia/Kolkata", "2026-11-23T23:49:00+05:30", "2026-11-24T22:00:00+05:30"},
		{"a whole day", daily("00:00", "24:00"), "", "Asia/Kolkata", "2026-11-23T23:50:00+05:30", "2026-11-24T00:00:00+05:30"},
		{"one zone for all", campaign.Hours{From: "09:00", To: "20:00", Zone: "Asia/Tokyo"}, "", "America/New_York", "2026-11-23T08:59:00+09:00", "2026-11-23T09:00:00+09:00"},

		{"New York, the day before clocks go forward", daily("02:30", "06:00"), "", "America/New_York", "2026-03-07T02:30:00-05:00", "2026-03-07T02:30:00-05:00"},
		{"New York, 02:30 isn't there that day", daily("02:30", "06:00"), "", "America/New_York", "2026-03-08T01:59:59-05:00", "2026-03-08T03:00:00-04:00"},
		{"New York, the window is an hour shorter", daily("01:00", "03:30"), "", "America/New_York", "2026-03-08T03:19:00-04:00", "2026-03-09T01:00:00-04:00"},
		{"New York, the fallback goes over the change", daily("01:00", "03:30"), "", "America/New_York", "2026-03-08T01:55:00-05:00", "2026-03-08T01:55:00-05:00"},
		{"New York, no window is left", daily("02:10", "02:50"), "", "America/New_York", "2026-03-08T00:00:00-05:00", "2026-03-09T02:10:00-04:00"},
		{"New York, clocks go back: 01:30 comes twice", daily("01:30", "06:00"), "", "America/New_York", "2026-11-01T01:30:00-04:00", "2026-11-01T01:30:00-05:00"},
		{"New York, the second 01:30", daily("01:30", "06:00"), "", "America/New_York", "2026-11-01T01:30:00-05:00", "2026-11-01T01:30:00-05:00"},
		{"New York, it ends at the first 01:30", daily("00:30", "01:30"), "", "America/New_York", "2026-11-01T01:00:00-05:00", "2026-11-02T00:30:00-05:00"},
		{"New York, an hour more within it", daily("00:00", "06:00"), "", "America/New_York", "2026-11-01T05:48:59-05:00", "2026-11-01T05:48:59-05:00"},
		{"Berlin, 09:00 after clocks went forward", daily("09:00", "20:00"), "", "Europe/Berlin", "2026-03-29T07:00:00Z", "2026-03-29T07:00:00Z"},
		{"Berlin, 09:00 before", daily("09:00", "20:00"), "", "Europe/Berlin", "2026-03-28T07:00:00Z", "2026-03-28T08:00:00Z"},
		{"Berlin, 09:00 after clocks went back", daily("09:00", "20:00"), "", "Europe/Berlin", "2026-10-25T07:30:00Z", "2026-10-25T08:00:00Z"},
		{"Lord Howe, half an hour forward", daily("02:15", "06:00"), "", "Australia/Lord_Howe", "2026-10-04T01:59:00+10:30", "2026-10-04T02:30:00+11:00"},
		{"Lord Howe, half an hour back", daily("01:45", "06:00"), "", "Australia/Lord_Howe", "2026-04-05T01:50:00+11:00", "2026-04-05T01:45:00+10:30"},
		{"a zone without such changes", daily("02:30", "06:00"), "", "Asia/Kolkata", "2026-03-29T02:30:00+05:30", "2026-03-29T02:30:00+05:30"},

		{"two zones, both must be open", weekdays, "", "America/New_York|Europe/Berlin", "2026-11-23T09:00:00+01:00", "2026-11-23T09:00:00-05:00"},
		{"two zones, the eastern one closes first", weekdays, "", "America/New_York|Europe/Berlin", "2026-11-23T19:49:00+01:00", "2026-11-24T15:00:00+01:00"},
		{"two zones, closed at the week's end of either", weekdays, "", "America/New_York|Pacific/Auckland", "2026-11-27T22:00:00Z", "2026-11-30T20:00:00Z"},
		{"too far apart", daily("09:00", "12:00"), "", "America/New_York|Asia/Tokyo", "2026-11-23T12:00:00Z", ""},
		{"too far apart, by another zone's clock", daily("09:00", "12:00"), "Europe/Berlin", "America/New_York|Asia/Tokyo", "2026-11-23T09:00:00+01:00", "2026-11-23T09:00:00+01:00"},
		{"in common, but too short for the fallback", daily("09:00", "15:10"), "", "America/New_York|Europe/Berlin", "2026-11-23T12:00:00Z", ""},
		{"unknown, held", weekdays, "", "", "2026-11-23T12:00:00Z", ""},
		{"unknown, by another zone's clock", weekdays, "Europe/Berlin", "", "2026-11-23T12:00:00Z", "2026-11-23T12:00:00Z"},
		{"a zone that isn't on this machine", weekdays, "", "Mars/Olympus", "2026-11-23T12:00:00Z", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := withHours(tt.hours, tt.unknown)
			now := at(t, tt.at)
			next, ok := s.NextOpen(tt.zones, now, campaign.RequestMargin)
			if ok != (tt.next != "") || (ok && !next.Equal(at(t, tt.next))) {
				t.Errorf("%s: next %s (%v), want %s", tt.at, next.Format(time.RFC3339), ok, tt.next)
			}
			if open := s.Open(tt.zones, now, campaign.RequestMargin); open != (tt.at == tt.next) {
				t.Errorf("open: %v", open)
			}
		})
	}
	if !campaigntest.Spec("c").Open("", campaigntest.Noon, 0) {
		t.Error("a campaign without hours is closed")
	}
}

// Whatever the clocks do, a send and its fallback show times within the hours.
func TestHours_EverySecondOfAWindowShowsATimeWithinIt(t *testing.T) {
	t.Parallel()
	for _, zone := range []string{"America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Africa/Casablanca", "America/Santiago", "Asia/Kolkata"} {
		loc, err := campaign.LoadZone(zone)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range []campaign.Hours{daily("01:15", "03:45"), daily("00:00", "02:20"), daily("23:00", "24:00")} {
			s := withHours(h, "")
			from, _ := campaign.ParseClock(h.From)
			to, _ := campaign.ParseClock(h.To)
			schedule := s.Schedule(zone, 0)
			windows := 0
			for now := at(t, "2026-01-01T00:00:00Z"); now.Year() < 2027; {
				w, ok := schedule.Next(now)
				if !ok {
					t.Fatalf("%s: no window after %s", zone, now)
				}
				if !w.From.Before(w.To) || !now.Before(w.To) {
					t.Fatalf("%s: after %s comes %+v", zone, now, w)
				}
				end := w.To.Add(s.UntilLast())
				for x := w.From; x.Before(end); x = x.Add(5 * time.Minute) {
					l := x.In(loc)
					clock := time.Duration(l.Hour())*time.Hour + time.Duration(l.Minute())*time.Minute
					if clock < from || clock >= to {
						t.Fatalf("%s %s to %s: %s is in the window %+v", zone, h.From, h.To, l, w)
					}
				}
				windows++
				now = w.To
			}
			if windows < 363 || windows > 366 {
				t.Errorf("%s %s to %s: %d windows in a year", zone, h.From, h.To, windows)
			}
		}
	}
}

func TestHours_Check(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		hours   campaign.Hours
		unknown string
		path    string
		want    string
	}{
		{"good", weekdays, "Europe/Berlin", "", ""},
		{"the shortest", daily("09:00", "09:12"), "", "", ""},
		{"no zone", campaign.Hours{From: "09:00", To: "20:00"}, "", "hours.zone", "missing"},
		{"no such zone", campaign.Hours{From: "09:00", To: "20:00", Zone: "Mars/Olympus"}, "", "hours.zone", "must be recipient"},
		{"the machine's own zone", campaign.Hours{From: "09:00", To: "20:00", Zone: "Local"}, "", "hours.zone", "must be recipient"},
		{"no such day", campaign.Hours{From: "09:00", To: "20:00", Days: []string{"monday"}, Zone: "recipient"}, "", "hours.days", "must be some of mon"},
		{"no time", daily("9:00", "20:00"), "", "hours.from", "must be a time of the day"},
		{"no such time", daily("09:00", "24:01"), "", "hours.to", "must be a time of the day"},
		{"over midnight", daily("20:00", "09:00"), "", "hours.to", "must be later than from: a window can't go over midnight"},
		{"none at all", daily("09:00", "09:00"), "", "hours.to", "must be later than from"},
		{"too short", daily("09:00", "09:11"), "", "hours", "the window of 11 min is too short: the last channel is tried up to 11 min after"},
		{"bad unknown zone", weekdays, "Mars/Olympus", "unknown_zone", "must be hold"},
		{"unknown zone without need", campaign.Hours{From: "09:00", To: "20:00", Zone: "Asia/Tokyo"}, "Asia/Tokyo", "unknown_zone", "needs hours"},
	} {
		wrong := withHours(tt.hours, tt.unknown).CheckHours()
		if tt.path == "" && len(wrong) > 0 || tt.path != "" && (len(wrong) != 1 || !strings.HasPrefix(wrong[tt.path], tt.want)) {
			t.Errorf("%s: %q", tt.name, wrong)
		}
	}
	// Telesign's own fallback time counts where the file names none.
	s := withHours(daily("09:00", "09:06"), "")
	s.Channels[0].FallbackTime = 0
	if wrong := s.CheckHours(); !strings.HasPrefix(wrong["hours"], "the window of 6 min is too short") {
		t.Errorf("%q", wrong)
	}
	// The last channel's doesn't: nothing comes after it.
	s = withHours(daily("09:00", "09:12"), "")
	s.Channels[1].FallbackTime = 3600
	if wrong := s.CheckHours(); len(wrong) > 0 {
		t.Errorf("%q", wrong)
	}
	s = withHours(campaign.Hours{From: "09:00", To: "20:00", Days: []string{"sun", "mon", "mon"}, Zone: "recipient"}, "")
	s.CheckHours()
	if d := cmp.Diff([]string{"mon", "sun"}, s.Hours.Days); d != "" {
		t.Error(d)
	}
	s.Hours.Days = append([]string{}, campaign.Weekdays...)
	if s.CheckHours(); s.Hours.Days != nil {
		t.Errorf("all days: %q", s.Hours.Days)
	}
}

func TestLoadZone_TakesOnlyNamesOfZones(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "Local", "recipient", "localtime", "posixrules", "right/Europe/Berlin", "../zoneinfo/Europe/Berlin",
		"/etc/localtime", "Europe/Berlin|Asia/Tokyo", "Europe/Berlin ", "europe\\berlin", "CEST", "+01:00", strings.Repeat("a", 100)} {
		if loc, err := campaign.LoadZone(name); err == nil {
			t.Errorf("%q is %s", name, loc)
		}
	}
	for _, name := range []string{"UTC", "Europe/Berlin", "Etc/GMT-14", "America/Argentina/Buenos_Aires", "America/Port-au-Prince"} {
		if _, err := campaign.LoadZone(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEstimate(t *testing.T) {
	t.Parallel()
	berlin, york := "Europe/Berlin", "America/New_York"
	// Windows of ten hours: 09:00 to 19:11, less the eleven minutes.
	h := daily("09:00", "19:11")
	for _, tt := range []struct {
		name    string
		left    []campaign.ZoneLeft
		rate    float64
		at      string
		until   string
		waiting int
	}{
		{"within a window", []campaign.ZoneLeft{{berlin, 3600}}, 1, "2026-11-23T10:00:00+01:00", "2026-11-23T11:00:00+01:00", 0},
		{"before it opens", []campaign.ZoneLeft{{berlin, 3600}}, 1, "2026-11-23T04:00:00+01:00", "2026-11-23T10:00:00+01:00", 0},
		{"over a night", []campaign.ZoneLeft{{berlin, 3600}}, 1, "2026-11-23T18:30:00+01:00", "2026-11-24T09:30:00+01:00", 0},
		{"over two nights", []campaign.ZoneLeft{{berlin, 15 * 3600}}, 1, "2026-11-23T18:00:00+01:00", "2026-11-25T13:00:00+01:00", 0},
		{"two zones, one after the other", []campaign.ZoneLeft{{berlin, 3600}, {york, 3600}}, 1, "2026-11-23T09:00:00+01:00", "2026-11-23T10:00:00-05:00", 0},
		{"two zones share the rate", []campaign.ZoneLeft{{berlin, 3600}, {york, 7200}}, 1, "2026-11-23T15:00:00+01:00", "2026-11-23T18:00:00+01:00", 0},
		{"one closes on the other", []campaign.ZoneLeft{{berlin, 3 * 3600}, {york, 6 * 3600}}, 1, "2026-11-23T15:00:00+01:00", "2026-11-24T10:40:00+01:00", 0},
		{"some wait for ever", []campaign.ZoneLeft{{"", 7}, {berlin, 3600}}, 1, "2026-11-23T10:00:00+01:00", "2026-11-23T11:00:00+01:00", 7},
		{"nobody is left", nil, 1, "2026-11-23T10:00:00+01:00", "2026-11-23T10:00:00+01:00", 0},
		{"without a rate", []campaign.ZoneLeft{{berlin, 1}, {york, 1}}, 0, "2026-11-23T10:00:00+01:00", "2026-11-23T15:00:00+01:00", 0},
	} {
		now := at(t, tt.at)
		takes, waiting := campaign.Estimate(withHours(h, ""), tt.left, tt.rate, now)
		if off := takes - at(t, tt.until).Sub(now); off.Abs() > 2*time.Second || waiting != tt.waiting {
			t.Errorf("%s: until %s, %d wait; want %s", tt.name, now.Add(takes), waiting, tt.until)
		}
	}
	if takes, _ := campaign.Estimate(withHours(h, ""), []campaign.ZoneLeft{{berlin, 1e8}}, 1, campaigntest.Noon); takes != -time.Second {
		t.Errorf("years: %s", takes)
	}
	if takes, _ := campaign.Estimate(campaigntest.Spec("c"), []campaign.ZoneLeft{{"", 3600}}, 1, campaigntest.Noon); takes != time.Hour {
		t.Errorf("without hours: %s", takes)
	}
}
