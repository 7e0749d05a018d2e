// Package templates judges a campaign's templates by those that Telesign lists: that
// each exists, is approved, and gets its parameters.
//
// It is pure: the list comes from package cache, and from package telesign.
package templates

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/telesign"
)

// predefined are the templates that every account has, and that Telesign doesn't list,
// by the parameters that they can't do without; alternatives are separated by a bar:
// for a file one of Telesign's pages says url, another header_url (docs:
// messaging-templates; reference: sendadvancedmessage).
var predefined = map[string]map[string][]string{
	telesign.ChannelSMS: {"text": {"text"}},
	telesign.ChannelWhatsApp: {
		"text": {"text"}, "image": {"url|header_url"}, "video": {"url|header_url"}, "audio": {"url|header_url"},
		"file": {"url|header_url"}, "location": {"latitude", "longitude"},
	},
}

// others are the predefined templates of the channels for which Telesign lists none and
// takes no custom ones, with what is known of their parameters: the reference names the
// url of those of MMS alone (reference: sendadvancedmessage; docs: messaging-templates).
var others = map[string]map[string][]string{
	telesign.ChannelMMS: {"image": {"url"}, "video": {"url"}, "audio": {"url"}},
	telesign.ChannelRCS: {
		"text": nil, "media": nil, "file": nil, "url_action": nil, "dial_action": nil, "2_suggested_replies": nil,
		"3_suggested_replies": nil, "location": nil,
	},
	telesign.ChannelViber: {
		"text": nil, "text_session": nil, "image": nil, "image_session": nil, "video": nil, "text_video": nil,
		"url_action_video": nil, "url_action": nil, "otp_verify": nil,
	},
}

// richCard begins the names of RCS's templates that the reference abbreviates as rc_*.
const richCard = "rc_"

// refused are the statuses that keep a template from being sent, as [plain] writes
// them. Telesign documents Approved alone, and that it passes on WhatsApp's
// (developers.facebook.com, message templates): of a word that is in neither list
// nothing is certain.
var refused = []string{"archived", "deleted", "disabled", "inappeal", "limitexceeded", "paused", "pending", "pendingdeletion", "rejected"}

// Finding is one thing found of a campaign's templates.
type Finding struct {
	Path string // in the campaign file, as in channels[0].template
	Text string
	// Fault means that no message with the template can be delivered on its channel.
	// Otherwise the finding is a note.
	Fault bool
}

// String is the finding with its place.
func (f Finding) String() string { return f.Path + ": " + f.Text }

// Custom are a campaign's templates that Telesign may list: those of WhatsApp and SMS
// that aren't predefined.
func Custom(s *campaign.Spec) []telesign.TemplateName {
	var names []telesign.TemplateName
	for i := range s.Channels {
		ch := s.Said(i)
		if known, listed := predefined[ch.Channel]; listed && known[ch.Template] == nil {
			names = append(names, telesign.TemplateName{Channel: ch.Channel, Name: ch.Template})
		}
	}
	return names
}

// Uses reports whether a campaign uses a template. One-off sends bring a message of
// their own each, which isn't in the campaign's file.
func Uses(s *campaign.Spec, n telesign.TemplateName) bool {
	for i := range s.Channels {
		if ch := s.Said(i); ch.Channel == n.Channel && ch.Template == n.Name {
			return true
		}
	}
	return false
}

// Find returns the template of a name; nil when it isn't there.
func Find(list []telesign.Template, n telesign.TemplateName) *telesign.Template {
	if i := slices.IndexFunc(list, func(t telesign.Template) bool { return t.TemplateName == n }); i >= 0 {
		return &list[i]
	}
	return nil
}

// Check judges a campaign's templates by those that exist. Without a list it judges
// the predefined ones.
func Check(s *campaign.Spec, list []telesign.Template, listed bool) []Finding {
	var all []Finding
	for i := range s.Channels {
		ch := s.Said(i)
		c := &checker{spec: s, channel: &ch, path: "channels[" + strconv.Itoa(i) + "]"}
		if s.Channels[i].Template == "" {
			c.path = campaign.DefaultChannel
		}
		name := telesign.TemplateName{Channel: ch.Channel, Name: ch.Template}
		needs, isPredefined := predefined[ch.Channel][ch.Template]
		switch {
		case predefined[ch.Channel] == nil: // Telesign lists no templates of this channel
			c.other(others[ch.Channel])
		case isPredefined:
			c.predefined(needs)
		case listed:
			c.custom(Find(list, name))
		}
		all = append(all, c.found...)
	}
	return all
}

type checker struct {
	spec    *campaign.Spec
	channel *campaign.Channel
	path    string
	found   []Finding
}

