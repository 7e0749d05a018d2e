package telesign_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/telesign"
)

// guideBody is the request of Telesign's guide "Messaging - Send file
// attachment with WhatsApp".
const guideBody = `{"channels":[{"channel":"whatsapp","fallback_time":600},{"channel":"sms"}],"phone_number":"15558675309","message":{"whatsapp":{"template":"file","parameters":{"url":"https://s3.amazonaws.com/346542/viatu/customer47325-order-history.xlsx","file_name":"order history.pdf"}},"sms":{"template":"text","parameters":{"text":"Your viatu.com order history is ready for download at https://s3.amazonaws.com/346542/viatu/customer47325-order-history.xlsx."}}},"message_type":"MKT"}`

// sdkBody is the request of the tests of Telesign's Ruby SDK.
const sdkBody = `{"message":{"sms":{"template":"text","parameters":{"text":"Test Message"}}},"recipient":{"phone_number":"1234567890"},"channels":[{"channel":"sms","fallback_time":300}],"message_type":"ARN"}`

func guideMessage() telesign.Message {
	const file = "https://s3.amazonaws.com/346542/viatu/customer47325-order-history.xlsx"
	return telesign.Message{
		Channels:    []telesign.Channel{{Channel: "whatsapp", FallbackTime: 600}, {Channel: "sms"}},
		PhoneNumber: "15558675309",
		Content: map[string]telesign.Content{
			"whatsapp": {Template: "file", Parameters: map[string]string{"url": file, "file_name": "order history.pdf"}},
			"sms": {Template: "text", Parameters: map[string]string{
				"text": "Your viatu.com order history is ready for download at " + file + ".",
			}},
		},
		MessageType: "MKT",
	}
}

func TestEncode_SaysWhatTelesignsExamplesSay(t *testing.T) {
	t.Parallel()
	// The guide has phone_number where the reference deprecates it.
	guide := object(t, guideBody)
	guide["recipient"] = map[string]any{"phone_number": guide["phone_number"]}
	delete(guide, "phone_number")

	sdk := telesign.Message{
		Channels:    []telesign.Channel{{Channel: "sms", FallbackTime: 300}},
		PhoneNumber: "1234567890",
		Content:     map[string]telesign.Content{"sms": {Template: "text", Parameters: map[string]string{"text": "Test Message"}}},
		MessageType: "ARN",
	}
	for name, tt := range map[string]struct {
		message telesign.Message
		want    map[string]any
	}{
		"the guide's file with an SMS behind it": {guideMessage(), guide},
		"the SDK's test message":                 {sdk, object(t, sdkBody)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, object(t, string(encode(t, tt.message)))); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
		})
	}
}

// mirror is the request as encoding/json would write it.
type mirror struct {
	Channels    []mirrorChannel          `json:"channels"`
	Recipient   mirrorRecipient          `json:"recipient"`
	Message     map[string]mirrorContent `json:"message"`
	MessageType string                   `json:"message_type"`
	ExternalID  string                   `json:"external_id,omitempty"`
	CallbackURL string                   `json:"callback_url,omitempty"`
	SenderID    string                   `json:"sender_id,omitempty"`
	IP          string                   `json:"originating_ip,omitempty"`
	Event       string                   `json:"account_lifecycle_event,omitempty"`
}

type mirrorChannel struct {
	Channel      string `json:"channel"`
	FallbackTime int    `json:"fallback_time,omitempty"`
}

type mirrorRecipient struct {
	PhoneNumber string `json:"phone_number,omitempty"`
}

type mirrorContent struct {
	Template   string            `json:"template"`
	Parameters map[string]string `json:"parameters,omitempty"`
}

func mirrored(t testing.TB, m telesign.Message) []byte {
	t.Helper()
	j := mirror{
		Channels:  []mirrorChannel{},
		Recipient: mirrorRecipient{m.PhoneNumber}, Message: map[string]mirrorContent{},
		MessageType: m.MessageType, ExternalID: m.ExternalID, CallbackURL: m.CallbackURL,
		SenderID: m.SenderID, IP: m.OriginatingIP, Event: m.LifecycleEvent,
	}
	for _, c := range m.Channels {
		j.Channels = append(j.Channels, mirrorChannel(c))
	}
	for name, c := range m.Content {
		j.Message[name] = mirrorContent(c)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(j); err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

func TestEncode_WritesTheBytesOfEncodingJSON(t *testing.T) {
	t.Parallel()
	full := guideMessage()
	full.ExternalID, full.CallbackURL = "c.0.1.1", "https://x.example/cb?a=1&b=<2>"
	full.SenderID, full.OriginatingIP, full.LifecycleEvent = "15558675310", "160.199.219.47", "sign-in"
	odd := message()
	odd.Content = map[string]telesign.Content{
		"default": {Template: "text"},
		"sms": {Template: "te\"xt\\", Parameters: map[string]string{
			"a": "tab\tline\nreturn\rback\bfeed\f", "b": "nul\x00 unit\x1f del\x7f", "": "no name",
			"c": "bad \xff\xc3 utf-8", "d": "line\u2028paragraph\u2029", "é": "ünï 漢字 🙂", "e": "<a href='x'>&amp;</a>",
		}},
	}
	nameless := full
	nameless.PhoneNumber = ""
	for name, m := range map[string]telesign.Message{
		"nothing": {}, "plain": message(), "everything": full, "odd characters": odd, "no number": nameless,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(string(mirrored(t, m)), string(encode(t, m))); diff != "" {
				t.Errorf("body (-encoding/json +Encode):\n%s", diff)
			}
		})
	}
}

