package producer_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/producer"
)

func TestCheck_SaysWhatASubmitWouldDo(t *testing.T) {
	long := strings.Repeat("long/", 30)
	d, err := producer.Check(t.Context(), parse(t, fileThenText), list("recipient,phone,url,name,note\n"+
		"a,+12015550101,https://a.b/c,Ann,x\n"+
		"b,+12015550102,https://a.b/"+long+",Bob,\n"+
		"c,+12015550101,https://a.b/c,Ann,x\n"+
		"d,+1,https://a.b/c,Dan,x\n"+
		"e,+12015550103,https://a.b/12015550103,Eve,x\n"+
		"f,+12015550104,https://a.b/c,Fay,x\n"), producer.CheckOptions{AccountRate: 3, SetAsideBadRows: true})
	if err != nil {
		t.Fatal(err)
	}
	var samples []string
	for _, s := range d.Samples {
		samples = append(samples, string(s))
	}
	sample := func(n, phone, url string) string {
		return `{"channels":[{"channel":"whatsapp","fallback_time":600},{"channel":"sms"}],"recipient":{"phone_number":"` + phone +
			`"},"message":{"sms":{"template":"text","parameters":{"text":"Your viatu.com order history is ready for download at ` + url +
			`."}},"whatsapp":{"template":"file","parameters":{"file_name":"order history.xlsx","url":"` + url +
			`"}}},"message_type":"MKT","external_id":"order-history.xxxxxxxx.0.` + n + `.1"}`
	}
	want := []string{
		sample("0", "*********01", "https://a.b/c"),
		sample("1", "*********02", "https://a.b/"+long),
		sample("2", "*********03", "https://a.b/*********03"),
	}
	if diff := cmp.Diff(want, samples); diff != "" {
		t.Errorf("samples (-want +got):\n%s", diff)
	}
	d.Samples = nil
	wantRun := &producer.DryRun{
		Summary: producer.Summary{
			Rows: 6, Recipients: 4, Duplicates: 1, BadRows: 1, DuplicateLines: []int{4},
			Read:   producer.Reading{Format: producer.CSV, Encoding: "UTF-8", Delimiter: ","},
			Faults: []producer.Fault{{File: "list.csv", Line: 5, Column: 3, Message: "phone: not a phone number"}},
		},
		SMS:         producer.Parts{Min: 1, Max: 2, Total: 5},
		Rate:        3,
		Duration:    1360544217 * time.Nanosecond, // 4 / (3 × 98 %)
		ColumnsUsed: []string{"url"}, ColumnsUnused: []string{"name", "note"},
	}
	if diff := cmp.Diff(wantRun, d); diff != "" {
		t.Errorf("dry run (-want +got):\n%s", diff)
	}
}

func TestCheck_CountsEmptyColumnsAndShowsOne(t *testing.T) {
	file := parse(t, strings.NewReplacer("Your viatu", "Hello {{.name}}, your viatu").Replace(fileThenText))
	text := "recipient,phone,url,name,note\n"
	for i := range 9 {
		name := "Ann"
		if i == 5 || i == 7 {
			name = " "
		}
		text += fmt.Sprintf("p%d,+1201555010%d,https://a.b/c,%s,\n", i, i, name)
	}
	d, err := producer.Check(t.Context(), file, list(text), producer.CheckOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]producer.EmptyColumn{{Column: "name", Rows: 2, Line: 7}}, d.Summary.Empty); diff != "" {
		t.Error(diff) // and not note, which no template uses
	}
	if len(d.Samples) != 4 || !strings.Contains(string(d.Samples[3]), `"Hello  , your`) {
		t.Errorf("%d samples: %s", len(d.Samples), d.Samples[len(d.Samples)-1])
	}
	if notes := d.Summary.Notes(); notes[len(notes)-1] != `column "name" is empty in 2 rows to be sent to: the first on line 7, and a sample shows one` {
		t.Errorf("%q", notes)
	}
}

func TestCheck_ABadRowRejectsUnlessSetAside(t *testing.T) {
	for _, setAside := range []bool{false, true} {
		d, _ := checked(t, list(header+row(1)+"x,+1,https://a.b/c\n"+row(2)), producer.CheckOptions{SetAsideBadRows: setAside})
		if d.Rejected == setAside || d.Summary.Recipients != 2 {
			t.Errorf("set aside %v: %+v", setAside, d)
		}
	}
}

func TestCheck_WithoutAnyRateThereIsNoDuration(t *testing.T) {
	src := strings.Replace(fileThenText, "rate: 10", "", 1)
	d, err := producer.Check(t.Context(), parse(t, src), list(listOf(3)), producer.CheckOptions{})
	if err != nil || d.Rate != 0 || d.Duration != 0 {
		t.Errorf("%+v, %v", d, err)
	}
}
