package simulator_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/telesign/simulator"
)

func TestSend_RefusesWithTheVendorsCode(t *testing.T) {
	t.Parallel()
	channels := func(list ...any) func(object) { return func(m object) { m["channels"] = list } }
	set := func(name string, value any) func(object) { return func(m object) { m[name] = value } }
	without := func(name string) func(object) { return func(m object) { delete(m, name) } }
	tests := []struct {
		name   string
		change func(object)
		status int
		code   int
	}{
		{"no channels", without("channels"), 400, 3300},
		{"channels null", set("channels", nil), 400, 3300},
		{"channels empty", channels(), 400, 3300},
		{"channels no array", set("channels", object{"channel": "sms"}), 400, 3113},
		{"channels of strings", channels("sms"), 400, 3113},
		{"a channel without its name", channels(object{"fallback_time": 600}), 400, 3301},
		{"a channel with an empty name", channels(object{"channel": ""}), 400, 3301},
		{"a channel that is null", channels(nil), 400, 3301},
		{"a channel with a number for a name", channels(object{"channel": 7}), 400, 3113},
		{"the same channel twice", channels(object{"channel": "sms"}, object{"channel": "sms"}), 400, 3113},
		{"an unknown field in a channel", channels(object{"channel": "sms", "fallback": 600}), 400, 3113},
		{"fallback_time under 30", channels(object{"channel": "sms", "fallback_time": 29}), 400, 3113},
		{"fallback_time over 3600", channels(object{"channel": "sms", "fallback_time": 3601}), 400, 3113},
		{"fallback_time in milliseconds", channels(object{"channel": "sms", "fallback_time": 600000}), 400, 3113},
		{"fallback_time as text", channels(object{"channel": "sms", "fallback_time": "600"}), 400, 3113},
		{"fallback_time with a fraction", channels(object{"channel": "sms", "fallback_time": 60.5}), 400, 3113},
		{"fallback_time null", channels(object{"channel": "sms", "fallback_time": nil}), 400, 3113},
		{"no recipient", without("recipient"), 400, 3302},
		{"recipient without a number", set("recipient", object{}), 400, 3302},
		{"recipient with an e-mail address alone", set("recipient", object{"email": "a@example.com"}), 400, 3302},
		{"recipient no object", set("recipient", "15550000000"), 400, 3110},
		{"a number as number", set("recipient", object{"phone_number": 15550000000}), 400, 3110},
		{"an unknown field in recipient", set("recipient", object{"phone": "15550000000"}), 400, 3110},
		{"no message", without("message"), 400, 3303},
		{"an empty message", set("message", object{}), 400, 3303},
		{"message no object", set("message", "hello"), 400, 3110},
		{"a message for an unknown channel", set("message", object{"watsapp": object{"template": "text"}}), 400, 3110},
		{"an unknown field in message", set("message", object{"sms": object{"template": "text", "params": object{}}}), 400, 3110},
		{"no message_type", without("message_type"), 400, 3304},
		{"an unknown message_type", set("message_type", "mkt"), 400, 3102},
		{"message_type no string", set("message_type", 1), 400, 3102},
		{"external_id too long", set("external_id", strings.Repeat("x", 101)), 400, 3103},
		{"external_id not ASCII", set("external_id", "bestellung-ü"), 400, 3103},
		{"external_id no string", set("external_id", 17), 400, 3103},
		{"an unknown account_lifecycle_event", set("account_lifecycle_event", "signin"), 400, 3104},
		{"originating_ip malformed", set("originating_ip", "160.199.219"), 400, 3105},
		{"callback_url empty", set("callback_url", ""), 400, 3106},
		{"callback_url not absolute", set("callback_url", "/callbacks"), 400, 3106},
		{"callback_url not enabled", set("callback_url", "https://example.com/callbacks"), 429, 3203},
		{"callback_url as the vendor's example has it", set("callback_URL", "https://example.com/callbacks"), 400, 3110},
		{"an unknown field", set("consent", true), 400, 3110},
		{"sender_id no string", set("sender_id", 15550000000), 400, 3110},
	}
	r := start(t, simulator.Options{Speed: hurry})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := message("15558675309")
			tt.change(m)
			got := r.post(m)
			if got.status != tt.status || got.Status.Code != tt.code {
				t.Errorf("got %d/%d (%s), want %d/%d", got.status, got.Status.Code, got.header.Get("X-Simulator-Reason"), tt.status, tt.code)
			}
			checkShape(t, got)
			if placeholder.MatchString(got.Status.Description) {
				t.Errorf("the description has a placeholder: %s", got.Status.Description)
			}
		})
	}
	if n := len(r.vendor.Accepted()); n != 0 {
		t.Errorf("%d messages were accepted, want none", n)
	}
}

