package callbacks_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/callbacks"
	"github.com/handout-dev/handout/telesign"
	"github.com/handout-dev/handout/test/redistest"
)

// What a stranger may send, or a proxy make of what Telesign sends: each is
// refused in its own word, and nothing in Redis changes.
func TestListener_RefusesWhatItCannotTrust(t *testing.T) {
	t.Parallel()
	good := receipt("c.0.0.1", 1, 3000, "sms 3000")
	sign := func(customer, key, body string) http.Header {
		h, err := telesign.SignCallback(customer, key, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	header := func(pairs ...string) http.Header {
		h := http.Header{}
		for i := 0; i < len(pairs); i += 2 {
			h.Add(pairs[i], pairs[i+1])
		}
		return h
	}
	own := func(body string) http.Header { return sign(customerID, apiKey, body) }
	signature := own(good).Get("X-Ts-Authorization")
	bomb := strings.Repeat(`{"status":`, 5_500) + `1` + strings.Repeat(`}`, 5_500)
	listBomb := `{"channel_status":` + strings.Repeat(`[`, 30_000) + strings.Repeat(`]`, 30_000) + `}`
	large := `{"x":"` + strings.Repeat("x", 64<<10) + `"}`
	for name, c := range map[string]struct {
		method, body string
		header       http.Header
		status       int
		result       string
		lax          string // the result when unsigned receipts are taken; "" the same
	}{
		"unsigned":                     {"POST", good, nil, 401, "unsigned", "recorded"},
		"signed with another key":      {"POST", good, sign(customerID, otherKey, good), 401, "wrong signature", ""},
		"signed for another body":      {"POST", good, own(good + " "), 401, "wrong signature", ""},
		"another customer's":           {"POST", good, sign("11111111-EEEE-DDDD-1234-AB1234567890", apiKey, good), 401, "wrong customer", ""},
		"another customer's beside":    {"POST", good, header("Authorization", "TSA nobody:"+signature, "X-Ts-Authorization", signature), 401, "wrong customer", ""},
		"a proxy's password":           {"POST", good, header("Authorization", "Basic dXNlcjpwYXNzd29yZA=="), 401, "wrong signature", ""},
		"an empty signature":           {"POST", good, header("Authorization", "TSA "+customerID+":"), 401, "wrong signature", ""},
		"a short signature":            {"POST", good, header("X-Ts-Authorization", signature[:20]), 401, "wrong signature", ""},
		"a signature in lower case":    {"POST", good, header("X-Ts-Authorization", strings.ToLower(signature)), 401, "wrong signature", ""},
		"an empty body":                {"POST", "", header("X-Ts-Authorization", signature), 400, "empty", ""},
		"an empty body, unsigned":      {"POST", "", nil, 400, "empty", ""},
		"too large":                    {"POST", large, own(large), 413, "too large", ""},
		"far too large, unsigned":      {"POST", strings.Repeat("x", 4<<20), nil, 413, "too large", ""},
		"no JSON":                      {"POST", "status=3000", own("status=3000"), 400, "malformed", ""},
		"a list":                       {"POST", "[]", own("[]"), 400, "malformed", ""},
		"half an object":               {"POST", good[:50], own(good[:50]), 400, "malformed", ""},
		"two objects":                  {"POST", good + good, own(good + good), 400, "malformed", ""},
		"no UTF-8 and no JSON":         {"POST", "\xff\xfe{", own("\xff\xfe{"), 400, "malformed", ""},
		"objects without an end":       {"POST", bomb, own(bomb), 0, "", ""},
		"lists without an end":         {"POST", listBomb, own(listBomb), 0, "", ""},
		"GET":                          {"GET", "", nil, 405, "method", ""},
		"GET signed for nothing":       {"GET", "", header("X-Ts-Authorization", signature), 405, "method", ""},
		"GET with a body, unsigned":    {"GET", good, nil, 401, "unsigned", "unsigned"},
		"GET with a body, forged":      {"GET", good, sign(customerID, otherKey, good), 401, "wrong signature", ""},
		"PUT":                          {"PUT", good, own(good), 405, "method", ""},
		"DELETE":                       {"DELETE", "", nil, 405, "method", ""},
		"HEAD":                         {"HEAD", "", nil, 405, "method", ""},
		"OPTIONS":                      {"OPTIONS", "", nil, 405, "method", ""},
		"a method that doesn't exist":  {"BREW", good, own(good), 405, "method", ""},
		"an unsigned one with no code": {"POST", "{}", nil, 401, "unsigned", "foreign"},
	} {
		for _, require := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, required %v", name, require), func(t *testing.T) {
				t.Parallel()
				r := setupWith(t, func(o *callbacks.Options) { o.RequireSignature = require })
				info := r.stand("c", 2)
				r.sent(info, 0, 1)
				before := r.everything()
				status := r.call(c.method, c.body, c.header.Clone())
				result, wanted := c.result, c.status
				if !require && c.lax != "" {
					if result = c.lax; result != "unsigned" {
						wanted = 200
					}
				}
				if c.status == 0 { // what a parser makes of it is its own affair, as long as it ends
					if status != 200 && status != 400 {
						t.Errorf("answered with %d", status)
					}
				} else if status != wanted {
					t.Errorf("answered with %d, want %d", status, wanted)
				}
				if n := r.counted(); result != "" && (len(n) != 1 || n[result] != 1) {
					t.Errorf("counted %v, want one %q", n, result)
				}
				after := r.everything()
				if result == "wrong signature" || result == "wrong customer" || result == "unsigned" {
					delete(after, "handout:receipts:refused") // the warning
				}
				if diff := cmp.Diff(before, after); diff != "" && result != "recorded" {
					t.Errorf("Redis has changed (-before +after):\n%s", diff)
				}
			})
		}
	}
}

