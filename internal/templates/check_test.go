package templates_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/templates"
	"github.com/handout-dev/handout/telesign"
)

var bogo = telesign.TemplateName{Channel: "whatsapp", Name: "wa_bogo"}

// listed is a template that Telesign lists, with another status, type, or category.
func listed(change func(*telesign.Template)) []telesign.Template {
	t := telesign.Template{
		TemplateName: bogo, Type: "verified", Category: "marketing", Language: "en_US", Status: "Approved",
		MandatoryParameters: []string{"header_url", "body_text_1"},
	}
	if change != nil {
		change(&t)
	}
	return []telesign.Template{t}
}

func spec(channel, template string, parameters ...string) *campaign.Spec {
	ch := campaign.Channel{Channel: channel, Template: template, Parameters: map[string]string{}}
	for _, name := range parameters {
		ch.Parameters[name] = "x"
	}
	return &campaign.Spec{ID: "x", MessageType: telesign.TypeMarketing, Channels: []campaign.Channel{ch}}
}

// withDefault is a spec whose channel says the default, which has no parameters.
func withDefault(s *campaign.Spec, template string) *campaign.Spec {
	s.Default = &campaign.Content{Template: template}
	return s
}

func TestCheck_SaysWhatAndWhereAndWhatToDo(t *testing.T) {
	t.Parallel()
	right := spec("whatsapp", "wa_bogo", "header_url", "body_text_1")
	status := func(word string) func(*telesign.Template) { return func(t *telesign.Template) { t.Status = word } }
	const is = "note channels[0]: the template wa_bogo of whatsapp is verified, Approved, marketing, en_US"
	for name, c := range map[string]struct {
		spec *campaign.Spec
		list []telesign.Template
		want []string // the beginnings of the findings
	}{
		"right":                       {right, listed(nil), []string{is}},
		"approved in another case":    {right, listed(status("APPROVED")), []string{"note channels[0]: the template wa_bogo of whatsapp is verified, APPROVED, marketing, en_US"}},
		"missing":                     {right, nil, []string{"fault channels[0].template: Telesign has no template wa_bogo for whatsapp; handout template list"}},
		"of another channel":          {spec("sms", "wa_bogo"), listed(nil), []string{"fault channels[0].template: Telesign has no template wa_bogo for sms"}},
		"rejected":                    {right, listed(status("Rejected")), []string{"fault channels[0].template: the template wa_bogo of whatsapp isn't approved: its status is Rejected; wait"}},
		"pending deletion":            {right, listed(status("PENDING_DELETION")), []string{"fault channels[0].template: the template wa_bogo of whatsapp isn't approved: its status is PENDING_DELETION"}},
		"a status of no known word":   {right, listed(status("Flagged")), []string{`note channels[0]: the template wa_bogo of whatsapp may not be approved: its status is "Flagged"`}},
		"a status that isn't there":   {right, listed(status("")), []string{`note channels[0]: the template wa_bogo of whatsapp may not be approved: its status is ""`}},
		"a parameter too few":         {spec("whatsapp", "wa_bogo", "header_url"), listed(nil), []string{is, "fault channels[0].parameters: the template wa_bogo of whatsapp needs the parameter body_text_1 (it needs header_url, body_text_1)"}},
		"url instead of header_url":   {spec("whatsapp", "wa_bogo", "url", "body_text_1"), listed(nil), []string{is, "fault channels[0].parameters.url: the template wa_bogo of whatsapp calls this parameter header_url: rename it"}},
		"a text too many":             {spec("whatsapp", "wa_bogo", "header_url", "body_text_1", "body_text_2", "file_name"), listed(nil), []string{is, "note channels[0]: the template wa_bogo of whatsapp has no parameter body_text_2"}},
		"standard":                    {right, listed(func(t *telesign.Template) { t.Type = "standard" }), []string{"note channels[0]: the template wa_bogo of whatsapp is standard, Approved, marketing, en_US", "note channels[0]: the template wa_bogo of whatsapp is of the type standard: WhatsApp takes it for people who have written to you within 24 hours"}},
		"a standard one of SMS":       {spec("sms", "sms_1"), []telesign.Template{{TemplateName: telesign.TemplateName{Channel: "sms", Name: "sms_1"}, Type: "standard", Status: "Approved"}}, []string{"note channels[0]: the template sms_1 of sms is standard, Approved"}},
		"another category":            {right, listed(func(t *telesign.Template) { t.Category = "authentication" }), []string{"note channels[0]: the template wa_bogo of whatsapp is verified, Approved, authentication, en_US", "note channels[0]: the template wa_bogo of whatsapp has the category authentication, and the campaign has message_type MKT"}},
		"predefined":                  {spec("whatsapp", "file", "url"), nil, []string{"note channels[0]: the template file of whatsapp is a free-form message: WhatsApp takes it"}},
		"predefined, the other name":  {spec("whatsapp", "file", "header_url"), nil, []string{"note channels[0]: the template file of whatsapp is a free-form message"}},
		"predefined, without its url": {spec("whatsapp", "file", "file_name"), nil, []string{"fault channels[0].parameters: the template file of whatsapp needs url or header_url", "note"}},
		"the text of an SMS":          {spec("sms", "text", "text"), nil, nil},
		"of Viber":                    {spec("viber", "url_action"), nil, nil},
		"not of Viber":                {spec("viber", "file"), nil, []string{"note channels[0]: Telesign's reference has no template file for viber; it has image, image_session, otp_verify, text,"}},
		"of RCS":                      {spec("rcs", "2_suggested_replies"), nil, nil},
		"a rich card of RCS":          {spec("rcs", "rc_standalone"), nil, nil},
		"not of RCS":                  {spec("rcs", "image"), nil, []string{"note channels[0]: Telesign's reference has no template image for rcs; it has 2_suggested_replies,"}},
		"of MMS":                      {spec("mms", "image", "url"), nil, nil},
		"of MMS, without its url":     {spec("mms", "video", "header_url"), nil, []string{"fault channels[0].parameters: the template video of mms needs url"}},
		"not of MMS":                  {spec("mms", "text", "text"), nil, []string{"note channels[0]: Telesign's reference has no template text for mms; it has audio, image, video"}},
		"the default of a channel":    {withDefault(spec("mms", ""), "image"), nil, []string{"fault default.parameters: the template image of mms needs url"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for i, f := range templates.Check(c.spec, c.list, true) {
				text := map[bool]string{true: "fault ", false: "note "}[f.Fault] + f.String()
				if i < len(c.want) && strings.HasPrefix(text, c.want[i]) {
					text = c.want[i]
				}
				got = append(got, text)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCheck_WithoutAListJudgesThePredefinedOnesAlone(t *testing.T) {
	t.Parallel()
	if got := templates.Check(spec("whatsapp", "wa_bogo"), nil, false); got != nil {
		t.Errorf("%v", got)
	}
	if got := templates.Check(spec("whatsapp", "file"), nil, false); len(got) == 0 || !got[0].Fault {
		t.Errorf("%v", got)
	}
}

func TestCustom_AreThoseThatTelesignMayList(t *testing.T) {
	t.Parallel()
	s := &campaign.Spec{Channels: []campaign.Channel{
		{Channel: "whatsapp", Template: "wa_bogo"}, {Channel: "sms", Template: "text"}, {Channel: "viber", Template: "x"},
	}}
	if diff := cmp.Diff([]telesign.TemplateName{bogo}, templates.Custom(s)); diff != "" {
		t.Error(diff)
	}
	if !templates.Uses(s, bogo) || templates.Uses(s, telesign.TemplateName{Channel: "sms", Name: "wa_bogo"}) {
		t.Error("it uses wa_bogo of whatsapp, and none such of sms")
	}
}