var (
	referenceShape = regexp.MustCompile(`^[0-9A-F]{32}$`)
	placeholder    = regexp.MustCompile(`\{[a-z_]+\}`)
)

// checkShape: 200 and 400 have a reference, the others have none; all echo
// external_id or say null.
func checkShape(t *testing.T, got reply) {
	t.Helper()
	if with := got.status == 200 || got.status == 400; with != referenceShape.MatchString(got.Reference) {
		t.Errorf("reference_id of a %d: %q", got.status, got.Reference)
	}
	if !strings.Contains(got.body, `"external_id":`) || !strings.Contains(got.body, `"description":`) {
		t.Errorf("body %s lacks a field", got.body)
	}
	if got.header.Get("Allow") != "GET,POST,HEAD" {
		t.Errorf("Allow: %q", got.header.Get("Allow"))
	}
}

func TestSend_RefusesMalformedBodies(t *testing.T) {
	t.Parallel()
	r := start(t, simulator.Options{})
	for name, body := range map[string]string{
		"nothing": "", "half an object": `{"channels":`, "an array": "[]", "null": "null",
		"two objects": "{}{}", "no UTF-8": "{\"external_id\":\"\xff\"}", "a form": "phone_number=15550000000",
	} {
		got := r.post(body)
		if got.status != 400 || got.Status.Code != 3110 {
			t.Errorf("%s: got %d/%d, want 400/3110", name, got.status, got.Status.Code)
		}
		checkShape(t, got)
	}
}

func TestSend_RefusesOtherContentTypes(t *testing.T) {
	t.Parallel()
	r := start(t, simulator.Options{NoCallbacks: true})
	body := encode(t, message("15550000000"))
	for contentType, want := range map[string]int{
		"application/json":                  200,
		"application/json; charset=UTF-8":   200,
		"application/json; charset=latin1":  400,
		"application/x-www-form-urlencoded": 400,
		"text/plain":                        400,
		"":                                  400,
	} {
		h := basic()
		h.Set("Content-Type", contentType)
		if got := r.do(http.MethodPost, "/v1/omnichannel", h, body); got.status != want {
			t.Errorf("content type %q: got %d, want %d", contentType, got.status, want)
		}
	}
}

func TestSend_RefusesMoreThan10KB(t *testing.T) {
	t.Parallel()
	r := start(t, simulator.Options{NoCallbacks: true})
	fill := func(size int) []byte {
		m := message("15550000000")
		m["message"].(object)["sms"].(object)["parameters"].(object)["more"] = ""
		empty := len(encode(t, m))
		m["message"].(object)["sms"].(object)["parameters"].(object)["more"] = strings.Repeat("x", size-empty)
		return encode(t, m)
	}
	for size, want := range map[int]int{10 * 1024: 200, 10*1024 + 1: 413, 2 << 20: 413} {
		got := r.do(http.MethodPost, "/v1/omnichannel", basic(), fill(size))
		if got.status != want {
			t.Errorf("%d bytes: got %d, want %d", size, got.status, want)
		}
		if want == 413 && strings.HasPrefix(got.body, "{") {
			t.Errorf("a 413 has no documented body, got %s", got.body)
		}
	}
}

func TestSend_RefusesOtherMethodsAndPaths(t *testing.T) {
	t.Parallel()
	r := start(t, simulator.Options{})
	for _, tt := range []struct {
		method, path string
		want         int
	}{
		{http.MethodGet, "/v1/omnichannel", 405},
		{http.MethodPut, "/v1/omnichannel", 405},
		{http.MethodPost, "/v1/omnichannel/" + reference, 405},
		{http.MethodDelete, "/v1/omnichannel/" + reference, 405},
		{http.MethodPost, "/v1/omnichannel/", 404},
		{http.MethodPost, "/v1/messaging", 404},
		{http.MethodPost, "/", 404},
		{http.MethodGet, "/healthz", 200},
		{http.MethodGet, "/readyz", 200},
	} {
		if got := r.do(tt.method, tt.path, basic(), nil); got.status != tt.want {
			t.Errorf("%s %s: got %d, want %d", tt.method, tt.path, got.status, tt.want)
		}
	}
}

