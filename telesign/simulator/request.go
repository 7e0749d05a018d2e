package simulator

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/handout-dev/handout/telesign"
)

// request is what the simulator keeps of a POST.
type request struct {
	externalID  *string // nil for none
	phone       string
	email       string
	callbackURL string
	legs        []leg
}

// answerCode is an answer: HTTP status and status.code.
type answerCode struct {
	http int
	code telesign.Code
}

// refusal is why a request is refused.
type refusal struct {
	answerCode
	value string // for the placeholder of the vendor's text
	why   string // in our words, for the log and the header X-Simulator-Reason
}

func bad(code telesign.Code, value, why string, args ...any) *refusal {
	return &refusal{answerCode{http.StatusBadRequest, code}, value, fmt.Sprintf(why, args...)}
}

// fields is a JSON object, undecoded. A map and not a struct, because
// encoding/json would take "callback_URL" for callback_url.
type fields map[string]json.RawMessage

// has says whether the field is there and not null.
func (f fields) has(name string) bool {
	v, ok := f[name]
	return ok && string(v) != "null"
}

// text is a field that must be a string; "" when it isn't there.
func (f fields) text(name string) (string, bool) {
	if !f.has(name) {
		return "", true
	}
	raw := f[name]
	if raw[0] == '"' && bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1]), true // nothing to decode: it is valid JSON and UTF-8
	}
	var s string
	err := json.Unmarshal(raw, &s)
	return s, err == nil
}

// stranger is the first field, in alphabetical order, that isn't known.
func (f fields) stranger(known ...string) (string, bool) {
	var strangers []string
	for name := range f {
		if !slices.Contains(known, name) {
			strangers = append(strangers, name)
		}
	}
	if strangers == nil {
		return "", false
	}
	return slices.Min(strangers), true
}

// checkContentType wants JSON in UTF-8. Which code the vendor has for anything
// else isn't documented.
func checkContentType(header string) *refusal {
	kind, params, err := mime.ParseMediaType(header)
	charset := params["charset"]
	if err != nil || kind != "application/json" || (charset != "" && !strings.EqualFold(charset, "utf-8")) {
		return bad(codeInvalid, "", "content type %q isn't application/json", header)
	}
	return nil
}

// peekExternalID finds what the answer to a request echoes, also when the
// request is refused before it is read.
func peekExternalID(body []byte) *string {
	var peek struct {
		ExternalID *string `json:"external_id"`
	}
	if json.Unmarshal(body, &peek) != nil {
		return nil
	}
	return peek.ExternalID
}

// parse checks a body as the vendor's page sendadvancedmessage has it. In which
// order the vendor finds several faults isn't documented; here what is missing
// goes before what is wrong.
func (s *Simulator) parse(body []byte) (request, *refusal) {
	var req request
	var top fields
	if !utf8.Valid(body) {
		return req, bad(codeInvalid, "", "the body isn't UTF-8")
	}
	if err := json.Unmarshal(body, &top); err != nil || top == nil {
		return req, bad(codeInvalid, "", "the body isn't a JSON object")
	}
	externalID, isText := top.text("external_id")
	if isText && top.has("external_id") {
		req.externalID = &externalID
	}
	// Strictness of ours, to catch a misspelled field: the vendor's page itself
	// writes callback_URL once. What the vendor does isn't documented.
	if name, found := top.stranger("channels", "recipient", "phone_number", "message", "message_type",
		"external_id", "callback_url", "account_lifecycle_event", "sender_id", "originating_ip"); found {
		return req, bad(codeInvalid, "", "unknown field %q", name)
	}
	var channels []fields
	if top.has("channels") {
		if json.Unmarshal(top["channels"], &channels) != nil {
			return req, bad(codeBadChannels, string(top["channels"]), "channels isn't an array of objects")
		}
	}
	if len(channels) == 0 {
		return req, bad(codeNoChannels, "", "no channels")
	}
	for _, c := range channels {
		if name, isText := c.text("channel"); isText && name == "" {
			return req, bad(codeNoChannel, "", "a channel without a name")
		}
	}
	if no := req.readRecipient(top, channels); no != nil {
		return req, no
	}
	var message map[string]fields
	if top.has("message") && json.Unmarshal(top["message"], &message) != nil {
		return req, bad(codeInvalid, "", "message isn't an object of objects")
	}
	if len(message) == 0 {
		return req, bad(codeNoMessage, "", "no message")
	}
	if messageType, isText := top.text("message_type"); isText && messageType == "" {
		return req, bad(codeNoMessageType, "", "no message_type")
	} else if !telesign.KnownMessageType(messageType) {
		return req, bad(codeBadMessageType, messageType, "message_type isn't one")
	}
	if !isText || len(externalID) > telesign.MaxExternalID || strings.ContainsFunc(externalID, func(r rune) bool { return r >= utf8.RuneSelf }) {
		return req, bad(codeBadExternalID, externalID, "external_id isn't a string of at most %d ASCII characters", telesign.MaxExternalID)
	}
	if no := req.readOptional(top, s.o.AllowCallbackURL); no != nil {
		return req, no
	}
	return req, req.readCascade(channels, message, &s.templates)
}

