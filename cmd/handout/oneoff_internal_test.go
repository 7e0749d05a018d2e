package main

import (
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/report"
	"github.com/handout-dev/handout/internal/secret"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/producer"
	"github.com/handout-dev/handout/test/redistest"
)

// One-off sends go all the way, while others are still being added.
func TestOneOffSends_ReachEveryone(t *testing.T) {
	rdb := redistest.Start(t).Client()
	a := &app{stdout: io.Discard, stderr: io.Discard}
	c, err := loadConfig()
	if err != nil {
		t.Fatal(err)
	}
	c.TelesignCustomerID, c.TelesignAPIKey = "00000000-DEMO-0000-0000-000000000000", secret.New("b25lIG9mZiBzZW5kcyBvbmx5")
	c.Rate, c.ReceiptDeadline, c.SimulateSpeed = demoRate, demoDeadline, demoSpeed
	err = a.withHouse(t.Context(), c, rdb, func(_, _, _ string) error {
		const people = 120
		var id campaign.ID
		for i := range people {
			sent, err := producer.New(rdb).Send(t.Context(), producer.OneOff{
				Key: fmt.Sprint("order-", i), Recipient: fmt.Sprint("customer-", i), Phone: fmt.Sprintf("+1202555%04d", 100+i%35),
				MessageType: "ARN", Channels: []campaign.Channel{
					{Channel: "sms", Template: "text", Parameters: map[string]string{"text": fmt.Sprint("hello ", i)}},
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			id = sent.Campaign
		}
		l := ledger.New(rdb)
		ticker := time.NewTicker(50 * time.Millisecond)
		defer ticker.Stop()
		for deadline := time.After(time.Minute); ; {
			r, info, err := report.NewReader(rdb, 10).Read(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			if info.Phase == campaign.Done && r.DeliveredBy.SMS == people && r.Total == people {
				v, err := l.Verify(t.Context(), info, nil)
				if err != nil || len(v.Faults) > 0 {
					t.Errorf("%+v, %v", v, err)
				}
				return nil
			}
			select {
			case <-ticker.C:
			case <-deadline:
				t.Fatalf("%+v", r)
			}
		}
	})
	if err != nil {
		t.Error(err)
	}
}
