package api

import (
	"context"

	"github.com/handout-dev/handout/internal/web/access"
	"github.com/handout-dev/handout/producer"
)

func (a *API) registerSends() {
	addCreating(a, a.operation("create-send", "POST /sends", access.Submit, "Send to one person",
		"On the urgent lane, by the day's standing campaign. The same Idempotency-Key, that day or the next, sends nothing more.",
		malformed, otherContent, tooLarge, mediaType, invalid), "It was asked for before; nothing more is sent.", a.send)
}

// Send is a message to one person.
type Send struct {
	Recipient   string        `json:"recipient" minLength:"1" maxLength:"4096" example:"customer-1" doc:"your own name for the person"`
	Phone       string        `json:"phone" minLength:"1" maxLength:"64" example:"+12015550100" doc:"in international form"`
	MessageType string        `json:"message_type" enum:"ARN,MKT,OTP" example:"ARN"`
	Channels    []ChannelFile `json:"channels" nullable:"false" minItems:"1" maxItems:"10" doc:"tried in this order; templates may use recipient and phone"`
}

type sendInput struct {
	Key  string `header:"Idempotency-Key" required:"true" minLength:"1" maxLength:"255" example:"order-4711-shipped" doc:"your own name for this send"`
	Body Send
}

// Sent says where a one-off send stands.
type Sent struct {
	Campaign string `json:"campaign" example:"sends-2026-11-22" doc:"the day's standing campaign"`
	Place    string `json:"place" example:"12.7" doc:"GET /campaigns/{campaign}/recipients/{place} tells the outcome"`
}

func (a *API) send(ctx context.Context, in *sendInput) (Sent, bool, error) {
	// Through a campaign file, so that the channels are held to its rules.
	file, err := (&CampaignFile{ID: "send", MessageType: in.Body.MessageType, Channels: in.Body.Channels}).parse()
	if err != nil {
		return Sent{}, false, err
	}
	sent, err := a.ops.Send(ctx, producer.OneOff{
		Key: in.Key, Recipient: in.Body.Recipient, Phone: in.Body.Phone,
		MessageType: file.Spec.MessageType, Channels: file.Spec.Channels,
	})
	if err != nil {
		return Sent{}, false, withoutPlaces(err)
	}
	return Sent{Campaign: string(sent.Campaign), Place: sent.Place.String()}, !sent.Already, nil
}
