package tracing

import (
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// tracer writes the spans of this process.
type tracer struct {
	share    float64 // of all recipients
	queue    chan *written
	dropped  atomic.Int64
	exporter *exporter
}

// running is the process's tracer, nil while tracing is off. It stands here, and in no
// Options, since spans begin in rooms that share nothing but the process and its
// environment.
var running atomic.Pointer[tracer]

// maxQueue is how many spans wait for the collector at most, some 3 MB. It is twice what
// OpenTelemetry's own batch processor keeps.
const maxQueue = 4096

// Start has this process trace if the environment, which getenv reads, names a
// collector. stop sends what is left, for a second at most. Variables that can't be
// followed are logged, and nothing is traced: they are often set for all programs of a
// machine, and none of them is a reason to send nothing.
func Start(getenv func(string) string, log *slog.Logger) (stop func()) {
	s, err := readSettings(getenv)
	if err != nil {
		log.Warn("nothing is traced", "error", err)
	}
	if err != nil || s.endpoint == "" {
		return func() {}
	}
	t := &tracer{share: s.share, queue: make(chan *written, maxQueue)}
	t.exporter = newExporter(t, s, log)
	go t.exporter.run()
	running.Store(t)
	return func() {
		running.CompareAndSwap(t, nil)
		t.exporter.stop()
	}
}

// Register adds the metric of dropped spans, which is 0 while tracing is off.
func Register(r prometheus.Registerer) {
	r.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "handout_spans_dropped_total",
		Help: "Spans that the collector didn't get: too many waited for it, or it refused them.",
	}, func() float64 {
		if t := running.Load(); t != nil {
			return float64(t.dropped.Load())
		}
		return 0
	}))
}

// written is a span that has ended.
type written struct {
	span
	parent   [8]byte // zero: none
	name     string
	kind     kind
	from, to time.Time
	links    []span
	about    []attribute
	fault    string // empty: it went well
}

// kind is on which side of a request a span is.
type kind uint8

const (
	internal kind = iota
	server
	client
)

type attribute struct {
	name   string
	text   string
	number int64
	isText bool
}

func text(name, value string) attribute { return attribute{name: name, text: value, isText: true} }

func number(name string, n int) attribute { return attribute{name: name, number: int64(n)} }

// put hands a span over, or drops it when too many wait.
func (t *tracer) put(w *written) {
	w.sampled = true
	select {
	case t.queue <- w:
	default:
		t.dropped.Add(1)
	}
}
