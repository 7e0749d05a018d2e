package api_test

import (
	"strings"
	"testing"
	"time"

	"github.com/handout-dev/handout/internal/suppression"
	"github.com/handout-dev/handout/internal/web/access"
	"github.com/handout-dev/handout/internal/web/api"
)

func TestOptOuts_AreListedAndSettled(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	c, people := h.all(t), h.client(t, "support", access.Read, access.People)
	for _, id := range []string{"AB12", "EF56"} {
		if err := h.suppressions.Keep(t.Context(), suppression.Unresolved{ID: id, At: time.Now(), User: "US.13491208655302741918", Original: "CD34"}); err != nil {
			t.Fatal(err)
		}
	}
	if a := people.do(t, 200, "GET", "/optouts", "", ""); !strings.Contains(a.body, `"user":"US.13491208655302741918"`) || !strings.Contains(a.body, `"original_reference_id":"CD34"`) {
		t.Error(a.body)
	}
	masked := h.client(t, "looker", access.Read)
	if a := masked.do(t, 200, "GET", "/optouts", "", ""); strings.Contains(a.body, "134912") || !strings.Contains(a.body, "AB12") {
		t.Error(a.body)
	}
	problemOf(t, people.do(t, 403, "POST", "/optouts/AB12", asJSON, `{"phone":"+12015550100"}`), "forbidden")
	for body, field := range map[string]string{`{}`: "why", `{"phone":"12"}`: "phone"} {
		if p := problemOf(t, c.do(t, 422, "POST", "/optouts/AB12", asJSON, body), "invalid"); len(p.Errors) != 1 || p.Errors[0].Field != field {
			t.Errorf("%s: %+v", body, p)
		}
	}
	if a := c.do(t, 200, "POST", "/optouts/AB12", asJSON, `{"phone":"+5215512345678","why":"known"}`); !strings.Contains(a.body, `"suppressed":true`) {
		t.Error(a.body)
	}
	problemOf(t, c.do(t, 404, "POST", "/optouts/AB12", asJSON, `{"phone":"+12015550100"}`), "not-found")
	if a := c.do(t, 200, "POST", "/optouts/EF56", asJSON, `{"why":"a test"}`); !strings.Contains(a.body, `"suppressed":false`) {
		t.Error(a.body)
	}
	var s api.Suppressed
	people.do(t, 200, "GET", "/suppression/+525512345678", "", "").into(t, &s)
	if s.Why != "stop: known" || s.By != "billing" || len(s.History) != 1 || s.History[0].Why != "stop: known" {
		t.Errorf("%+v", s)
	}
	if a := c.do(t, 200, "POST", "/suppression?reason=deactivated&column=Number", asCSV, "Number\n+12015550199\n"); !strings.Contains(a.body, `"added":1`) {
		t.Error(a.body)
	}
	if all := h.onTheList(t); all["+12015550199"] != "deactivated|billing" {
		t.Errorf("%v", all)
	}
	problemOf(t, c.do(t, 422, "POST", "/suppression?reason=other", asCSV, "phone\n"), "invalid")
}
