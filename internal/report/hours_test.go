package report_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/report"
	"github.com/handout-dev/handout/producer"
	"github.com/handout-dev/handout/test/redistest"
)

// around is a zone whose clock shows hour now, within an hour.
func around(now time.Time, hour int) string {
	east := (hour-now.UTC().Hour()+36)%24 - 12
	switch {
	case east > 0:
		return fmt.Sprintf("Etc/GMT-%d", east) // the database counts them westward
	case east < 0:
		return fmt.Sprintf("Etc/GMT+%d", -east)
	}
	return "Etc/GMT"
}

func TestPace_OutsideItsHoursACampaignSaysWhenItGoesOn(t *testing.T) {
	t.Parallel()
	rdb := redistest.Start(t).Client()
	q := report.NewReader(rdb, 10)
	now := time.Now()
	stand := func(id, hours string, unknown int) *report.Report {
		t.Helper()
		file, err := producer.ParseCampaign("c.yaml", []byte("id: "+id+"\nmessage_type: MKT\nchannels: [{channel: sms, template: x}]\n"+
			"hours: {from: \"09:00\", to: \"17:00\", zone: "+hours+"}\n"))
		if err != nil {
			t.Fatal(err)
		}
		rows := func(yield func(producer.Row, error) bool) {
			for i := range 100 {
				phone := fmt.Sprintf("+4179%07d", i)
				if i < unknown {
					phone = fmt.Sprintf("+8816123400%02d", i) // by satellite, from anywhere
				}
				if !yield(producer.Row{Recipient: fmt.Sprint(i), Phone: phone}, nil) {
					return
				}
			}
		}
		if _, err := producer.New(rdb).Submit(t.Context(), file, producer.ListRows(nil, rows), producer.SubmitOptions{}); err != nil {
			t.Fatal(err)
		}
		r, _, err := q.Read(t.Context(), campaign.ID(id))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}

	night := stand("night", around(now, 3), 0).Pace
	if night.Limit != report.LimitHours || night.ETA == nil {
		t.Fatalf("%+v", night)
	}
	// It opens at nine there, 5 to 6 hours from now, and 100 take 10 s.
	if in := night.ETA.Sub(now); in < 5*time.Hour || in > 6*time.Hour+time.Minute {
		t.Errorf("it is through in %v", in)
	}
	if line := night.Line(); !strings.HasPrefix(line, "nothing is sent: outside its hours until ") || !strings.Contains(line, " left (until ") {
		t.Error(line)
	}
	if day := stand("day", around(now, 12), 0).Pace; day.Limit != report.LimitAccount || day.ETA == nil || day.ETA.Sub(now) > time.Minute {
		t.Errorf("%+v", day)
	}
	// Swiss numbers: one zone for all, in pages of their own.
	zurich, err := time.LoadLocation("Europe/Zurich")
	if err != nil {
		t.Fatal(err)
	}
	want := report.LimitHours
	if hour := now.In(zurich).Hour(); hour >= 9 && hour < 17 {
		want = report.LimitAccount
	}
	if own := stand("own", "recipient", 0).Pace; own.Limit != want || own.ETA == nil {
		t.Errorf("%+v, want %s", own, want)
	}
	// Who has no zone is named, alone and beside others.
	const nobody = "wait for a zone, since theirs is unknown: nothing will be sent to them; cancel the campaign"
	lost := stand("lost", "recipient", 100).Pace
	if line := lost.Line(); lost.Limit != report.LimitZone || lost.ETA != nil || !strings.HasPrefix(line, "100 "+nobody) {
		t.Errorf("%+v: %s", lost, line)
	}
	some := stand("some", "recipient", 7).Pace
	if line := some.Line(); some.Limit != want || some.ETA != nil || !strings.Contains(line, "; 7 "+nobody) {
		t.Errorf("%+v: %s", some, line)
	}
}
