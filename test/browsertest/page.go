package browsertest

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// patience is how long a page has for what a test waits for.
const patience = 60 * time.Second

// Option is how a page is looked at.
type Option func(*look)

type look struct {
	dark, phone bool
	headers     network.Headers
	expected    []*expectation
}

// Header is sent along with all requests of the page, such as Authorization.
func Header(name, value string) Option {
	return func(l *look) { l.headers[name] = value }
}

// Expect takes it that the page has trouble that this regular expression finds,
// as where a refused request is the point. Without that trouble the test fails.
func Expect(pattern string) Option {
	return func(l *look) { l.expected = append(l.expected, newExpectation(pattern)) }
}

// Page is a tab. Its methods fail the test that opened it, and belong in that
// test's goroutine.
type Page struct {
	t     testing.TB
	ctx   context.Context // chromedp's handle of the tab
	url   string
	watch *watch
}

// Open loads a page and waits until it has loaded. When the test ends, the page
// is closed, and whatever trouble it had by then fails the test.
func (b *Browser) Open(t testing.TB, url string, options ...Option) *Page {
	t.Helper()
	l := look{headers: network.Headers{}}
	for _, o := range options {
		o(&l)
	}
	ctx, leave := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext())
	p := &Page{t: t, ctx: ctx, url: url, watch: newWatch(url, l.expected)}
	if err := chromedp.Listen(ctx, p.watch.hear); err != nil { // the tab lives as long as this context: it has no deadline
		leave()
		t.Fatalf("browsertest: open a tab: %v", err)
	}
	t.Cleanup(func() {
		leave()
		for _, trouble := range p.watch.trouble() {
			t.Errorf("%s: %s", url, trouble)
		}
	})
	p.do("prepare the tab", chromedp.Func(l.prepare))
	p.Go(url)
	return p
}

// prepare makes a tab look so.
func (l *look) prepare(ctx context.Context, tab *chromedp.Target) error {
	err := l.light(ctx, tab)
	if err == nil {
		err = l.screen(ctx, tab)
	}
	if err == nil {
		_, err = cdp.Call(ctx, tab, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: l.headers})
	}
	return err
}

// screen has pages be on a desk or on a phone.
func (l *look) screen(ctx context.Context, tab *chromedp.Target) error {
	width, height := int64(1280), int64(800)
	if l.phone {
		width, height = 390, 844
	}
	_, err := cdp.Call(ctx, tab, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: width, Height: height, ScreenWidth: width, ScreenHeight: height, DeviceScaleFactor: 1, Mobile: l.phone,
	})
	if err == nil {
		_, err = cdp.Call(ctx, tab, emulation.SetTouchEmulationEnabled, emulation.SetTouchEmulationEnabledParams{Enabled: l.phone})
	}
	return err
}

// light has pages be light or dark.
func (l *look) light(ctx context.Context, tab *chromedp.Target) error {
	scheme := "light"
	if l.dark {
		scheme = "dark"
	}
	_, err := cdp.Call(ctx, tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
	return err
}

// Darken has the page, and those that are loaded after it, be dark, as for a person who
// has chosen that; or light again, as they are opened.
func (p *Page) Darken(dark bool) {
	p.t.Helper()
	p.do("turn the light off or on", chromedp.Func((&look{dark: dark}).light))
}

// Phone has the page, and those that are loaded after it, be on a phone, whose screen
// has 390 by 844 pixels; or on a desk again, as they are opened: 1280 by 800.
func (p *Page) Phone(phone bool) {
	p.t.Helper()
	p.do("change the screen", chromedp.Func((&look{phone: phone}).screen))
}

// do runs actions within patience.
func (p *Page) do(what string, actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		p.fatal("%s: %v", what, err)
	}
}

// fatal ends the test with what the page shows.
func (p *Page) fatal(format string, args ...any) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, 5*time.Second)
	defer cancel()
	text, _ := chromedp.Run(ctx, chromedp.Evaluate[string](bodyText)) // it is for the message only
	at, _ := chromedp.Run(ctx, chromedp.Location())                   // likewise
	p.t.Fatalf("%s at %s: %s\nthe page says:\n%.2000s", p.url, at, fmt.Sprintf(format, args...), text)
}

const bodyText = `document.body ? document.body.innerText : ""`

// Go loads another page in the tab.
func (p *Page) Go(url string) {
	p.t.Helper()
	p.do("load "+url, chromedp.Navigate(url))
}

