package simulator_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/telesign"
	"github.com/handout-dev/handout/telesign/simulator"
)

func TestInbound_IsASignedCallbackInTheChannelsShape(t *testing.T) {
	t.Parallel()
	r := start(t, simulator.Options{Speed: hurry})
	for _, c := range []struct {
		body object
		want telesign.Reply
		sub  string
	}{
		{object{"phone_number": "+12015550100", "action": "STOP"}, telesign.Reply{Phone: "12015550100", Action: "STOP"}, "mo_sms"},
		{object{"phone_number": "12015550100", "action": "start", "channel": "sms"}, telesign.Reply{Phone: "12015550100", Action: "START"}, "mo_sms"},
		{
			object{"phone_number": "12015550100", "action": "stop", "channel": "whatsapp", "original_reference_id": reference},
			telesign.Reply{Phone: "12015550100", Action: "STOP", OriginalReference: reference}, "",
		},
		{object{"phone_number": "12015550100", "action": "generic", "channel": "whatsapp"}, telesign.Reply{Phone: "12015550100", Action: "GENERIC"}, ""},
	} {
		if got := r.do(http.MethodPost, "/simulator/inbound", nil, encode(t, c.body)); got.status != http.StatusOK {
			t.Fatalf("%v: answered with %d %s", c.body, got.status, got.body)
		}
		all := r.listener.callbacks()
		last := all[len(all)-1]
		receipt, err := telesign.ParseReceipt([]byte(last.body))
		if err != nil || last.fault != nil {
			t.Fatalf("%v: %v, signature: %v", c.body, err, last.fault)
		}
		sub, _ := last.fields["sub_resource"].(string)
		c.want.At = receipt.Status.At
		if diff := cmp.Diff(c.want, receipt.Reply); diff != "" || receipt.Status.Code != 1500 || sub != c.sub || receipt.Status.At.IsZero() || len(receipt.Reference) != 32 {
			t.Errorf("%v: %+v\n%s", c.body, receipt, diff)
		}
	}
	if n := len(r.listener.callbacks()); n != 4 {
		t.Errorf("%d callbacks", n)
	}
}

// The vendor writes actions in lower case in an SMS, in upper case in WhatsApp.
func TestInbound_WritesActionsAsTheChannelDoes(t *testing.T) {
	t.Parallel()
	r := start(t, simulator.Options{Speed: hurry})
	for _, channel := range []string{"sms", "whatsapp"} {
		if err := r.vendor.Receive(t.Context(), simulator.Inbound{Channel: channel, PhoneNumber: "12015550100", Action: "Stop"}); err != nil {
			t.Fatal(err)
		}
	}
	all := r.listener.callbacks()
	response, _ := all[0].fields["user_response"].(object)
	content, _ := all[1].fields["content"].(object)
	action, _ := content["end_user_action"].(object)
	if response["action"] != "stop" || action["action"] != "STOP" {
		t.Errorf("%v, %v", response["action"], action["action"])
	}
}

func TestInbound_IsTriedFourTimes(t *testing.T) {
	t.Parallel()
	r := start(t, simulator.Options{Speed: hurry})
	body := encode(t, object{"phone_number": "12015550100", "action": "stop"})
	r.listener.answers(func(n int, w http.ResponseWriter, _ *http.Request) {
		if n <= 3 || n > 4 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	for i, want := range []int{http.StatusOK, http.StatusBadGateway} {
		if got := r.do(http.MethodPost, "/simulator/inbound", nil, body); got.status != want || len(r.listener.callbacks()) != 4*(i+1) {
			t.Errorf("answered with %d after %d attempts, want %d after %d", got.status, len(r.listener.callbacks()), want, 4*(i+1))
		}
	}
}

func TestInbound_RefusesWhatNobodyWrites(t *testing.T) {
	t.Parallel()
	r := start(t, simulator.Options{Speed: hurry})
	for _, body := range []object{
		{"action": "stop"}, {"phone_number": "12015550100"}, {"phone_number": "12015550100", "action": "unstop"},
		{"phone_number": "12015550100", "action": "stop", "channel": "fax"},
	} {
		if got := r.do(http.MethodPost, "/simulator/inbound", nil, encode(t, body)); got.status != http.StatusBadRequest {
			t.Errorf("%v: answered with %d", body, got.status)
		}
	}
	if got := r.do(http.MethodGet, "/simulator/inbound", nil, nil); got.status != http.StatusMethodNotAllowed {
		t.Errorf("GET: answered with %d", got.status)
	}
	if n := len(r.listener.callbacks()); n != 0 {
		t.Errorf("%d callbacks", n)
	}
}
