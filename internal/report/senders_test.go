package report_test

import (
	"strings"
	"testing"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/report"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/producer"
	"github.com/handout-dev/handout/test/campaigntest"
	"github.com/handout-dev/handout/test/redistest"
)

// A campaign whose people wait behind another's in the queue isn't outside its hours,
// and isn't slow by itself.
func TestPace_SaysThatAnotherCampaignSends(t *testing.T) {
	t.Parallel()
	rdb := redistest.Start(t).Client()
	l := ledger.New(rdb)
	stand := func(id string) *campaign.Info {
		t.Helper()
		file, err := producer.ParseCampaign("c.yaml", []byte("id: "+id+"\nmessage_type: MKT\nchannels: [{channel: sms, template: x}]\n"))
		if err != nil {
			t.Fatal(err)
		}
		rows := func(yield func(producer.Row, error) bool) {
			for i := range 20 {
				if !yield(producer.Row{Recipient: string(rune('a' + i)), Phone: "+417900000" + string(rune('0'+i/10)) + string(rune('0'+i%10))}, nil) {
					return
				}
			}
		}
		r, err := producer.New(rdb).Submit(t.Context(), file, producer.ListRows(nil, rows), producer.SubmitOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return r.Info
	}
	waits, sends := stand("waits"), stand("sends")
	if err := l.Sample(t.Context(), sends.ID); err != nil {
		t.Fatal(err)
	}
	seen, err := l.ReadRecord(t.Context(), sends, campaign.PlaceOf(0))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []campaign.Event{campaigntest.Claim(), campaigntest.Accept(1)} {
		if seen, err = l.Apply(t.Context(), sends, campaign.PlaceOf(0), seen, e); err != nil {
			t.Fatal(err)
		}
	}
	limit := func(id campaign.ID) (report.Limit, string) {
		t.Helper()
		r, _, err := report.NewReader(rdb, 10).Read(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return r.Pace.Limit, r.Pace.Line()
	}
	if got, line := limit(waits.ID); got != report.LimitShared || !strings.Contains(line, "which 1 other campaign shares") {
		t.Errorf("%s: %s", got, line)
	}
	if got, line := limit(sends.ID); got != report.LimitAccount {
		t.Errorf("the one that sends: %s: %s", got, line)
	}
}
