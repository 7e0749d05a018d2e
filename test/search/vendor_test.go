package search_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/handout-dev/handout/callbacks"
	"github.com/handout-dev/handout/telesign"
)

const (
	customerID = "FFFFFFFF-EEEE-DDDD-1234-AB1234567890"
	apiKey     = "VGVzdCBLZXk="
	vendorURL  = "https://telesign.example"
	// latency is the vendor's, of an ordinary answer.
	latency = 40 * time.Millisecond
)

// answer is one way in which the vendor, or the way to it, answers a POST.
type answer string

const (
	accepts     answer = "takes it"
	acceptsLate answer = "takes it and answers after 5 s"
	loses       answer = "takes it and never answers"
	resets      answer = "takes it and resets the connection"
	fails       answer = "takes it and answers 500"
	garbles     answer = "takes it and answers 200 that can't be read"
	drops       answer = "gets it, takes nothing and resets the connection"
	unreachable answer = "can't be reached"
	unavailable answer = "answers 503, 3500"
	throttles   answer = "answers 429, 3204"
	waits       answer = "answers 429, 3204, Retry-After 3"
	refuses     answer = "answers 400, 3102"
	blocks      answer = "answers 400, 3046: blocked by the subscriber"
	lockedOut   answer = "answers 401, 3400: not authorized"
	// The worker dies.
	diesBefore answer = "isn't reached: the worker is killed before the POST"
	diesTaken  answer = "takes it, and the worker is killed before the answer"
	diesAfter  answer = "takes it, and the worker is killed with the answer in its hands"
)

var answers = []answer{
	accepts, acceptsLate, loses, resets, fails, garbles, drops, unreachable, unavailable, throttles, waits, refuses, blocks, lockedOut,
	diesBefore, diesTaken, diesAfter,
}

// takes reports whether the vendor has the message then.
func (a answer) takes() bool { return strings.HasPrefix(string(a), "takes it") }

// message is a POST that has reached the vendor.
type message struct {
	externalID, phone, reference string
	at                           time.Time
	answer                       answer
	final                        bool      // the vendor has said so in a receipt
	told                         time.Time // when it said so
	checked                      bool
}

// vendor is Telesign's double for a walk: it says what the walk wants, and what it
// has taken is the oracle. The simulator can't choose what to say when.
type vendor struct {
	log func(format string, args ...any)

	mu     sync.Mutex
	posts  []*message // that have reached it, in their order
	taken  []*message
	script []answer // of the next POSTs; then it takes them
	polls  int
}

func (v *vendor) next() answer {
	if len(v.script) == 0 {
		return accepts
	}
	a := v.script[0]
	v.script = v.script[1:]
	return a
}

// road is a worker's way to the vendor.
type road struct {
	vendor  *vendor
	process *process
}

func (r *road) RoundTrip(q *http.Request) (*http.Response, error) {
	if r.process.dead.Load() {
		return nil, errKilled
	}
	if q.Method == http.MethodGet {
		time.Sleep(latency)
		return r.vendor.status(q), nil
	}
	v := r.vendor
	v.mu.Lock()
	a := v.next()
	v.mu.Unlock()
	if a == unreachable {
		v.log("the vendor %s", a)
		return nil, syscall.ECONNREFUSED
	}
	if a == diesBefore {
		r.process.kill("before a POST")
		return nil, errKilled
	}
	if t := httptrace.ContextClientTrace(q.Context()); t != nil && t.WroteHeaders != nil {
		t.WroteHeaders()
	}
	body, err := io.ReadAll(q.Body)
	if err != nil {
		return nil, err
	}
	m := v.post(body, a)
	switch a {
	case acceptsLate:
		time.Sleep(5 * time.Second)
	case loses:
		<-q.Context().Done()
		return nil, q.Context().Err()
	case diesTaken:
		r.process.kill("during a POST")
		return nil, errKilled
	default:
		time.Sleep(latency)
	}
	switch a {
	case resets, drops:
		return nil, syscall.ECONNRESET
	case fails:
		return reply(q, 500, "<html>", nil), nil
	case garbles:
		return reply(q, 200, `{"status":`, nil), nil
	case unavailable:
		return refusal(q, 503, telesign.CodeUnavailable, nil), nil
	case throttles:
		return refusal(q, 429, telesign.CodeRateLimited, nil), nil
	case waits:
		return refusal(q, 429, telesign.CodeRateLimited, http.Header{"Retry-After": {"3"}}), nil
	case refuses:
		return refusal(q, 400, 3102, nil), nil
	case blocks:
		return refusal(q, 400, telesign.CodeBlockedByUser, nil), nil
	case lockedOut:
		return refusal(q, 401, telesign.CodeNotAuthorized, nil), nil
	case diesAfter:
		r.process.kill("after a POST")
	}
	return reply(q, 200, fmt.Sprintf(`{"status":{"code":3001,"description":"Message in progress"},"reference_id":"%s","external_id":"%s"}`,
		m.reference, m.externalID), nil), nil
}

