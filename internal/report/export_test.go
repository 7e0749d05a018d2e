package report_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/report"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/producer"
	"github.com/handout-dev/handout/test/campaigntest"
	"github.com/handout-dev/handout/test/redistest"
)

// held opens a campaign of three people, to whom nothing has been sent.
func held(t *testing.T) (*report.Reader, *campaign.Info) {
	t.Helper()
	return submitted(t, redistest.Start(t).Client(), true, "sms")
}

// submitted opens a campaign of three people with a cascade of these channels.
func submitted(t *testing.T, rdb *redis.Client, hold bool, channels ...string) (*report.Reader, *campaign.Info) {
	t.Helper()
	spec := campaign.Spec{ID: "spring", MessageType: "MKT"}
	for _, name := range channels {
		spec.Channels = append(spec.Channels, campaign.Channel{Channel: name, Template: "text", Parameters: map[string]string{"text": "Hello"}})
	}
	file, err := producer.NewFile(spec)
	if err != nil {
		t.Fatal(err)
	}
	rows := func(yield func(producer.Row, error) bool) {
		_ = yield(producer.Row{Recipient: "a", Phone: "+12015550100"}, nil) &&
			yield(producer.Row{Recipient: `b, "the second"`, Phone: "+12015550101"}, nil) &&
			yield(producer.Row{Recipient: "ç", Phone: "+12015550102"}, nil)
	}
	result, err := producer.New(rdb).Submit(t.Context(), file, producer.ListRows(nil, rows), producer.SubmitOptions{Begin: campaign.Beginning{Hold: hold}})
	if err != nil {
		t.Fatal(err)
	}
	return report.NewReader(rdb, 10), result.Info
}

func TestExport_WritesEveryoneInTheOrderOfTheList(t *testing.T) {
	t.Parallel()
	l, info := held(t)
	csv := text(t, func(b *strings.Builder) error { return l.Export(t.Context(), info, b, report.CSV, false) })
	want := strings.Join(report.Columns, ",") + `
a,+12015550100,planned,,,,,,,0,,
"b, ""the second""",+12015550101,planned,,,,,,,0,,
ç,+12015550102,planned,,,,,,,0,,
`
	if diff := cmp.Diff(want, csv); diff != "" {
		t.Errorf("CSV (-want +got):\n%s", diff)
	}
	ndjson := text(t, func(b *strings.Builder) error { return l.Export(t.Context(), info, b, report.NDJSON, false) })
	const rest = `,"state":"planned","delivered_by":"","reason":"","whatsapp_code":"","sms_code":"",` +
		`"reference_id":"","external_id":"","attempts":0,"claimed_at":"","settled_at":"","delivered_by_channels":[],"channels":[]}` + "\n"
	want = `{"recipient":"a","phone":"+12015550100"` + rest +
		`{"recipient":"b, \"the second\"","phone":"+12015550101"` + rest +
		`{"recipient":"ç","phone":"+12015550102"` + rest
	if diff := cmp.Diff(want, ndjson); diff != "" {
		t.Errorf("NDJSON (-want +got):\n%s", diff)
	}
}

