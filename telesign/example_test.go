package telesign_test

import (
	"fmt"

	"github.com/handout-dev/handout/telesign"
)

func ExampleMessage_Encode() {
	m := telesign.Message{
		Channels:    []telesign.Channel{{Channel: "whatsapp", FallbackTime: 600}, {Channel: "sms"}},
		PhoneNumber: "15558675309",
		Content: map[string]telesign.Content{
			"whatsapp": {Template: "file", Parameters: map[string]string{
				"url": "https://files.example/47325.xlsx", "file_name": "order history.xlsx",
			}},
			"sms": {Template: "text", Parameters: map[string]string{
				"text": "Your order history: https://files.example/47325.xlsx",
			}},
		},
		MessageType: telesign.TypeMarketing,
		ExternalID:  "order-history.0.17.1",
	}
	body, err := m.Encode()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(string(body))
	// Output:
	// {"channels":[{"channel":"whatsapp","fallback_time":600},{"channel":"sms"}],"recipient":{"phone_number":"15558675309"},"message":{"sms":{"template":"text","parameters":{"text":"Your order history: https://files.example/47325.xlsx"}},"whatsapp":{"template":"file","parameters":{"file_name":"order history.xlsx","url":"https://files.example/47325.xlsx"}}},"message_type":"MKT","external_id":"order-history.0.17.1"}
}

func ExampleParseReceipt() {
	r, err := telesign.ParseReceipt([]byte(`{
		"reference_id": "35C8B5D509BC10689196FED2AD551B8A",
		"external_id": "order-history.0.17.1",
		"status": {"code": 3000, "description": "Delivered", "last_channel": "sms"},
		"channel_status": [
			{"whatsapp": {"code": 3056, "updated_on": "2020-05-04 22:05:00.325"}},
			{"sms": {"code": 3000, "updated_on": "2020-05-04 22:07:01:226"}}
		]}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.ExternalID, r.Status.Code.Text(), r.Status.Code.Final())
	for _, leg := range r.Legs {
		fmt.Println(leg.Channel, leg.Code.Text())
	}
	// Output:
	// order-history.0.17.1 Delivered true
	// whatsapp Message failed to deliver in specified fallback time
	// sms Delivered
}

func ExampleVerifier_Verify() {
	const customer, key = "FFFFFFFF-EEEE-DDDD-1234-AB1234567890", "VGVzdCBLZXk="
	body := []byte(`{"status":{"code":3000},"external_id":"order-history.0.17.1"}`)
	header, err := telesign.SignCallback(customer, key, body)
	if err != nil {
		fmt.Println(err)
		return
	}
	v, err := telesign.NewVerifier(customer, key)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(v.Verify(header, body))
	fmt.Println(v.Verify(header, append(body, ' ')))
	// Output:
	// <nil>
	// telesign: callback signature does not match
}
