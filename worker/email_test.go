package worker_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/telesign"
	"github.com/handout-dev/handout/telesign/simulator"
	"github.com/handout-dev/handout/test/campaigntest"
	"github.com/handout-dev/handout/worker"
)

// Those without a phone number are sent to by e-mail, and who is on the suppression list
// by either address isn't.
func TestSend_ReachesEmailAddresses(t *testing.T) {
	t.Parallel()
	vendor, err := simulator.New(simulator.Options{CustomerID: customerID, APIKey: apiKey, Polling: true, Speed: 1000, NoCallbacks: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(vendor.Close)
	r := setup(t, http.Handler(vendor))
	email := campaign.Channel{Channel: "email", Template: "history"}
	sms := campaign.Channel{Channel: "sms", Template: "text", Parameters: map[string]string{"text": "Hello"}}
	people := []campaign.Recipient{
		{ID: "a", Values: []string{"anna00@example.com"}},
		{ID: "b", Values: []string{"Bob@example.com"}},
		{ID: "c", Values: []string{"cleo60@example.com"}}, // of the story that fails
	}
	alone := r.standOf("alone", people, email)
	for i := range people {
		people[i].Phone = phone(i, 0)
	}
	both := r.standOf("both", people, sms, email)
	r.suppress("bob@Example.com", phone(0, 0))
	r.start(func(o *worker.Options) { o.ReceiptDeadline = 2 * time.Second; o.Metrics = prometheus.NewRegistry() })
	if a := r.untilState(alone, 0, campaign.Delivered); a.Legs[campaign.Email].Rank < campaign.RankDelivered {
		t.Errorf("%+v", a)
	}
	r.untilState(alone, 1, campaign.Suppressed)
	r.untilState(alone, 2, campaign.Failed)
	r.untilState(both, 0, campaign.Suppressed)
	r.untilState(both, 1, campaign.Suppressed)
	r.untilState(both, 2, campaign.Delivered)
	sent := map[string]string{}
	for _, a := range vendor.Accepted() {
		sent[a.Email] += a.PhoneNumber + ";"
	}
	if len(sent) != 2 || sent["anna00@example.com"] != ";" || sent["cleo60@example.com"] != ";"+phone(2, 0)[1:]+";" && sent["cleo60@example.com"] != phone(2, 0)[1:]+";;" {
		t.Errorf("%q", sent)
	}
	r.closes(alone)
	r.closes(both)
}

// standOf makes a campaign of one page, of a list with the column email.
func (r *rig) standOf(id campaign.ID, people []campaign.Recipient, channels ...campaign.Channel) *campaign.Info {
	r.t.Helper()
	spec := &campaign.Spec{ID: id, MessageType: telesign.TypeMarketing, Lane: campaign.LaneBulk, OnDoubt: campaign.DoubtHold, Channels: channels}
	opening, err := r.ledger.Open(r.t.Context(), spec, []string{campaign.EmailColumn})
	if err != nil {
		r.t.Fatal(err)
	}
	page, err := campaigntest.EncodePage(1, people)
	if err != nil {
		r.t.Fatal(err)
	}
	if err := opening.AddPages(r.t.Context(), 0, [][]byte{page}); err != nil {
		r.t.Fatal(err)
	}
	info, err := opening.Commit(r.t.Context(), ledger.Content{Total: len(people), Pages: 1, Digest: string(id)}, campaign.Beginning{})
	if err != nil {
		r.t.Fatal(err)
	}
	return info
}
