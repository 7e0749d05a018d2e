package callbacks_test

import (
	"testing"

	"github.com/handout-dev/handout/campaign"
)

// A receipt that isn't ours settles no one: of another installation on the same
// account with a campaign of this name, of that name before a restore, or a guess.
func TestListener_AReceiptOfAnotherLifeIsForeign(t *testing.T) {
	t.Parallel()
	r := setup(t)
	info := r.stand("order-history-2026-11", 3)
	r.sent(info, 2, 2)
	for _, id := range []string{
		"order-history-2026-11.bbbbbbbb.0.0.1", // never sent to here
		"order-history-2026-11.bbbbbbbb.0.2.1", // sent to
		"order-history-2026-11..0.0.1",         // no salt
		"order-history-2026-11.k3v7q2m.0.0.1",  // half of one
	} {
		before := r.everything()
		if word := r.result(receiptOf(id, 999)); word != "foreign" {
			t.Errorf("%s counts as %q", id, word)
		}
		if after := r.everything(); len(after) != len(before) {
			t.Errorf("%s leaves something in Redis", id)
		}
	}
	if s := r.record(info, 0).State; s != campaign.Planned {
		t.Errorf("someone who was never sent to is %s", s)
	}
	if s := r.record(info, 2).State; s != campaign.Accepted {
		t.Errorf("someone who was sent to is %s", s)
	}
	r.closes(info)
}

// The listener has the campaign of before in its cache when Redis is emptied and
// another campaign of this name is submitted.
func TestListener_ACampaignOfTheSameNameIsAnother(t *testing.T) {
	t.Parallel()
	r := setup(t)
	old := r.stand("c", 1)
	r.sent(old, 0, 0)
	r.hear(receipt("c.0.0.1", 0, 3001))
	if err := r.rdb.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	r.stand("c", 2)
	info := r.salted("c", "bbbbbbbb")
	r.sent(info, 0, 5)
	if word := r.result(receipt("c.0.0.1", 0, 3000, "sms 3000")); word != "foreign" {
		t.Errorf("a receipt of the campaign of before counts as %q", word)
	}
	if word := r.result(receiptOf("c.bbbbbbbb.0.0.1", 5)); word != "recorded" {
		t.Errorf("a receipt of the campaign of now counts as %q", word)
	}
	r.closes(info)
}
