package simulator_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/handout-dev/handout/telesign/simulator"
)

const benchBody = `{"channels":[{"channel":"whatsapp","fallback_time":600},{"channel":"sms"}],"external_id":"order-history-2026-11.17.42.1","message":{"sms":{"parameters":{"text":"Your viatu.com order history is ready for download at https://s3.amazonaws.com/346542/viatu/customer47325-order-history.xlsx."},"template":"text"},"whatsapp":{"parameters":{"file_name":"order history.xlsx","url":"https://s3.amazonaws.com/346542/viatu/customer47325-order-history.xlsx"},"template":"file"}},"message_type":"MKT","recipient":{"phone_number":"15558675309"}}`

// BenchmarkSend is the simulator's own cost of a POST, without the network.
func BenchmarkSend(b *testing.B) {
	s, err := simulator.New(simulator.Options{CustomerID: customerID, APIKey: apiKey, NoCallbacks: true})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest(http.MethodPost, "/v1/omnichannel", strings.NewReader(benchBody))
		r.SetBasicAuth(customerID, apiKey)
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			b.Fatal(w.Body)
		}
	}
}

// BenchmarkSendHTTP is the same over a real connection, client and all.
func BenchmarkSendHTTP(b *testing.B) {
	s, err := simulator.New(simulator.Options{CustomerID: customerID, APIKey: apiKey, NoCallbacks: true})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	server := httptest.NewServer(s)
	defer server.Close()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r, _ := http.NewRequest(http.MethodPost, server.URL+"/v1/omnichannel", strings.NewReader(benchBody))
			r.SetBasicAuth(customerID, apiKey)
			r.Header.Set("Content-Type", "application/json")
			resp, err := server.Client().Do(r)
			if err != nil {
				b.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
	})
}
