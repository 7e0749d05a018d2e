package bench_test

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/handout-dev/handout/test/redistest"
)

// cpu is the processor time that the three processes of a benchmark have used.
type cpu struct{ self, redis, vendor time.Duration }

// cpuTime reads it; to may be nil.
func cpuTime(b *testing.B, server *redistest.Server, to *vendor) cpu {
	b.Helper()
	c := cpu{self: selfTime(b)}
	text, err := server.Client().Info(b.Context(), "cpu").Result()
	if err != nil {
		b.Fatal(err)
	}
	for l := range strings.Lines(text) {
		var seconds float64
		for _, field := range [...]string{"used_cpu_user", "used_cpu_sys"} {
			if n, _ := fmt.Sscanf(l, field+":%f", &seconds); n == 1 {
				c.redis += time.Duration(seconds * float64(time.Second))
			}
		}
	}
	if to != nil {
		c.vendor = processTime(to.pid)
	}
	return c
}

// selfTime returns the processor time that this process has used.
func selfTime(b *testing.B) time.Duration {
	b.Helper()
	var self syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &self); err != nil {
		b.Fatal(err)
	}
	return time.Duration(self.Utime.Nano() + self.Stime.Nano())
}

// processTime is what /proc says of another process; 0 where there is none.
func processTime(pid int) time.Duration {
	const tick = 10 * time.Millisecond // Linux's USER_HZ
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	var user, system int64
	_, _ = fmt.Sscan(fields[11], &user)
	_, _ = fmt.Sscan(fields[12], &system)
	return time.Duration(user+system) * tick
}

func (c cpu) minus(o cpu) cpu { return cpu{c.self - o.self, c.redis - o.redis, c.vendor - o.vendor} }

// per says how much went into each of n.
func (c cpu) per(n int) string {
	us := func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(n) }
	return fmt.Sprintf("%.0f µs of Go, %.0f µs of Redis, %.0f µs of the vendor", us(c.self), us(c.redis), us(c.vendor))
}
