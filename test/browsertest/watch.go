package browsertest

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
)

// watch notes a page's trouble.
type watch struct {
	host     string // the only one that it may ask
	expected []*expectation

	mu       sync.Mutex
	noted    []string
	requests map[network.RequestID]string // method and URL of those under way
}

// expectation is trouble that is the point.
type expectation struct {
	pattern *regexp.Regexp
	met     bool
}

func newExpectation(pattern string) *expectation {
	return &expectation{pattern: regexp.MustCompile(pattern)}
}

func newWatch(page string, expected []*expectation) *watch {
	w := &watch{expected: expected, requests: make(map[network.RequestID]string)}
	if u, err := url.Parse(page); err == nil {
		w.host = u.Host
	}
	return w
}

// hear gets everything that happens in a tab, in its order.
func (w *watch) hear(event any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		w.requests[e.RequestID] = e.Request.Method + " " + e.Request.URL
		if u, err := url.Parse(e.Request.URL); err == nil && u.Host != "" && u.Host != w.host {
			w.note("asks another host: %s", e.Request.URL)
		}
	case *network.EventResponseReceived:
		if e.Response.Status >= 400 {
			w.note("%s is answered with %d", w.requests[e.RequestID], e.Response.Status)
		}
	case *network.EventLoadingFailed:
		if !e.Canceled { // a page that is left cancels what it was loading
			w.note("%s fails: %s%s", w.requests[e.RequestID], e.ErrorText, because(e.BlockedReason))
		}
	case *runtime.EventExceptionThrown:
		w.note("a script breaks off: %s", thrown(e.ExceptionDetails))
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeAssert {
			w.note("the console says: %s", said(e.Args))
		}
	case *log.EventEntryAdded:
		// What is said of requests stands above already, and better.
		if e.Entry.Level == log.EntryLevelError && e.Entry.Source != log.EntrySourceNetwork {
			w.note("the browser says: %s", e.Entry.Text)
		}
	}
}

func thrown(e *runtime.ExceptionDetails) string {
	if e.Exception != nil && e.Exception.Description != "" {
		return e.Text + " " + e.Exception.Description
	}
	return e.Text
}

func because(reason network.BlockedReason) string {
	if reason == "" {
		return ""
	}
	return " (" + string(reason) + ")"
}

// said is what a call of the console was given.
func said(args []*runtime.RemoteObject) string {
	parts := make([]string, len(args))
	for i, a := range args {
		if parts[i] = string(a.Value); parts[i] == "" {
			parts[i] = a.Description
		}
	}
	return strings.Join(parts, " ")
}

func (w *watch) note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	for _, e := range w.expected {
		if e.pattern.MatchString(text) {
			e.met = true
			return
		}
	}
	if !slices.Contains(w.noted, text) {
		w.noted = append(w.noted, text)
	}
}

// trouble is all that was noted, and what was expected and didn't come.
func (w *watch) trouble() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := slices.Clone(w.noted)
	for _, e := range w.expected {
		if !e.met {
			all = append(all, "has no trouble as in "+e.pattern.String())
		}
	}
	return all
}
