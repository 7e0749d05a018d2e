package console_test

import (
	"html"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/handout-dev/handout/internal/web/access"
)

// A form that is wrong comes back as it was, with the fault beside its field.
func TestForms_ComeBackAsTheyWereWithTheFaultBesideItsField(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	h.submit(t, "autumn", 3, true, "")
	if err := h.ledger.Hold(t.Context(), "autumn", "Telesign: 3411 Invalid API Key", time.Now()); err != nil {
		t.Fatal(err)
	}
	b := h.login(t, "olga", access.Scopes()...)
	review := b.review(someFile, "list.csv", rows(3))
	for name, c := range map[string]struct {
		page   string // with the form's hidden fields; empty: there are none
		to     string
		fields []string // what is written
		fault  string   // the fault's ID
		says   string
		keeps  []string // of the form, as it comes back
	}{
		"a rate":                 {"/campaigns/autumn/rate", "/campaigns/autumn/rate", []string{"rate", "-5", "why", "slowly"}, "fault-ask-rate", "number over 0", []string{`value="-5"`, `value="slowly"`}},
		"a time zone":            {"/campaigns/autumn/reschedule", "/campaigns/autumn/reschedule", []string{"at", "2099-01-01T10:00", "zone", "Middle/Earth"}, "fault-ask-zone", "Europe/Berlin", []string{`value="2099-01-01T10:00"`, `value="Middle/Earth"`}},
		"a time":                 {"/campaigns/autumn/reschedule", "/campaigns/autumn/reschedule", []string{"at", "soon", "zone", "UTC"}, "fault-ask-at", "be read", []string{`value="soon"`}},
		"a time that is past":    {"/campaigns/autumn/reschedule", "/campaigns/autumn/reschedule", []string{"at", "2020-01-01T10:00", "zone", "UTC"}, "fault-ask-at", "is past", []string{`value="2020-01-01T10:00"`}},
		"a number":               {"", "/suppression/add", []string{"phone", "55501", "why", "she wrote"}, "fault-add-phone", "", []string{`value="55501"`, `value="she wrote"`}},
		"a long reason":          {"", "/suppression/add", []string{"phone", "+12015550109", "why", strings.Repeat("x", 300)}, "fault-add-why", "", []string{`value="+12015550109"`}},
		"a number to check":      {"", "/suppression/check", []string{"phone", "77"}, "fault-check-phone", "", []string{`value="77"`}},
		"a number to remove":     {"", "/suppression/remove/ask", []string{"phone", "77"}, "fault-remove-phone", "", []string{`value="77"`}},
		"a key's name":           {"", "/keys", []string{"name", "Not Good", "scope", "submit"}, "fault-create-name", "", []string{`value="Not Good"`, `value="submit" checked`}},
		"a key's name, taken":    {"", "/keys", []string{"name", "olga", "scope", "submit"}, "fault-create-", "", []string{`value="olga"`, `value="submit" checked`}},
		"a key that may nothing": {"", "/keys", []string{"name", "idle"}, "fault-create-scope", "", []string{`value="idle"`}},
		"no start":               {"", review, []string{"why", "for spring"}, "fault-confirm-start", "Choose when it starts", []string{`value="for spring"`}},
		"a start that is past":   {"", review, []string{"start", "at", "at", "2020-01-01T09:00"}, "fault-confirm-at", "is past", []string{`value="at" checked`, `value="2020-01-01T09:00"`}},
	} {
		var fields []string
		if c.page != "" {
			fields = formOf(b.get(http.StatusOK, c.page))
		}
		status := http.StatusUnprocessableEntity
		if strings.HasSuffix(name, "taken") {
			status = http.StatusConflict
		}
		a := b.post(status, c.to, append(fields, c.fields...)...)
		fault := regexp.MustCompile(`id="` + c.fault + `" class="fault" role="alert">([^<]+)<`).FindStringSubmatch(a.body)
		if fault == nil || !strings.Contains(html.UnescapeString(fault[1]), c.says) {
			t.Errorf("%s: the fault is %q:\n%s", name, fault, mainPart(a.body))
			continue
		}
		for _, want := range c.keeps {
			if !strings.Contains(html.UnescapeString(a.body), want) {
				t.Errorf("%s: %s isn't kept:\n%s", name, want, mainPart(a.body))
			}
		}
		if strings.Contains(a.body, "Unprocessable") || strings.Count(a.body, `class="fault"`) != 1 {
			t.Errorf("%s: %s", name, mainPart(a.body))
		}
	}
}

func TestErrors_HaveWordsOfTheirOwn(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	h.submit(t, "spring", 3, true, "")
	b := h.login(t, "olga", access.Read, access.Control)
	for path, status := range map[string]int{
		"/nowhere": 404, "/campaigns/autumn": 404, "/campaigns/spring/purge": 409, "/campaigns/spring/retry?only=delivered": 422, "/keys": 403,
	} {
		a := b.get(status, path)
		if title := http.StatusText(status); strings.Contains(a.body, title) || strings.Contains(a.body, "Status ") {
			t.Errorf("%s says %q", path, title)
		}
	}
}
