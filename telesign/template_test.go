package telesign_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/telesign"
)

// sampleTemplates is the sample of the reference, getallmsgtemplates, and a template
// with members that the reference doesn't have.
const sampleTemplates = `[
 {"name":"wa_bogo","type":"verified","channel":"whatsapp","category":"marketing","language":"en_US","status":"Approved","mandatory_parameters":["header_url","body_text_1"]},
 {"name":"Sms-Text2","type":"Standard","channel":"SMS","language":["en_US","de"],"status":"REJECTED","quality":{"score":"GREEN"},"mandatory_parameters":null}]`

func TestTemplates_ReadsTheListOfTheReference(t *testing.T) {
	t.Parallel()
	url, _ := vendor(t, reply{status: 200, body: sampleTemplates})
	got, err := client(t, options(url)).Templates(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []telesign.Template{
		{
			TemplateName: telesign.TemplateName{Channel: "whatsapp", Name: "wa_bogo"}, Type: telesign.TemplateVerified,
			Category: "marketing", Language: "en_US", Status: "Approved", MandatoryParameters: []string{"header_url", "body_text_1"},
		},
		{
			TemplateName: telesign.TemplateName{Channel: "sms", Name: "Sms-Text2"}, Type: telesign.TemplateStandard,
			Language: "en_US,de", Status: "REJECTED", MandatoryParameters: []string{},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("templates (-want +got):\n%s", diff)
	}
	if !got[0].Approved() || got[1].Approved() {
		t.Error("the first is approved, the second isn't")
	}
}

func TestTemplates_AnEmptyListIsNoError(t *testing.T) {
	t.Parallel()
	url, _ := vendor(t, reply{status: 200, body: "[]"})
	if got, err := client(t, options(url)).Templates(t.Context()); err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
}

func TestTemplates_JudgesTheVendorsAnswers(t *testing.T) {
	t.Parallel()
	status := func(code int) string { return fmt.Sprintf(`{"status":{"code":%d,"description":"x"}}`, code) }
	many := "[" + strings.Repeat(`{"name":"a","channel":"sms"},`, 10_000) + `{"name":"a","channel":"sms"}]`
	for name, c := range map[string]struct {
		reply reply
		want  verdict
		code  telesign.Code
	}{
		"not authorized":       {reply{status: 401, body: status(3400)}, verdict{class: telesign.Refused, account: true}, 3400},
		"product not enabled":  {reply{status: 401, body: status(3818)}, verdict{class: telesign.Refused, account: true}, telesign.CodeTemplatesDisabled},
		"rate limit":           {reply{status: 429, body: status(3204)}, verdict{class: telesign.Later, throttled: true}, 3204},
		"unavailable":          {reply{status: 503, body: status(3500)}, verdict{class: telesign.Later}, 3500},
		"a proxy's page":       {reply{status: 200, body: "<html>"}, verdict{class: telesign.Later}, 0},
		"an object":            {reply{status: 200, body: `{"templates":[]}`}, verdict{class: telesign.Later}, 0},
		"more than are taken":  {reply{status: 200, body: many}, verdict{class: telesign.Later}, 0},
		"over 4 MB":            {reply{status: 200, body: strings.Repeat(" ", 4<<20) + "[]"}, verdict{class: telesign.Later}, 0},
		"a redirect":           {reply{status: 302, header: map[string]string{"Location": "https://example.com"}}, verdict{class: telesign.Later}, 0},
		"a page that isn't is": {reply{status: 404, body: "not found"}, verdict{class: telesign.Refused}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, _ := vendor(t, c.reply)
			_, err := client(t, options(url)).Templates(t.Context())
			var e *telesign.Error
			if !errors.As(err, &e) {
				t.Fatalf("error: %v", err)
			}
			if got := (verdict{e.Class, e.Account, e.Throttled}); got != c.want || e.Code != c.code || e.Op != "templates" {
				t.Errorf("%+v, code %d, %s", got, e.Code, e.Op)
			}
		})
	}
}

func TestTemplate_TellsTheUnknownFromTheUnreachable(t *testing.T) {
	t.Parallel()
	known := telesign.TemplateName{Channel: "whatsapp", Name: "wa_bogo"}
	for name, c := range map[string]struct {
		reply   reply
		ask     telesign.TemplateName
		unknown bool
	}{
		"3856":        {reply{status: 400, body: `{"status":{"code":3856,"description":"Invalid value for parameter name: wa_bogo"}}`}, known, true},
		"404":         {reply{status: 404, body: `{}`}, known, true},
		"unavailable": {reply{status: 503, body: `{"status":{"code":3500}}`}, known, false},
		"disabled":    {reply{status: 401, body: `{"status":{"code":3818}}`}, known, false},
		"no template": {reply{status: 200, body: `[]`}, known, false},
		"no name":     {reply{status: 200}, telesign.TemplateName{Channel: "whatsapp", Name: "../x"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, _ := vendor(t, c.reply)
			_, err := client(t, options(url)).Template(t.Context(), c.ask)
			if err == nil || telesign.UnknownTemplate(err) != c.unknown {
				t.Errorf("unknown is to be %v: %v", c.unknown, err)
			}
		})
	}
	url, _ := vendor(t, reply{status: 200, body: `{"name":"wa_bogo","channel":"whatsapp","status":"Approved"}`})
	if got, err := client(t, options(url)).Template(t.Context(), known); err != nil || got.TemplateName != known || !got.Approved() {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestPing_TakesTheAnswerThatTheMessageIsUnknownForAYes(t *testing.T) {
	t.Parallel()
	const date = "Wed, 14 Dec 2016 18:20:12 GMT"
	dated := map[string]string{"Date": date}
	url, _ := vendor(t, reply{status: 404, body: `{"status":{"code":-10004,"description":"ReferenceID expired."}}`, header: dated})
	at, err := client(t, options(url)).Ping(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if want, _ := http.ParseTime(date); !at.Equal(want) {
		t.Errorf("date %v, want %v", at, want)
	}
	for code, want := range map[telesign.Code]verdict{
		3400: {class: telesign.Refused, account: true},
		3206: {class: telesign.Refused, account: true},
		3204: {class: telesign.Later, throttled: true},
	} {
		url, _ := vendor(t, reply{status: 401, body: fmt.Sprintf(`{"status":{"code":%d}}`, code), header: dated})
		at, e := client(t, options(url)).Ping(t.Context())
		if e == nil || (verdict{e.Class, e.Account, e.Throttled}) != want || e.Code != code || at.IsZero() {
			t.Errorf("%d: %+v at %v", code, e, at)
		}
	}
	o := options("http://127.0.0.1:1")
	o.Timeout = time.Second
	if at, e := client(t, o).Ping(t.Context()); e == nil || e.Class != telesign.Later || !at.IsZero() {
		t.Errorf("nothing listens there: %+v at %v", e, at)
	}
}

// The sample of the reference, templatescallbacks, with another code.
const templateCallback = `{"reference_id":"B56259E45884010488343BAA15FB0002","name":"WAMarketingTemplate1","channel":"whatsapp",
"language":["en_US"],"status":{"code":3855,"description":"Template disabled by provider","updated_on":"2022-09-21T14:05:36.181346Z"}}`

func TestParseReceipt_KnowsACallbackAboutATemplate(t *testing.T) {
	t.Parallel()
	r, err := telesign.ParseReceipt([]byte(templateCallback))
	if err != nil {
		t.Fatal(err)
	}
	want := telesign.TemplateName{Channel: "whatsapp", Name: "WAMarketingTemplate1"}
	if r.Template != want || r.Status.Code != telesign.CodeTemplateDisabled || r.Inbound {
		t.Errorf("%+v", r)
	}
	r, err = telesign.ParseReceipt([]byte(strings.Replace(templateCallback, "3855", "3000", 1)))
	if err != nil || r.Template != (telesign.TemplateName{}) {
		t.Errorf("a receipt of a message: %+v, %v", r, err)
	}
}
