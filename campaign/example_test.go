package campaign_test

import (
	"fmt"
	"time"

	"github.com/handout-dev/handout/campaign"
)

func ExampleExternalID() {
	id := campaign.ExternalID("order-history-2026-11", campaign.PlaceOf(1234), 1)
	fmt.Println(id)

	c, place, attempt, err := campaign.ParseExternalID(id)
	fmt.Println(c, place.Page, place.Index, attempt, err)
	// Output:
	// order-history-2026-11.12.34.1
	// order-history-2026-11 12 34 1 <nil>
}

func ExampleNext() {
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	delivered := campaign.Leg{Rank: campaign.RankDelivered, Code: 3000}
	var r campaign.Record
	for _, e := range []campaign.Event{
		{Kind: campaign.EventClaim, At: at, Claim: 42},
		{Kind: campaign.EventDoubt, At: at, Attempt: 1, Reason: campaign.ReasonTimeout},
		{Kind: campaign.EventReceipt, At: at, Attempt: 1, Status: delivered,
			Legs: []campaign.ChannelLeg{{Channel: "sms", Leg: delivered}}},
		{Kind: campaign.EventReceipt, At: at, Attempt: 1, Status: delivered,
			Legs: []campaign.ChannelLeg{{Channel: "whatsapp", Leg: delivered}}},
		{Kind: campaign.EventClaim, At: at, Claim: 43},
	} {
		next, err := campaign.Next(r, e)
		if err != nil {
			fmt.Println(err)
			continue
		}
		r = next
		fmt.Printf("%s → %s, by %q\n", e.Kind, r.State, r.DeliveredBy())
	}
	// Output:
	// claim → claimed, by ""
	// doubt → in_doubt, by ""
	// receipt → delivered, by "sms"
	// receipt → delivered, by "both"
	// claim isn't possible while delivered
}

func ExampleParseTemplate() {
	t, err := campaign.ParseTemplate("Yours is at {{.url}}.", []string{"url"})
	if err != nil {
		fmt.Println(err)
		return
	}
	text, err := t.Render(&campaign.Recipient{ID: "anna", Phone: "+41791234567", Values: []string{"https://example.com/a"}})
	fmt.Println(text, err)

	_, err = campaign.ParseTemplate("Yours is at {{.link}}.", []string{"url"})
	fmt.Println(err)
	// Output:
	// Yours is at https://example.com/a. <nil>
	// the list has no column "link" among its 3
}
