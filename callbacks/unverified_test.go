package callbacks_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/handout-dev/handout/internal/unverified"
	"github.com/handout-dev/handout/telesign"
)

func notice(r *rig) *unverified.Notice {
	r.t.Helper()
	n, err := unverified.Read(r.t.Context(), r.rdb)
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

func wronglySigned(r *rig, customer, key, body string) http.Header {
	r.t.Helper()
	h, err := telesign.SignCallback(customer, key, []byte(body))
	if err != nil {
		r.t.Fatal(err)
	}
	return h
}

func TestListener_WarnsOfAWrongKeyOnceAMinute(t *testing.T) {
	t.Parallel()
	r := setup(t)
	c := r.stand("c", 1)
	r.sent(c, 0, 1)
	body := receipt("c.0.0.1", 1, 3000, "sms 3000")
	for range 3 {
		if status := r.call(http.MethodPost, body, wronglySigned(r, customerID, otherKey, body)); status != http.StatusUnauthorized {
			t.Fatalf("status %d", status)
		}
	}
	n := notice(r)
	if n == nil || n.Count != 1 || n.Why != unverified.WrongSignature || n.Last.IsZero() {
		t.Fatalf("%+v", n)
	}
	if got := strings.Count(r.log.String(), "correct TELESIGN_API_KEY of handout listen"); got != 1 {
		t.Errorf("%d warnings in the log: %s", got, r.log)
	}
	r.hear(body)
	if n := notice(r); n != nil {
		t.Errorf("it stands after a receipt was verified: %s", n)
	}
}

// A process with the right key knows nothing of what those before it refused.
func TestListener_TakesBackTheWarningOfTheProcessBefore(t *testing.T) {
	t.Parallel()
	r := setup(t)
	c := r.stand("c", 1)
	r.sent(c, 0, 1)
	if err := unverified.Add(t.Context(), r.rdb, 7, unverified.WrongCustomer, c.CreatedAt); err != nil {
		t.Fatal(err)
	}
	r.hear(receipt("c.0.0.1", 1, 3000, "sms 3000"))
	if n := notice(r); n != nil {
		t.Errorf("it stands: %s", n)
	}
}

func TestListener_SaysWhatIsWrongWithASignature(t *testing.T) {
	t.Parallel()
	body := receipt("c.0.0.1", 1, 3000, "sms 3000")
	for name, c := range map[string]struct {
		header func(r *rig) http.Header
		body   string
		want   string // empty: no warning
	}{
		"another customer": {func(r *rig) http.Header { return wronglySigned(r, "ABC", apiKey, body) }, body, "correct TELESIGN_CUSTOMER_ID"},
		"another key":      {func(r *rig) http.Header { return wronglySigned(r, customerID, otherKey, body) }, body, "correct TELESIGN_API_KEY"},
		"no signature":     {func(*rig) http.Header { return nil }, body, "header Authorization"},
		// What the Internet sends to any address says nothing about the key.
		"no receipt":         {func(*rig) http.Header { return nil }, `{"a":1}`, ""},
		"not even an object": {func(*rig) http.Header { return nil }, `<?xml`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := setup(t)
			r.call(http.MethodPost, c.body, c.header(r))
			n := notice(r)
			if (n == nil) != (c.want == "") {
				t.Fatalf("%v", n)
			}
			if n != nil && !strings.Contains(n.String(), c.want) {
				t.Errorf("%s", n)
			}
		})
	}
}

// Redis being away doesn't change the answer.
func TestListener_RefusesAWrongKeyWithoutRedis(t *testing.T) {
	t.Parallel()
	r := setup(t)
	r.server.Kill()
	body := receipt("c.0.0.1", 1, 3000)
	if status := r.call(http.MethodPost, body, wronglySigned(r, customerID, otherKey, body)); status != http.StatusUnauthorized {
		t.Errorf("status %d", status)
	}
}
