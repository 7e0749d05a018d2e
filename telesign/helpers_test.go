package telesign_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/handout-dev/handout/telesign"
)

const (
	// customer, keyLax and keyStrict are those of the tests of Telesign's SDKs.
	customer  = "FFFFFFFF-EEEE-DDDD-1234-AB1234567890"
	keyLax    = "EXAMPLE----TE8sTgg45yusumoN6BYsBVkh+yRJ5czgsnCehZaOYldPJdmFh6NeX8kunZ2zU1YWaUw/0wV6xfw=="
	keyStrict = "VGVzdCBLZXk="
	phone     = "15558675309"
	words     = "Your order history is ready"
)

// message is a message with everything in it that no error may show.
func message() telesign.Message {
	return telesign.Message{
		Channels:    []telesign.Channel{{Channel: "sms", FallbackTime: 300}},
		PhoneNumber: phone,
		Content: map[string]telesign.Content{
			"sms": {Template: "text", Parameters: map[string]string{"text": words}},
		},
		MessageType: "ARN",
		ExternalID:  "order-history.0.1.1",
	}
}

// options are good options for a server.
func options(url string) telesign.Options {
	return telesign.Options{
		URL: url, CustomerID: customer, APIKey: keyLax,
		Auth: telesign.AuthDigest, Timeout: 10 * time.Second, UserAgent: "handout/test",
	}
}

// client returns a client whose connections end with the test.
func client(t testing.TB, o telesign.Options) *telesign.Client {
	t.Helper()
	if o.Transport == nil {
		transport := telesign.NewTransport()
		t.Cleanup(transport.CloseIdleConnections)
		o.Transport = transport
	}
	c, err := telesign.NewClient(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// reply is what a vendor answers.
type reply struct {
	status int
	body   string
	header map[string]string
}

// vendor is a real server that gives one answer to everything and counts.
func vendor(t testing.TB, r reply) (url string, requests *atomic.Int64) {
	t.Helper()
	requests = new(atomic.Int64)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		requests.Add(1)
		io.Copy(io.Discard, req.Body)
		for k, v := range r.header {
			w.Header().Set(k, v)
		}
		w.WriteHeader(r.status)
		io.WriteString(w, r.body)
	}))
	t.Cleanup(s.Close)
	return s.URL, requests
}
