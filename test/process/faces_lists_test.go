package process_test

import (
	"bytes"
	"encoding/json"
	"html"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/test/redistest"
)

// facesOfLists are the command line, the API and the pages, on one Redis.
type facesOfLists struct {
	t   testing.TB
	env env
	url string
	key string
}

func openFacesOfLists(t *testing.T) *facesOfLists {
	t.Helper()
	f := &facesOfLists{t: t, env: account(redistest.Start(t).URL()).with("HANDOUT_REGION", "US")}
	f.key = strings.TrimSpace(done(t, f.env, "key", "create", "--name", "olga", "--scopes", "read,submit,control,people"))
	f.url = serve(t, f.env, "console").url
	return f
}

// command runs a command and returns what it says.
func (f *facesOfLists) command(args ...string) string {
	r := handout(f.t, f.env, args...)
	return r.stdout + r.stderr
}

// ask sends a request with the key, and returns the answer's text: of the API, and of
// the page that the browser shows at last.
func (f *facesOfLists) ask(method, path, media string, body io.Reader) string {
	f.t.Helper()
	req, err := http.NewRequestWithContext(f.t.Context(), method, f.url+path, body)
	if err != nil {
		f.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+f.key)
	req.Header.Set("Content-Type", media)
	client := &http.Client{CheckRedirect: func(to *http.Request, _ []*http.Request) error {
		if to.Response != nil {
			for _, c := range to.Response.Cookies() { // the words for the next page
				to.AddCookie(c)
			}
		}
		return nil
	}}
	resp, err := client.Do(req)
	if err != nil {
		f.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	if strings.Contains(resp.Header.Get("Content-Type"), "json") {
		var indented bytes.Buffer
		if json.Indent(&indented, text, "", " ") == nil {
			return indented.String()
		}
	}
	return html.UnescapeString(string(text))
}

// form sends a page's form: names and values in turn.
func (f *facesOfLists) form(path string, fields ...string) string {
	values := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		values.Add(fields[i], fields[i+1])
	}
	return f.ask(http.MethodPost, path, "application/x-www-form-urlencoded", strings.NewReader(values.Encode()))
}

// upload sends a page's form with a file.
func (f *facesOfLists) upload(path, file string, fields ...string) string {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i := 0; i < len(fields); i += 2 {
		_ = w.WriteField(fields[i], fields[i+1])
	}
	part, _ := w.CreateFormFile("list", "numbers.csv")
	_, _ = io.WriteString(part, file)
	_ = w.Close()
	return f.ask(http.MethodPost, path, w.FormDataContentType(), &b)
}

func (f *facesOfLists) api(method, path, media, body string) string {
	return f.ask(method, "/api/v1"+path, media, strings.NewReader(body))
}

// said holds what each face says to the same words; a page begins them with a capital.
func saidAlike(t *testing.T, what, words string, answers ...string) {
	t.Helper()
	if words == "" {
		t.Fatalf("%s: no words", what)
	}
	any := regexp.MustCompile("(?i)" + regexp.QuoteMeta(words[:1]) + "(?-i)" + regexp.QuoteMeta(words[1:]))
	for i, a := range answers {
		if !any.MatchString(a) {
			t.Errorf("%s, face %d: not %q in %.3000s", what, i+1, words, a)
		}
	}
}

