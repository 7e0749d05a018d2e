package process_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/handout-dev/handout/test/redistest"
)

// zoneAt is a zone in which it is this hour of the day now.
func zoneAt(hour int) string {
	east := hour - time.Now().UTC().Hour()
	if east < -12 {
		east += 24
	}
	return fmt.Sprintf("Etc/GMT%+d", -east) // the sign is that of POSIX
}

// One campaign, half of whose people sleep.
func TestHours_ThoseWhoSleepAreLeftAlone(t *testing.T) {
	t.Parallel()
	const id, awake, asleep = "by-day", 130, 120
	h := open(t, quick(redistest.Start(t).URL()))
	phones := numbers(awake+asleep, func(area, digits int) bool { return digits < 35 || area == 0 && digits == 69 })
	both := "" // who fails on both channels, and is in a page that isn't full
	var list strings.Builder
	list.WriteString("recipient,phone,url,zone\n")
	noon, midnight := zoneAt(12), zoneAt(0)
	for i, phone := range phones {
		zone := midnight
		if i%2 == 0 && i/2 < awake || i/2 >= asleep {
			zone = noon
		}
		if strings.HasSuffix(phone, "69") {
			zone, both = noon, fmt.Sprintf("customer-%d", i)
		}
		fmt.Fprintf(&list, "customer-%d,%s,https://files.example.com/%d,%s\n", i, phone, i, zone)
	}
	listPath := write(t, "list.csv", list.String())
	file := write(t, "c.yaml", campaignText(id)+"hours: {from: \"09:00\", to: \"20:00\", zone: recipient}\n")
	zones := map[string]int{noon: strings.Count(list.String(), ","+noon+"\n"), midnight: strings.Count(list.String(), ","+midnight+"\n")}

	r := handout(t, bare(), "submit", file, listPath, "--dry-run")
	for _, want := range []string{
		"hours        09:00 to 20:00 in the recipient's own zone, every day", fmt.Sprintf("can be sent now    %d\n", zones[noon]),
		fmt.Sprintf("not before         %d: ", zones[midnight]), fmt.Sprintf("%d in %s, open now\n", zones[noon], noon),
	} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("no %q in:\n%s", want, r.stdout)
		}
	}
	var dry struct {
		Hours struct {
			Now   int
			Later []struct {
				At, Local  time.Time
				Recipients int
			}
		}
		Seconds float64
	}
	if err := json.Unmarshal([]byte(done(t, bare(), "submit", file, listPath, "--dry-run", "--json")), &dry); err != nil {
		t.Fatal(err)
	}
	if len(dry.Hours.Later) != 1 || dry.Hours.Later[0].Recipients != zones[midnight] || dry.Hours.Later[0].Local.Hour() != 9 || dry.Seconds < 7*3600 {
		t.Errorf("%+v", dry)
	}

	if out := done(t, h.env, "submit", file, listPath); !strings.Contains(out, "is running") {
		t.Error(out)
	}
	await(t, "those who are awake have it", func() bool {
		b := reportOf(t, h.env, id).Balance
		return b["delivered"] == zones[noon]-1 && b["failed"] == 1
	})
	if out := done(t, h.env, "submit", file, listPath); !strings.Contains(out, "already") {
		t.Error(out)
	}
	if out := done(t, h.env, "resend", id, both, "--yes"); strings.Contains(out, both) {
		t.Error(out)
	}
	await(t, "the one who failed has failed again", func() bool {
		for _, p := range export(t, h.env, id) {
			if p["recipient"] == both {
				return p["attempts"] == "2" && p["state"] == "failed"
			}
		}
		return false
	})
	people := map[string]string{}
	for _, p := range export(t, h.env, id) {
		people[p["recipient"]] = p["state"]
	}
	states := map[string]int{}
	for _, state := range people {
		states[state]++
	}
	if want := map[string]int{"delivered": zones[noon] - 1, "failed": 1, "planned": zones[midnight]}; !maps.Equal(states, want) || len(people) != len(phones) {
		t.Errorf("%v, want %v", states, want)
	}
	for phone, times := range h.accepted(t) {
		if times != 1 && !strings.HasSuffix(phone, "69") {
			t.Errorf("somebody was sent to %d times", times)
		}
	}
	done(t, h.env, "verify", id)
	done(t, h.env, "cancel", id)
	if r := untilDone(t, h.env, id); r.Balance["canceled"] != zones[midnight] {
		t.Errorf("%+v", r)
	}
	if out := done(t, h.env, "verify", id); !strings.Contains(out, "250 recipients in 4 pages") {
		t.Error(out)
	}
}
