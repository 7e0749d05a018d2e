package simulator_test

import (
	"context"
	"testing"
	"time"

	"github.com/handout-dev/handout/telesign"
	"github.com/handout-dev/handout/telesign/simulator"
)

func TestClient_IsUnderstoodWithEitherAuthentication(t *testing.T) {
	t.Parallel()
	for _, auth := range []telesign.AuthMethod{telesign.AuthBasic, telesign.AuthDigest} {
		t.Run(string(auth), func(t *testing.T) {
			t.Parallel()
			r := start(t, simulator.Options{Speed: hurry, Polling: true})
			client, err := telesign.NewClient(telesign.Options{
				URL: r.server.URL, CustomerID: customerID, APIKey: apiKey, Auth: auth,
				Timeout: 10 * time.Second, Transport: r.server.Client().Transport,
			})
			if err != nil {
				t.Fatal(err)
			}
			accepted, err := client.Send(context.Background(), telesign.Message{
				Channels:    []telesign.Channel{{Channel: "whatsapp", FallbackTime: 600}, {Channel: "sms"}},
				PhoneNumber: "15550000050",
				Content: map[string]telesign.Content{
					"whatsapp": {Template: "file", Parameters: map[string]string{"url": "https://example.com/a.xlsx"}},
					"sms":      {Template: "text", Parameters: map[string]string{"text": "https://example.com/a.xlsx"}},
				},
				MessageType: telesign.TypeMarketing,
				ExternalID:  "campaign.0.0.1",
			})
			if err != nil {
				t.Fatal(err)
			}
			r.idle()
			receipt, err := client.Status(context.Background(), accepted.Reference)
			if err != nil {
				t.Fatal(err)
			}
			if receipt.Status.Code != telesign.CodeDelivered || receipt.Status.LastChannel != "sms" || receipt.ExternalID != "campaign.0.0.1" {
				t.Errorf("status: %+v", receipt)
			}
		})
	}
}
