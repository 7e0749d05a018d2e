package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/test/redistest"
)

// faces are the three through which one does the same.
type faces struct {
	t   *testing.T
	rdb *redis.Client
	url string
	dir string
}

func openFaces(t *testing.T) *faces {
	t.Helper()
	server := redistest.Start(t)
	t.Setenv("REDIS_URL", server.URL())
	c, err := loadConfig()
	if err != nil {
		t.Fatal(err)
	}
	c.ConsoleOpen = true
	handler, link, stop, err := newConsole(&mode{c, server.Client(), prometheus.NewRegistry(), slog.New(slog.DiscardHandler), ""})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(withToken(handler, link))
	t.Cleanup(func() { stop(); web.Close() })
	return &faces{t: t, rdb: server.Client(), url: web.URL, dir: t.TempDir()}
}

// withToken shows each request's token of an open console, from its link.
func withToken(next http.Handler, link string) http.Handler {
	_, token, _ := strings.Cut(link, "token=")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set("Authorization", "Bearer "+token)
		next.ServeHTTP(w, r)
	})
}

// command runs handout; why is empty when it has done what it was asked for.
func (f *faces) command(args ...string) (out, why string) {
	f.t.Helper()
	var stdout, stderr bytes.Buffer
	if run(f.t.Context(), args, &stdout, &stderr) == exitDone {
		return stdout.String(), ""
	}
	return stdout.String(), strings.TrimPrefix(strings.TrimSpace(stderr.String()), "handout: ")
}