// readRecipient takes the phone number from either place; recipient is the one
// that isn't deprecated. Only a cascade of e-mail alone does without.
func (req *request) readRecipient(top fields, channels []fields) *refusal {
	var recipient fields
	if top.has("recipient") && json.Unmarshal(top["recipient"], &recipient) != nil {
		return bad(codeInvalid, "", "recipient isn't an object")
	}
	if name, found := recipient.stranger("phone_number", "email"); found {
		return bad(codeInvalid, "", "unknown field %q in recipient", name)
	}
	phone, ok1 := recipient.text("phone_number")
	old, ok2 := top.text("phone_number")
	email, ok3 := recipient.text("email")
	if !ok1 || !ok2 || !ok3 {
		return bad(codeInvalid, "", "a phone number or an e-mail address isn't a string")
	}
	if phone == "" {
		phone = old
	}
	needed := slices.ContainsFunc(channels, func(c fields) bool { return string(c["channel"]) != `"email"` })
	if phone == "" && (needed || email == "") {
		return bad(codeNoPhone, "", "no phone number")
	}
	req.phone, req.email = phone, email
	return nil
}

// address is what chooses the story: the phone number, else the e-mail address.
func (req *request) address() string { return cmp.Or(req.phone, req.email) }

func (req *request) readOptional(top fields, allowCallbackURL bool) *refusal {
	event, ok := top.text("account_lifecycle_event")
	if !ok || (top.has("account_lifecycle_event") &&
		!slices.Contains(telesign.LifecycleEvents, event)) {
		return bad(codeBadEvent, event, "account_lifecycle_event isn't one")
	}
	ip, ok := top.text("originating_ip")
	if top.has("originating_ip") {
		if addr, err := netip.ParseAddr(ip); !ok || err != nil || addr.Zone() != "" {
			return bad(codeBadIP, ip, "originating_ip isn't an address")
		}
	}
	if _, ok := top.text("sender_id"); !ok {
		return bad(codeInvalid, "", "sender_id isn't a string")
	}
	url, ok := top.text("callback_url")
	if top.has("callback_url") {
		if !ok || url == "" || checkURL(url) != nil {
			return bad(codeBadCallbackURL, url, "callback_url isn't an absolute URL")
		}
		if !allowCallbackURL {
			// The vendor's HTTP status for this fault of configuration is 429.
			return &refusal{answerCode{http.StatusTooManyRequests, codeNoCallbackURL}, "", "callback_url isn't enabled"}
		}
	}
	req.callbackURL = url
	return nil
}

// readCascade takes the channels in order. A fault that only concerns one
// channel is accepted and fails that channel later, as the vendor does.
func (req *request) readCascade(channels []fields, message map[string]fields, known *templates) *refusal {
	for name, details := range message {
		if name != telesign.ContentDefault && !telesign.KnownChannel(name) {
			return bad(codeInvalid, "", "message for unknown channel %q", name)
		}
		if field, found := details.stranger("template", "parameters"); found {
			return bad(codeInvalid, "", "unknown field %q in message", field)
		}
	}
	req.legs = make([]leg, 0, len(channels))
	for _, c := range channels {
		name, ok := c.text("channel")
		if !ok {
			return bad(codeBadChannels, string(c["channel"]), "a channel's name isn't a string")
		}
		if field, found := c.stranger("channel", "fallback_time"); found {
			return bad(codeBadChannels, name, "unknown field %q in channels", field)
		}
		if slices.ContainsFunc(req.legs, func(l leg) bool { return l.channel == name }) {
			return bad(codeBadChannels, name, "the same channel twice")
		}
		seconds := telesign.DefaultFallback
		if _, given := c["fallback_time"]; given {
			// Which code the vendor has for this isn't known.
			if json.Unmarshal(c["fallback_time"], &seconds) != nil || !c.has("fallback_time") ||
				seconds < telesign.MinFallback || seconds > telesign.MaxFallback {
				return bad(codeBadChannels, name, "fallback_time isn't a number of seconds from %d to %d", telesign.MinFallback, telesign.MaxFallback)
			}
		}
		l := leg{channel: name, fallback: time.Duration(seconds) * time.Second}
		switch {
		case !telesign.KnownChannel(name):
			l.fault = codeUnknownChannel
		case name == telesign.ChannelEmail && req.email == "":
			l.fault = codeNoMessageParams
		default:
			details := message[name]
			if details == nil {
				details = message[telesign.ContentDefault]
			}
			if l.fault = checkTemplate(name, details); l.fault == 0 {
				l.fault = known.fault(name, details)
			}
			l.file, l.document = fileOf(name, details)
		}
		req.legs = append(req.legs, l)
	}
	return nil
}

// needs are the parameters that the predefined templates can't do without
// (docs: messaging-templates), alternatives separated by a bar: for a file on
// WhatsApp one page says url, another header_url. A template that isn't here is
// taken for a custom one.
var needs = map[string]map[string][]string{
	telesign.ChannelSMS: {"text": {"text"}},
	telesign.ChannelWhatsApp: {
		"text": {"text"}, "image": {"url|header_url"}, "video": {"url|header_url"}, "audio": {"url|header_url"},
		"file": {"url|header_url"}, "location": {"latitude", "longitude"},
	},
	telesign.ChannelMMS:   {"image": {"url"}, "video": {"url"}, "audio": {"url"}},
	telesign.ChannelRCS:   {"text": {"text"}},
	telesign.ChannelViber: {"text": {"text"}},
}

// checkTemplate says with which code a channel will fail for what it was given
// to say, or 0.
func checkTemplate(channel string, details fields) telesign.Code {
	template, ok := details.text("template")
	if !ok || template == "" {
		return codeNoMessageParams
	}
	var parameters fields
	if details.has("parameters") && json.Unmarshal(details["parameters"], &parameters) != nil {
		return codeNoTemplateParams
	}
	for _, need := range needs[channel][template] {
		filled := false
		for name := range strings.SplitSeq(need, "|") {
			value := parameters[name]
			filled = filled || (len(value) > 2 && bytes.HasPrefix(value, []byte{'"'}))
		}
		if !filled {
			return codeNoTemplateParams
		}
	}
	return 0
}