func FuzzEncode(f *testing.F) {
	f.Add("whatsapp", "url", "https://x.example/?a=1&b=2", 600)
	f.Add("sms", "text", "quote \" slash \\ bad \xff nul \x00 \u2028", 0)
	f.Fuzz(func(t *testing.T, channel, name, value string, fallback int) {
		m := message()
		m.Channels = []telesign.Channel{{Channel: channel, FallbackTime: fallback}}
		m.Content = map[string]telesign.Content{channel: {Template: value, Parameters: map[string]string{name: value}}}
		m.ExternalID = value
		got, err := m.Encode()
		if err != nil {
			if m.EncodedLen() <= telesign.MaxPayload {
				t.Fatal(err)
			}
			return
		}
		if want := mirrored(t, m); !bytes.Equal(want, got) {
			t.Errorf("encoding/json writes %q\nEncode writes %q", want, got)
		}
	})
}

func TestEncode_SameMessageIsAlwaysTheSameBytes(t *testing.T) {
	t.Parallel()
	m := message()
	m.Content["sms"] = telesign.Content{Template: "text", Parameters: map[string]string{}}
	for _, name := range strings.Split("abcdefghijklmnopqrstuvwxyz", "") { // more than fit the key buffer
		m.Content["sms"].Parameters[name] = name
		m.Content["channel-"+name] = telesign.Content{Template: name}
	}
	want := encode(t, m)
	for range 50 {
		if got := encode(t, m); !bytes.Equal(want, got) {
			t.Fatalf("two encodings:\n%s\n%s", want, got)
		}
	}
	if n := m.EncodedLen(); n != len(want) {
		t.Errorf("EncodedLen = %d, the body has %d bytes", n, len(want))
	}
}

func TestEncode_RefusesMoreThan10KB(t *testing.T) {
	t.Parallel()
	m := message()
	m.Content["sms"] = telesign.Content{Template: "text", Parameters: map[string]string{"text": ""}}
	room := telesign.MaxPayload - m.EncodedLen()

	m.Content["sms"].Parameters["text"] = strings.Repeat("x", room)
	if b, err := m.Encode(); err != nil || len(b) != telesign.MaxPayload {
		t.Errorf("at the limit: %d bytes, %v", len(b), err)
	}
	m.Content["sms"].Parameters["text"] = strings.Repeat("x", room+1)
	if _, err := m.Encode(); !errors.Is(err, telesign.ErrTooLarge) {
		t.Errorf("one byte over: %v, want ErrTooLarge", err)
	}
	if n := m.EncodedLen(); n != telesign.MaxPayload+1 {
		t.Errorf("EncodedLen = %d, want %d", n, telesign.MaxPayload+1)
	}
}

func TestKnownChannel_IsExactlyTheVendorsList(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"rcs", "whatsapp", "sms", "mms", "viber", "email"} {
		if !telesign.KnownChannel(name) {
			t.Errorf("%q is unknown", name)
		}
	}
	for _, name := range []string{"", "default", "SMS", "fax"} {
		if telesign.KnownChannel(name) {
			t.Errorf("%q is known", name)
		}
	}
	if !telesign.KnownMessageType("MKT") || telesign.KnownMessageType("mkt") {
		t.Error("message types are ARN, MKT and OTP, in capitals")
	}
}

func encode(t testing.TB, m telesign.Message) []byte {
	t.Helper()
	b, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func object(t testing.TB, s string) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestEncode_WritesTheAddressesThatThereAre(t *testing.T) {
	t.Parallel()
	for want, m := range map[string]telesign.Message{
		`{"phone_number":"15558675309"}`:                              {PhoneNumber: "15558675309"},
		`{"email":"anna@example.com"}`:                                {Email: "anna@example.com"},
		`{"phone_number":"15558675309","email":"ann\"a@example.com"}`: {PhoneNumber: "15558675309", Email: `ann"a@example.com`},
	} {
		b, err := m.Encode()
		if err != nil || !strings.Contains(string(b), `"recipient":`+want+`,`) || !json.Valid(b) {
			t.Errorf("%s, %v, want %s", b, err, want)
		}
	}
}