// post takes down a POST.
func (v *vendor) post(body []byte, a answer) *message {
	var q struct {
		ExternalID string `json:"external_id"`
		Recipient  struct {
			Phone string `json:"phone_number"`
		} `json:"recipient"`
	}
	_ = json.Unmarshal(body, &q)
	v.mu.Lock()
	defer v.mu.Unlock()
	m := &message{externalID: q.ExternalID, phone: "+" + strings.TrimPrefix(q.Recipient.Phone, "+"), at: time.Now(), answer: a, final: !a.takes()}
	v.posts = append(v.posts, m)
	if a.takes() {
		v.taken = append(v.taken, m)
		m.reference = fmt.Sprintf("%032X", 0xB000_0000_0000+len(v.taken))
	}
	v.log("POST %s to %s: the vendor %s", m.externalID, m.phone, a)
	return m
}

// status answers a query: every message is still on its way, until the vendor
// forgets it.
func (v *vendor) status(q *http.Request) *http.Response {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.polls++
	reference := q.URL.Path[strings.LastIndexByte(q.URL.Path, '/')+1:]
	for _, m := range v.taken {
		if m.reference == reference && time.Since(m.at) < 12*time.Hour {
			return reply(q, 200, fmt.Sprintf(`{"reference_id":"%s","external_id":null,"status":{"code":3001,"description":"Message in progress"},"channel_status":[]}`, reference), nil)
		}
	}
	return refusal(q, 404, telesign.CodeReferenceExpired, nil)
}

func reply(q *http.Request, status int, body string, h http.Header) *http.Response {
	if h == nil {
		h = http.Header{}
	}
	h.Set("Content-Type", "application/json")
	return &http.Response{
		StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: h, Request: q,
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}
}

func refusal(q *http.Request, status int, code telesign.Code, h http.Header) *http.Response {
	return reply(q, status, fmt.Sprintf(`{"status":{"code":%d,"description":"refused"}}`, code), h)
}

// outcome is what a receipt says of the message, and of its legs.
type outcome struct {
	code telesign.Code
	legs []leg
}

type leg struct {
	channel string
	code    telesign.Code
}

var outcomes = map[string]outcome{
	"in progress":           {telesign.CodeInProgress, nil},
	"delivered by WhatsApp": {telesign.CodeDelivered, []leg{{"whatsapp", telesign.CodeDelivered}}},
	"read":                  {telesign.CodeRead, []leg{{"whatsapp", telesign.CodeRead}}},
	"delivered by SMS":      {telesign.CodeDelivered, []leg{{"whatsapp", telesign.CodeTimedOut}, {"sms", telesign.CodeDelivered}}},
	"failed":                {telesign.CodeDeliveryError, []leg{{"whatsapp", telesign.CodeTimedOut}, {"sms", telesign.CodeDeliveryError}}},
	"out of money":          {3073, []leg{{"sms", 3073}}},
}

// receipt is the callback's body; an empty external ID is null there.
func (o outcome) receipt(reference, externalID string) ([]byte, error) {
	type object = map[string]any
	status := func(c telesign.Code) object {
		return object{"code": c, "description": c.Text(), "updated_on": stamp()}
	}
	legs := []object{}
	for _, l := range o.legs {
		legs = append(legs, object{l.channel: status(l.code)})
	}
	body := object{"reference_id": reference, "external_id": nil, "status": status(o.code), "channel_status": legs}
	if externalID != "" {
		body["external_id"] = externalID
	}
	return json.Marshal(body)
}

// stamp is now, as the vendor writes it.
func stamp() string { return time.Now().UTC().Format("2006-01-02T15:04:05.000000Z") }

// call brings a callback to the listener and returns the status of its answer.
func call(l *callbacks.Listener, body []byte) (int, error) {
	q := httptest.NewRequest(http.MethodPost, callbacks.Path, bytes.NewReader(body))
	h, err := telesign.SignCallback(customerID, apiKey, body)
	if err != nil {
		return 0, err
	}
	q.Header = h
	w := httptest.NewRecorder()
	l.ServeHTTP(w, q)
	return w.Code, nil
}
