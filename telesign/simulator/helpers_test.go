package simulator_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/handout-dev/handout/telesign"
	"github.com/handout-dev/handout/telesign/simulator"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	customerID = "FFFFFFFF-EEEE-DDDD-1234-AB1234567890"
	apiKey     = "VGVzdCBLZXk="
	reference  = "0123456789ABCDEF0123456789ABCDEF"
	// hurry turns ten minutes of fallback time into 60 ms.
	hurry = 10_000
)

// rig is a simulator behind a real server, and a listener for its callbacks.
type rig struct {
	t        testing.TB
	vendor   *simulator.Simulator
	server   *httptest.Server
	listener *listener
}

func start(t testing.TB, o simulator.Options) *rig {
	t.Helper()
	o.CustomerID, o.APIKey = customerID, apiKey
	vendor, err := simulator.New(o)
	if err != nil {
		t.Fatal(err)
	}
	l := listen(t)
	vendor.SetCallbackURL(l.server.URL + "/callbacks")
	server := httptest.NewServer(vendor)
	t.Cleanup(server.Close)
	t.Cleanup(vendor.Close) // first: it lets go of held answers
	return &rig{t, vendor, server, l}
}

func (r *rig) idle() {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := r.vendor.Idle(ctx); err != nil {
		r.t.Fatalf("wait for the callbacks: %v; %+v", err, r.vendor.Stats())
	}
}

// until waits for what the simulator has no signal for.
func (r *rig) until(done func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			r.t.Fatalf("it doesn't come: %+v", r.vendor.Stats())
		}
	}
}

// object is a JSON object that a test puts together.
type object = map[string]any

// message is a good request to a number.
func message(phone string) object {
	return object{
		"channels":     []any{object{"channel": "whatsapp", "fallback_time": 600}, object{"channel": "sms"}},
		"recipient":    object{"phone_number": phone},
		"message_type": "MKT",
		"external_id":  "campaign.0.0.1",
		"message": object{
			"whatsapp": object{"template": "file", "parameters": object{"url": "https://example.com/a.xlsx"}},
			"sms":      object{"template": "text", "parameters": object{"text": "https://example.com/a.xlsx"}},
		},
	}
}

// reply is an answer of the simulator.
type reply struct {
	status int
	header http.Header
	body   string
	Status struct {
		Code        int    `json:"code"`
		Description string `json:"description"`
		LastChannel string `json:"last_channel"`
		UpdatedOn   string `json:"updated_on"`
	} `json:"status"`
	Reference  string                    `json:"reference_id"`
	ExternalID *string                   `json:"external_id"`
	Channels   []map[string]channelState `json:"channel_status"`
}

type channelState struct {
	Code        int    `json:"code"`
	Description string `json:"description"`
	Reference   string `json:"reference_id"`
	UpdatedOn   string `json:"updated_on"`
}

// outline is the part of a receipt or a status that a story is about:
// "3000 sms: whatsapp 3056, sms 3000".
func (r reply) outline() string {
	var legs []string
	for _, leg := range r.Channels {
		for channel, state := range leg {
			legs = append(legs, fmt.Sprint(channel, " ", state.Code))
		}
	}
	return fmt.Sprint(r.Status.Code, " ", r.Status.LastChannel, ": ", strings.Join(legs, ", "))
}

func encode(t testing.TB, body any) []byte {
	t.Helper()
	if text, ok := body.(string); ok {
		return []byte(text)
	}
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// basic is the header of a good request.
func basic() http.Header {
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(customerID, apiKey)
	r.Header.Set("Content-Type", "application/json")
	return r.Header
}

// digest is the header of a good signed request.
func digest(t testing.TB, method, path, nonce, date string, body []byte) http.Header {
	t.Helper()
	key, err := telesign.DecodeKey(apiKey)
	if err != nil {
		t.Fatal(err)
	}
	contentType := ""
	if method == http.MethodPost {
		contentType = "application/json"
	}
	h := http.Header{}
	h.Set("Authorization", "TSA "+customerID+":"+telesign.Sign(key, telesign.StringToSign(method, contentType, date, nonce, body, path)))
	h.Set("Date", date)
	h.Set("X-Ts-Auth-Method", "HMAC-SHA256")
	h.Set("X-Ts-Nonce", nonce)
	if contentType != "" {
		h.Set("Content-Type", contentType)
	}
	return h
}

func now() string { return time.Now().UTC().Format(http.TimeFormat) }

// try makes one request; an error means that there was no whole answer.
func (r *rig) try(ctx context.Context, method, path string, header http.Header, body []byte) (reply, error) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, r.server.URL+path, bytes.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.GetBody = nil
	req.Header = header
	resp, err := r.server.Client().Do(req)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return reply{}, err
	}
	answer := reply{status: resp.StatusCode, header: resp.Header, body: string(text)}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		_ = json.Unmarshal(text, &answer) // an unreadable one is a story of its own
	}
	return answer, nil
}

func (r *rig) do(method, path string, header http.Header, body []byte) reply {
	r.t.Helper()
	answer, err := r.try(context.Background(), method, path, header, body)
	if err != nil {
		r.t.Fatal(err)
	}
	return answer
}

func (r *rig) post(body any) reply {
	r.t.Helper()
	return r.do(http.MethodPost, "/v1/omnichannel", basic(), encode(r.t, body))
}

func (r *rig) get(ref string) reply {
	r.t.Helper()
	return r.do(http.MethodGet, "/v1/omnichannel/"+ref, basic(), nil)
}

// listener takes callbacks.
type listener struct {
	server *httptest.Server
	mu     sync.Mutex
	heard  []callback
	answer func(n int, w http.ResponseWriter, r *http.Request) // the n-th; nil for 200
}

type callback struct {
	reply
	at     time.Time
	method string
	fields object
	fault  error // of the signature
}

func listen(t testing.TB) *listener {
	t.Helper()
	verifier, err := telesign.NewVerifier(customerID, apiKey)
	if err != nil {
		t.Fatal(err)
	}
	l := &listener{}
	l.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		c := callback{at: time.Now(), method: r.Method, fault: verifier.Verify(r.Header, body)}
		c.header, c.body = r.Header, string(body)
		_ = json.Unmarshal(body, &c.reply)
		_ = json.Unmarshal(body, &c.fields)
		l.mu.Lock()
		l.heard = append(l.heard, c)
		n, answer := len(l.heard), l.answer
		l.mu.Unlock()
		if answer != nil {
			answer(n, w, r)
		}
	}))
	t.Cleanup(l.server.Close)
	return l
}

func (l *listener) callbacks() []callback {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]callback(nil), l.heard...)
}

func (l *listener) answers(with func(n int, w http.ResponseWriter, r *http.Request)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answer = with
}
