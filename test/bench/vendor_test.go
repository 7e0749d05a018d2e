package bench_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/handout-dev/handout/telesign/simulator"
)

const (
	customerID = "FFFFFFFF-EEEE-DDDD-1234-AB1234567890"
	apiKey     = "VGVzdCBLZXk="
	// vendorVariable tells a process of this binary to be the vendor.
	vendorVariable = "HANDOUT_BENCH_VENDOR"
)

// vendorOptions are how the vendor of a benchmark behaves.
type vendorOptions struct {
	CallbackURL string        // empty: no callbacks
	Speed       float64       // of its deliveries
	Latency     time.Duration // of its answers
	Rate        int           // requests per second that it takes; 0: any
	Bursts      time.Duration // of another application that takes half; 0: none
	Denies      float64       // share that it denies whatever the rate
}

// vendor is a simulator in a process of its own.
type vendor struct {
	url string
	pid int
}

// startVendor runs a vendor until the benchmark ends, or until the function
// that it returns is called.
func startVendor(b *testing.B, o vendorOptions) (v *vendor, stop func()) {
	b.Helper()
	url, pid, stop := startChild(b, vendorVariable, o)
	return &vendor{url: url, pid: pid}, stop
}

// startChild runs a process of this binary until the benchmark ends, or until
// the function that it returns is called. said is its first line.
func startChild(b *testing.B, variable string, options any) (said string, pid int, stop func()) {
	b.Helper()
	text, err := json.Marshal(options)
	if err != nil {
		b.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), variable+"="+string(text))
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe() // its end is the child's
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	var stopped bool
	stop = func() {
		if !stopped {
			stopped = true
			_ = stdin.Close()
			_ = cmd.Wait()
		}
	}
	b.Cleanup(stop)
	said, err = bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		b.Fatalf("%s: the process doesn't start: %v", variable, err)
	}
	return strings.TrimSpace(said), cmd.Process.Pid, stop
}

// beVendor serves until standard input ends.
func beVendor(options string) error {
	var o vendorOptions
	if err := json.Unmarshal([]byte(options), &o); err != nil {
		return err
	}
	s, err := simulator.New(simulator.Options{
		CustomerID: customerID, APIKey: apiKey, NoCallbacks: o.CallbackURL == "", CallbackURL: o.CallbackURL,
		Speed: o.Speed, Latency: o.Latency, Rate: o.Rate, Bursts: o.Bursts, Denies: o.Denies, Seed: 1,
	})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = server.Close()
	}()
	fmt.Printf("http://%s\n", listener.Addr())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	s.Close()
	return nil
}

// firstRequest notes when the first request goes through a transport.
type firstRequest struct {
	http.RoundTripper
	at atomic.Int64
}

// RoundTrip is the wrapped transport's.
func (f *firstRequest) RoundTrip(r *http.Request) (*http.Response, error) {
	if f.at.Load() == 0 {
		f.at.CompareAndSwap(0, time.Now().UnixNano())
	}
	return f.RoundTripper.RoundTrip(r)
}

// since is the time since the first request.
func (f *firstRequest) since() time.Duration { return time.Since(time.Unix(0, f.at.Load())) }