// A client that doesn't come to its end is cut off, and costs the others nothing.
func TestListener_ASlowBodyIsRefused(t *testing.T) {
	t.Parallel()
	r := setup(t)
	info := r.stand("c", 1)
	r.sent(info, 0, 1)
	body := receipt("c.0.0.1", 1, 3000, "sms 3000")
	conn, err := net.Dial("tcp", r.http.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\nAuthorization: %s\r\n\r\n%s",
		callbacks.Path, len(body), signed(t, body).Get("Authorization"), body[:len(body)/2])
	r.hear(receipt("", 1, 3002, "sms 3002")) // meanwhile
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err == nil {
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest {
			t.Errorf("answered with %d", resp.StatusCode)
		}
	}
	r.until("it is counted", func() bool { return r.counted()["unreadable"] == 1 })
	if rec := r.record(info, 0); rec.State.Final() {
		t.Errorf("half a receipt made it %s", rec.State)
	}
}

func TestListener_TakesASignatureInEachOfItsForms(t *testing.T) {
	t.Parallel()
	r := setup(t)
	info := r.stand("c", 6)
	for i, header := range []func(body string) http.Header{
		func(body string) http.Header { return signed(t, body) },
		func(body string) http.Header {
			return http.Header{"Authorization": {signed(t, body).Get("Authorization")}}
		},
		func(body string) http.Header {
			return http.Header{"X-Ts-Authorization": {signed(t, body).Get("X-Ts-Authorization")}}
		},
		func(body string) http.Header {
			return http.Header{"X-Ts-Authorization": {signed(t, body).Get("Authorization")}}
		},
		func(body string) http.Header { // a proxy has put its own in the place of Telesign's
			return http.Header{"Authorization": {"Basic dXNlcjpwYXNzd29yZA=="}, "X-Ts-Authorization": {signed(t, body).Get("X-Ts-Authorization")}}
		},
	} {
		r.sent(info, i, i)
		body := receipt(fmt.Sprintf("c.0.%d.1", i), i, 3000, "sms 3000")
		if status := r.call(http.MethodPost, body, header(body)); status != 200 {
			t.Errorf("form %d: answered with %d", i, status)
		}
		if rec := r.record(info, i); !rec.State.Final() {
			t.Errorf("form %d: %s", i, rec.State)
		}
	}
	// The vendor's guide shows a GET with a body.
	r.sent(info, 5, 5)
	body := receipt("c.0.5.1", 5, 3000, "sms 3000")
	if status := r.call(http.MethodGet, body, signed(t, body)); status != 200 || !r.record(info, 5).State.Final() {
		t.Errorf("a signed GET: answered with %d, %s", status, r.record(info, 5).State)
	}
}

