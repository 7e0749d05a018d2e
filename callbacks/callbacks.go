package callbacks

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/internal/references"
	"github.com/handout-dev/handout/internal/sealed"
	"github.com/handout-dev/handout/internal/suppression"
	"github.com/handout-dev/handout/internal/unverified"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/telesign"
)

// Path is the path that Telesign sends its callbacks to.
const Path = "/callbacks/telesign"

const (
	// maxBody: the largest receipt in the vendor's pages is 1 KB.
	maxBody = 64 << 10
	// recordTimeout keeps the whole answer under the 5 s that Telesign waits.
	// Source: docs, transaction-callback-service.
	recordTimeout = 4 * time.Second
)

// Options are what the listener needs; all are required.
type Options struct {
	Redis      redis.UniversalClient
	MasterKeys *sealed.Ring // of the installation; nil: none
	Verifiers  Verifiers
	// RequireSignature refuses receipts without a signature. One that is there
	// and wrong is always refused.
	RequireSignature bool
	// ReceiptMargin is how long after the last fallback a receipt may take.
	ReceiptMargin time.Duration
	// ReceiptDeadline, if not 0, stands for the fallback times and the margin
	// together, for rehearsals against a fast simulator.
	ReceiptDeadline time.Duration
	// Replicas is how many replicas of Redis must have what a receipt has changed before
	// it is confirmed. With fewer, Telesign is asked to send it again.
	Replicas int
	Logger   *slog.Logger
	Metrics  prometheus.Registerer
}

// Listener takes receipts. It is an http.Handler for [Path].
type Listener struct {
	rdb          redis.UniversalClient
	ledger       *ledger.Ledger
	references   *references.Store
	suppressions *suppression.List
	verifiers    Verifiers
	require      bool
	margin       time.Duration
	deadline     time.Duration // if not 0: see Options.ReceiptDeadline
	log          *slog.Logger
	receipts     *prometheus.CounterVec
	heard        *heard
	infos        infos
	tags         tags
	notices      notices
}

// New returns a listener on the ledger in o.Redis.
func New(o Options) (*Listener, error) {
	if o.Redis == nil || len(o.Verifiers) == 0 || o.Logger == nil || o.Metrics == nil {
		return nil, errors.New("callbacks: Redis, Verifiers, Logger and Metrics are required")
	}
	l := &Listener{
		rdb: o.Redis, ledger: ledger.New(o.Redis), references: references.New(o.Redis), suppressions: suppression.New(o.Redis), verifiers: o.Verifiers,
		require: o.RequireSignature, margin: o.ReceiptMargin, deadline: o.ReceiptDeadline, log: o.Logger,
		receipts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "handout_receipts_total", Help: "Receipts by what came of them.",
		}, []string{"result"}),
	}
	l.ledger.Seal(o.MasterKeys)
	l.ledger.RequireReplicas(o.Replicas)
	l.suppressions.RequireReplicas(o.Replicas)
	l.infos.ledger, l.tags.ledger = l.ledger, l.ledger
	l.notices.refused = true
	l.receipts.WithLabelValues(resultRecorded) // an increase is seen from 0 on
	o.Metrics.MustRegister(l.receipts)
	l.heard = newHeard(o.Metrics)
	return l, nil
}

// refusal is an answer other than 200: its status, and the label of its counter.
type refusal struct {
	status int
	result string
	err    error
}

func (r *refusal) Error() string { return r.result + ": " + r.err.Error() }
func (r *refusal) Unwrap() error { return r.err }

// ServeHTTP answers one callback.
func (l *Listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	result, err := l.take(w, r)
	status := http.StatusOK
	var refused *refusal
	if errors.As(err, &refused) {
		status, result = refused.status, refused.result
	}
	l.receipts.WithLabelValues(result).Inc()
	if status >= http.StatusInternalServerError {
		l.log.Error("receipt not recorded", "error", err)
		w.Header().Set("Retry-After", "5")
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, "{}\n") // a client that hung up asks again
}

// take does the work of one callback and returns its result in a word.
func (l *Listener) take(w http.ResponseWriter, r *http.Request) (string, error) {
	// The vendor's guide shows a GET with a body, which its reference doesn't
	// have: it is accepted only with a signature.
	if r.Method != http.MethodPost && r.Method != http.MethodGet {
		w.Header().Set("Allow", "POST")
		return "", &refusal{http.StatusMethodNotAllowed, "method", errors.New(r.Method)}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return "", &refusal{http.StatusRequestEntityTooLarge, "too large", err}
	case err != nil:
		return "", &refusal{http.StatusBadRequest, "unreadable", err}
	case r.Method == http.MethodGet && len(body) == 0:
		w.Header().Set("Allow", "POST")
		return "", &refusal{http.StatusMethodNotAllowed, "method", errors.New("GET without a body")}
	}
	by, err := l.verify(r, body)
	if err != nil {
		return "", err
	}
	receipt, err := telesign.ParseReceipt(body)
	if err != nil {
		return "", &refusal{http.StatusBadRequest, "malformed", err}
	}
	l.heard.receipt(receipt)
	// A receipt that has arrived is recorded, even if Telesign waits no longer.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), recordTimeout)
	defer cancel()
	result, err := l.record(ctx, receipt, body, by)
	if err != nil {
		return "", &refusal{http.StatusServiceUnavailable, "not recorded", err}
	}
	if by != nil {
		l.verified(ctx)
	}
	return result, nil
}

// verify returns who has signed the callback; the error refuses it.
func (l *Listener) verify(r *http.Request, body []byte) (signers, error) {
	by, err := l.verifiers.verify(r.Header, body)
	why := unverified.WrongSignature
	switch {
	case err == nil:
		return by, nil
	case errors.Is(err, telesign.ErrEmptyBody):
		return nil, &refusal{http.StatusBadRequest, "empty", err}
	case errors.Is(err, telesign.ErrUnsigned):
		if !l.require && r.Method == http.MethodPost && len(body) > 0 {
			return nil, nil
		}
		why = unverified.Unsigned
	case errors.Is(err, telesign.ErrWrongCustomer):
		why = unverified.WrongCustomer
	}
	l.refuse(r, body, why)
	return nil, &refusal{http.StatusUnauthorized, string(why), err}
}