func TestSend_AcceptsWhatTheVendorAccepts(t *testing.T) {
	t.Parallel()
	r := start(t, simulator.Options{NoCallbacks: true})
	guide := `{"channels":[{"channel":"whatsapp","fallback_time":600},{"channel":"sms"}],"phone_number":"15558675309","message":{"whatsapp":{"template":"file","parameters":{"url":"https://s3.amazonaws.com/346542/viatu/customer47325-order-history.xlsx","file_name":"order history.pdf"}},"sms":{"template":"text","parameters":{"text":"Your viatu.com order history is ready for download at https://s3.amazonaws.com/346542/viatu/customer47325-order-history.xlsx."}}},"message_type":"MKT"}`
	sdk := `{"message":{"sms":{"template":"text","parameters":{"text":"Test Message"}}},"recipient":{"phone_number":"1234567800"},"channels":[{"channel":"sms","fallback_time":300}],"message_type":"ARN"}`
	full := message("15550000000")
	full["account_lifecycle_event"] = "transact"
	full["originating_ip"] = "2001:db8::1"
	full["sender_id"] = "15558675310"
	full["external_id"] = strings.Repeat("x", 100)
	email := message("")
	email["recipient"] = object{"email": "a@example.com"}
	email["channels"] = []any{object{"channel": "email"}}
	email["message"] = object{"default": object{"template": "welcome", "parameters": object{}}}
	for name, body := range map[string]any{"the guide's": guide, "the SDK's": sdk, "every field": full, "e-mail alone": email} {
		got := r.post(body)
		if got.status != 200 || got.Status.Code != 3001 || got.Status.Description != "Message in progress" {
			t.Errorf("%s: got %d %s", name, got.status, got.body)
		}
		checkShape(t, got)
	}
	if got := r.post(guide); got.ExternalID != nil {
		t.Errorf("external_id of a request without one: %q, want null", *got.ExternalID)
	}
	if got := r.post(full); got.ExternalID == nil || *got.ExternalID != full["external_id"] {
		t.Errorf("external_id isn't echoed: %s", got.body)
	}
}

func TestSend_RepeatedExternalIDIsASecondMessage(t *testing.T) {
	t.Parallel()
	r := start(t, simulator.Options{NoCallbacks: true})
	first, second := r.post(message("15550000000")), r.post(message("15550000000"))
	if first.Reference == second.Reference || len(r.vendor.Accepted()) != 2 {
		t.Errorf("references %s and %s, %d messages", first.Reference, second.Reference, len(r.vendor.Accepted()))
	}
}

func TestSend_FaultOfOneChannelIsAcceptedAndFailsThatChannel(t *testing.T) {
	t.Parallel()
	whatsapp := func(details any) func(object) {
		return func(m object) { m["message"].(object)["whatsapp"] = details }
	}
	tests := []struct {
		name   string
		change func(object)
		want   []string
	}{
		{"nothing to say on WhatsApp", func(m object) { delete(m["message"].(object), "whatsapp") },
			[]string{"3002 sms: whatsapp 3306, sms 3002", "3000 sms: whatsapp 3306, sms 3000"}},
		{"no template", whatsapp(object{"parameters": object{}}),
			[]string{"3002 sms: whatsapp 3306, sms 3002", "3000 sms: whatsapp 3306, sms 3000"}},
		{"no parameters", whatsapp(object{"template": "file"}),
			[]string{"3002 sms: whatsapp 3305, sms 3002", "3000 sms: whatsapp 3305, sms 3000"}},
		{"an empty parameter", whatsapp(object{"template": "file", "parameters": object{"url": ""}}),
			[]string{"3002 sms: whatsapp 3305, sms 3002", "3000 sms: whatsapp 3305, sms 3000"}},
		{"the other name of the parameter", whatsapp(object{"template": "file", "parameters": object{"header_url": "https://example.com"}}),
			[]string{"3002 whatsapp: whatsapp 3002", "3000 whatsapp: whatsapp 3000"}},
		{"a custom template", whatsapp(object{"template": "order_history"}),
			[]string{"3002 whatsapp: whatsapp 3002", "3000 whatsapp: whatsapp 3000"}},
		{"the default for every channel", func(m object) {
			m["message"] = object{"default": object{"template": "text", "parameters": object{"text": "hello"}}}
		}, []string{"3002 whatsapp: whatsapp 3002", "3000 whatsapp: whatsapp 3000"}},
		{"an unknown channel", func(m object) {
			m["channels"] = []any{object{"channel": "pigeon"}, object{"channel": "sms"}}
		}, []string{"3002 sms: pigeon 3100, sms 3002", "3000 sms: pigeon 3100, sms 3000"}},
		{"a malformed number", func(m object) { m["recipient"] = object{"phone_number": "+1 555 867 5309"} },
			[]string{"3003 sms: whatsapp 3101, sms 3101"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := start(t, simulator.Options{Speed: hurry})
			m := message("15550000000")
			tt.change(m)
			if got := r.post(m); got.status != 200 {
				t.Fatalf("got %d %s", got.status, got.body)
			}
			r.idle()
			var got []string
			for _, c := range r.listener.callbacks() {
				got = append(got, c.outline())
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
