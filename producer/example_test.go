package producer_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/producer"
)

const exampleCampaign = `
id: order-history-2026-11
message_type: MKT
channels:
  - channel: whatsapp
    fallback_time: 10m
    template: file
    parameters: {url: "{{.url}}", file_name: "order history.xlsx"}
  - channel: sms
    template: text
    parameters: {text: "Your order history is ready for download at {{.url}}"}
`

// connect opens the Redis that the workers have.
func connect() *redis.Client {
	options, err := redis.ParseURL(os.Getenv("REDIS_URL"))
	if err != nil {
		panic(err)
	}
	return redis.NewClient(options)
}

// A list is checked whole before anything of it is sent.
func ExampleCheck() {
	file, err := producer.ParseCampaign("campaign.yaml", []byte(exampleCampaign))
	if err != nil {
		fmt.Println(err)
		return
	}
	list := producer.ListReader("list.csv", producer.CSV, strings.NewReader(`recipient,phone,url
ann,+1 201-555-0123,https://files.example.com/ann.xlsx
bob,+1 201-555-01,https://files.example.com/bob.xlsx
`))
	d, err := producer.Check(context.Background(), file, list, producer.CheckOptions{AccountRate: 10})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("rows:", d.Summary.Rows, "to send:", d.Summary.Recipients, "bad:", d.Summary.BadRows)
	for _, fault := range d.Summary.Faults {
		fmt.Println(fault)
	}
	// Output:
	// rows: 2 to send: 1 bad: 1
	// list.csv:3:5: phone: too short for country +1
}

// Submit may be called again at any time, also after a crash: a campaign is
// opened once.
func ExampleClient_Submit() {
	rdb := connect()
	defer func() { _ = rdb.Close() }()
	file, err := producer.ParseCampaign("campaign.yaml", []byte(exampleCampaign))
	if err != nil {
		fmt.Println(err)
		return
	}
	list := `recipient,phone,url
ann,+1 201-555-0123,https://files.example.com/ann.xlsx
bob,+1 201-555-0124,https://files.example.com/bob.xlsx
`
	client := producer.New(rdb)
	for range 2 {
		result, err := client.Submit(context.Background(), file,
			producer.ListReader("list.csv", producer.CSV, strings.NewReader(list)), producer.SubmitOptions{})
		var faults *producer.Faults
		var other *producer.OtherContentError
		switch {
		case errors.As(err, &faults):
			fmt.Println("nothing was sent:", faults.Total, "faults")
		case errors.As(err, &other):
			fmt.Println("the id is taken by a campaign of", other.Info.Total)
		case err != nil:
			fmt.Println(err) // Redis: call it again
		case result.Already:
			fmt.Println("submitted before")
		default:
			fmt.Println("on its way to", result.Info.Total)
		}
	}
	// Output:
	// on its way to 2
	// submitted before
}

// One person, on the urgent lane, once for each key.
func ExampleClient_Send() {
	rdb := connect()
	defer func() { _ = rdb.Close() }()
	client := producer.New(rdb)
	for range 2 {
		sent, err := client.Send(context.Background(), producer.OneOff{
			Key: "order-4711-shipped", Recipient: "ann", Phone: "+1 201-555-0123", MessageType: "ARN",
			Channels: []producer.Channel{{
				Channel: "sms", Template: "text", Parameters: map[string]string{"text": "Your order has been shipped."},
			}},
		})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println("sent before:", sent.Already)
	}
	// Output:
	// sent before: false
	// sent before: true
}

