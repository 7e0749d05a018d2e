package metrics

import (
	"context"
	"errors"
	"net"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
)

// RedisErrors counts the calls of one client that fail; see [redis.Hook].
type RedisErrors struct{ errors *prometheus.CounterVec }

// The kinds of errors.
var redisErrorKinds = []string{"time-out", "network", "out of memory", "busy", "read-only", "loading", "answer"}

// NewRedisErrors is a hook that counts into r.
func NewRedisErrors(r prometheus.Registerer) *RedisErrors {
	e := &RedisErrors{prometheus.NewCounterVec(prometheus.CounterOpts{
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
func (e *RedisErrors) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook counts a call.
func (e *RedisErrors) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		e.count(err)
		return err
	}
}

// ProcessPipelineHook counts calls that travel together as one.
func (e *RedisErrors) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := next(ctx, cmds)
		e.count(err)
		return err
	}
}

func (e *RedisErrors) count(err error) {
	if kind := redisErrorKind(err); kind != "" {
		e.errors.WithLabelValues(kind).Inc()
	}
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
		return answerKind(answer.Error())
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return "time-out"
	}
	return "network"
}

// answerKind is the kind of an error that Redis itself answers.
func answerKind(text string) string {
	word, _, _ := strings.Cut(text, " ")
	switch word {
	case "NOSCRIPT":
		return ""
	case "OOM":
		return "out of memory"
	case "BUSY":
		return "busy"
	case "READONLY":
		return "read-only"
	case "LOADING":
		return "loading"
	}
	return "answer"
}
