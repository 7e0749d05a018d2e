package operations_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/producer"
	"github.com/handout-dev/handout/telesign"
)

const rcsFirst = `
id: rcs
message_type: MKT
channels:
  - {channel: rcs, template: text, parameters: {text: Hello}}
  - {channel: sms, template: text, parameters: {text: Hello}}
`

// dryRunOf checks a list of numbers with these last two digits, and returns the notes
// about RCS.
func dryRunOf(t *testing.T, o *operations.Operations, src string, endings ...int) []string {
	t.Helper()
	f, err := operations.ParseCampaign("c.yaml", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	var list strings.Builder
	list.WriteString("recipient,phone\n")
	for i, ending := range endings {
		fmt.Fprintf(&list, "r%d,+1201555%02d%02d\n", i, i, ending)
	}
	d, err := o.DryRun(t.Context(), &operations.Submission{File: f, List: producer.ListReader("l.csv", producer.CSV, strings.NewReader(list.String()))})
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(d.Templates, func(note string) bool { return !strings.Contains(note, "RCS") })
}

func TestDryRun_SaysHowManyOfASampleCanTakeRCS(t *testing.T) {
	t.Parallel()
	a := newAccount(t, 0, nil)
	many := make([]int, 90)
	for i := range many {
		many[i] = 0 // delivered
		if i%9 == 0 {
			many[i] = 69 // fails
		}
	}
	notes := dryRunOf(t, a.Operations, rcsFirst, many...)
	if len(notes) != 1 || !strings.Contains(notes[0], "sampled numbers can take RCS") || strings.Contains(notes[0], "then") {
		t.Fatalf("%q", notes)
	}
	var can, of int
	if _, err := fmt.Sscanf(notes[0], "%d of %d sampled", &can, &of); err != nil || of > 20 || of < 10 || can == 0 || can == of {
		t.Errorf("%q", notes)
	}
	if n := a.asked.Load(); int(n) > 20 {
		t.Errorf("%d requests", n)
	}
	if notes := dryRunOf(t, a.Operations, rcsFirst, 0, 69); len(notes) != 1 || notes[0] != "1 of 2 sampled numbers can take RCS" {
		t.Errorf("%q", notes)
	}
	before := a.asked.Load()
	if notes := dryRunOf(t, a.Operations, strings.Replace(rcsFirst, "  - {channel: rcs, template: text, parameters: {text: Hello}}\n", "", 1), 0); len(notes) != 0 || a.asked.Load() != before {
		t.Errorf("without RCS: %q", notes)
	}
}

func TestDryRun_SaysWhyItIsNotKnownWhoCanTakeRCS(t *testing.T) {
	t.Parallel()
	if notes := dryRunOf(t, operations.New(nil, operations.Options{}), rcsFirst, 0); len(notes) != 1 || !strings.Contains(notes[0], "TELESIGN_API_KEY") {
		t.Errorf("without credentials: %q", notes)
	}
	for body, want := range map[string]string{
		`{"status":{"code":3210,"description":"Capability Check not enabled for Customer ID"}}`: "3210 Capability Check not enabled for Customer ID; its support enables it",
		`{"capability":"yes"}`: "HTTP 418",
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasPrefix(r.URL.Path, "/capability/rcs/1201555") {
				t.Errorf("%s was asked for", r.URL.Path)
			}
			w.WriteHeader(map[bool]int{true: http.StatusForbidden, false: http.StatusTeapot}[strings.Contains(body, "3210")])
			_, _ = w.Write([]byte(body))
		}))
		t.Cleanup(server.Close)
		client, err := telesign.NewClient(telesign.Options{URL: server.URL, CustomerID: "c", APIKey: "VGVzdCBLZXk=", Auth: telesign.AuthBasic, Timeout: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		notes := dryRunOf(t, operations.New(nil, operations.Options{Telesign: client}), rcsFirst, 0)
		if len(notes) != 1 || !strings.Contains(notes[0], want) {
			t.Errorf("%s: %q, want %q", body, notes, want)
		}
	}
}
