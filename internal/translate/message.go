package translate

import (
	"fmt"
	"strings"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/telesign"
)

// Compose makes the request for one recipient: the cascade's channels in their
// order, each with its template's parameters filled in. An empty callbackURL
// leaves the account's own in force. It fails when a template does
// (campaign.ErrTooLong among others), and the error quotes no column.
//
// In a standing campaign the recipient brings the whole message along.
func Compose(c *campaign.Cascade, r *campaign.Recipient, externalID, callbackURL string) (telesign.Message, error) {
	if c.Spec.Standing {
		own, err := ownCascade(r)
		if err != nil {
			return telesign.Message{}, fmt.Errorf("compose message: %w", err)
		}
		c = own
	}
	channels := c.Spec.Channels
	m := telesign.Message{
		Channels:    make([]telesign.Channel, len(channels)),
		PhoneNumber: strings.TrimPrefix(r.Phone, "+"), // "digits without spaces or special characters"
		Email:       c.Email(r),
		Content:     make(map[string]telesign.Content, len(channels)),
		MessageType: c.Spec.MessageType,
		ExternalID:  externalID,
		CallbackURL: callbackURL,

		SenderID: c.Spec.SenderID, OriginatingIP: c.Spec.OriginatingIP, LifecycleEvent: c.Spec.LifecycleEvent,
	}
	for i := range channels {
		ch := &channels[i]
		m.Channels[i] = telesign.Channel{Channel: ch.Channel, FallbackTime: ch.FallbackTime}
	}
	for i := range c.Contents {
		ch := &c.Contents[i]
		content := telesign.Content{Template: ch.Template}
		if len(ch.Parameters) > 0 {
			content.Parameters = make(map[string]string, len(ch.Parameters))
		}
		m.Content[ch.Channel] = content
	}
	err := c.Each(r, func(content int, name, value string) error {
		ch := &c.Contents[content]
		m.Content[ch.Channel].Parameters[name] = Value(c.Spec, ch, name, value)
		return nil
	})
	if err != nil {
		return telesign.Message{}, fmt.Errorf("compose message: %w", err)
	}
	return m, nil
}

// ownCascade is the message of a one-off send.
func ownCascade(r *campaign.Recipient) (*campaign.Cascade, error) {
	if len(r.Values) == 0 {
		return nil, fmt.Errorf("a one-off send has no message")
	}
	spec, err := campaign.DecodeSpec([]byte(r.Values[0]))
	if err != nil {
		return nil, err
	}
	spec.Standing = false
	return campaign.NewCascade(spec, nil)
}
