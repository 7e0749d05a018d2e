package schedule

import (
	"strings"
	"testing"
	"time"
)

func instant(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at.UTC()
}

func TestClock_TicksOnceAlsoWhereClocksAreChanged(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, cron, zone, from, to, want string }{
		{"plain", "0 2 * * *", "", "2026-11-22T02:00:00Z", "2026-11-24T02:00:00Z", "2026-11-23T02:00Z 2026-11-24T02:00Z"},
		{"zone", "0 2 * * *", "Europe/Paris", "2026-11-22T12:00:00Z", "2026-11-23T12:00:00Z", "2026-11-23T01:00Z"},
		{"missing hour", "30 2 * * *", "Europe/Paris", "2026-03-28T12:00:00Z", "2026-03-30T12:00:00Z", "2026-03-29T01:00Z 2026-03-30T00:30Z"},
		{"missing hour, twice in it", "0,30 2 * * *", "Europe/Paris", "2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z", "2026-03-29T01:00Z"},
		{"missing hour and the one after", "30 2,3 * * *", "Europe/Paris", "2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z", "2026-03-29T01:00Z 2026-03-29T01:30Z"},
		{"doubled hour", "30 2 * * *", "Europe/Paris", "2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z", "2026-10-25T00:30Z 2026-10-26T01:30Z"},
		{"doubled hour, from its middle", "30 2 * * *", "Europe/Paris", "2026-10-25T00:30:00Z", "2026-10-26T00:00:00Z", ""},
		{"doubled hour, every hour", "30 * * * *", "Europe/Paris", "2026-10-24T23:00:00Z", "2026-10-25T03:00:00Z", "2026-10-24T23:30Z 2026-10-25T00:30Z 2026-10-25T01:30Z 2026-10-25T02:30Z"},
		{"missing hour, every hour", "0 * * * *", "Europe/Paris", "2026-03-28T23:30:00Z", "2026-03-29T02:30:00Z", "2026-03-29T00:00Z 2026-03-29T01:00Z 2026-03-29T02:00Z"},
		{"after the doubled hour", "0 3 * * *", "Europe/Paris", "2026-10-25T00:00:00Z", "2026-10-25T12:00:00Z", "2026-10-25T02:00Z"},
		{"New York, doubled", "30 1 * * *", "America/New_York", "2026-10-31T12:00:00Z", "2026-11-02T12:00:00Z", "2026-11-01T05:30Z 2026-11-02T06:30Z"},
		{"half an hour forward", "15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", "2026-10-04T00:00:00Z", "2026-10-03T15:30Z"},
		{"midnight is missing", "0 0 * * *", "America/Santiago", "2026-09-05T12:00:00Z", "2026-09-06T12:00:00Z", "2026-09-06T04:00Z"},
		{"a whole day is missing", "0 12 * * *", "Pacific/Apia", "2011-12-29T12:00:00Z", "2012-01-01T00:00:00Z", "2011-12-29T22:00Z 2011-12-30T10:00Z 2011-12-30T22:00Z 2011-12-31T22:00Z"},
		{"seconds, for rehearsals", "*/20 0 2 * * *", "", "2026-11-23T00:00:00Z", "2026-11-24T00:00:00Z", "2026-11-23T02:00Z 2026-11-23T02:00:20Z 2026-11-23T02:00:40Z"},
		{"Sunday is 7", "0 2 * * 7", "", "2026-11-23T00:00:00Z", "2026-12-01T00:00:00Z", "2026-11-29T02:00Z"},
		{"Sunday is 0 and SUN", "0 2 * * 0,Sun", "", "2026-11-23T00:00:00Z", "2026-12-01T00:00:00Z", "2026-11-29T02:00Z"},
		{"a range that ends on 7", "0 2 * * 5-7", "", "2026-11-23T00:00:00Z", "2026-12-01T00:00:00Z", "2026-11-27T02:00Z 2026-11-28T02:00Z 2026-11-29T02:00Z"},
		{"a range that ends on SUN", "0 2 * * fri-SUN", "", "2026-11-23T00:00:00Z", "2026-12-01T00:00:00Z", "2026-11-27T02:00Z 2026-11-28T02:00Z 2026-11-29T02:00Z"},
		{"a range that ends on 0", "0 2 * * SAT-0", "", "2026-11-23T00:00:00Z", "2026-12-01T00:00:00Z", "2026-11-28T02:00Z 2026-11-29T02:00Z"},
		{"all days by name, every second", "0 2 * * MON-SUN/2", "", "2026-11-23T00:00:00Z", "2026-12-01T00:00:00Z", "2026-11-23T02:00Z 2026-11-25T02:00Z 2026-11-27T02:00Z 2026-11-29T02:00Z 2026-11-30T02:00Z"},
		{"from both Sundays", "0 2 * * 0-7/7", "", "2026-11-23T00:00:00Z", "2026-12-01T00:00:00Z", "2026-11-29T02:00Z"},
		{"names and numbers", "30 0 2 * * Mon,3,SAT-7", "", "2026-11-23T00:00:00Z", "2026-12-01T00:00:00Z", "2026-11-23T02:00:30Z 2026-11-25T02:00:30Z 2026-11-28T02:00:30Z 2026-11-29T02:00:30Z 2026-11-30T02:00:30Z"},
		{"the week from Sunday on", "0 2 * * SUN-TUE", "", "2026-11-23T12:00:00Z", "2026-12-01T12:00:00Z", "2026-11-24T02:00Z 2026-11-29T02:00Z 2026-11-30T02:00Z 2026-12-01T02:00Z"},
		{"Sunday or a day of the month", "0 2 25 * 7", "", "2026-11-23T00:00:00Z", "2026-12-01T00:00:00Z", "2026-11-25T02:00Z 2026-11-29T02:00Z"},
		{"a leap day", "0 0 29 2 *", "", "2026-01-01T00:00:00Z", "2029-01-01T00:00:00Z", "2028-02-29T00:00Z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			clock, err := parseClock(c.cron, c.zone)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, at := range clock.between(instant(t, c.from), instant(t, c.to)) {
				got = append(got, string(PeriodOf(at)))
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("%s\nwant %s", strings.Join(got, " "), c.want)
			}
		})
	}
}

