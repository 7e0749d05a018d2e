package process_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/test/redistest"
)

// TestRetry_SendsTheContentOfTheFirstAttempt proves that another attempt has the
// content of the first: the campaign's file and list are gone by then.
func TestRetry_SendsTheContentOfTheFirstAttempt(t *testing.T) {
	t.Parallel()
	const id, failed = "again", "+12015550169"
	h := open(t, quick(redistest.Start(t).URL()).with("HANDOUT_RECEIPT_DEADLINE", "1s"))
	h.work.stop()
	// A proxy between the worker and Telesign reads along.
	var mu sync.Mutex
	var bodies []map[string]any
	between := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		var content map[string]any
		if r.Method == http.MethodPost && json.Unmarshal(body, &content) == nil {
			mu.Lock()
			bodies = append(bodies, content)
			mu.Unlock()
		}
		pass(w, r, h.simulate.url, body)
	}))
	t.Cleanup(between.Close)
	serve(t, h.env.with("TELESIGN_URL", between.URL), "work")
	done(t, h.env, "submit", campaignFile(t, id), listFile(t, []string{failed}))
	untilDone(t, h.env, id)
	// Another content under this ID is refused, and changes nothing.
	refusal{args: []string{"submit", campaignFile(t, id), listFile(t, []string{"+12015550100"})}, code: 1, stderr: `campaign again already stands with other content.*`}.check(t, h.env)
	done(t, h.env, "retry", id, "--only", "failed", "--yes")
	await(t, "it is sent again", func() bool { return h.accepted(t)[failed] == 2 })
	untilDone(t, h.env, id)
	mu.Lock()
	defer mu.Unlock()
	if len(bodies) != 2 {
		t.Fatalf("%d messages: %v", len(bodies), bodies)
	}
	for i, b := range bodies {
		id, _ := b["external_id"].(string)
		if a, err := campaign.ParseExternalID(id); err != nil || a.Place != (campaign.Place{}) || a.Number != i+1 {
			t.Errorf("attempt %d has the external ID %q", i+1, id)
		}
		delete(b, "external_id") // each attempt has its own
	}
	if diff := cmp.Diff(bodies[0], bodies[1]); diff != "" || len(bodies[0]) < 3 {
		t.Errorf("the second message is another one (-first +second):\n%s", diff)
	}
}

// pass hands a request on.
func pass(w http.ResponseWriter, r *http.Request, to string, body []byte) {
	req, err := http.NewRequestWithContext(r.Context(), r.Method, to+r.URL.Path, bytes.NewReader(body))
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	req.Header = r.Header
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer resp.Body.Close()
	for name, values := range resp.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(resp.StatusCode)
	_, _ = io.Copy(w, resp.Body)
}
