package console_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/handout-dev/handout/internal/suppression"
	"github.com/handout-dev/handout/internal/web/access"
	"github.com/handout-dev/handout/internal/web/console"
)

func TestSuppression_AddCheckRemove(t *testing.T) {
	t.Parallel()
	h := open(t, func(o *console.Options) { o.Region = "US" })
	b := h.login(t, "olga", access.Read, access.Control)
	b.see(b.get(http.StatusOK, "/suppression"), `id="none"`)
	a := b.post(http.StatusSeeOther, "/suppression/add", "phone", "(201) 555-0107", "why", "she wrote")
	if strings.Contains(fmt.Sprint(a.header), "2015550107") {
		t.Errorf("a number in the answer: %v", a.header)
	}
	a = b.get(http.StatusOK, "/suppression")
	b.see(a, "*********07", "by hand: she wrote", "olga")
	b.miss(a, "5550107")
	b.miss(a, `id="check"`)
	for _, phone := range []string{"+12015550107", "+12015550108"} { // it doesn't tell who has opted out
		a = b.post(http.StatusForbidden, "/suppression/check", "phone", phone)
		b.see(a, "lacks the scope people")
		b.miss(a, "she wrote")
	}
	a = b.post(http.StatusUnprocessableEntity, "/suppression/add", "phone", "55501")
	if strings.Count(a.body, "55501") != 1 { // in its field
		t.Errorf("%s", a.body)
	}
	b.post(http.StatusUnprocessableEntity, "/suppression/add", "phone", "+12015550109", "why", strings.Repeat("x", 300))

	reader := h.login(t, "rita", access.Read, access.People)
	a = reader.get(http.StatusOK, "/suppression")
	reader.see(a, "12015550107", `id="check"`)
	reader.see(reader.post(http.StatusOK, "/suppression/check", "phone", "+1 201 555 0107"), "is on the list, since", "she wrote")
	reader.see(reader.post(http.StatusOK, "/suppression/check", "phone", "+12015550108"), "isn&#39;t on the list")
	reader.miss(a, `id="add"`, `id="remove"`, `id="import"`, "<button class=\"danger small\"")
	for _, deed := range []string{"add", "remove/ask", "remove"} {
		reader.post(http.StatusForbidden, "/suppression/"+deed, "phone", "+12015550107")
	}
	reader.files(http.StatusForbidden, "/suppression/import", "list=n.csv", "phone\n+12015550101\n")
	a = b.post(http.StatusOK, "/suppression/remove/ask", "phone", "201-555-0107")
	b.see(a, `id="risk"`, "she wrote")
	since := regexp.MustCompile(`name="since" value="([^"]+)"`).FindStringSubmatch(a.body)[1]
	b.post(http.StatusConflict, "/suppression/remove/ask", "phone", "+12015550108")
	if n, err := h.suppressions.Count(t.Context()); n != 1 || err != nil {
		t.Errorf("the question alone left %d, %v", n, err)
	}
	b.post(http.StatusUnprocessableEntity, "/suppression/remove", "phone", "201-555-0107")
	b.see(b.post(http.StatusConflict, "/suppression/remove", "phone", "201-555-0107", "since", "2026-01-01T00:00:00Z"), "put on the list anew", "she wrote")
	b.post(http.StatusSeeOther, "/suppression/remove", "phone", "201-555-0107", "since", since)
	b.post(http.StatusSeeOther, "/suppression/remove", "phone", "201-555-0107", "since", since) // sent twice
	if n, err := h.suppressions.Count(t.Context()); n != 0 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}