func (c *checker) fault(at, format string, args ...any) {
	c.found = append(c.found, Finding{c.path + at, fmt.Sprintf(format, args...), true})
}

func (c *checker) note(format string, args ...any) {
	c.found = append(c.found, Finding{c.path, fmt.Sprintf(format, args...), false})
}

// what names the template in a finding.
func (c *checker) what() string {
	return "the template " + c.channel.Template + " of " + c.channel.Channel
}

func (c *checker) predefined(needs []string) {
	for _, need := range needs {
		if !slices.ContainsFunc(strings.Split(need, "|"), c.has) {
			c.fault(".parameters", "%s needs %s", c.what(), strings.ReplaceAll(need, "|", " or "))
		}
	}
	c.freeForm("is a free-form message")
}

// other judges a template of a channel for which Telesign lists none. A name that its
// reference hasn't may be newer than that: a note.
func (c *checker) other(known map[string][]string) {
	needs, there := known[c.channel.Template]
	for _, need := range needs {
		if !c.has(need) {
			c.fault(".parameters", "%s needs %s", c.what(), need)
		}
	}
	if known == nil || there || c.channel.Channel == telesign.ChannelRCS && strings.HasPrefix(c.channel.Template, richCard) {
		return
	}
	names := slices.Sorted(maps.Keys(known))
	if c.channel.Channel == telesign.ChannelRCS {
		names = append(names, richCard+"*")
	}
	c.note("Telesign's reference has no template %s for %s; it has %s", c.channel.Template, c.channel.Channel, strings.Join(names, ", "))
}

// freeForm notes who a template reaches on WhatsApp that isn't verified.
func (c *checker) freeForm(is string) {
	if c.channel.Channel == telesign.ChannelWhatsApp {
		c.note("%s %s: WhatsApp takes it for people who have written to you within 24 hours, and refuses it for the others (3114); to begin a conversation, use a verified template", c.what(), is)
	}
}

func (c *checker) custom(t *telesign.Template) {
	if t == nil {
		c.fault(".template", "Telesign has no template %s for %s; handout template list shows those that it has", c.channel.Template, c.channel.Channel)
		return
	}
	switch {
	case slices.Contains(refused, plain(t.Status)):
		c.fault(".template", "%s isn't approved: its status is %s; wait for its approval, or use another template", c.what(), t.Status)
	case !t.Approved():
		c.note("%s may not be approved: its status is %q", c.what(), t.Status)
	default:
		c.note("%s is %s", c.what(), describe(t))
	}
	c.parameters(t)
	if t.Type == telesign.TemplateStandard {
		c.freeForm("is of the type standard")
	}
	if want := categories[c.spec.MessageType]; t.Category != "" && want != nil && !slices.Contains(want, t.Category) {
		c.note("%s has the category %s, and the campaign has message_type %s", c.what(), t.Category, c.spec.MessageType)
	}
}

// categories are those of templates that fit a message type. What Telesign does with
// another isn't documented.
var categories = map[string][]string{
	telesign.TypeAlert: {"utility", "1way"}, telesign.TypeMarketing: {"marketing", "1way"}, telesign.TypeOTP: {"authentication"},
}

// describe says what a template is, as far as Telesign does.
func describe(t *telesign.Template) string {
	var words []string
	for _, word := range []string{t.Type, t.Status, t.Category, t.Language} {
		if word != "" {
			words = append(words, word)
		}
	}
	return strings.Join(words, ", ")
}

func (c *checker) has(name string) bool {
	_, ok := c.channel.Parameters[name]
	return ok
}

// parameters compares what the template needs with what the campaign gives.
func (c *checker) parameters(t *telesign.Template) {
	for _, need := range t.MandatoryParameters {
		other := map[string]string{"header_url": "url", "url": "header_url"}[need]
		switch {
		case c.has(need):
		case other != "" && c.has(other):
			c.fault(".parameters."+other, "%s calls this parameter %s: rename it", c.what(), need)
		default:
			c.fault(".parameters", "%s needs the parameter %s (it needs %s)", c.what(), need, strings.Join(t.MandatoryParameters, ", "))
		}
	}
	for _, name := range sorted(c.channel.Parameters) {
		if strings.HasPrefix(name, "body_text_") && !slices.Contains(t.MandatoryParameters, name) {
			c.note("%s has no parameter %s (it needs %s)", c.what(), name, strings.Join(t.MandatoryParameters, ", "))
		}
	}
}

func sorted(parameters map[string]string) []string {
	names := make([]string, 0, len(parameters))
	for name := range parameters {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// plain writes a status without its case, spaces and underscores.
func plain(status string) string {
	return strings.Map(func(r rune) rune {
		if r == ' ' || r == '_' || r == '-' {
			return -1
		}
		return r
	}, strings.ToLower(status))
}
