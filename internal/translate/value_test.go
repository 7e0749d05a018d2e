package translate_test

import (
	"strings"
	"testing"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/translate"
)

func TestSMSParts_FollowTheStandard(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       int
	}{
		{"nothing", "", 1},
		{"160 of GSM", strings.Repeat("a", 160), 1},
		{"161 of GSM", strings.Repeat("a", 161), 2},
		{"306 of GSM", strings.Repeat("é", 306), 2},
		{"307 of GSM", strings.Repeat("ñ", 307), 3},
		{"80 of the extension", strings.Repeat("€", 80), 1},
		{"81 of the extension", strings.Repeat("[", 81), 2},
		// 76 pairs fill 152 of 153 places: the last one stays empty.
		{"escapes are not split", strings.Repeat("^", 153), 3},
		{"70 of UTF-16", strings.Repeat("ж", 70), 1},
		{"71 of UTF-16", strings.Repeat("ж", 71), 2},
		{"134 of UTF-16", strings.Repeat("ж", 134), 2},
		{"135 of UTF-16", strings.Repeat("ж", 135), 3},
		{"35 astral", strings.Repeat("😀", 35), 1},
		{"36 astral", strings.Repeat("😀", 36), 2},
		{"astral are not split", strings.Repeat("😀", 67), 3},
		{"one character makes all of it UTF-16", strings.Repeat("a", 70) + "ж", 2},
		{"backquote is not GSM", strings.Repeat("a", 80) + "`", 2},
	} {
		if got := translate.SMSParts(c.text); got != c.want {
			t.Errorf("%s: %d parts, want %d", c.name, got, c.want)
		}
	}
}

func TestCheckValue_SaysWhatIsWrongAndQuotesNothing(t *testing.T) {
	const (
		notURL   = "not an absolute http or https URL"
		noEnding = "a file's name needs an ending, such as .pdf: phones open it by that"
		refuses  = ", which WhatsApp refuses in a template's text unless whatsapp_whitespace says collapse"
		empty    = "empty, which WhatsApp refuses in a template's text"
	)
	for _, c := range []struct{ channel, template, name, value, want string }{
		{"whatsapp", "file", "url", "https://example.com/a b", "a link can't have a space (U+0020) in it"},
		{"whatsapp", "file", "url", "https://example.com/a\nb", "a link can't have a line break (U+000A) in it"},
		{"whatsapp", "file", "url", "https://example.com/a\u200b", "a link can't have a zero-width space (U+200B) in it"},
		{"whatsapp", "file", "url", "https://example.com/\u00a0a", "a link can't have a no-break space (U+00A0) in it"},
		{"whatsapp", "file", "url", "https://example.com/\u2009a", "a link can't have a space (U+2009) in it"},
		{"whatsapp", "file", "url", "\ufeffhttps://example.com/a", "a link can't have a byte order mark (U+FEFF) in it"},
		{"whatsapp", "file", "url", "https://example.com/\u2066a", "a link can't have a character that can't be seen (U+2066) in it"},
		{"whatsapp", "file", "url", "https://example.com/\x01", "a link can't have a control character (U+0001) in it"},
		{"whatsapp", "file", "header_url", "https://example.com/a%20b.xlsx", ""},
		{"whatsapp", "file", "url", "http://[::1]:8080/x", ""},
		{"whatsapp", "file", "url", "https://example.com", ""},
		{"whatsapp", "file", "url", "https://münchen.example/ü", ""},
		{"whatsapp", "file", "url", "https://", notURL},
		{"whatsapp", "file", "url", "https:///path", notURL},
		{"whatsapp", "file", "url", "ftp://example.com/a", notURL},
		{"whatsapp", "file", "url", "example.com/a", notURL},
		{"whatsapp", "file", "url", "/a", notURL},
		{"whatsapp", "file", "url", "", notURL},
		{"whatsapp", "file", "url", "https://example.com/%zz", notURL},
		{"whatsapp", "file", "url", "javascript:alert(1)", notURL},

		{"sms", "text", "text", "See https://example.com/a\u200b now", "a link can't have a zero-width space (U+200B) in it"},
		{"sms", "text", "text", "See https://example.com/a now\u200b", ""},
		{"sms", "text", "text", "a\n\tb", ""},
		{"sms", "text", "text", " \n", "the text is empty"},

		{"whatsapp", "file", "file_name", "order history.xlsx", ""},
		{"whatsapp", "file", "file_name", "order history", noEnding},
		{"whatsapp", "file", "file_name", "order history.", noEnding},
		{"whatsapp", "file", "file_name", ".pdf", noEnding},
		{"whatsapp", "file", "file_name", "Nr. 7", noEnding},
		{"whatsapp", "order_file", "file_name", "", noEnding},
		{"rcs", "file", "file_name", "order history", ""},

		{"whatsapp", "order_file", "body_text_1", "Ann Marie", ""},
		{"whatsapp", "order_file", "body_text_1", "Ann    Marie", ""},
		{"whatsapp", "order_file", "body_text_1", "Ann     Marie", "more than four spaces in a row" + refuses},
		{"whatsapp", "order_file", "body_text_1", "Ann \u00a0\u00a0\u00a0 Marie", "more than four spaces in a row" + refuses},
		{"whatsapp", "order_file", "body_text_1", "Ann\nMarie", "a line break" + refuses},
		{"whatsapp", "order_file", "body_text_1", "Ann\u2028Marie", "a line break" + refuses},
		{"whatsapp", "order_file", "header_text", "x\ty", "a tab" + refuses},
		{"whatsapp", "order_file", "body_text_1", "", empty},
		{"whatsapp", "order_file", "body_text_1", "  ", empty},
		{"whatsapp", "order_file", "body_text_1", "\u200b", empty},
		{"whatsapp", "text", "text", "a\nb", ""}, // no template to WhatsApp
		{"whatsapp", "text", "text", "", "the text is empty"},
		{"viber", "order_file", "body_text_1", "a\nb", ""},
	} {
		got := ""
		if err := translate.CheckValue(&campaign.Channel{Channel: c.channel, Template: c.template}, c.name, c.value); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s, %s, %s: %q: %q, want %q", c.channel, c.template, c.name, c.value, got, c.want)
		}
	}
}

func TestValue_CollapsesWhatWhatsAppRefusesIfTheCampaignSaysSo(t *testing.T) {
	ch := &campaign.Channel{Channel: "whatsapp", Template: "order_file"}
	for _, c := range []struct {
		name, value string
		say         campaign.Whitespace
		want        string
	}{
		{"body_text_1", " Your\norders\t\tare      here.\n", campaign.WhitespaceCollapse, "Your orders are here."},
		{"body_text_1", "Your\norders", campaign.WhitespaceRefuse, "Your\norders"},
		{"header_url", "https://example.com/a  b", campaign.WhitespaceCollapse, "https://example.com/a  b"},
	} {
		if got := translate.Value(&campaign.Spec{WhatsAppWhitespace: c.say}, ch, c.name, c.value); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