func TestSuppression_ImportsAFileOrNothing(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	b := h.login(t, "olga", access.Read, access.Control)
	var list strings.Builder
	list.WriteString("phone,why\n")
	for i := range 3000 {
		fmt.Fprintf(&list, "+4179%07d,by letter\n", i)
	}
	bad := list.String() + "12,\n"
	count := func() int {
		n, err := h.suppressions.Count(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	imported := func(fields ...string) answer {
		t.Helper()
		return b.get(http.StatusOK, b.files(http.StatusSeeOther, "/suppression/import", fields...).header.Get("Location"))
	}
	b.see(imported("list=n.csv", bad), "nothing was imported", "Line 3002")
	if n := count(); n != 0 {
		t.Fatalf("%d were imported", n)
	}
	b.see(imported("list=n.csv", bad, "aside", "1"), "3,000 added", "1 bad row set aside")
	b.see(imported("list=n.csv", list.String()), "0 added, 3,000 on the list already")
	b.see(imported("list=n.csv", "number\n1\n"), "nothing was imported", "no column phone")
	b.files(http.StatusUnprocessableEntity, "/suppression/import", "why", "x")
	if n := count(); n != 3000 {
		t.Errorf("%d are on the list", n)
	}
	// All pages together show everyone.
	seen, at := map[string]bool{}, "/suppression"
	b = h.login(t, "otto", access.Read, access.People)
	for at != "" {
		a := b.get(http.StatusOK, at)
		for _, row := range strings.Split(a.body, `data-label="Phone" class="nowrap">`)[1:] {
			seen[row[:strings.Index(row, "<")]] = true
		}
		_, more, _ := strings.Cut(a.body, `id="more" class="button quiet" href="`)
		at, _, _ = strings.Cut(more, `"`)
	}
	if len(seen) != 3000 {
		t.Errorf("the pages show %d", len(seen))
	}
}

func TestSuppression_SettlesStopsWithoutANumber(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	b := h.login(t, "olga", access.Read, access.Control)
	for _, u := range []suppression.Unresolved{{ID: "AB12", User: "US.13491208655302741918", Original: "CD34"}, {ID: "EF56"}} {
		u.At = time.Now()
		if err := h.suppressions.Keep(t.Context(), u); err != nil {
			t.Fatal(err)
		}
	}
	a := b.get(http.StatusOK, "/suppression")
	b.see(a, "STOPs without a number: 2", "CD34", `value="EF56"`)
	b.miss(a, "13491208655302741918") // without the scope people
	reader := h.login(t, "rita", access.Read, access.People)
	a = reader.get(http.StatusOK, "/suppression")
	reader.see(a, "US.13491208655302741918")
	reader.miss(a, `value="EF56"`)
	reader.post(http.StatusForbidden, "/suppression/settle", "id", "AB12", "phone", "+12015550107")
	b.post(http.StatusUnprocessableEntity, "/suppression/settle", "id", "AB12", "phone", "")
	b.post(http.StatusUnprocessableEntity, "/suppression/settle", "id", "AB12", "none", "1", "phone", "") // without a reason
	b.post(http.StatusSeeOther, "/suppression/settle", "id", "AB12", "phone", "+12015550107", "why", "the desk knows")
	b.post(http.StatusNotFound, "/suppression/settle", "id", "AB12", "phone", "+12015550107")
	b.post(http.StatusSeeOther, "/suppression/settle", "id", "EF56", "none", "1", "phone", "", "why", "a test")
	a = b.get(http.StatusOK, "/suppression")
	b.miss(a, "STOPs without a number")
	b.see(a, "stop: the desk knows", "olga")
	// What was said before is shown with what holds.
	a = b.post(http.StatusOK, "/suppression/remove/ask", "phone", "+12015550107")
	since := regexp.MustCompile(`name="since" value="([^"]+)"`).FindStringSubmatch(a.body)[1]
	b.post(http.StatusSeeOther, "/suppression/remove", "phone", "+12015550107", "since", since, "why", "the wrong one")
	reader.see(reader.post(http.StatusOK, "/suppression/check", "phone", "+12015550107"), "isn&#39;t on the list", `id="history"`, "the desk knows", "removed by hand: the wrong one")
}
