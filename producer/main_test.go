package producer_test

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/handout-dev/handout/test/redistest"
)

// TestMain gives the examples a Redis, where an app would have its own.
func TestMain(m *testing.M) {
	h := new(host)
	_ = os.Setenv("REDIS_URL", redistest.Start(h).URL()) // the name is a valid one
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent(), goleak.Cleanup(func(code int) {
		h.end()
		os.Exit(code)
	}))
}

// host is what the examples' Redis belongs to: no test of its own.
type host struct {
	testing.TB
	cleanups []func()
}

func (h *host) Helper()          {}
func (h *host) Cleanup(f func()) { h.cleanups = append(h.cleanups, f) }
func (h *host) Fatal(a ...any) {
	h.end()
	fmt.Fprintln(os.Stderr, a...)
	os.Exit(1)
}
func (h *host) Fatalf(format string, a ...any) { h.Fatal(fmt.Sprintf(format, a...)) }

func (h *host) end() {
	for i := len(h.cleanups) - 1; i >= 0; i-- {
		h.cleanups[i]()
	}
}
