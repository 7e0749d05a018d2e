package translate

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/telesign"
)

// The predefined template of a plain text, and its one parameter.
const (
	textTemplate  = "text"
	TextParameter = "text"
)

// IsSMSText reports whether a content is an SMS with a text of the campaign's own: that
// of the channel, or the default where the channel has none.
func IsSMSText(s *campaign.Spec, ch *campaign.Channel) bool {
	if ch.Template != textTemplate {
		return false
	}
	return ch.Channel == telesign.ChannelSMS || ch.Channel == telesign.ContentDefault &&
		slices.ContainsFunc(s.Channels, func(ch campaign.Channel) bool { return ch.Channel == telesign.ChannelSMS && ch.Template == "" })
}

// isURL reports whether a parameter is an address, by its name: Telesign's own pages
// use url and header_url for the same file.
func isURL(parameter string) bool {
	return parameter == "url" || strings.HasSuffix(parameter, "_url")
}

// The reasons that a value can't be sent. None may quote it.
var (
	errNotURL    = errors.New("not an absolute http or https URL")
	errEmptyText = errors.New("the text is empty")
	errNoEnding  = errors.New("a file's name needs an ending, such as .pdf: phones open it by that")
)

// CheckValue checks a parameter as it would be sent. The error quotes nothing of it.
func CheckValue(ch *campaign.Channel, name, value string) error {
	switch {
	case isURL(name):
		return checkURL(value)
	case ch.Channel == telesign.ChannelWhatsApp && isFileName(name):
		return checkFileName(value)
	case ch.Template == textTemplate && name == TextParameter && strings.TrimSpace(value) == "":
		return errEmptyText
	case isWhatsAppText(ch, name):
		if err := checkWhatsApp(value); err != nil {
			return err
		}
	}
	return checkLinks(value)
}

func checkURL(s string) error {
	if plainURL(s) {
		return nil
	}
	for _, r := range s {
		if unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return &linkError{r}
		}
	}
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return errNotURL // the cause would quote the URL
	}
	return nil
}

// checkLinks looks for invisible characters in the links of a text: a person sees
// none, and the link leads nowhere.
func checkLinks(text string) error {
	if isASCII(text) {
		return nil // as nearly every text is
	}
	for {
		i := strings.Index(text, "://")
		if i < 0 {
			return nil
		}
		text = text[i+len("://"):]
		for _, r := range text {
			if unicode.IsSpace(r) {
				break
			}
			if unicode.Is(unicode.Cf, r) {
				return &linkError{r}
			}
		}
	}
}

// linkError is a character that no link has.
type linkError struct{ r rune }

func (e *linkError) Error() string {
	name := "a character that can't be seen"
	switch {
	case characterNames[e.r] != "":
		name = characterNames[e.r]
	case unicode.IsSpace(e.r):
		name = "a space"
	case unicode.IsControl(e.r):
		name = "a control character"
	}
	return fmt.Sprintf("a link can't have %s (%U) in it", name, e.r)
}

// characterNames are those of what is found in links.
var characterNames = map[rune]string{
	'\t': "a tab", '\n': "a line break", '\r': "a line break", '\u00a0': "a no-break space", '\u00ad': "a soft hyphen",
	'\u200b': "a zero-width space", '\u200c': "a zero-width non-joiner", '\u200d': "a zero-width joiner",
	'\u200e': "a left-to-right mark", '\u200f': "a right-to-left mark", '\u202f': "a narrow no-break space",
	'\u2060': "a word joiner", '\u3000': "an ideographic space", '\ufeff': "a byte order mark",
}

// plainURL reports whether a URL is what nearly every one is: a scheme, a host name,
// and a path of plain characters. It is ten times as fast as url.Parse.
func plainURL(s string) bool {
	rest, ok := strings.CutPrefix(s, "https://")
	if !ok {
		if rest, ok = strings.CutPrefix(s, "http://"); !ok {
			return false
		}
	}
	host, path := rest, ""
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		host, path = rest[:i], rest[i:]
	}
	if host == "" {
		return false
	}
	for i := range len(host) {
		if c := host[i]; !isAlphanumeric(c) && c != '-' && c != '.' {
			return false
		}
	}
	for i := range len(path) {
		if c := path[i]; !isAlphanumeric(c) && strings.IndexByte("/-._~?&=+,:@!$;", c) < 0 {
			return false
		}
	}
	return true
}

func isASCII(s string) bool {
	var all byte
	for ; len(s) >= 8; s = s[8:] {
		all |= s[0] | s[1] | s[2] | s[3] | s[4] | s[5] | s[6] | s[7]
	}
	for i := range len(s) {
		all |= s[i]
	}
	return all < utf8.RuneSelf
}

func isAlphanumeric(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z'
}
