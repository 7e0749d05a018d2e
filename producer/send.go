package producer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/phone"
	"github.com/handout-dev/handout/internal/tracing"
)

// OneOff is a message to one person, outside of any list.
type OneOff struct {
	// Key is the caller's own name for this send: called again with the same
	// key within 48 hours, Send sends nothing more.
	Key string
	// Owner is whose key it is: two owners' keys are two, and the recipient is the
	// owner's. Empty, as of a Go program's own sends, is an owner, too.
	Owner string
	// Recipient is the caller's own name for the person.
	Recipient string
	// Phone is the number as a person writes it; Region as in SubmitOptions.
	Phone, Region string
	// MessageType is ARN, MKT or OTP.
	MessageType string
	// Account is the name of the Telesign account that it goes through; empty: the
	// default.
	Account string
	// Channels are tried in their order. Their parameters may use the columns
	// recipient and phone.
	Channels []Channel
}

// Sent says where a one-off send stands.
type Sent struct {
	Campaign ID // the day's standing campaign
	Place    Place
	// Already means that it was sent before, by this key.
	Already bool
}

// ErrNoKey means that a one-off send has no key, or one of over 255 bytes.
var ErrNoKey = errors.New("a one-off send needs a key of 1 to 255 bytes, which makes it safe to repeat")

// maxKey is the longest key of a caller, in bytes.
const maxKey = 255

// Send appends one person with a message of their own to the day's standing
// campaign, on the urgent lane. All that holds for campaigns holds for it.
// After an error call it again with the same key: the person is sent to once.
//
// Errors: [*Faults] (the message or the number), [ErrNoKey],
// [ErrUnknownRegion], [ErrOtherContent] (the key was used for another message),
// [ErrCanceled] and [ErrPurged] (of the day's campaign), and those of Redis.
func (c *Client) Send(ctx context.Context, s OneOff) (*Sent, error) {
	if s.Key == "" || len(s.Key) > maxKey {
		return nil, ErrNoKey
	}
	spec := campaign.Spec{
		ID: "one-off", MessageType: s.MessageType, Channels: s.Channels, Account: s.Account,
		Lane: campaign.LaneUrgent, OnDoubt: campaign.DoubtHold,
	}
	f, err := NewFile(spec)
	if err != nil {
		return nil, err
	}
	r, err := checkOneOff(ctx, f, s)
	if err != nil {
		return nil, err
	}
	message := *f.Spec
	message.ID = "" // it is the day's campaign that has one
	now := time.Now()
	id, at, added, err := c.ledger.Append(ctx, s.Owner, s.Key, r, &message, now)
	if err != nil {
		return nil, fmt.Errorf("send: %w", err)
	}
	if added && tracing.On() {
		if info, err := c.ledger.Info(ctx, id); err == nil { // the send stands without its span
			tracing.SentOff(ctx, now, info, at)
		}
	}
	return &Sent{Campaign: id, Place: at, Already: !added}, nil
}

// checkOneOff checks a one-off send as a list of one row.
func checkOneOff(ctx context.Context, f *File, s OneOff) (campaign.Recipient, error) {
	rows := func(yield func(Row, error) bool) { yield(Row{Recipient: s.Recipient, Phone: s.Phone}, nil) }
	d, err := Check(ctx, f, ListRows(nil, rows), CheckOptions{Region: s.Region})
	if err != nil {
		return campaign.Recipient{}, err
	}
	if d.Rejected {
		return campaign.Recipient{}, &Faults{List: d.Summary.Faults, Total: d.Summary.BadRows}
	}
	phone, err := phone.Normalize(s.Phone, s.Region)
	if err != nil {
		return campaign.Recipient{}, err
	}
	return campaign.Recipient{ID: s.Recipient, Phone: phone}, nil
}
