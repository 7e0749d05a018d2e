package simulator_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/telesign/simulator"
)

func TestStatus_HasTheShapeOfTheVendorsSample(t *testing.T) {
	t.Parallel()
	r := start(t, simulator.Options{Polling: true, NoCallbacks: true})
	ref := r.post(message("15550000050")).Reference
	var got object
	if err := json.Unmarshal([]byte(r.get(ref).body), &got); err != nil {
		t.Fatal(err)
	}
	status := got["status"].(object)
	leg := got["channel_status"].([]any)[0].(object)["whatsapp"].(object)
	for _, stamped := range []object{status, leg} {
		if stamped["updated_on"] == "" {
			t.Error("updated_on is empty")
		}
		delete(stamped, "updated_on")
	}
	want := object{
		"status":          object{"code": 3001.0, "description": "Message in progress", "last_channel": "whatsapp"},
		"reference_id":    ref,
		"external_id":     "campaign.0.0.1",
		"currency":        "USD",
		"price":           "0.0050",
		"additional_info": object{"mcc": "310", "mnc": "012"},
		// No reference of its own yet: "In case of channel status code 3001,
		// reference_id will not be returned."
		"channel_status": []any{object{"whatsapp": object{"code": 3001.0, "description": "Message in progress"}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestStatus_RefusesWithTheVendorsCode(t *testing.T) {
	t.Parallel()
	r := start(t, simulator.Options{Polling: true, NoCallbacks: true})
	refused := r.post("{}").Reference // a reference with nothing behind it
	path := "/v1/omnichannel/" + reference
	wrong := basic()
	wrong.Set("Authorization", "Basic AAAA")
	for _, tt := range []struct {
		name, path   string
		header       http.Header
		status, code int
	}{
		{"a reference that nobody gave", path, basic(), 404, -10004},
		{"the reference of a refusal", "/v1/omnichannel/" + refused, basic(), 404, -10004},
		{"no reference", "/v1/omnichannel/42", basic(), 400, 3311},
		{"a wrong key", path, wrong, 401, 3400},
		{"a signed request", path, digest(t, http.MethodGet, path, "nonce", now(), nil), 404, -10004},
		{"a signature used before", path, digest(t, http.MethodGet, path, "nonce", now(), nil), 401, 3400},
	} {
		got := r.do(http.MethodGet, tt.path, tt.header, nil)
		if got.status != tt.status || got.Status.Code != tt.code {
			t.Errorf("%s: got %d/%d, want %d/%d", tt.name, got.status, got.Status.Code, tt.status, tt.code)
		}
		if strings.Contains(got.body, `"reference_id":`) || strings.Contains(got.body, `"external_id":`) {
			t.Errorf("%s: body %s has more than a status", tt.name, got.body)
		}
	}
}

func TestStatus_IsOffUnlessTheAccountHasIt(t *testing.T) {
	t.Parallel()
	r := start(t, simulator.Options{NoCallbacks: true})
	ref := r.post(message("15550000000")).Reference
	if got := r.get(ref); got.status != 401 || got.Status.Code != 3206 {
		t.Errorf("got %d %s", got.status, got.body)
	}
}

func TestLog_IsServedAsLines(t *testing.T) {
	t.Parallel()
	r := start(t, simulator.Options{NoCallbacks: true})
	var want []simulator.Accepted
	for _, phone := range []string{"15550000000", "15550000088", "15550000092", "15550000050"} {
		_, _ = r.try(t.Context(), http.MethodPost, "/v1/omnichannel", basic(), encode(t, message(phone)))
	}
	for i, a := range r.vendor.Accepted() {
		if a.N != uint64(i+1) || a.At.IsZero() || !referenceShape.MatchString(a.Reference) {
			t.Errorf("%+v", a)
		}
		if diff := cmp.Diff([]string{"whatsapp", "sms"}, a.Channels); diff != "" {
			t.Error(diff)
		}
		want = append(want, a)
	}
	if len(want) != 3 {
		t.Fatalf("%d messages, want 3: the reset one is there, the refused one isn't", len(want))
	}
	for after, want := range map[string][]simulator.Accepted{"": want, "0": want, "1": want[1:], "3": nil, "9": nil} {
		got := r.do(http.MethodGet, "/simulator/log?after="+after, http.Header{}, nil)
		var list []simulator.Accepted
		for lines := bufio.NewScanner(strings.NewReader(got.body)); lines.Scan(); {
			var a simulator.Accepted
			if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
				t.Fatal(err)
			}
			list = append(list, a)
		}
		if diff := cmp.Diff(want, list); diff != "" {
			t.Errorf("after=%s: %s", after, diff)
		}
	}
	if got := r.do(http.MethodGet, "/simulator/log?after=x", http.Header{}, nil); got.status != 400 {
		t.Errorf("after=x: %d", got.status)
	}
}

func TestLog_KeepsManyMessagesApart(t *testing.T) {
	t.Parallel()
	r := start(t, simulator.Options{NoCallbacks: true})
	const count = 5000 // more than one chunk
	body := string(encode(t, message("15550000000")))
	seen := map[string]bool{}
	for range count {
		got := call(t, r.vendor, http.MethodPost, "/v1/omnichannel", []byte(body))
		seen[got.Reference] = true
	}
	if len(seen) != count {
		t.Errorf("%d references for %d messages", len(seen), count)
	}
	for _, a := range r.vendor.Accepted() {
		if !seen[a.Reference] {
			t.Fatalf("message %d has a reference in the log that no answer had", a.N)
		}
	}
	if got := r.vendor.Stats(); got.Accepted != count || got.ByStory["delivered"] != count {
		t.Errorf("%+v", got)
	}
}

func TestStats_AreServedAsJSON(t *testing.T) {
	t.Parallel()
	r := start(t, simulator.Options{Speed: hurry, Polling: true})
	r.get(r.post(message("15550000070")).Reference)
	r.post("{}")
	r.idle()
	got := r.do(http.MethodGet, "/simulator/stats", http.Header{}, nil)
	var stats simulator.Stats
	if err := json.Unmarshal([]byte(got.body), &stats); err != nil {
		t.Fatal(err)
	}
	want := simulator.Stats{
		Requests: 2, MaxPerSecond: 2, Accepted: 1,
		ByStory:   map[string]int{"phone error": 1},
		ByAnswer:  map[string]int{"200/3001": 1, "400/3300": 1},
		Callbacks: simulator.CallbackStats{Attempts: 1, Confirmed: 1},
		ByPoll:    stats.ByPoll, // what is true by then depends on the machine
	}
	if diff := cmp.Diff(want, stats); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want, r.vendor.Stats()); diff != "" {
		t.Error(diff)
	}
}