func TestExport_EndsWithTheListsOwnColumns(t *testing.T) {
	t.Parallel()
	rdb := redistest.Start(t).Client()
	file, err := producer.NewFile(campaign.Spec{ID: "spring", MessageType: "MKT", Channels: []campaign.Channel{
		{Channel: "sms", Template: "text", Parameters: map[string]string{"text": "Hello"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	rows := func(yield func(producer.Row, error) bool) {
		yield(producer.Row{Recipient: "a", Phone: "+12015550100", Values: []string{"https://f.example.com/12015550100", "Ann", "gold"}}, nil)
	}
	result, err := producer.New(rdb).Submit(t.Context(), file, producer.ListRows([]string{"url", "name", "state"}, rows), producer.SubmitOptions{Begin: campaign.Beginning{Hold: true}})
	if err != nil {
		t.Fatal(err)
	}
	l := report.NewReader(rdb, 10)
	for _, c := range []struct {
		columns []string
		masked  bool
		header  string
		row     string
	}{
		{[]string{"state", "name"}, false, ",list_state,name", ",gold,Ann"},
		{[]string{"all"}, false, ",url,name,list_state", ",https://f.example.com/12015550100,Ann,gold"},
		{[]string{"url"}, true, ",url", ",https://f.example.com/*********00"},
	} {
		csv := text(t, func(b *strings.Builder) error {
			return l.Export(t.Context(), result.Info, b, report.CSV, c.masked, c.columns...)
		})
		lines := strings.Split(csv, "\n")
		if lines[0] != strings.Join(report.Columns, ",")+c.header || !strings.HasSuffix(lines[1], ",0,,"+c.row) {
			t.Errorf("%v: %s", c.columns, csv)
		}
	}
	ndjson := text(t, func(b *strings.Builder) error {
		return l.Export(t.Context(), result.Info, b, report.NDJSON, false, "name")
	})
	if !strings.HasSuffix(ndjson, `"attempts":0,"claimed_at":"","settled_at":"","name":"Ann","delivered_by_channels":[],"channels":[]}`+"\n") {
		t.Error(ndjson)
	}
	if err := l.Export(t.Context(), result.Info, full{}, report.CSV, false, "colour"); err == nil || !strings.Contains(err.Error(), `no column "colour", only url, name, state`) {
		t.Error(err)
	}
}

// Each leg stands where it stands in the cascade, and a delivery on a channel that has
// no word of its own is named.
func TestReader_ShowsEachLegInItsOrder(t *testing.T) {
	t.Parallel()
	rdb := redistest.Start(t).Client()
	l, info := submitted(t, rdb, false, "rcs", "viber", "sms")
	leg := campaigntest.Leg
	var seen ledger.Seen
	for _, e := range []campaign.Event{
		campaigntest.Claim(), campaigntest.Accept(1),
		campaigntest.Receipt(1, campaign.RankDelivered, 3000,
			leg("sms", campaign.RankDelivered, 3000), leg("viber", campaign.RankFailed, 3056), leg("rcs", campaign.RankDelivered, 3000)),
	} {
		var err error
		if seen, err = ledger.New(rdb).Apply(t.Context(), info, campaign.Place{}, seen, e); err != nil {
			t.Fatal(err)
		}
	}
	ndjson := text(t, func(b *strings.Builder) error { return l.Export(t.Context(), info, b, report.NDJSON, false) })
	line, _, _ := strings.Cut(ndjson, "\n")
	_, got, _ := strings.Cut(line, `,"settled_at":`)
	if want := `"2026-11-22T12:01:00Z","delivered_by_channels":["rcs","sms"],"channels":[{"channel":"rcs","outcome":"delivered","code":3000},` +
		`{"channel":"viber","outcome":"failed","code":3056},{"channel":"sms","outcome":"delivered","code":3000}]}`; got != want {
		t.Errorf("NDJSON has\n%s, want\n%s", got, want)
	}
	outcomes, err := l.Outcomes(t.Context(), info)
	if err != nil {
		t.Fatal(err)
	}
	if table := text(t, func(b *strings.Builder) error { return report.WriteOutcomes(b, outcomes) }); !strings.Contains(table, "delivered by rcs and sms  viber: Message failed") {
		t.Errorf("outcomes:\n%s", table)
	}
	story, err := l.Story(t.Context(), info, report.Found{Recipient: campaign.Recipient{ID: "a"}, Seen: seen})
	if err != nil {
		t.Fatal(err)
	}
	var heard []string
	for _, m := range story.Moments {
		if m.What == report.MomentHeard {
			heard = append(heard, m.Leg.Channel)
		}
	}
	if diff := cmp.Diff([]string{"rcs", "viber", "sms"}, heard); diff != "" {
		t.Error(diff)
	}
}

var errFull = errors.New("the disk is full")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestExport_SaysThatItCouldNotBeWritten(t *testing.T) {
	t.Parallel()
	l, info := held(t)
	for _, format := range []report.Format{report.CSV, report.NDJSON} {
		if err := l.Export(t.Context(), info, full{}, format, false); !errors.Is(err, errFull) {
			t.Errorf("%s: %v", format, err)
		}
	}
}

func TestParseFormat_KnowsTwo(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"csv", "ndjson"} {
		if f, err := report.ParseFormat(s); err != nil || string(f) != s {
			t.Errorf("%s: %s, %v", s, f, err)
		}
	}
	for _, s := range []string{"", "CSV", "json"} {
		if _, err := report.ParseFormat(s); err == nil {
			t.Errorf("%q is taken for a format", s)
		}
	}
}

func TestOutcomes_CountsWhoIsAlike(t *testing.T) {
	t.Parallel()
	l, info := held(t)
	got, err := l.Outcomes(t.Context(), info)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]report.Outcome{{State: campaign.Planned, Count: 3}}, got); diff != "" {
		t.Error(diff)
	}
	r, _, err := l.Read(t.Context(), "spring")
	if err != nil || r.State != "paused" || r.Balance["planned"] != 3 || !r.Closes() {
		t.Errorf("%+v, %v", r, err)
	}
	if _, _, err := l.Read(t.Context(), "summer"); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("a campaign that isn't there: %v", err)
	}
}
