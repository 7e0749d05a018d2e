package tracing_test

import (
	"compress/gzip"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	service "go.opentelemetry.io/proto/slim/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/slim/otlp/trace/v1"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"github.com/handout-dev/handout/internal/tracing"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = time.Minute

// collector is one of OpenTelemetry's: it takes spans by OTLP over HTTP.
type collector struct {
	url    string
	status func() int // of its answers
	mu     sync.Mutex
	spans  map[string]*seen // by ID
	raw    strings.Builder
	header http.Header
	came   chan struct{} // after each request
}

// seen is a span that has come.
type seen struct {
	*otlp.Span
	trace, id, parent string
	about             map[string]string
}

func startCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{spans: make(map[string]*seen), came: make(chan struct{}, 1), status: func() int { return http.StatusOK }}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(in)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		in = z
	}
	body, err := io.ReadAll(in)
	var request service.ExportTraceServiceRequest
	if err == nil {
		err = proto.Unmarshal(body, &request)
	}
	if err != nil || r.URL.Path != "/v1/traces" || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/x-protobuf" {
		http.Error(w, fmt.Sprint(err, r.Method, r.URL), http.StatusBadRequest)
		return
	}
	if status := c.status(); status != http.StatusOK {
		w.WriteHeader(status)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.header = r.Header.Clone()
	c.raw.Write(body)
	for _, of := range request.ResourceSpans {
		for _, scope := range of.ScopeSpans {
			for _, s := range scope.Spans {
				one := &seen{s, hex.EncodeToString(s.TraceId), hex.EncodeToString(s.SpanId), hex.EncodeToString(s.ParentSpanId), make(map[string]string)}
				for _, a := range append(slices.Clone(of.Resource.Attributes), s.Attributes...) {
					one.about[a.Key] = a.Value.GetStringValue()
					if one.about[a.Key] == "" {
						one.about[a.Key] = fmt.Sprint(a.Value.GetIntValue())
					}
				}
				c.spans[one.id] = one
			}
		}
	}
	select {
	case c.came <- struct{}{}:
	default:
	}
}

func (c *collector) all() []*seen {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Collect(maps.Values(c.spans))
}

// until waits until the spans that have come are as is wants them.
func (c *collector) until(t *testing.T, what string, is func(all []*seen) bool) {
	t.Helper()
	for deadline := time.After(patience); !is(c.all()); {
		select {
		case <-c.came:
		case <-deadline:
			for _, s := range c.all() {
				t.Logf("%s %s %v", s.trace[:6], s.Name, s.about)
			}
			t.Fatalf("not %s within %v", what, patience)
		}
	}
}

// start begins to trace by these variables and the collector's.
func (c *collector) start(t *testing.T, variables map[string]string) (stop func()) {
	t.Helper()
	return start(t, slog.New(slog.NewTextHandler(t.Output(), nil)), c.url, variables)
}

func start(t *testing.T, log *slog.Logger, url string, variables map[string]string) (stop func()) {
	t.Helper()
	all := map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": url}
	maps.Copy(all, variables)
	stop = sync.OnceFunc(tracing.Start(func(name string) string { return all[name] }, log))
	t.Cleanup(stop)
	return stop
}
