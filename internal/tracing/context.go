package tracing

import (
	"context"
	"encoding/hex"
	"log/slog"
)

type spanKey struct{}

func with(ctx context.Context, s span) context.Context { return context.WithValue(ctx, spanKey{}, s) }

// current returns the span that a context is in; the zero span if in none.
func current(ctx context.Context) span {
	s, _ := ctx.Value(spanKey{}).(span)
	return s
}

// FromTask returns the context of the span that wrote a task with these headers.
func FromTask(ctx context.Context, headers map[string]string) context.Context {
	if running.Load() == nil || headers[parent] == "" {
		return ctx
	}
	if s := parseSpan(headers[parent]); !s.zero() {
		return with(ctx, s)
	}
	return ctx
}

// LogIDs returns h with trace_id and span_id in each line whose context is in a span.
func LogIDs(h slog.Handler) slog.Handler { return logIDs{h} }

type logIDs struct{ slog.Handler }

func (h logIDs) Handle(ctx context.Context, r slog.Record) error {
	if s := current(ctx); !s.zero() {
		r = r.Clone()
		r.AddAttrs(slog.String("trace_id", hex.EncodeToString(s.trace[:])), slog.String("span_id", hex.EncodeToString(s.id[:])))
	}
	return h.Handler.Handle(ctx, r)
}

func (h logIDs) WithAttrs(attrs []slog.Attr) slog.Handler { return logIDs{h.Handler.WithAttrs(attrs)} }
func (h logIDs) WithGroup(name string) slog.Handler       { return logIDs{h.Handler.WithGroup(name)} }
