package report_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/report"
)

// balance is one with these states.
func balance(states map[campaign.State]int) *campaign.Balance {
	b := new(campaign.Balance)
	for s, n := range states {
		b.States[s] = n
	}
	return b
}

// spring is a campaign that is nearly done.
func spring() *report.Report {
	b := balance(map[campaign.State]int{
		campaign.Accepted: 12, campaign.Delivered: 123_400, campaign.Failed: 80, campaign.InDoubt: 8,
	})
	b.By[campaign.ByWhatsApp], b.By[campaign.BySMS], b.By[campaign.ByBoth], b.Read = 100_000, 23_000, 400, 5
	return report.New(&campaign.Info{ID: "spring", Phase: campaign.Paused, Reason: "paused by a person", Total: 123_500}, b)
}

func text(t *testing.T, write func(*strings.Builder) error) string {
	t.Helper()
	var b strings.Builder
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestWriteTable_AlignsNamesAndNumbers(t *testing.T) {
	t.Parallel()
	want := `campaign spring: paused (paused by a person)

  state           people
  accepted            12    0.0 %
  in_doubt             8    0.0 %
  delivered      123,400   99.9 %
    by WhatsApp  100,000   81.0 %
    by SMS        23,000   18.6 %
    by both          400    0.3 %
    and read           5    0.0 %
  failed              80    0.1 %
  total          123,500  100.0 %
`
	got := text(t, func(b *strings.Builder) error { return spring().WriteTable(b) })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWriteTable_OfNobodyDividesByNothing(t *testing.T) {
	t.Parallel()
	r := report.New(&campaign.Info{ID: "spring", Phase: campaign.Draft}, new(campaign.Balance))
	want := "campaign spring: draft\n\n  state  people\n  total       0\n"
	if diff := cmp.Diff(want, text(t, func(b *strings.Builder) error { return r.WriteTable(b) })); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWriteJSON_HasAKeyForEveryStateAlsoWithoutPeople(t *testing.T) {
	t.Parallel()
	want := `{"campaign":"spring","state":"paused","reason":"paused by a person","total":123500,` +
		`"balance":{"accepted":12,"canceled":0,"claimed":0,"delivered":123400,"failed":80,"in_doubt":8,"planned":0,` +
		`"refused":0,"retrying":0,"suppressed":0,"unconfirmed":0},` +
		`"delivered_by":{"whatsapp":100000,"sms":23000,"both":400,"other":0,"read":5},"left_out":{"bad_rows":0,"duplicates":0},` +
		`"pace":{"rate":9.8,"limit":"account","limit_detail":"the account's rate (10/s)","eta":"2026-11-22T15:04:00Z","account_rate":10,"campaign_rate":0},"history":[]}` + "\n"
	r, eta := spring(), time.Date(2026, 11, 22, 15, 4, 0, 0, time.UTC)
	r.Pace = &report.Pace{Rate: 9.8, Limit: report.LimitAccount, LimitDetail: "the account's rate (10/s)", ETA: &eta, AccountRate: 10}
	if diff := cmp.Diff(want, text(t, func(b *strings.Builder) error { return r.WriteJSON(b) })); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCloses_OnlyWhenTheStatesAddUpToTheTotal(t *testing.T) {
	t.Parallel()
	r := spring()
	if !r.Closes() {
		t.Error("the balance doesn't close")
	}
	r.Balance["failed"]--
	if r.Closes() {
		t.Error("the balance closes without one of its people")
	}
}

func TestWriteOutcomes_BreaksLongReasonsWhereTheirPartsEnd(t *testing.T) {
	t.Parallel()
	outcomes := []report.Outcome{
		{State: campaign.Delivered, By: campaign.ByWhatsApp, Count: 1_234_567},
		{State: campaign.Failed, Count: 3, Reason: "undelivered; whatsapp: Message failed to deliver in specified fallback time; sms: " +
			"Message successfully sent out for delivery, however final confirmation of delivery to handset was not received"},
	}
	want := `     people  outcome                why
  1,234,567  delivered by whatsapp
          3  failed                 undelivered
                                    whatsapp: Message failed to deliver in specified fallback time
                                    sms: Message successfully sent out for delivery, however final confirmation
                                      of delivery to handset was not received
`
	got := text(t, func(b *strings.Builder) error { return report.WriteOutcomes(b, outcomes) })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTable_WarnsAboveTheStates(t *testing.T) {
	t.Parallel()
	r := report.Report{Campaign: "c", State: "running", Warnings: []string{"12 receipts were refused"}}
	var b strings.Builder
	if err := r.WriteTable(&b); err != nil {
		t.Fatal(err)
	}
	if got := b.String(); strings.Index(got, "warning: 12 receipts were refused") > strings.Index(got, "people") {
		t.Errorf("%s", got)
	}
}

func TestTable_SaysWhatToDoAboutAHold(t *testing.T) {
	t.Parallel()
	r := report.Report{Campaign: "c", State: "held", Reason: "Telesign: 3411 Invalid API Key", Advice: "Correct TELESIGN_API_KEY, restart the workers, then resume."}
	var b strings.Builder
	if err := r.WriteTable(&b); err != nil {
		t.Fatal(err)
	}
	if got := b.String(); !strings.HasPrefix(got, "campaign c: held (Telesign: 3411 Invalid API Key)\n\n  Correct TELESIGN_API_KEY") {
		t.Errorf("%s", got)
	}
}