// submitSpring opens a campaign of two people, made in Go and on hold.
func submitSpring(client *producer.Client, id producer.ID) error {
	file, err := producer.NewFile(producer.Spec{
		ID: id, MessageType: "MKT",
		Channels: []producer.Channel{{Channel: "sms", Template: "text", Parameters: map[string]string{"text": "Hello {{.name}}"}}},
	})
	if err != nil {
		return err
	}
	rows := func(yield func(producer.Row, error) bool) {
		_ = yield(producer.Row{Recipient: "customer-1", Phone: "+12015550123", Values: []string{"Ann"}}, nil) &&
			yield(producer.Row{Recipient: "customer-2", Phone: "+12015550124", Values: []string{"Bob"}}, nil)
	}
	_, err = client.Submit(context.Background(), file, producer.ListRows([]string{"name"}, rows), producer.SubmitOptions{
		Begin: producer.Beginning{By: producer.Actor{Name: "shop"}, Hold: true},
	})
	return err
}

// A campaign made in Go, and where it stands.
func ExampleClient_Status() {
	rdb := connect()
	defer func() { _ = rdb.Close() }()
	client := producer.New(rdb)
	if err := submitSpring(client, "spring-status"); err != nil {
		fmt.Println(err)
		return
	}
	s, err := client.Status(context.Background(), "spring-status")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s: %s\n", s.Phase, s.Reason)
	fmt.Println("to be sent to:", s.Balance.Of(producer.Planned), "of", s.Total)
	fmt.Println("delivered:", s.Balance.Of(producer.Delivered), "by SMS:", s.Balance.By[producer.BySMS])
	_, err = client.Status(context.Background(), "autumn")
	fmt.Println(errors.Is(err, producer.ErrNotFound))
	// Output:
	// paused: paused from the start
	// to be sent to: 2 of 2
	// delivered: 0 by SMS: 0
	// true
}

// Everyone in a campaign, one after another.
func ExampleClient_Outcomes() {
	rdb := connect()
	defer func() { _ = rdb.Close() }()
	client := producer.New(rdb)
	if err := submitSpring(client, "spring-outcomes"); err != nil {
		fmt.Println(err)
		return
	}
	for o, err := range client.Outcomes(context.Background(), "spring-outcomes") {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(o.Place, o.Recipient, o.State, "after", o.Attempts, "attempts")
	}
	// Output:
	// 0.0 customer-1 planned after 0 attempts
	// 0.1 customer-2 planned after 0 attempts
}

// One person, by name or by the place in the list.
func ExampleClient_Person() {
	rdb := connect()
	defer func() { _ = rdb.Close() }()
	client := producer.New(rdb)
	if err := submitSpring(client, "spring-person"); err != nil {
		fmt.Println(err)
		return
	}
	for _, who := range []string{"customer-2", "0.0", "customer-3"} {
		o, err := client.Person(context.Background(), "spring-person", who)
		switch {
		case errors.Is(err, producer.ErrNotFound):
			fmt.Println(who, "isn't in the campaign")
		case err != nil:
			fmt.Println(err)
		default:
			fmt.Println(o.Recipient, "is", o.State)
		}
	}
	// Output:
	// customer-2 is planned
	// customer-1 is planned
	// customer-3 isn't in the campaign
}

// Every fault of a campaign file is reported at once, with its place.
func ExampleParseCampaign() {
	_, err := producer.ParseCampaign("campaign.yaml", []byte(`
id: order-history-2026-11
message_type: SPAM
channels:
  - channel: whatsapp
    fallback_time: 10s
    template: file
    parameters: {url: "{{.url}}"}
`))
	var faults *producer.Faults
	if errors.As(err, &faults) {
		fmt.Println(faults)
	}
	// Output:
	// campaign.yaml:3:15: message_type: must be one of ARN, MKT, OTP
	// campaign.yaml:6:20: channels[0].fallback_time: must be from 30 seconds to 1 hour
}

func ExampleNormalizePhone() {
	fmt.Println(producer.NormalizePhone("0044 20 7946 0958", ""))
	fmt.Println(producer.NormalizePhone("(201) 555-0123", "US"))
	fmt.Println(producer.NormalizePhone("+1 201 555", ""))
	// Output:
	// +442079460958 <nil>
	// +12015550123 <nil>
	//  too short for country +1
}
