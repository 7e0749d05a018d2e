package telesign

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/tidwall/gjson"
)

// The types of templates (reference: getallmsgtemplates).
const (
	// TemplateVerified is approved by Telesign and by WhatsApp. On WhatsApp only such
	// a template may begin a conversation; others need a message of the user's within
	// the last 24 hours (docs: messaging-create-whatsapp-template).
	TemplateVerified = "verified"
	// TemplateStandard is approved by Telesign alone.
	TemplateStandard = "standard"
)

// StatusApproved is the status of a template that may be sent, in lower case.
const StatusApproved = "approved"

const (
	// maxTemplateList bounds the answer with all templates, in bytes: WhatsApp allows
	// an account 6,000, of some 250 bytes each.
	maxTemplateList = 4 << 20
	// maxTemplates bounds the list.
	maxTemplates = 10_000
	// maxTemplateName bounds a template's name, in bytes (reference: createmsgtemplate).
	maxTemplateName = 512
	// maxTemplateWord bounds each other value of a template, in bytes.
	maxTemplateWord = 128
	// maxMandatory bounds the parameters of a template.
	maxMandatory = 200
)

// TemplateName names a template: a name is good for one channel.
type TemplateName struct {
	Channel string `json:"channel"` // whatsapp or sms, in lower case
	Name    string `json:"name"`
}

// Template is a custom template as Telesign lists it. The predefined ones (text,
// file, image and so on) aren't listed. What Telesign leaves out is empty.
type Template struct {
	TemplateName
	Type     string `json:"type"`     // TemplateVerified or TemplateStandard, in lower case
	Category string `json:"category"` // marketing, utility, authentication or 1way, in lower case
	Language string `json:"language"` // as in en_US; several with commas between them
	Status   string `json:"status"`   // Telesign's word, or WhatsApp's that it passes on; see [Template.Approved]
	// MandatoryParameters are those that a message must have, as in header_url and
	// body_text_1.
	MandatoryParameters []string `json:"mandatory_parameters"`
}

// Approved reports whether the template may be sent.
func (t *Template) Approved() bool { return strings.EqualFold(t.Status, StatusApproved) }

// Templates lists the account's templates, GET /v1/omnichannel/templates
// (https://developer.telesign.com/enterprise/reference/getallmsgtemplates). The
// answer isn't paged. Telesign takes one such request a second by default, and
// answers [CodeTemplatesDisabled] where the product isn't enabled.
//
// Every error is an *[Error]: Later to ask again, Refused when that is no use.
func (c *Client) Templates(ctx context.Context) ([]Template, error) {
	a, err := c.exchange(ctx, http.MethodGet, c.url.JoinPath("templates"), nil, maxTemplateList)
	switch {
	case err != nil:
		return nil, &Error{Class: Later, Op: opTemplates, Err: err}
	case !a.ok():
		return nil, judgeQuery(opTemplates, a)
	}
	all, ok := parseTemplates(a.body)
	if !ok {
		if a.err == nil {
			a.err = errAnswerUnread
		}
		return nil, &Error{Class: Later, Op: opTemplates, HTTPStatus: a.status, Err: a.err}
	}
	return all, nil
}

// Template asks for one template, GET /v1/omnichannel/templates/{channel}/{name}
// (https://developer.telesign.com/enterprise/reference/getmsgtemplate).
//
// Every error is an *[Error], as of [Client.Templates]; [UnknownTemplate] tells the
// one of a template that doesn't exist.
func (c *Client) Template(ctx context.Context, n TemplateName) (Template, error) {
	if !pathSafe(n.Channel) || !pathSafe(n.Name) || len(n.Name) > maxTemplateName {
		return Template{}, &Error{Class: Refused, Op: opTemplate, Code: CodeTemplateUnknown, Err: errors.New("no name of a template")}
	}
	a, err := c.exchange(ctx, http.MethodGet, c.url.JoinPath("templates", n.Channel, n.Name), nil, maxAnswer)
	switch {
	case err != nil:
		return Template{}, &Error{Class: Later, Op: opTemplate, Err: err}
	case !a.ok():
		return Template{}, judgeQuery(opTemplate, a)
	}
	t, ok := parseTemplate(gjson.ParseBytes(a.body))
	if a.err == nil && !ok {
		a.err = errAnswerUnread
	}
	if a.err != nil {
		return Template{}, &Error{Class: Later, Op: opTemplate, HTTPStatus: a.status, Err: a.err}
	}
	return t, nil
}

// UnknownTemplate reports whether an error of [Client.Template] says that there is no
// such template: 3856, or HTTP 404, which the page doesn't have and means nothing else.
func UnknownTemplate(err error) bool {
	var e *Error
	return errors.As(err, &e) && (e.Code == CodeTemplateUnknown || e.HTTPStatus == http.StatusNotFound)
}

// parseTemplates reads an array of templates; false is any other value, and one with
// more than maxTemplates. What it has beside templates is left out.
func parseTemplates(body []byte) ([]Template, bool) {
	if !gjson.ValidBytes(body) {
		return nil, false
	}
	list := gjson.ParseBytes(body)
	all := []Template{}
	list.ForEach(func(_, v gjson.Result) bool {
		if t, ok := parseTemplate(v); ok {
			all = append(all, t)
		}
		return len(all) <= maxTemplates
	})
	return all, list.IsArray() && len(all) <= maxTemplates
}

// parseTemplate reads one template; false is a value without a name and a channel.
func parseTemplate(v gjson.Result) (Template, bool) {
	word := func(name string) string { return clean(text(v.Get(name)), maxTemplateWord) }
	lower := func(name string) string { return strings.ToLower(word(name)) }
	t := Template{
		TemplateName: templateName(v), Type: lower("type"), Category: lower("category"), Language: word("language"), Status: word("status"),
		MandatoryParameters: texts(v.Get("mandatory_parameters")),
	}
	if t.Language == "" { // the callbacks have a list here
		t.Language = strings.Join(texts(v.Get("language")), ",")
	}
	return t, v.IsObject() && t.Name != "" && t.Channel != ""
}

func templateName(v gjson.Result) TemplateName {
	return TemplateName{Channel: channelName(clean(text(v.Get("channel")), maxChannelName)), Name: clean(text(v.Get("name")), maxTemplateName)}
}

// texts are the texts of an array, at most maxMandatory.
func texts(v gjson.Result) []string {
	all := []string{}
	if !v.IsArray() {
		return all
	}
	v.ForEach(func(_, item gjson.Result) bool {
		if s := clean(text(item), maxTemplateWord); s != "" {
			all = append(all, s)
		}
		return len(all) < maxMandatory
	})
	return all
}

// clean returns a text on one line, without spaces around it; "" for one that is
// longer than limit.
func clean(s string, limit int) string {
	s = strings.TrimSpace(strings.Map(printable, s))
	if len(s) > limit {
		return ""
	}
	return s
}
