package api

import (
	"context"
	"io"
	"net/http"
	"time"
)

type exchangeKey struct{}

// exchange is a request and where its answer goes, for handlers that stream.
type exchange struct {
	r *http.Request
	w http.ResponseWriter
}

func exchangeOf(ctx context.Context) exchange {
	e, _ := ctx.Value(exchangeKey{}).(exchange)
	return e
}

// extend gives an answer that takes its time so much more.
func extend(ctx context.Context, d time.Duration) {
	// Without a deadline there is nothing to move.
	_ = http.NewResponseController(exchangeOf(ctx).w).SetWriteDeadline(time.Now().Add(d))
}

// longTime bounds an answer for which a whole list has to be read.
const longTime = 10 * time.Minute

// body is the request's body as it comes: the client may take its time, but not
// fall silent.
func (a *API) body(ctx context.Context) io.Reader {
	e := exchangeOf(ctx)
	control := http.NewResponseController(e.w)
	return &patient{
		r: http.MaxBytesReader(e.w, e.r.Body, a.o.MaxList),
		before: func() {
			at := time.Now().Add(a.o.Silence)
			_ = control.SetReadDeadline(at)
			_ = control.SetWriteDeadline(at.Add(a.o.AnswerTime)) // the answer comes after the last byte
		},
	}
}

// patient moves the deadline with each read.
type patient struct {
	r      io.Reader
	before func()
}

func (p *patient) Read(b []byte) (int, error) {
	p.before()
	return p.r.Read(b)
}

// drainMost is how much of a list that is refused early is read on: a client that
// is still sending would otherwise see a broken connection instead of the answer.
const drainMost = 64 << 20

func drain(body io.Reader) { _, _ = io.CopyN(io.Discard, body, drainMost) }

// steady moves the deadline with each write, and flushes.
type steady struct {
	w       http.ResponseWriter
	control *http.ResponseController
	silence time.Duration
}

func newSteady(w http.ResponseWriter, silence time.Duration) *steady {
	return &steady{w: w, control: http.NewResponseController(w), silence: silence}
}

func (s *steady) Write(b []byte) (int, error) {
	if err := s.control.SetWriteDeadline(time.Now().Add(s.silence)); err != nil {
		return 0, err
	}
	return s.w.Write(b)
}
