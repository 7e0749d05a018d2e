package vendorreport_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/internal/vendorreport"
	"github.com/handout-dev/handout/telesign"
)

func TestReadAll_ReadsWhatTheColumnsSay(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	all := vendorreport.Columns{Reference: "Ref", ExternalID: "External ID", Phone: "To", Date: "Sent at", Status: "Status", Channel: "Channel"}
	with := func(change func(*vendorreport.Columns)) vendorreport.Columns {
		c := all
		change(&c)
		return c
	}
	const header = "Ref,External ID,To,Sent at,Status,Channel\n"
	for name, c := range map[string]struct {
		text    string
		columns vendorreport.Columns
		want    vendorreport.Row
	}{
		"all of them": {header + "ab12,spring.aaaaaaaa.0.1.1,+12015550123,2026-11-23T09:00:00Z,Delivered,WhatsApp\n", all,
			vendorreport.Row{Line: 2, Reference: "AB12", ExternalID: "spring.aaaaaaaa.0.1.1", Phone: "+12015550123", At: at, Code: telesign.CodeDelivered, Channel: "whatsapp"}},
		"semicolons, a byte order mark, CR LF": {"\ufeff" + strings.ReplaceAll(header, ",", ";") + "ab12;;;;3005;\r\n", all,
			vendorreport.Row{Line: 2, Reference: "AB12", Code: telesign.CodeRead}},
		"a number without its plus, a date without a zone": {header + ",,12015550123,2026-11-23 10:00:00,,\n", with(func(c *vendorreport.Columns) { c.Zone = berlin }),
			vendorreport.Row{Line: 2, Phone: "+12015550123", At: at, Code: telesign.CodeInProgress}},
		"a date of its own form": {header + ",,+12015550123,23.11.2026 09:00,sent,\n", with(func(c *vendorreport.Columns) { c.Layout = "02.01.2006 15:04" }),
			vendorreport.Row{Line: 2, Phone: "+12015550123", At: at, Code: telesign.CodeInProgress}},
		"a code by which nothing was sent": {header + "ab12,,,,3204,\n", all, vendorreport.Row{Line: 2, Reference: "AB12", Code: telesign.CodeRateLimited, NotSent: true}},
		"a word that was given a meaning": {header + "ab12,,,,REJECTD,\n", with(func(c *vendorreport.Columns) {
			c.Means = map[string]vendorreport.Meaning{"rejectd": vendorreport.NotSent}
		}), vendorreport.Row{Line: 2, Reference: "AB12", Code: telesign.CodeInProgress, NotSent: true}},
		"a word that isn't known was sent": {header + "ab12,,,,Zustellung,\n", all, vendorreport.Row{Line: 2, Reference: "AB12", Code: telesign.CodeInProgress, Unknown: "Zustellung"}},
		"a failure":                        {header + "ab12,,,,Undelivered,sms\n", all, vendorreport.Row{Line: 2, Reference: "AB12", Code: telesign.CodeDeliveryError, Channel: "sms"}},
		"the word null is none":            {header + "null,null,,,,\n", all, vendorreport.Row{Line: 2, Code: telesign.CodeInProgress}},
		"no phone number":                  {header + ",,ann@example.org,2026-11-23T09:00:00Z,,\n", all, vendorreport.Row{Line: 2, At: at, Code: telesign.CodeInProgress}},
	} {
		rows, err := vendorreport.ReadAll(strings.NewReader(c.text), c.columns, "")
		if err != nil || len(rows) != 1 {
			t.Errorf("%s: %d rows, %v", name, len(rows), err)
			continue
		}
		rows[0].At = rows[0].At.UTC()
		if c.want.At.IsZero() {
			rows[0].At = time.Time{}
		}
		if diff := cmp.Diff(c.want, rows[0]); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestReadAll_RefusesWhatItCannotRead(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]struct {
		text    string
		columns vendorreport.Columns
	}{
		"its columns are: Ref, To": {"Ref,To\n", vendorreport.Columns{Reference: "Reference"}},
		"name that of the":         {"Ref,To\n", vendorreport.Columns{Status: "Ref"}},
		"the column of the date":   {"Ref,To\n", vendorreport.Columns{Phone: "To"}},
		"line 2: \"yesterday\"":    {"To,At\n+12015550123,yesterday\n", vendorreport.Columns{Phone: "To", Date: "At"}},
		"line 3: it has a phone":   {"To,At\n+12015550123,2026-11-23T09:00:00Z\n+12015550123,\n", vendorreport.Columns{Phone: "To", Date: "At"}},
		"it is empty":              {"", vendorreport.Columns{Reference: "Ref"}},
		"bare \" in non-quoted":    {"Ref,To\na\"b,c\n", vendorreport.Columns{Reference: "Ref"}},
		"an unknown country":       {"Ref\n", vendorreport.Columns{Reference: "Ref"}},
	} {
		region := ""
		if want == "an unknown country" {
			region, want = "XX", ""
		}
		if _, err := vendorreport.ReadAll(strings.NewReader(c.text), c.columns, region); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
}