// Click clicks on what a CSS selector finds first, once it is there and visible.
func (p *Page) Click(selector string) {
	p.t.Helper()
	p.do("click on "+selector, chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible))
}

// Type replaces what stands in the field that a CSS selector finds first.
func (p *Page) Type(selector, text string) {
	p.t.Helper()
	p.do("type into "+selector, chromedp.Clear(chromedp.CSS(selector), chromedp.NodeVisible), chromedp.SendKeys(chromedp.CSS(selector), text))
}

// Upload chooses a file of this machine in the field that a CSS selector finds
// first.
func (p *Page) Upload(selector, path string) {
	p.t.Helper()
	p.do("choose a file in "+selector, chromedp.SetUploadFiles(chromedp.CSS(selector), []string{path}))
}

// Eval runs JavaScript in the page, waits for it if it is a promise, and decodes
// what it comes to into a pointer; nil for nothing.
func (p *Page) Eval(script string, into any) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[[]byte](script, chromedp.EvalAwaitPromise))
	if err == nil && into != nil {
		err = json.Unmarshal(value, into)
	}
	if err != nil {
		p.fatal("run a script: %v", err)
	}
}

// Text is what a person reads on the page.
func (p *Page) Text() string {
	p.t.Helper()
	var text string
	p.Eval(bodyText, &text)
	return text
}

// WaitText waits until the page shows a text.
func (p *Page) WaitText(text string) {
	p.t.Helper()
	p.Wait("the page says "+quote(text), `(`+bodyText+`).includes(`+quote(text)+`)`)
}

// WaitNoText waits until the page doesn't show a text any more.
func (p *Page) WaitNoText(text string) {
	p.t.Helper()
	p.Wait("the page doesn't say "+quote(text), `!(`+bodyText+`).includes(`+quote(text)+`)`)
}

// Wait waits until a JavaScript expression is true. What it waits for is said
// when it doesn't come.
func (p *Page) Wait(what, expression string) {
	p.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		ctx, cancel := context.WithDeadline(p.ctx, deadline)
		so, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("Boolean("+expression+")")) // fails while a page is left for another
		cancel()
		if so {
			return
		}
		if time.Now().After(deadline) {
			p.fatal("not within %s: %s (%v)", patience, what, err)
		}
	}
}

// quote is a text as JavaScript writes it.
func quote(text string) string {
	b, err := json.Marshal(text)
	if err != nil {
		panic(err) // there is no text that can't be written
	}
	return string(b)
}

// FitsWidth fails the test if the page has to be pushed sideways to be read.
func (p *Page) FitsWidth(t testing.TB) {
	t.Helper()
	var width struct{ Page, Screen float64 }
	p.Eval(`({Page: document.documentElement.scrollWidth, Screen: document.documentElement.clientWidth})`, &width)
	if width.Page > width.Screen {
		t.Errorf("%s is %.0f pixels wide on a screen of %.0f", p.URL(), width.Page, width.Screen)
	}
}

// Screenshot writes the whole page as name.png into the test's artifacts, if the
// tests were asked to keep them: `go test -artifacts` says where they are.
func (p *Page) Screenshot(t testing.TB, name string) {
	t.Helper()
	if keep := flag.Lookup("test.artifacts"); keep == nil || keep.Value.String() != "true" {
		return
	}
	path := filepath.Join(t.ArtifactDir(), strings.ReplaceAll(name, "/", "-")+".png")
	if err := os.WriteFile(path, p.Picture(), 0o600); err != nil {
		t.Fatalf("browsertest: %v", err)
	}
}

// Picture is the whole page as PNG.
func (p *Page) Picture() []byte {
	p.t.Helper()
	return p.picture(chromedp.FullScreenshot(100))
}

// View is what the screen shows of the page, as PNG.
func (p *Page) View() []byte {
	p.t.Helper()
	return p.picture(chromedp.CaptureScreenshot())
}

func (p *Page) picture(take chromedp.Action[[]byte]) []byte {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	png, err := chromedp.Run(ctx, take)
	if err != nil {
		p.fatal("take a picture: %v", err)
	}
	return png
}

// URL is where the tab is.
func (p *Page) URL() string {
	p.t.Helper()
	var at string
	p.Eval("location.href", &at)
	return at
}

// Is says whether a JavaScript expression is true at this moment.
func (p *Page) Is(expression string) bool {
	p.t.Helper()
	var so bool
	p.Eval("Boolean("+expression+")", &so)
	return so
}