func TestListener_CountsInFewWords(t *testing.T) {
	t.Parallel()
	words := []string{
		"recorded", "no news", "foreign", "mismatch", "inbound", "stop", "start", "early", "dropped", "method", "too large",
		"unreadable", "malformed", "unsigned", "wrong customer", "wrong signature", "not recorded",
	}
	r := setup(t)
	info := r.stand("c", 40)
	for i := range 40 {
		r.sent(info, i, i)
		r.hear(receipt(fmt.Sprintf("c.0.%d.1", i), i, 3900+i, fmt.Sprintf("channel%d %d", i, 4000+i)))
		r.hear(receipt(fmt.Sprintf("their-%d", i), 1000+i, 3000))
		r.call(fmt.Sprintf("VERB%d", i), "", nil)
		r.call(http.MethodPost, "x", http.Header{"Authorization": {fmt.Sprintf("TSA customer-%d:x", i)}})
	}
	for word := range r.counted() {
		if !slices.Contains(words, word) {
			t.Errorf("counted under %q", word)
		}
	}
}

func TestListener_SaysWhenTheLedgerCannotBeReached(t *testing.T) {
	t.Parallel()
	r := setup(t, redistest.AppendOnly("always"))
	info := r.stand("c", 2)
	r.sent(info, 0, 1)
	body := receipt("c.0.0.1", 1, 3000, "sms 3000")
	bare := receipt("", 1, 3000, "sms 3000")
	r.server.Kill()
	for _, b := range []string{body, bare, body} {
		start := time.Now()
		if status := r.call(http.MethodPost, b, signed(t, b)); status != http.StatusServiceUnavailable {
			t.Errorf("answered with %d", status)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("answered after %v; Telesign waits for 5 s", took)
		}
	}
	if n := r.counted(); n["not recorded"] != 3 {
		t.Errorf("counted %v", n)
	}
	r.server.Restart()
	r.hear(body) // as Telesign will
	if rec := r.record(info, 0); rec.DeliveredBy().String() != "sms" {
		t.Errorf("%s by %q", rec.State, rec.DeliveredBy())
	}
	r.closes(info)
}

// A Redis that hangs is worse than one that is gone: Telesign must hear in time
// all the same, and what was recorded late is no news the next time.
func TestListener_AnswersInTimeWhenTheLedgerHangs(t *testing.T) {
	t.Parallel()
	r := setup(t)
	info := r.stand("c", 1)
	r.sent(info, 0, 1)
	r.hear(receipt("c.0.0.1", 1, 3002, "sms 3002"))
	if err := r.rdb.Do(t.Context(), "CLIENT", "PAUSE", "6000", "ALL").Err(); err != nil {
		t.Fatal(err)
	}
	body := receipt("c.0.0.1", 1, 3000, "sms 3000")
	start := time.Now()
	if status := r.call(http.MethodPost, body, signed(t, body)); status != http.StatusServiceUnavailable {
		t.Errorf("answered with %d", status)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("answered after %v; Telesign waits for 5 s", took)
	}
	r.until("Redis answers again", func() bool { return r.rdb.Ping(t.Context()).Err() == nil })
	r.hear(body)
	if rec := r.record(info, 0); rec.DeliveredBy().String() != "sms" {
		t.Errorf("%s by %q", rec.State, rec.DeliveredBy())
	}
	r.closes(info)
}

func TestNew_RefusesToListenWithoutWhatItNeeds(t *testing.T) {
	t.Parallel()
	r := setup(t)
	for name, change := range map[string]func(*callbacks.Options){
		"no Redis":    func(o *callbacks.Options) { o.Redis = nil },
		"no verifier": func(o *callbacks.Options) { o.Verifiers = nil },
		"no logger":   func(o *callbacks.Options) { o.Logger = nil },
		"no metrics":  func(o *callbacks.Options) { o.Metrics = nil },
	} {
		o := r.options()
		change(&o)
		if _, err := callbacks.New(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
