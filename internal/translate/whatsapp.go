package translate

import (
	"errors"
	"path"
	"slices"
	"strings"
	"unicode"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/telesign"
)

// freeForm are Telesign's predefined templates of WhatsApp: messages of their own, and
// no templates to WhatsApp.
// Source: OpenAPI "Engage API", OmniReqDetailsForWA.
var freeForm = []string{"text", "image", "video", "audio", "file", "location"}

// isWhatsAppText reports whether a parameter is a text in a template of WhatsApp,
// which has rules for these.
func isWhatsAppText(ch *campaign.Channel, name string) bool {
	return ch.Channel == telesign.ChannelWhatsApp && !slices.Contains(freeForm, ch.Template) && !isURL(name) && !isFileName(name)
}

// isFileName reports whether a parameter is the name under which a file arrives.
func isFileName(parameter string) bool {
	return parameter == "file_name" || strings.HasSuffix(parameter, "_file_name")
}

// WhitespaceError is what WhatsApp refuses in a template's text, and collapsing mends:
// code 132018, "Param text cannot have new-line/tab characters or more than 4
// consecutive spaces".
type WhitespaceError string

// Error says what it is, and what to do.
func (e WhitespaceError) Error() string {
	return string(e) + ", which WhatsApp refuses in a template's text unless whatsapp_whitespace says collapse"
}

const (
	errWhatsAppBreak  = WhitespaceError("a line break")
	errWhatsAppTab    = WhitespaceError("a tab")
	errWhatsAppSpaces = WhitespaceError("more than four spaces in a row")
)

// errWhatsAppEmpty is code 131008.
var errWhatsAppEmpty = errors.New("empty, which WhatsApp refuses in a template's text")

func checkWhatsApp(text string) error {
	const maxSpaces = 4
	spaces, seen := 0, false
	for _, r := range text {
		if !unicode.IsSpace(r) {
			spaces, seen = 0, seen || !unicode.Is(unicode.Cf, r)
			continue
		}
		switch r {
		case '\n', '\r', '\v', '\f', '\u0085', '\u2028', '\u2029':
			return errWhatsAppBreak
		case '\t':
			return errWhatsAppTab
		}
		if spaces++; spaces > maxSpaces {
			return errWhatsAppSpaces
		}
	}
	if !seen {
		return errWhatsAppEmpty
	}
	return nil
}

func checkFileName(name string) error {
	const longest = len(".12345")
	ending := path.Ext(strings.TrimSpace(name))
	if len(ending) < len(".x") || len(ending) > longest || strings.TrimSpace(name) == ending {
		return errNoEnding
	}
	for i := 1; i < len(ending); i++ {
		if !isAlphanumeric(ending[i]) {
			return errNoEnding
		}
	}
	return nil
}

// Value returns a parameter as it is sent: in a campaign that says so, every run of
// spaces, tabs and line breaks in the text of a WhatsApp template becomes one space.
func Value(s *campaign.Spec, ch *campaign.Channel, name, value string) string {
	if s.WhatsAppWhitespace != campaign.WhitespaceCollapse || !isWhatsAppText(ch, name) {
		return value
	}
	return strings.Join(strings.Fields(value), " ")
}
