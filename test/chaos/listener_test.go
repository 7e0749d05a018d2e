package chaos_test

import (
	"bytes"
	"fmt"
	"net/http"
	"testing"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/telesign"
)

// of counts the recipients in a state.
func (r *rig) of(s campaign.State) int {
	r.t.Helper()
	b, err := r.ledger.Balance(r.t.Context(), campaignID)
	if err != nil {
		r.t.Fatal(err)
	}
	return b.Of(s)
}

func TestListener_DownForAllReceiptsIsMadeUpForByPolling(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{recipients: size(400, 5000), rate: 500, deaf: true, vars: unhurried})
	r.kill(r.listen())
	r.submit()
	r.work()
	r.awaitDone(2 * finishTime) // they are asked about one by one
	if n := r.of(campaign.Unconfirmed); n > 0 {
		t.Errorf("%d are unconfirmed", n)
	}
	if s := r.vendor.Stats().Callbacks; s.Confirmed > 0 || s.GivenUp == 0 {
		t.Errorf("the vendor's callbacks: %+v", s)
	}
	r.judge(70, "listener down, polling on").require(r, 0)
}

func TestListener_LateReceiptsSettleTheUnconfirmed(t *testing.T) {
	t.Parallel()
	delivered := []int{0, 7, 13, 20, 34}
	r := newRig(t, setup{
		recipients: size(400, 5000), rate: 500, deaf: true, endings: delivered, noPolling: true,
		vars: map[string]string{"HANDOUT_POLL": "false", "HANDOUT_SEND_TIMEOUT": "1m"},
	})
	r.kill(r.listen())
	r.submit()
	r.work()
	r.awaitDone(finishTime)
	if n := r.of(campaign.Unconfirmed); n != r.recipients {
		t.Errorf("%d are unconfirmed, want all %d", n, r.recipients)
	}
	at := r.listen().url + receiptsPath
	for _, a := range r.vendor.Accepted() {
		body := fmt.Appendf(nil, `{"reference_id":%q,"external_id":%q,"status":{"code":3000,"last_channel":"whatsapp"},"channel_status":[{"whatsapp":{"code":3000}}]}`,
			a.Reference, a.ExternalID)
		deliver(t, at, body)
	}
	if n := r.of(campaign.Delivered); n != r.recipients {
		t.Errorf("%d are delivered, want all %d", n, r.recipients)
	}
	r.judge(71, "listener down, polling off, receipts late").require(r, 0)
}

// deliver brings a receipt as Telesign would.
func deliver(t *testing.T, url string, body []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if request.Header, err = telesign.SignCallback(customerID, apiKey, body); err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	if err := answer.Body.Close(); err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("the listener answers %s, error %v", answer.Status, err)
	}
}