func (f *faces) do(method, path, media, body string) (int, string) {
	f.t.Helper()
	req, err := http.NewRequestWithContext(f.t.Context(), method, f.url+path, strings.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	req.Header.Set("Content-Type", media)
	resp, err := http.DefaultTransport.RoundTrip(req) // which follows no redirect
	if err != nil {
		f.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// rest asks the API.
func (f *faces) rest(method, path, body string) (out, why string) {
	f.t.Helper()
	status, text := f.do(method, "/api/v1"+path, "application/json", body)
	if status < 300 {
		return text, ""
	}
	var p struct {
		Detail string
		Errors []struct{ Message string }
	}
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		f.t.Fatal(err, text)
	}
	for _, e := range p.Errors {
		p.Detail += e.Message
	}
	return "", p.Detail
}

var alert = regexp.MustCompile(`(?s)role="alert">(.+?)</(?:p|span)>`)

// form sends a page's form.
func (f *faces) form(path string, fields url.Values) (why string) {
	f.t.Helper()
	status, text := f.do("POST", path, "application/x-www-form-urlencoded", fields.Encode())
	if status == http.StatusSeeOther {
		return ""
	}
	words := alert.FindStringSubmatch(text)
	if words == nil {
		f.t.Fatalf("%s: %d\n%s", path, status, text)
	}
	return html.UnescapeString(words[1])
}

// submit makes a campaign that waits.
func (f *faces) submit(id string) {
	f.t.Helper()
	file, list := filepath.Join(f.dir, id+".yaml"), filepath.Join(f.dir, "list.csv")
	for path, text := range map[string]string{
		file: "id: " + id + "\nmessage_type: MKT\nchannels: [{channel: sms, template: text, parameters: {text: hello}}]\n",
		list: "recipient,phone\na,+12015550100\nb,+12015550101\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			f.t.Fatal(err)
		}
	}
	if _, why := f.command("submit", file, list, "--hold"); why != "" {
		f.t.Fatal(why)
	}
}

// end makes a campaign that waits one that is done.
func (f *faces) end(id campaign.ID) {
	f.t.Helper()
	l, ctx := ledger.New(f.rdb), f.t.Context()
	if _, why := f.command("cancel", string(id)); why != "" {
		f.t.Fatal(why)
	}
	if err := l.Settle(ctx, id); err != nil {
		f.t.Fatal(err)
	}
	if err := l.Finish(ctx, id, time.Now()); err != nil {
		f.t.Fatal(err)
	}
}

// plain is a refusal without what a face adds: a capital, a full stop, the command.
func plain(why string) string {
	why = strings.TrimPrefix(strings.TrimSuffix(why, "."), "rate: ")
	if why == "" {
		return ""
	}
	return strings.ToLower(why[:1]) + why[1:]
}

// same holds all three faces to one word of refusal; empty: it is done.
func (f *faces) same(name, want string, whys ...string) {
	f.t.Helper()
	for i, why := range whys {
		if got := plain(why); got != want {
			f.t.Errorf("%s, by %s: %q, want %q", name, []string{"the command line", "the API", "a page"}[i], got, want)
		}
	}
}

func second(_, why string) string { return why }

func TestFaces_SetRatesAlike(t *testing.T) {
	f := openFaces(t)
	f.submit("spring")
	f.submit("gone")
	f.end("gone")
	set := func(id, rate string) []string {
		t.Helper()
		return []string{
			second(f.command("rate", id, rate)),
			second(f.rest("PUT", "/campaigns/"+id+"/rate", `{"rate":`+rate+`}`)),
			f.form("/campaigns/"+id+"/rate", url.Values{"rate": {rate}}),
		}
	}
	const highest = " must be a number over 0 and at most 100,000, in messages per second"
	f.same("a rate", "", set("spring", "2.5")...)
	f.same("one too high", `"100001"`+highest, set("spring", "100001")...)
	f.same("none", `"0"`+highest, set("spring", "0")...)
	f.same("the account's, too high", `"100001"`+highest, second(f.command("rate", "--account", "100001")), second(f.rest("PUT", "/account/rate", `{"rate":100001}`)))
	f.same("a reset", "", second(f.command("rate", "spring", "--reset")), second(f.rest("DELETE", "/campaigns/spring/rate", "")), f.form("/campaigns/spring/rate", url.Values{"reset": {"1"}}))

	f.same("of a campaign that is done", "", set("gone", "3")...)
	if _, why := f.command("purge", "gone", "--yes"); why != "" {
		t.Fatal(why)
	}
	purged := "campaign gone was purged on " + time.Now().UTC().Format(time.DateOnly) + "; its people's data is gone"
	f.same("of a purged campaign", purged, set("gone", "3")...)
	f.same("a reset of a purged campaign", purged, second(f.command("rate", "gone", "--reset")), second(f.rest("DELETE", "/campaigns/gone/rate", "")), f.form("/campaigns/gone/rate", url.Values{"reset": {"1"}}))
	if left := f.rdb.HGetAll(t.Context(), "handout:rates").Val(); len(left) > 0 {
		t.Errorf("rates that are left: %v", left)
	}
}

func TestFaces_PurgeAlike(t *testing.T) {
	f := openFaces(t)
	purge := func(ids ...string) []string {
		t.Helper()
		return []string{
			second(f.command("purge", ids[0], "--yes")),
			second(f.rest("POST", "/campaigns/"+ids[1]+"/purge", `{"id":"`+ids[1]+`"}`)),
			f.form("/campaigns/"+ids[2]+"/purge", url.Values{"name": {ids[2]}, "in_doubt": {"0"}}),
		}
	}
	for _, id := range []string{"a", "b", "c", "spring"} {
		f.submit(id)
	}
	f.same("one that waits", "campaign spring is paused: it can be purged when it is done; cancel it to end it", purge("spring", "spring", "spring")...)
	if _, why := f.command("cancel", "spring"); why != "" {
		t.Fatal(why)
	}
	f.same("one that settles", "campaign spring is canceled: outcomes are still to come; purge it when it is done", purge("spring", "spring", "spring")...)
	for _, id := range []campaign.ID{"a", "b", "c"} {
		f.end(id)
	}
	typed := "that isn't the ID of campaign b; nothing was deleted"
	f.same("another's ID typed", typed, typed, second(f.rest("POST", "/campaigns/b/purge", `{"id":"a"}`)), f.form("/campaigns/b/purge", url.Values{"name": {"a"}, "in_doubt": {"0"}}))
	f.same("those that are done", "", purge("a", "b", "c")...)
	f.same("once more", "", purge("a", "b", "c")...)
	for _, id := range []string{"a", "b", "c"} {
		if keys := f.rdb.Keys(t.Context(), "handout:{"+id+"}:*").Val(); len(keys) != 3 {
			t.Errorf("%s: left are %v", id, keys)
		}
	}
}

func TestFaces_ListAlike(t *testing.T) {
	f := openFaces(t)
	var want []string
	for i := range 25 {
		id := fmt.Sprintf("c%02d", i)
		f.submit(id)
		want = append([]string{id}, want...)
		for last := time.Now().UnixMilli(); time.Now().UnixMilli() == last; { // they are ordered by it
		}
	}
	if _, why := f.command("resume", "c03"); why != "" {
		t.Fatal(why)
	}
	ids := func(text string) (found []string) {
		t.Helper()
		var list []struct{ Campaign string }
		if err := json.Unmarshal([]byte(text), &list); err != nil {
			t.Fatal(err, text)
		}
		for _, c := range list {
			found = append(found, c.Campaign)
		}
		return found
	}
	shown := func(path string) (found []string) {
		t.Helper()
		_, text := f.do("GET", path, "", "")
		for _, m := range regexp.MustCompile(`<li id="campaign-([^"]*)"`).FindAllStringSubmatch(text, -1) {
			found = append(found, m[1])
		}
		return found
	}
	rest := func(query string) []string {
		t.Helper()
		text, why := f.rest("GET", "/campaigns"+query, "")
		var list struct{ Campaigns json.RawMessage }
		if err := json.Unmarshal([]byte(text), &list); err != nil {
			t.Fatal(err, why)
		}
		return ids(string(list.Campaigns))
	}
	out, _ := f.command("list", "--json")
	for name, got := range map[string][]string{
		"the command line": ids(out), "the API": append(rest("?limit=20"), rest("?cursor=c05")...), "the pages": append(shown("/campaigns"), shown("/campaigns?page=2")...),
	} {
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	out, _ = f.command("list", "--json", "--state", "running,held")
	if got, of := ids(out), rest("?state=running"); len(got) != 1 || got[0] != "c03" || !cmp.Equal(got, of) {
		t.Errorf("by state: %v and %v", got, of)
	}
}
