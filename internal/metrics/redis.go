package metrics

import (
	"context"
	"errors"
	"net"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
)

type redisErrors struct{ errors *prometheus.CounterVec }

// The kinds of errors.
var redisErrorKinds = []string{"time-out", "network", "out of memory", "busy", "read-only", "loading", "answer"}

// NewRedisErrors is a hook that counts into r.
func NewRedisErrors(r prometheus.Registerer) redis.Hook {
	e := &redisErrors{prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "handout_redis_errors_total",
		Help: "Calls to Redis that failed after all tries, by kind: " + strings.Join(redisErrorKinds, ", ") + ".",
	}, []string{"kind"})}
	for _, kind := range redisErrorKinds {
		e.errors.WithLabelValues(kind)
	}
	r.MustRegister(e.errors)
	return e
}

// DialHook counts nothing: a call that gets no connection fails itself.
func (e *redisErrors) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook counts a call.
func (e *redisErrors) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		return e.count(next(ctx, cmd))
	}
}

// ProcessPipelineHook counts calls that travel together as one.
func (e *redisErrors) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		return e.count(next(ctx, cmds))
	}
}

func (e *redisErrors) count(err error) error {
	if kind := redisErrorKind(err); kind != "" {
		e.errors.WithLabelValues(kind).Inc()
	}
	return err
}

// redisErrorKind is the kind of an error; empty for what is none: nothing found,
// a script that has to be loaded, a caller who gave up.
func redisErrorKind(err error) string {
	var answer redis.Error
	var network net.Error
	switch {
	case err == nil, errors.Is(err, redis.Nil), errors.Is(err, context.Canceled), errors.Is(err, redis.ErrClosed):
		return ""
	case errors.As(err, &answer):
		word, _, _ := strings.Cut(answer.Error(), " ")
		if kind, ok := answerKinds[word]; ok {
			return kind
		}
		return "answer"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return "time-out"
	}
	return "network"
}

// answerKinds are the kinds of errors that Redis itself answers, by their first word;
// of NOSCRIPT none, and of all others "answer".
var answerKinds = map[string]string{
	"NOSCRIPT": "", "OOM": "out of memory", "BUSY": "busy", "READONLY": "read-only", "LOADING": "loading",
}
