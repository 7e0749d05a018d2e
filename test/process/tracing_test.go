package process_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	service "go.opentelemetry.io/proto/slim/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/handout-dev/handout/test/redistest"
)

// Each process sends its spans by itself, and the last of them when it stops.
func TestTracing_ACampaignIsSeenInThreeProcesses(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	traces := make(map[string]string) // of spans, by their names and their processes' names
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var sent service.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(body, &sent)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		for _, of := range sent.ResourceSpans {
			for _, s := range of.ScopeSpans[0].Spans {
				traces[s.Name+" of "+of.Resource.Attributes[0].Value.GetStringValue()] = fmt.Sprintf("%x", s.TraceId)
			}
		}
	}))
	t.Cleanup(collector.Close)
	e := quick(redistest.Start(t).URL()).with("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	h := open(t, e)
	done(t, h.env.with("OTEL_SERVICE_NAME", "the shop"), "submit", campaignFile(t, "spring"),
		listFile(t, numbers(1, func(_, digits int) bool { return digits == 0 })))
	untilDone(t, h.env, "spring")
	h.work.stop()
	h.listen.stop()
	mu.Lock()
	defer mu.Unlock()
	for _, name := range []string{"submit of the shop", "feed of handout", "send of handout", "post of handout", "receipt of handout"} {
		if traces[name] == "" {
			t.Errorf("there is no span %s: %v", name, traces)
		}
	}
	if traces["receipt of handout"] != traces["send of handout"] || traces["feed of handout"] != traces["submit of the shop"] {
		t.Errorf("not one trace: %v", traces)
	}
	if log := h.work.out.String(); strings.Contains(log, "spans are dropped") {
		t.Error(log)
	}
}
