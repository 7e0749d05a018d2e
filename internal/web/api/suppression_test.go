package api_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/internal/suppression"
	"github.com/handout-dev/handout/internal/web/access"
	"github.com/handout-dev/handout/internal/web/api"
)

// onTheList is the whole suppression list: why, by whom.
func (h *house) onTheList(t testing.TB) map[string]string {
	t.Helper()
	all := make(map[string]string)
	err := h.suppressions.Each(t.Context(), func(n suppression.Number) error {
		all[n.Phone] = n.Reason() + "|" + n.By
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestSuppression_OneNumber(t *testing.T) {
	t.Parallel()
	h := open(t, func(o *api.Options) { o.Region = "US" })
	c, people := h.all(t), h.client(t, "support", access.Read, access.People)
	const path = "/suppression/+12015550100"
	problemOf(t, people.do(t, 404, "GET", path, "", ""), "not-found")
	var s api.Suppressed
	c.do(t, 201, "PUT", path, asJSON, `{"why":"asked by letter"}`).into(t, &s)
	if s.Phone != "+*********00" || s.Why != "by hand: asked by letter" || s.By != "billing" || time.Since(s.Since) > time.Hour {
		t.Errorf("%+v", s)
	}
	// The first entry stays, however the number is written.
	for _, again := range []string{path, "/suppression/%2B12015550100", "/suppression/2015550100", "/suppression/(201)%20555-0100"} {
		s = api.Suppressed{}
		c.do(t, 200, "PUT", again, asJSON, `{"why":"again"}`).into(t, &s)
		if s.Why != "by hand: asked by letter" {
			t.Errorf("%s: %+v", again, s)
		}
	}
	c.do(t, 201, "PUT", "/suppression/+12015550101", "", "")
	for _, it := range []string{path, "/suppression/+12015550199"} { // it doesn't tell who has opted out
		if p := problemOf(t, c.do(t, 403, "GET", it, "", ""), "forbidden"); !strings.Contains(p.Detail, "lacks the scope people") {
			t.Errorf("without the scope people: %+v", p)
		}
	}
	people.do(t, 200, "GET", path, "", "").into(t, &s)
	if s.Phone != "+12015550100" {
		t.Errorf("with the scope people: %+v", s)
	}
	for body, name := range map[string]string{`{"why":"` + strings.Repeat("x", 201) + `"}`: "why", `{"why":"` + strings.Repeat("é", 101) + `"}`: "why", `{"why":"a\nb"}`: "why"} {
		if p := problemOf(t, c.do(t, 422, "PUT", path, asJSON, body), "invalid"); len(p.Errors) != 1 || p.Errors[0].Field != name {
			t.Errorf("%.20s: %+v", body, p)
		}
	}
	for method, who := range map[string]*client{"GET": people, "PUT": c, "DELETE": c} {
		a := who.do(t, 422, method, "/suppression/12", "", "")
		if p := problemOf(t, a, "invalid"); len(p.Errors) != 1 || p.Errors[0].Field != "phone" {
			t.Errorf("%s: %+v", method, p)
		}
	}
	problemOf(t, people.do(t, 403, "PUT", path, "", ""), "forbidden")
	problemOf(t, people.do(t, 403, "DELETE", path, "", ""), "forbidden")
	if a := c.do(t, 200, "DELETE", path, "", ""); !strings.Contains(a.body, `"removed":true`) {
		t.Error(a.body)
	}
	if a := c.do(t, 200, "DELETE", path, "", ""); !strings.Contains(a.body, `"removed":false`) {
		t.Error(a.body)
	}
	if diff := cmp.Diff(map[string]string{"+12015550101": "by hand|billing"}, h.onTheList(t)); diff != "" {
		t.Error(diff)
	}
}

func TestSuppression_TakesAnEMailAddressOfAnyLength(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	c := h.client(t, "support", access.Read, access.Control, access.People)
	longest := strings.Repeat("a", 64) + "@" + strings.Repeat(strings.Repeat("b", 61)+".", 3) + "com"
	if len(longest) != 254 {
		t.Fatalf("it has %d bytes", len(longest))
	}
	for _, address := range []string{"anna.maria.magdalena.vandenbroucke@customers.of.the.shop.example.com", longest} {
		for _, path := range []string{"/suppression/" + address, "/suppression/" + strings.Replace(address, "@", "%40", 1)} {
			c.do(t, 201, "PUT", path, "", "")
			var s api.Suppressed
			if c.do(t, 200, "GET", path, "", "").into(t, &s); s.Phone != address {
				t.Errorf("%s: %+v", path, s)
			}
			if a := c.do(t, 200, "DELETE", path, "", ""); !strings.Contains(a.body, `"removed":true`) {
				t.Error(a.body)
			}
		}
	}
	problemOf(t, c.do(t, 422, "PUT", "/suppression/a"+longest, "", ""), "invalid")
}

func TestSuppression_ListByCursor(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	c, people := h.all(t), h.client(t, "support", access.Read, access.People)
	const total = 3000
	want := make(map[string]bool)
	var numbers []suppression.Number
	for i := range total {
		numbers = append(numbers, suppression.Number{Phone: phoneOf(i), Entry: suppression.Entry{At: time.Now(), Why: suppression.WhyStop, Campaign: "spring"}})
		want[phoneOf(i)] = true
	}
	if _, err := h.suppressions.AddAll(t.Context(), numbers); err != nil {
		t.Fatal(err)
	}
	type page struct {
		Suppressed []api.Suppressed `json:"suppressed"`
		Next       string           `json:"next_cursor"`
	}
	got, answers := make(map[string]bool), 0
	for cursor := ""; ; {
		var p page
		people.do(t, 200, "GET", "/suppression?limit=200&cursor="+cursor, "", "").into(t, &p)
		if answers++; len(p.Suppressed) > 400 {
			t.Errorf("%d in one answer", len(p.Suppressed))
		}
		for _, s := range p.Suppressed {
			got[s.Phone] = true
			if s.Why != "stop" || s.Campaign != "spring" {
				t.Fatalf("%+v", s)
			}
		}
		if cursor = p.Next; cursor == "" {
			break
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || answers < 5 {
		t.Errorf("in %d answers: %s", answers, diff)
	}
	if a := c.do(t, 200, "GET", "/suppression", "", ""); strings.Contains(a.body, "+1201") || !strings.Contains(a.body, `"+*********`) {
		t.Errorf("without the scope people: %.300s", a.body)
	}
	for _, cursor := range []string{"x", "99999999999999999999", "-1"} {
		p := problemOf(t, c.do(t, 422, "GET", "/suppression?cursor="+cursor, "", ""), "invalid")
		if len(p.Errors) != 1 || p.Errors[0].Field != "cursor" {
			t.Errorf("%s: %+v", cursor, p)
		}
	}
}

func TestSuppression_ImportTakesGoodRowsAndNamesBadOnes(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	c := h.all(t)
	const file = "\ufeffid, phone ,why\r\n1,+12015550100,\"wrote, twice\"\r\n\r\n2,+1 (201) 555-0101,\r\n3,12,\r\n4,+12015550100,other\r\n5"
	p := problemOf(t, c.do(t, 422, "POST", "/suppression", asCSV, file), "incomplete")
	want := []api.Fault{
		{Field: "phone", Line: 5, Message: "not in international form, which begins with + and a calling code"}, {Field: "phone", Line: 7, Message: "empty"},
	}
	if diff := cmp.Diff(want, p.Errors); diff != "" || p.Count != 2 || p.Detail != "bad: 2 of 5 rows; the numbers of all others are on the list, 2 of them new" {
		t.Errorf("%+v\n%s", p, diff)
	}
	var got api.Imported
	c.do(t, 200, "POST", "/suppression?set_aside_bad_rows=true", asCSV, file).into(t, &got)
	if diff := cmp.Diff(api.Imported{Rows: 5, BadRows: 2, Faults: want}, got); diff != "" {
		t.Errorf("again:\n%s", diff)
	}
	got = api.Imported{}
	c.do(t, 200, "POST", "/suppression", asCSV, "phone\n+12015550102\n").into(t, &got)
	if diff := cmp.Diff(api.Imported{Rows: 1, Added: 1}, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]string{
		"+12015550100": "by hand: wrote, twice|billing", "+12015550101": "by hand|billing", "+12015550102": "by hand|billing",
	}, h.onTheList(t)); diff != "" {
		t.Error(diff)
	}
	for file, message := range map[string]string{"": "the file is empty", "+12015550100\n": "there is no column phone; cells are separated by commas"} {
		p := problemOf(t, c.do(t, 422, "POST", "/suppression", asCSV, file), "invalid")
		if len(p.Errors) != 1 || p.Errors[0].Message != message {
			t.Errorf("%q: %+v", file, p)
		}
	}
	problemOf(t, c.do(t, 415, "POST", "/suppression", asNDJSON, "{}"), "media-type")
	if strings.Contains(h.log.String(), "555") {
		t.Error("the log has a number")
	}
}

// What came before the file broke off is on the list, and the answer says so.
func TestSuppression_AFileThatBreaksOff(t *testing.T) {
	t.Parallel()
	h := open(t, func(o *api.Options) { o.Silence, o.MaxList = 300*time.Millisecond, 1<<16 })
	c := h.all(t)
	var file strings.Builder
	file.WriteString("phone\n")
	for i := range 2500 {
		fmt.Fprintln(&file, phoneOf(i))
	}
	for i, refused := range []struct {
		kind  string
		after func(*net.TCPConn)
	}{{"malformed", func(conn *net.TCPConn) { _ = conn.CloseWrite() }}, {"too-slow", func(*net.TCPConn) {}}} {
		a := c.raw(t, "POST", "/suppression", asCSV, 60_000, file.String(), refused.after)
		p := problemOf(t, a, refused.kind)
		if said := strings.Contains(p.Detail, "; added before that: 2,000 numbers"); said != (i == 0) {
			t.Errorf("%s: %q", refused.kind, p.Detail)
		}
	}
	if n := len(h.onTheList(t)); n != 2000 { // whole batches
		t.Errorf("%d on the list", n)
	}
	problemOf(t, c.do(t, 413, "POST", "/suppression", asCSV, file.String()+strings.Repeat("+12015550100\n", 6000)), "too-large")
	c.do(t, 200, "POST", "/suppression", asCSV, file.String())
	if n := len(h.onTheList(t)); n != 2500 {
		t.Errorf("%d on the list", n)
	}
}