// The same verb has the same outcome, and the same word of refusal, through each face.
func TestFaces_SuppressAlike(t *testing.T) {
	t.Parallel()
	f := openFacesOfLists(t)
	const asJSON, asCSV = "application/json", "text/csv"
	long := strings.Repeat("x", 201)
	saidAlike(t, "a number that is none", "too long for country +1",
		f.command("suppress", "add", "+1 (999) 999-99999"), f.api("PUT", "/suppression/+199999999999", asJSON, ""), f.form("/suppression/add", "phone", "+1 999 999 99999"))
	saidAlike(t, "a number that is none, to remove", "too short",
		f.command("suppress", "remove", "+1201"), f.api("DELETE", "/suppression/+1201", asJSON, ""), f.form("/suppression/remove/ask", "phone", "+1201"))
	saidAlike(t, "two lines", "the reason must be one line of at most 200 bytes",
		f.command("suppress", "add", "2015550100", "--why", "a\nb"), f.api("PUT", "/suppression/2015550100", asJSON, `{"why":"a\nb"}`), f.form("/suppression/add", "phone", "2015550100", "why", long))

	// Added through one face, it is the same entry for all.
	f.command("suppress", "add", "(201) 555-0100", "--why", " by letter ", "--by", "ann")
	f.api("PUT", "/suppression/201-555-0101", asJSON, `{"why":" by letter "}`)
	f.form("/suppression/add", "phone", "+1 201 555 0102", "why", " by letter ")
	f.command("suppress", "add", "2015550102", "--why", "another")
	f.api("PUT", "/suppression/2015550100", asJSON, `{"why":"another"}`)
	f.form("/suppression/add", "phone", "2015550101", "why", "another")
	want := map[string]string{"+12015550100": "by hand: by letter||ann", "+12015550101": "by hand: by letter||olga", "+12015550102": "by hand: by letter||olga"}
	if diff := cmp.Diff(want, reasons(t, f.env)); diff != "" {
		t.Error(diff)
	}
	saidAlike(t, "what the list says", "by hand: by letter",
		f.command("suppress", "check", "2015550100"), f.api("GET", "/suppression/2015550101", asJSON, ""), f.form("/suppression/check", "phone", "2015550102"))

	// Removed.
	since := regexp.MustCompile(`name="since" value="([^"]+)"`).FindStringSubmatch(f.form("/suppression/remove/ask", "phone", "2015550102"))
	if since == nil {
		t.Fatal("the page doesn't ask")
	}
	f.command("suppress", "remove", "2015550100")
	f.api("DELETE", "/suppression/2015550101", asJSON, "")
	f.form("/suppression/remove", "phone", "2015550102", "since", since[1])
	if got := reasons(t, f.env); len(got) != 0 {
		t.Errorf("left: %v", got)
	}

	// A file with a bad row. Only the API, which reads it once, takes the others.
	const file = "phone,why\n2015550103,\n12,\n2015550104,by mail\n"
	path := write(t, "numbers.csv", file)
	command, page := f.command("suppress", "import", path), f.upload("/suppression/import", file)
	saidAlike(t, "bad rows", "nothing was imported; bad: 1 of 3 rows; correct them, or set bad rows aside", command, page)
	if got := reasons(t, f.env); len(got) != 0 {
		t.Errorf("imported all the same: %v", got)
	}
	rest := f.api("POST", "/suppression", asCSV, file)
	saidAlike(t, "bad rows", "bad: 1 of 3 rows; the numbers of all others are on the list, 2 of them new", rest)
	saidAlike(t, "the bad row", "too short", command, page, rest)
	want = map[string]string{"+12015550103": "by hand||olga", "+12015550104": "by hand: by mail||olga"}
	if diff := cmp.Diff(want, reasons(t, f.env)); diff != "" {
		t.Error(diff)
	}
	saidAlike(t, "set aside by the command", "0 numbers added, 2 on the list already, 1 bad row set aside", f.command("suppress", "import", path, "--set-aside-bad-rows"))
	saidAlike(t, "set aside by the API", `"bad_rows": 1`, f.api("POST", "/suppression?set_aside_bad_rows=true", asCSV, file))
	saidAlike(t, "set aside by the page", "0 added, 2 on the list already, 1 bad row set aside", f.upload("/suppression/import", file, "aside", "1"))
	saidAlike(t, "no header", "there is no column phone; cells are separated by commas",
		f.command("suppress", "import", write(t, "n.csv", "2015550105\n")), f.api("POST", "/suppression", asCSV, "2015550105\n"), f.upload("/suppression/import", "2015550105\n"))
	saidAlike(t, "a cursor that is none", "the cursor isn't one of a page before; begin anew", f.api("GET", "/suppression?cursor=99999999999999999999", asJSON, ""), f.ask("GET", "/suppression?from=x", "", nil))
}

// Keys are made by the command line and by a page.
func TestFaces_KeysAlike(t *testing.T) {
	t.Parallel()
	f := openFacesOfLists(t)
	for _, c := range []struct{ name, scopes, says string }{
		{"Shop", "read", "a key's name is 1 to 32 characters of a-z, 0-9 and -, and begins with a letter or digit"},
		{"shop", "root", `there is no scope "root": choose from read, submit, control, people`},
		{"olga", "read", "key olga: there is a key of this name already, and it can't be shown again; revoke it first"},
	} {
		saidAlike(t, c.name, c.says, f.command("key", "create", "--name", c.name, "--scopes", c.scopes), f.form("/keys", "name", c.name, "scope", c.scopes))
	}
	saidAlike(t, "a key that there isn't", "key shop: there is no key of this name", f.command("key", "revoke", "shop"), f.form("/keys/shop/revoke"), f.ask("GET", "/keys/shop/revoke", "", nil))
	saidAlike(t, "made by the page", "ho_shop_", f.form("/keys", "name", "shop", "scope", "read", "scope", "submit"))
	saidAlike(t, "listed", "shop", f.command("key", "list"), f.ask("GET", "/keys", "", nil))
	saidAlike(t, "revoked by the page", "the key shop is revoked", f.form("/keys/shop/revoke"))
	if list := f.command("key", "list"); strings.Contains(list, "shop") {
		t.Error(list)
	}
}
