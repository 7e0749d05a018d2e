package simulator_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/handout-dev/handout/telesign"
	"github.com/handout-dev/handout/telesign/simulator"
)

func TestSend_RefusesWhoeverIsNotTheCustomer(t *testing.T) {
	t.Parallel()
	body := encode(t, message("15550000000"))
	signed := func(change func(http.Header)) http.Header {
		h := digest(t, http.MethodPost, "/v1/omnichannel", "nonce", now(), body)
		change(h)
		return h
	}
	at := func(d time.Duration) http.Header {
		return digest(t, http.MethodPost, "/v1/omnichannel", "nonce", time.Now().Add(d).UTC().Format(http.TimeFormat), body)
	}
	authorization := func(value string) http.Header {
		h := basic()
		h.Set("Authorization", value)
		return h
	}
	encoded := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	for _, tt := range []struct {
		name   string
		header http.Header
		want   int
	}{
		{"basic", basic(), 200},
		{"nothing", authorization(""), 401},
		{"bearer", authorization("Bearer abc"), 401},
		{"basic, wrong customer", authorization("Basic " + encoded("someone:"+apiKey)), 401},
		{"basic, wrong key", authorization("Basic " + encoded(customerID+":a2V5")), 401},
		{"basic, not base64", authorization("Basic " + customerID + ":" + apiKey), 401},
		{"digest", signed(func(http.Header) {}), 200},
		{"digest, wrong customer", signed(func(h http.Header) {
			h.Set("Authorization", strings.Replace(h.Get("Authorization"), customerID, "someone", 1))
		}), 401},
		{"digest, no signature", signed(func(h http.Header) { h.Set("Authorization", "TSA "+customerID) }), 401},
		{"digest, another signature", signed(func(h http.Header) { h.Set("X-Ts-Nonce", "other") }), 401},
		{"digest, no nonce", signed(func(h http.Header) { h.Del("X-Ts-Nonce") }), 401},
		{"digest, no method", signed(func(h http.Header) { h.Del("X-Ts-Auth-Method") }), 401},
		{"digest, SHA-1", signed(func(h http.Header) { h.Set("X-Ts-Auth-Method", "HMAC-SHA1") }), 401},
		{"digest, no date", digest(t, http.MethodPost, "/v1/omnichannel", "nonce", "", body), 401},
		{"digest, date in another format", digest(t, http.MethodPost, "/v1/omnichannel", "nonce", "2026-11-22T10:00:00Z", body), 401},
		{"digest, 14 minutes ago", at(-14 * time.Minute), 200},
		{"digest, 16 minutes ago", at(-16 * time.Minute), 401},
		{"digest, 16 minutes ahead", at(16 * time.Minute), 401},
		{"digest, of another body", digest(t, http.MethodPost, "/v1/omnichannel", "nonce", now(), []byte("{}")), 401},
		{"digest, of another path", digest(t, http.MethodPost, "/v1/messaging", "nonce", now(), body), 401},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := start(t, simulator.Options{NoCallbacks: true})
			got := r.do(http.MethodPost, "/v1/omnichannel", tt.header, body)
			if got.status != tt.want {
				t.Fatalf("got %d (%s), want %d", got.status, got.header.Get("X-Simulator-Reason"), tt.want)
			}
			checkShape(t, got)
			if tt.want == 401 && (got.Status.Code != 3400 || got.ExternalID == nil || *got.ExternalID != "campaign.0.0.1") {
				t.Errorf("got %s", got.body)
			}
			if n := r.vendor.Stats().Requests; (tt.want == 401) == (n == 1) {
				t.Errorf("%d requests are counted as authorized", n)
			}
		})
	}
}

func TestSend_NonceIsGoodForOneRequest(t *testing.T) {
	t.Parallel()
	r := start(t, simulator.Options{NoCallbacks: true})
	body := encode(t, message("15550000000"))
	path := "/v1/omnichannel"
	stolen := digest(t, http.MethodPost, path, "nonce-1", now(), body)
	stolen.Set("Authorization", "TSA "+customerID+":AAAA")
	if got := r.do(http.MethodPost, path, stolen, body); got.status != 401 {
		t.Errorf("bad signature: got %d", got.status)
	}
	// A bad signature doesn't use up the nonce.
	for i, want := range []int{200, 401} {
		if got := r.do(http.MethodPost, path, digest(t, http.MethodPost, path, "nonce-1", now(), body), body); got.status != want {
			t.Errorf("use %d: got %d, want %d", i+1, got.status, want)
		}
	}
	if got := r.do(http.MethodPost, path, digest(t, http.MethodPost, path, "nonce-2", now(), body), body); got.status != 200 {
		t.Errorf("another nonce: got %d", got.status)
	}
}

func TestSend_TakesTheDateFromXTsDate(t *testing.T) {
	t.Parallel()
	r := start(t, simulator.Options{NoCallbacks: true})
	body, date := string(encode(t, message("15550000000"))), now()
	key, err := telesign.DecodeKey(apiKey)
	if err != nil {
		t.Fatal(err)
	}
	h := digest(t, http.MethodPost, "/v1/omnichannel", "nonce", date, []byte(body))
	h.Del("Date")
	h.Set("X-Ts-Date", date)
	h.Set("Authorization", "TSA "+customerID+":"+telesign.Sign(key, []byte("POST\napplication/json\n\n"+
		"x-ts-auth-method:HMAC-SHA256\nx-ts-date:"+date+"\nx-ts-nonce:nonce\n"+body+"\n/v1/omnichannel")))
	if got := r.do(http.MethodPost, "/v1/omnichannel", h, []byte(body)); got.status != 200 {
		t.Errorf("got %d: %s", got.status, got.header.Get("X-Simulator-Reason"))
	}
}

func TestNew_RefusesOptionsThatCannotWork(t *testing.T) {
	t.Parallel()
	good := simulator.Options{CustomerID: customerID, APIKey: apiKey}
	for name, change := range map[string]func(*simulator.Options){
		"no customer":       func(o *simulator.Options) { o.CustomerID = "" },
		"no key":            func(o *simulator.Options) { o.APIKey = "" },
		"key not base64":    func(o *simulator.Options) { o.APIKey = "---" },
		"negative rate":     func(o *simulator.Options) { o.Rate = -1 },
		"bursts of nothing": func(o *simulator.Options) { o.Bursts = time.Second },
		"over all denied":   func(o *simulator.Options) { o.Denies = 1.1 },
		"negative speed":    func(o *simulator.Options) { o.Speed = -1 },
		"relative callback": func(o *simulator.Options) { o.CallbackURL = "/callbacks" },
	} {
		o := good
		change(&o)
		if s, err := simulator.New(o); err == nil {
			s.Close()
			t.Errorf("%s: no error", name)
		}
	}
}
