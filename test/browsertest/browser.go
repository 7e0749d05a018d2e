// Package browsertest shows a test its pages as a person sees them: in Debian's
// Chromium, without a window, in the light and in the dark, on a desk and on a
// phone. A page that logs an error, whose request fails, or that asks another
// host for anything fails its test.
//
//	b := browsertest.Start(t)
//	p := b.Open(t, url)
//	p.Phone(true)
//	p.Click("button[name=pause]")
//	p.WaitText("paused")
//	p.Axe(t)
//
// One browser serves all tests of a process, each page in a tab that shares
// nothing with the others, so tests run in parallel. Nothing leaves the machine:
// names other than localhost lead nowhere. A missing Chromium fails the test and
// never skips it. Only tests import this package.
package browsertest

import (
	"context"
	"io"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

const (
	// startTimeout is generous because a whole test suite may be competing for
	// two cores; a start takes about a second on an idle machine.
	startTimeout = 90 * time.Second

	missing = "browsertest: chromium is not in the PATH: run `make chromium`, or install it with `apt-get install chromium`"
)

// names are what the program may be called.
var names = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"}

// Browser is a running Chromium.
type Browser struct {
	ctx context.Context // chromedp's handle of it
}

// one is the process's browser.
var one struct {
	sync.Mutex
	browser *Browser
	guard   io.Closer // its input closes with this process
}

// Start gives the browser of this process, and starts it if no test has yet. It
// ends with the process, however that ends.
func Start(t testing.TB) *Browser {
	t.Helper()
	one.Lock()
	defer one.Unlock()
	if one.browser != nil {
		return one.browser
	}
	path := locate(t)
	browser, guard, err := launch(path)
	if err != nil {
		t.Fatalf("browsertest: start %s: %v", path, err)
	}
	one.browser, one.guard = browser, guard
	return browser
}

// locate finds the program, or fails the test.
func locate(t testing.TB) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatalf("%s", missing)
	return ""
}

func launch(path string) (*Browser, io.Closer, error) {
	dir, err := os.MkdirTemp("", "browsertest-")
	if err != nil {
		return nil, nil, err
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.UserDataDir(dir),
		chromedp.WSURLReadTimeout(startTimeout),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1"),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-gpu", true),
		chromedp.Flag("hide-scrollbars", true),
	)
	if os.Geteuid() == 0 { // Chromium refuses root its sandbox
		options = append(options, chromedp.NoSandbox)
	}
	allocator, end := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, _ := chromedp.NewContext(allocator, chromedp.WithLogf(quiet), chromedp.WithErrorf(quiet))
	if err := chromedp.Do(ctx); err != nil {
		end()
		_ = os.RemoveAll(dir)
		return nil, nil, err
	}
	guard, err := watchOver(chromedp.FromContext(ctx).Browser.Process().Pid, dir)
	if err != nil {
		end()
		return nil, nil, err
	}
	return &Browser{ctx}, guard, nil
}

// quiet drops what chromedp says of messages that it doesn't know: a newer
// browser has some.
func quiet(string, ...any) {}

// watchOver ends the browser and deletes its directory when this process is gone:
// the shell's input closes with us.
func watchOver(pid int, dir string) (io.Closer, error) {
	cmd := exec.Command("/bin/sh", "-c", `read -r _; kill -9 "$1"; for i in 1 2 3 4 5; do rm -rf "$2" && break; sleep 1; done`, "sh", strconv.Itoa(pid), dir)
	input, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	return input, cmd.Start()
}
