package simulator

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/handout-dev/handout/telesign"
)

// sendAnswer is the body of every answer to POST /v1/omnichannel. The
// reference is there for 200 and 400 only.
type sendAnswer struct {
	Status      sendStatus `json:"status"`
	ReferenceID string     `json:"reference_id,omitempty"`
	ExternalID  *string    `json:"external_id"`
}

type sendStatus struct {
	Code        telesign.Code `json:"code"`
	Description string        `json:"description"`
}

// send is POST /v1/omnichannel: who, how much, how often, what; in this order.
func (s *Simulator) send(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRead))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		s.tooLarge(w)
		return
	} else if err != nil {
		return // the client went away while it was writing
	}
	if s.stopping.Err() != nil {
		s.refuse(w, body, &refusal{answerCode{http.StatusServiceUnavailable, telesign.CodeUnavailable}, "", "the simulator is closed"})
		return
	}
	if why := s.guard.check(r, body, time.Now()); why != "" {
		s.refuse(w, body, &refusal{answerCode{http.StatusUnauthorized, telesign.CodeNotAuthorized}, "", why})
		return
	}
	within := s.tally.arrive(time.Since(s.start), &s.o)
	if no := checkContentType(r.Header.Get("Content-Type")); no != nil {
		s.refuse(w, body, no)
		return
	}
	if len(body) > telesign.MaxPayload {
		s.tooLarge(w)
		return
	}
	if !within {
		s.refuse(w, body, &refusal{answerCode{http.StatusTooManyRequests, telesign.CodeRateLimited}, "", "more requests in a second than the account has, or denied by chance"})
		return
	}
	req, no := s.parse(body)
	if no != nil {
		s.refuse(w, body, no)
		return
	}
	index := storyIndex(req.address())
	if sc := &storyAt(index).script; s.tally.refuses(sc, req.address()) {
		if sc.retryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(sc.retryAfter.Seconds())))
		}
		s.refuse(w, body, &refusal{sc.refusal, "", "the number's story"})
		return
	}
	if s.o.FetchFiles && !s.fetchFiles(r.Context(), &req) {
		return // the client has given up; nothing was taken
	}
	s.accept(w, r, req, index)
}

// tooLarge is the answer without a documented body.
func (s *Simulator) tooLarge(w http.ResponseWriter) {
	s.tally.answer("413")
	w.Header().Set("Allow", "GET,POST,HEAD")
	http.Error(w, "Request entity too large. Allowed payload size is limited to 10KB.", http.StatusRequestEntityTooLarge)
}

func (s *Simulator) refuse(w http.ResponseWriter, body []byte, no *refusal) {
	s.tally.answer(fmt.Sprintf("%d/%d", no.http, no.code))
	s.log.Debug("request refused", "http", no.http, "code", int(no.code), "why", no.why)
	answer := sendAnswer{
		Status:     sendStatus{no.code, describe(no.code, no.value)},
		ExternalID: peekExternalID(body),
	}
	if no.http == http.StatusBadRequest {
		answer.ReferenceID = s.refs.of(refusalBit | s.tally.refusal())
	}
	w.Header().Set("X-Simulator-Reason", no.why) // not the vendor's: for debugging
	writeJSON(w, no.http, answer)
}

// accept takes the message. From the first line on it is taken, whatever
// becomes of the connection.
func (s *Simulator) accept(w http.ResponseWriter, r *http.Request, req request, index uint8) {
	now := time.Now()
	n, c := s.journal.add(req, index, now)
	story := storyAt(index)
	s.tally.accept(story.Name)
	t := &trip{
		n: n, ref: s.refs.of(n), story: story, plan: s.plan(index, c, jitterOf(req.address())),
		externalID: req.externalID, url: req.callbackURL, begun: now,
	}
	if !s.o.NoCallbacks {
		s.agenda.expect(len(t.plan.before) + len(t.plan.after))
	}
	s.pause(r, s.o.Latency)
	if !s.o.NoCallbacks {
		for i := range t.plan.before {
			s.callFirst(t, i)
		}
	}
	abort := s.answer(w, r, t)
	if len(t.plan.before) == 0 {
		t.begun = time.Now()
	}
	s.journal.begin(t.n, t.begun)
	if !s.o.NoCallbacks {
		s.callNext(t, 0)
	}
	if abort {
		panic(http.ErrAbortHandler) // drops the connection; net/http logs nothing
	}
}

// answer gives the answer that the story has. It says whether the connection
// is to be dropped without one.
func (s *Simulator) answer(w http.ResponseWriter, r *http.Request, t *trip) (abort bool) {
	switch t.story.script.answer {
	case held:
		s.tally.answer("held")
		select {
		case <-r.Context().Done():
		case <-s.stopping.Done():
		}
		return true
	case reset:
		s.tally.answer("reset")
		return !resetConnection(w)
	case serverError:
		s.tally.answer("500")
		http.Error(w, "Internal Server Error", http.StatusInternalServerError)
	case unreadable:
		s.tally.answer("200/unreadable")
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"status":{"code":3001,"descripti`)
	default:
		s.tally.answer("200/3001")
		writeJSON(w, http.StatusOK, sendAnswer{
			Status:      sendStatus{telesign.CodeInProgress, telesign.CodeInProgress.Text()},
			ReferenceID: t.ref,
			ExternalID:  t.externalID,
		})
	}
	if !s.o.NoCallbacks {
		// The answer is on the wire before the story goes on.
		_ = http.NewResponseController(w).Flush()
	}
	return false
}

// resetConnection makes the client see a reset instead of an end. It can't over
// HTTP/2.
func resetConnection(w http.ResponseWriter) bool {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return false
	}
	raw := conn
	if wrapped, ok := conn.(interface{ NetConn() net.Conn }); ok {
		raw = wrapped.NetConn() // TLS would say goodbye
	}
	if tcp, ok := raw.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = raw.Close()
	return true
}

// pause is the Latency; a client that gives up ends it.
func (s *Simulator) pause(r *http.Request, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
	case <-s.stopping.Done():
	}
}

// jitterOf spreads the delivery times, always the same for the same number.
func jitterOf(phone string) time.Duration {
	if len(phone) < 3 {
		return 0
	}
	return time.Duration(phone[len(phone)-3]%4) * time.Second
}

// planKey is everything that a plan depends on.
type planKey struct {
	story   uint8
	cascade *cascade
	jitter  time.Duration
}

func (s *Simulator) plan(story uint8, c *cascade, jitter time.Duration) *plan {
	key := planKey{story, c, jitter}
	if p, ok := s.plans.Load(key); ok {
		return p.(*plan)
	}
	p, _ := s.plans.LoadOrStore(key, perform(&storyAt(story).script, c.legs, jitter))
	return p.(*plan)
}
