package simulator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/handout-dev/handout/telesign"
)

// Inbound is a message that a recipient writes to the account. The vendor calls
// an address of its own for it, which support sets up; here it is the one that
// receipts go to.
type Inbound struct {
	// Channel is sms or whatsapp: each has a shape of its own. Default sms.
	Channel string `json:"channel"`
	// PhoneNumber is the recipient's, with or without the plus sign.
	PhoneNumber string `json:"phone_number"`
	// Action is what Telesign takes the words for: stop, start, help or generic,
	// in either case. It is sent as the vendor writes it on that channel.
	Action string `json:"action"`
	// OriginalReference is our message that is answered; WhatsApp only.
	OriginalReference string `json:"original_reference_id"`
}

// body is the callback (docs: messaging-receive-inbound-messages).
func (i Inbound) body(ref string, at time.Time) ([]byte, error) {
	action := strings.ToLower(i.Action)
	switch action {
	case "stop", "start", "help", "generic":
	default:
		return nil, errors.New("an action is stop, start, help or generic")
	}
	phone := strings.TrimPrefix(i.PhoneNumber, "+")
	if phone == "" {
		return nil, errors.New("no phone_number")
	}
	stamp := at.UTC().Format("2006-01-02T15:04:05.000000Z")
	type object = map[string]any
	body := object{
		"reference_id": ref,
		"status":       object{"code": telesign.CodeInbound, "description": telesign.CodeInbound.Text(), "updated_on": stamp},
	}
	switch strings.ToLower(i.Channel) {
	case "", telesign.ChannelSMS:
		body["sub_resource"], body["errors"], body["submit_timestamp"] = "mo_sms", object{}, stamp
		body["user_response"] = object{
			"sender_id": "55555", "iso_country_code": "US", "action": action, "keyword": action,
			"phone_number": phone, "mo_message": strings.ToUpper(action), "price": nil,
		}
	case telesign.ChannelWhatsApp:
		reply := object{"text": action, "iso_country_code": "US", "action": strings.ToUpper(action), "keyword": action}
		if i.OriginalReference != "" {
			reply["original_reference_id"] = i.OriginalReference
		}
		body["phone_number"], body["waba_phone_number"] = phone, "15550000000"
		body["content"] = object{"type": "text", "content": object{"body": action}, "end_user_action": reply}
	default:
		return nil, errors.New("a channel is sms or whatsapp")
	}
	return json.Marshal(body)
}

// Receive lets a recipient write to the account: one callback, as tell makes it.
func (s *Simulator) Receive(ctx context.Context, i Inbound) error {
	body, err := i.body(s.refs.of(refusalBit|replyBit|s.replies.Add(1)), time.Now())
	if err != nil {
		return err
	}
	return s.tell(ctx, body)
}

// tell makes one signed callback, tried up to four times with the vendor's waits. It
// returns when that was answered with 200; otherwise the error says why not.
func (s *Simulator) tell(ctx context.Context, body []byte) error {
	url := *s.callbackURL.Load()
	if url == "" {
		return errors.New("no callback URL")
	}
	for attempt := 0; ; attempt++ {
		err := s.call(ctx, url, body)
		if err == nil || attempt == len(retryWaits) {
			return err
		}
		select {
		case <-time.After(s.scaled(retryWaits[attempt])):
		case <-s.stopping.Done():
			return err
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		}
	}
}

// serveInbound is Receive over HTTP.
func (s *Simulator) serveInbound(w http.ResponseWriter, r *http.Request) {
	var i Inbound
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRead)).Decode(&i); err != nil {
		http.Error(w, "a JSON object is needed", http.StatusBadRequest)
		return
	}
	if _, err := i.body("", time.Now()); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if err := s.Receive(r.Context(), i); err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	_, _ = w.Write([]byte("heard\n"))
}
