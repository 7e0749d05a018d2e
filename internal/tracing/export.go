package tracing

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	collector "go.opentelemetry.io/proto/slim/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/slim/otlp/common/v1"
	resource "go.opentelemetry.io/proto/slim/otlp/resource/v1"
	trace "go.opentelemetry.io/proto/slim/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

const (
	// maxBatch is how many spans one request has, and batchDelay how long the first of
	// them waits for others.
	maxBatch   = 512
	batchDelay = time.Second
	// A batch that the collector doesn't take is tried again for so long.
	maxHold  = time.Minute
	maxPause = 15 * time.Second
	// stopTime is how long the last spans may take when the process stops: what else
	// stops takes 44 s of the 45 that it has.
	stopTime = time.Second
	// maxAnswer is how much of an answer is read, in bytes, to use its connection again.
	maxAnswer = 64 << 10
)

// exporter sends spans to the collector, one request at a time.
type exporter struct {
	*tracer
	settings *settings
	log      *slog.Logger
	http     *http.Client
	resource *resource.Resource
	failing  bool

	stopping chan struct{}
	done     chan struct{}
	ctx      context.Context // ends stopTime after stop
	cancel   context.CancelFunc
}

func newExporter(t *tracer, s *settings, log *slog.Logger) *exporter {
	e := &exporter{tracer: t, settings: s, log: log, resource: new(resource.Resource), stopping: make(chan struct{}), done: make(chan struct{})}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	var own http.RoundTripper = http.DefaultTransport
	if d, ok := own.(*http.Transport); ok { // connections of its own, to be closed with it
		own = d.Clone()
	}
	e.http = &http.Client{Transport: own, Timeout: s.timeout, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // the headers may be secret
	}}
	for _, name := range slices.Sorted(maps.Keys(s.resource)) {
		e.resource.Attributes = append(e.resource.Attributes, keyValue(text(name, s.resource[name])))
	}
	return e
}

func (e *exporter) run() {
	defer close(e.done)
	defer e.http.CloseIdleConnections()
	for more := true; more; {
		var batch []*written
		if batch, more = e.collect(); len(batch) > 0 {
			e.deliver(batch)
		}
	}
}

func (e *exporter) stop() {
	close(e.stopping)
	timer := time.AfterFunc(stopTime, e.cancel)
	<-e.done
	timer.Stop()
	e.cancel()
}

// collect returns the next batch, and false once the process stops and nothing is left.
func (e *exporter) collect() (batch []*written, more bool) {
	var full <-chan time.Time
	for len(batch) < maxBatch {
		select {
		case w := <-e.queue:
			if batch = append(batch, w); full == nil {
				full = time.After(batchDelay)
			}
			continue
		default:
		}
		select {
		case w := <-e.queue:
			if batch = append(batch, w); full == nil {
				full = time.After(batchDelay)
			}
		case <-full:
			return batch, true
		case <-e.stopping:
			return batch, len(e.queue) > 0 && e.ctx.Err() == nil
		}
	}
	return batch, true
}

// deliver sends a batch, again and again for a while. Meanwhile the queue fills, and
// then spans are dropped.
func (e *exporter) deliver(batch []*written) {
	body, err := e.encode(batch)
	if err != nil {
		e.lose(batch, err)
		return
	}
	began := time.Now()
	for pause := time.Second; ; pause = min(2*pause, maxPause) {
		again, err := e.post(body)
		if err == nil {
			if e.failing {
				e.failing = false
				e.log.Info("the collector takes spans again")
			}
			return
		}
		if again = again && time.Since(began) < maxHold; again {
			select {
			case <-time.After(pause):
			case <-e.stopping:
				again = false
			}
		}
		if !again {
			e.lose(batch, err)
			return
		}
	}
}

// lose counts a batch as dropped, and logs the first of several in a row.
func (e *exporter) lose(batch []*written, err error) {
	e.dropped.Add(int64(len(batch)))
	if !e.failing {
		e.failing = true
		e.log.Warn("spans are dropped: the collector doesn't take them", "error", err)
	}
}

// post makes one request. again means that the same one may succeed later.
// Source: OTLP specification, "OTLP/HTTP Response".
func (e *exporter) post(body []byte) (again bool, err error) {
	req, err := http.NewRequestWithContext(e.ctx, http.MethodPost, e.settings.endpoint, bytes.NewReader(body))
	if err != nil {
		return false, errors.New("the endpoint isn't a URL")
	}
	maps.Copy(req.Header, e.settings.headers)
	req.Header.Set("Content-Type", "application/x-protobuf")
	req.Header.Set("User-Agent", "handout")
	if e.settings.gzip {
		req.Header.Set("Content-Encoding", "gzip")
	}
	resp, err := e.http.Do(req)
	var called *url.Error
	if errors.As(err, &called) { // without the URL, which may hold a token
		err = called.Err
	}
	if err != nil {
		return e.ctx.Err() == nil, err
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, maxAnswer) // the status says it all
	switch resp.StatusCode {
	case http.StatusOK, http.StatusAccepted, http.StatusNoContent:
		return false, nil
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		again = true
	}
	return again, fmt.Errorf("HTTP %d", resp.StatusCode)
}

// encode returns an ExportTraceServiceRequest.
func (e *exporter) encode(batch []*written) ([]byte, error) {
	spans := make([]*trace.Span, len(batch))
	for i, w := range batch {
		spans[i] = w.encode()
	}
	body, err := proto.Marshal(&collector.ExportTraceServiceRequest{ResourceSpans: []*trace.ResourceSpans{{
		Resource:   e.resource,
		ScopeSpans: []*trace.ScopeSpans{{Scope: &common.InstrumentationScope{Name: "github.com/handout-dev/handout"}, Spans: spans}},
	}}})
	if err != nil || !e.settings.gzip {
		return body, err
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write(body) // a buffer takes everything
	_ = z.Close()
	return packed.Bytes(), nil
}

func (w *written) encode() *trace.Span {
	s := &trace.Span{
		TraceId: w.trace[:], SpanId: w.id[:], Name: w.name, Kind: trace.Span_SPAN_KIND_INTERNAL,
		StartTimeUnixNano: uint64(w.from.UnixNano()), EndTimeUnixNano: uint64(max(w.to.UnixNano(), w.from.UnixNano())),
		Flags: flags(w.span), Attributes: make([]*common.KeyValue, len(w.about)), Status: new(trace.Status),
	}
	switch w.kind {
	case server:
		s.Kind = trace.Span_SPAN_KIND_SERVER
	case client:
		s.Kind = trace.Span_SPAN_KIND_CLIENT
	}
	if w.parent != [8]byte{} {
		s.ParentSpanId = w.parent[:]
	}
	for i, a := range w.about {
		s.Attributes[i] = keyValue(a)
	}
	for _, l := range w.links {
		s.Links = append(s.Links, &trace.Span_Link{TraceId: l.trace[:], SpanId: l.id[:], Flags: flags(l)})
	}
	if w.fault != "" {
		s.Status = &trace.Status{Code: trace.Status_STATUS_CODE_ERROR, Message: w.fault}
	}
	return s
}

func flags(s span) uint32 {
	if s.sampled {
		return 1
	}
	return 0
}

func keyValue(a attribute) *common.KeyValue {
	v := &common.AnyValue{Value: &common.AnyValue_IntValue{IntValue: a.number}}
	if a.isText {
		v = &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: a.text}}
	}
	return &common.KeyValue{Key: a.name, Value: v}
}
