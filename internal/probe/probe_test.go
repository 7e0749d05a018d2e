package probe_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/handout-dev/handout/callbacks"
	"github.com/handout-dev/handout/internal/probe"
	"github.com/handout-dev/handout/telesign"
	"github.com/handout-dev/handout/telesign/simulator"
	"github.com/handout-dev/handout/test/redistest"
)

const (
	customerID = "FFFFFFFF-EEEE-DDDD-1234-AB1234567890"
	apiKey     = "VGVzdCBLZXk="
)

func serve(t *testing.T, handler http.Handler) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

func ask(t *testing.T, url, key string) map[string]probe.Finding {
	t.Helper()
	client, err := telesign.NewClient(telesign.Options{URL: url, CustomerID: customerID, APIKey: key, Auth: telesign.AuthBasic, Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]probe.Finding)
	for _, f := range probe.Telesign(t.Context(), client) {
		found[f.Check] = f
		if !f.OK && f.Advice == "" {
			t.Errorf("no advice: %+v", f)
		}
	}
	return found
}

func vendor(t *testing.T, o simulator.Options) (*simulator.Simulator, string) {
	t.Helper()
	o.CustomerID, o.APIKey = customerID, apiKey
	v, err := simulator.New(o)
	if err != nil {
		t.Fatal(err)
	}
	url := serve(t, v)
	t.Cleanup(v.Close)
	return v, url
}

func TestTelesign_FindsAnAccountThatIsReady(t *testing.T) {
	t.Parallel()
	named := telesign.TemplateName{Channel: "whatsapp", Name: "wa_bogo"}
	v, url := vendor(t, simulator.Options{Polling: true, Templates: []telesign.Template{{TemplateName: named, Status: "Approved"}, {TemplateName: named, Status: "Rejected"}}})
	found := ask(t, url, apiKey)
	for _, f := range found {
		if !f.OK {
			t.Errorf("%+v", f)
		}
	}
	if len(found) != 3 || found["templates"].Found != "2 listed, 1 approved; see handout template list" {
		t.Errorf("%d findings: %+v", len(found), found)
	}
	if f := ask(t, url, apiKey)["templates"]; !f.OK { // in the same second
		t.Errorf("%+v", f)
	}
	if stats := v.Stats(); stats.Requests != 0 || stats.Accepted != 0 {
		t.Errorf("something was sent: %+v", stats)
	}
}

func TestTelesign_TellsWhatStopsSendsFromWhatDoesnt(t *testing.T) {
	t.Parallel()
	answer := func(status int, body string, header ...string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i+1 < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		})
	}
	coded := func(status, code int, header ...string) http.Handler {
		return answer(status, fmt.Sprintf(`{"status":{"code":%d,"description":"x"}}`, code), header...)
	}
	at := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(http.TimeFormat) }
	for name, c := range map[string]struct {
		handler   http.Handler
		check     string
		ok, fatal bool
		found     string
	}{
		"a wrong key":             {coded(401, 3400), "Telesign", false, true, "3400"},
		"a suspended account":     {coded(401, 3406), "Telesign", false, true, "Account suspended"},
		"status queries are off":  {coded(401, 3206), "Telesign", false, false, "3206"},
		"asked too often":         {coded(429, 3204), "Telesign", false, false, "3204"},
		"unavailable":             {coded(503, 3041), "Telesign", false, false, "3041"},
		"a code of no known word": {coded(400, 3999), "Telesign", false, false, "3999"},
		"another's page":          {answer(404, "<html>"), "Telesign", false, true, "HTTP 404"},
		"a redirect":              {answer(302, "", "Location", "https://example.com"), "Telesign", false, true, "HTTP 302"},
		"a clock that is right":   {coded(404, -10004), "Telesign's clock", true, false, "within 1s"},
		"a clock that is late":    {coded(404, -10004, "Date", at(-time.Minute)), "Telesign's clock", false, false, "-1m"},
		"a clock that is early":   {coded(404, -10004, "Date", at(time.Hour+30*time.Second)), "Telesign's clock", false, false, "1h0m"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, looked := ask(t, serve(t, c.handler), apiKey)[c.check]
			if !looked || f.OK != c.ok || f.Fatal != c.fatal || !strings.Contains(f.Found, c.found) {
				t.Errorf("%+v", f)
			}
		})
	}
	if f := ask(t, "http://127.0.0.1:1", apiKey); !f["Telesign"].Fatal || len(f) != 1 {
		t.Errorf("nothing listens there: %+v", f)
	}
}

func TestTelesign_SaysThatTheListOfTemplatesIsOff(t *testing.T) {
	t.Parallel()
	_, url := vendor(t, simulator.Options{Polling: true})
	if f := ask(t, url, apiKey)["templates"]; f.OK || f.Fatal || !strings.Contains(f.Found, "3818") {
		t.Errorf("%+v", f)
	}
}

// listener is a real one.
func listener(t *testing.T, key string, require bool) http.Handler {
	t.Helper()
	verifier, err := telesign.NewVerifier(customerID, key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := callbacks.New(callbacks.Options{
		Redis: redistest.Start(t).Client(), Verifiers: callbacks.Verifiers{"default": {verifier}}, RequireSignature: require, ReceiptMargin: time.Minute,
		Logger: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestCallback_TellsAListenerOfTheAccountFromWhateverElse(t *testing.T) {
	t.Parallel()
	key, err := telesign.DecodeKey(apiKey)
	if err != nil {
		t.Fatal(err)
	}
	secretless := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del("Authorization")
		r.Header.Del("X-Ts-Authorization")
		listener(t, apiKey, true).ServeHTTP(w, r)
	})
	for name, c := range map[string]struct {
		handler   http.Handler
		ok, fatal bool
		found     string
	}{
		"ours":                            {listener(t, apiKey, true), true, true, "takes signed receipts, and refuses unsigned ones"},
		"ours, that needs no signature":   {listener(t, apiKey, false), false, false, "takes receipts without a signature"},
		"another account's":               {listener(t, "b3RoZXIga2V5IQ==", true), false, true, "refuses a receipt that is signed with this key: HTTP 401"},
		"a proxy that drops the headers":  {secretless, false, true, "refuses a receipt that is signed with this key: HTTP 401"},
		"a proxy that doesn't know it":    {http.NotFoundHandler(), false, true, "answers HTTP 404 to an unsigned receipt and 404 to a signed one"},
		"a proxy that leads somewhere":    {http.RedirectHandler("/login", http.StatusFound), false, true, "can't be reached from this machine: too many redirects"},
		"a proxy in front of nothing now": {http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) }), false, true, "answers HTTP 502"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := probe.Callback(t.Context(), nil, serve(t, c.handler), customerID, key)
			if f.OK != c.ok || f.Fatal != c.fatal || !strings.Contains(f.Found, c.found) || !f.OK && f.Advice == "" {
				t.Errorf("%+v", f)
			}
		})
	}
	for _, address := range []string{"http://user:hunter2@127.0.0.1:1/", "http://127.0.0.1:1 /", "127.0.0.1"} {
		if f := probe.Callback(t.Context(), nil, address, customerID, key); f.OK || !f.Fatal || strings.Contains(fmt.Sprint(f), "hunter2") {
			t.Errorf("%+v", f)
		}
	}
}
