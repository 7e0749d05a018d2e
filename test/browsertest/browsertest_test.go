package browsertest_test

import (
	"bytes"
	"fmt"
	"image/png"
	"net/http"
	"net/http/httptest"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/handout-dev/handout/test/browsertest"
)

// strict, in a page, has it served under a policy that lets no script run.
const strict = "<!--strict-->"

// site serves one page, and whatever else it is given, by path.
func site(t *testing.T, body string, more ...string) string {
	t.Helper()
	mux := http.NewServeMux()
	page := func(content string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			if strings.Contains(content, strict) {
				w.Header().Set("Content-Security-Policy", "default-src 'none'; img-src data:")
			}
			fmt.Fprint(w, `<!doctype html><html lang="en"><head><title>A page</title><meta name="viewport" content="width=device-width"><link rel="icon" href="data:,"></head><body><main><h1>Hello</h1>`+content+`</main></body></html>`)
		}
	}
	mux.HandleFunc("GET /{$}", page(body))
	for i := 0; i < len(more); i += 2 {
		mux.HandleFunc("GET "+more[i], page(more[i+1]))
	}
	// Browsers ask for it after pages that name no icon, such as a plain text.
	mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("GET /header", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Header.Get("Authorization")) })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL + "/"
}

// witness is a test that may fail, without failing this one.
type witness struct {
	testing.TB
	said     []string
	cleanups []func()
}

func (w *witness) Helper()          {}
func (w *witness) Cleanup(f func()) { w.cleanups = append(w.cleanups, f) }
func (w *witness) Errorf(format string, args ...any) {
	w.said = append(w.said, fmt.Sprintf(format, args...))
}

func (w *witness) Fatalf(format string, args ...any) {
	w.Errorf(format, args...)
	runtime.Goexit()
}

// fails is what a test would say of itself.
func fails(t *testing.T, test func(testing.TB)) string {
	t.Helper()
	w := &witness{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			for _, f := range w.cleanups {
				f()
			}
		}()
		test(w)
	}()
	<-done
	return strings.Join(w.said, "\n")
}

func TestOpen_APageWithTroubleFailsItsTest(t *testing.T) {
	t.Parallel()
	b := browsertest.Start(t)
	for name, c := range map[string]struct{ body, says string }{
		"none":                  {`<p>all is well</p><script>console.log("x"); console.warn("y")</script>`, `^$`},
		"the console":           {`<script>console.error("it is broken:", 42)</script>`, `the console says: "it is broken:" 42$`},
		"an exception":          {`<script>null.x()</script>`, `a script breaks off: .*TypeError`},
		"a rejected promise":    {`<script>Promise.reject(new Error("oh"))</script>`, `a script breaks off: (?s:.*)oh`},
		"a missing file":        {`<img alt="x" src="/gone.png">`, `GET \S+/gone.png is answered with 404$`},
		"another host":          {`<img alt="x" src="https://example.com/x.png">`, `asks another host: https://example.com/x.png\n.*fails: net::ERR_NAME_NOT_RESOLVED$`},
		"another host's styles": {`<link rel="stylesheet" href="http://fonts.example.com/f.css">`, `asks another host: http://fonts.example.com/f.css`},
		"nobody there":          {`<script>fetch("http://127.0.0.1:9/").catch(() => {})</script>`, `asks another host: http://127.0.0.1:9/\n`},
		"a policy":              {strict + `<script>1</script>`, `the browser says: Executing inline script violates .*Content Security Policy`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := site(t, c.body)
			said := fails(t, func(t testing.TB) {
				p := b.Open(t, url)
				p.WaitText("Hello")
				p.Wait("it has loaded", `document.readyState === "complete"`)
				p.Eval("new Promise(done => requestAnimationFrame(() => setTimeout(done, 50)))", nil)
			})
			if !regexp.MustCompile(c.says).MatchString(said) {
				t.Errorf("it says %q", said)
			}
		})
	}
}