func TestParseClock_RefusesWhatHasNoTimesOfItsOwn(t *testing.T) {
	t.Parallel()
	for _, c := range [][3]string{
		{"@every 1h", "", "@every has no times"}, {"0 2 * *", "", "expected"}, {"0 2 * * *", "Europe/Pariss", "isn't known"},
		{"TZ=UTC 0 2 * * *", "", "stands under zone"}, {"0 2 * * *", "Local", "another one on each machine"}, {"0 0 30 2 *", "", "never comes"},
		{"0 2 * * 8", "", "above maximum"}, {"0 2 * * FRI-MON", "", "beyond end"}, {"0 2 * * MOO-SUN", "", "parse"}, {"0 2 * * 5-6/0", "", "positive"},
	} {
		if _, err := parseClock(c[0], c[1]); err == nil || !strings.Contains(err.Error(), c[2]) {
			t.Errorf("%s %s: %v", c[0], c[1], err)
		}
	}
}

func TestLast_IsTheLatestTick(t *testing.T) {
	t.Parallel()
	for cron, want := range map[string]Period{"0 2 * * *": "2026-11-23T02:00Z", "*/5 * * * *": "2026-11-23T12:30Z", "0 0 1 1 *": "2026-01-01T00:00Z"} {
		clock, err := parseClock(cron, "")
		if err != nil {
			t.Fatal(err)
		}
		if got := PeriodOf(clock.Last(instant(t, "2026-11-23T12:30:00Z"))); got != want {
			t.Errorf("%s: %s", cron, got)
		}
	}
}

func TestPeriod_IsReadAndMakesAnID(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Period{
		"2026-11-23T02:00Z": "2026-11-23T02:00Z", "2026-11-23T03:00:00+01:00": "2026-11-23T02:00Z",
		"nightly:2026-11-23T02:00Z": "2026-11-23T02:00Z", "2026-11-23T02:00:05Z": "2026-11-23T02:00:05Z",
		"2026-11-23": "", "daily:2026-11-23T02:00Z": "", "2026-11-23T02:00": "", "": "",
	} {
		got, err := ParsePeriod("nightly", text)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %s, %v", text, got, err)
		}
		if want != "" && PeriodOf(got.Time()) != got {
			t.Errorf("%s: its time is %s", got, got.Time())
		}
	}
	if id := Period("2026-11-23T02:00Z").id(); id != "20261123t0200z" {
		t.Error(id)
	}
}
