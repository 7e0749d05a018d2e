package tracing

import (
	"net/http"
	"strings"
	"time"
)

// Requests returns next with a span for each request. A traceparent that comes with one
// makes it part of the caller's trace, and says whether it is sampled.
func Requests(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t := running.Load()
		if t == nil {
			next.ServeHTTP(w, r)
			return
		}
		by := parseSpan(r.Header.Get(parent))
		s := by.child()
		if by.zero() {
			s = randomSpan()
			s.sampled = s.within(t.share)
		}
		from, answer := time.Now(), &answer{ResponseWriter: w, status: http.StatusOK}
		r = r.WithContext(with(r.Context(), s))
		next.ServeHTTP(answer, r)
		if !s.sampled && answer.status < http.StatusInternalServerError {
			return
		}
		// The pattern, and not the path: that may name a person.
		route := r.Pattern
		if _, path, ok := strings.Cut(route, " "); ok {
			route = path
		}
		out := &written{span: s, parent: by.id, name: strings.TrimSpace(r.Method + " " + route), kind: server, from: from, to: time.Now(), about: []attribute{
			text("http.request.method", r.Method), text("http.route", route), number("http.response.status_code", answer.status),
		}}
		if answer.status >= http.StatusInternalServerError {
			out.fault = http.StatusText(answer.status)
		}
		t.put(out)
	})
}

// answer notes the status of an answer.
type answer struct {
	http.ResponseWriter
	status int
	wrote  bool
}

func (a *answer) WriteHeader(status int) {
	if !a.wrote && status >= http.StatusOK { // after those like 100
		a.status, a.wrote = status, true
	}
	a.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController, by which streams flush.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