func TestExpect_TroubleThatIsThePoint(t *testing.T) {
	t.Parallel()
	b := browsertest.Start(t)
	url := site(t, `<button onclick="fetch('/gone').then(r => this.after('answered ' + r.status))">ask</button>`)
	p := b.Open(t, url, browsertest.Expect(`/gone is answered with 404`))
	p.Click("button")
	p.WaitText("answered 404")
	said := fails(t, func(t testing.TB) { b.Open(t, url, browsertest.Expect(`answered with 404`)) })
	if !strings.HasSuffix(said, "has no trouble as in answered with 404") {
		t.Errorf("it says %q", said)
	}
}

func TestPage_ClicksTypesAndWaits(t *testing.T) {
	t.Parallel()
	b := browsertest.Start(t)
	url := site(t, `<label>name <input name="n" value="old"></label>
		<button onclick="setTimeout(() => document.querySelector('main').append('hello, ' + document.querySelector('input').value), 100)">greet</button>
		<a href="/next">on</a>`, "/next", "the next page")
	p := b.Open(t, url, browsertest.Header("Authorization", "Bearer x"))
	p.Type("input[name=n]", `eve "é"`)
	p.Click("button")
	p.WaitText(`hello, eve "é"`)
	p.Click("a")
	p.WaitText("the next page")
	p.WaitNoText("hello,")
	p.Go(url + "header")
	if p.Text() != "Bearer x" {
		t.Errorf("the header is %q", p.Text())
	}
}

func TestOpen_TabsShareNothing(t *testing.T) {
	t.Parallel()
	b := browsertest.Start(t)
	url := site(t, "")
	b.Open(t, url).Eval(`document.cookie = "a=1"; localStorage.b = "2"; 0`, nil)
	var found string
	if b.Open(t, url).Eval(`document.cookie + (localStorage.b || "")`, &found); found != "" {
		t.Errorf("another tab's %q", found)
	}
}

func TestOpen_LightDarkDeskPhone(t *testing.T) {
	t.Parallel()
	b := browsertest.Start(t)
	url := site(t, `<p style="width:600px">wide</p>`)
	for name, c := range map[string]struct {
		dark, phone bool
		says        string
		wide        bool
	}{
		"desk":  {false, false, "light 1280", false},
		"dark":  {true, false, "dark 1280", false},
		"phone": {false, true, "light 390", true},
		"both":  {true, true, "dark 390", true},
	} {
		p := b.Open(t, url)
		p.Darken(c.dark)
		p.Phone(c.phone)
		var says string
		p.Eval(`(matchMedia("(prefers-color-scheme: dark)").matches ? "dark " : "light ") + screen.width`, &says)
		if says != c.says {
			t.Errorf("%s: %s", name, says)
		}
		if said := fails(t, func(t testing.TB) { p.FitsWidth(t) }); (said != "") != c.wide {
			t.Errorf("%s: %q", name, said)
		}
		p.Screenshot(t, name)
		picture, err := png.Decode(bytes.NewReader(p.Picture()))
		if err != nil || picture.Bounds().Dy() < 800 {
			t.Errorf("%s: %v %v", name, picture.Bounds(), err)
		}
	}
}

func TestAxe_FindsWhatPeopleCantUse(t *testing.T) {
	t.Parallel()
	b := browsertest.Start(t)
	for name, c := range map[string]struct{ body, says string }{
		"all is well":     {`<p>text</p><label>name <input></label><button>go</button>`, ""},
		"a label":         {`<input>`, "rule label: Form elements must have labels"},
		"a button's name": {`<button></button>`, "rule button-name"},
		"contrast":        {`<p style="color:#aaa;background:#fff">faint</p>`, "rule color-contrast"},
		"an image":        {`<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">`, "rule image-alt"},
		"under a policy":  {strict + `<input>`, "rule label"},
	} {
		url := site(t, c.body)
		p := b.Open(t, url)
		said := fails(t, func(t testing.TB) { p.Axe(t) })
		if !strings.Contains(said, c.says) || (c.says == "") != (said == "") {
			t.Errorf("%s: it says %q", name, said)
		}
	}
}

func TestStart_SaysHowToGetChromium(t *testing.T) { // not parallel: it changes the environment
	t.Setenv("PATH", t.TempDir())
	if said := fails(t, browsertest.Locate); said != "browsertest: chromium is not in the PATH: run `make chromium`, or install it with `apt-get install chromium`" {
		t.Errorf("it says %q", said)
	}
}
