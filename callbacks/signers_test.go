package callbacks_test

import (
	"net/http"
	"testing"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/telesign"
)

// An early receipt is kept with its signer: what another account has signed is foreign
// also when the reference turns out to be ours.
func TestEarly_IsOfTheAccountThatHasSignedIt(t *testing.T) {
	t.Parallel()
	r := setup(t)
	r.replay()
	c := r.stand("c", 2)
	claim := claimed()
	r.apply(c, 0, claim)
	failed := receipt("", 1, 3035, "whatsapp 3035", "sms 3035")
	header, err := telesign.SignCallback(usCustomerID, otherKey, []byte(failed))
	if err != nil {
		t.Fatal(err)
	}
	if status := r.call(http.MethodPost, failed, header); status != http.StatusOK {
		t.Fatalf("answered with %d", status)
	}
	if got := r.result(receipt("", 1, 3000, "sms 3000")); got != "early" {
		t.Errorf("%q", got)
	}
	r.apply(c, 0, claim, accepted(1))
	r.until("its own is recorded", func() bool { return r.record(c, 0).State == campaign.Delivered })
	r.until("both are dropped", func() bool {
		n, err := r.rdb.Exists(t.Context(), "handout:early", "handout:early:"+reference(1)).Result()
		return err == nil && n == 0
	})
	if n := r.counted()["foreign"]; n != 1 {
		t.Errorf("%d are foreign: %v", n, r.counted())
	}
	if rec := r.record(c, 0); rec.DeliveredBy() != campaign.BySMS {
		t.Errorf("%+v", rec)
	}
}
