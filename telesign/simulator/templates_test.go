package simulator_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/telesign"
	"github.com/handout-dev/handout/telesign/simulator"
)

const templatesPath = "/v1/omnichannel/templates"

func custom() []telesign.Template {
	return []telesign.Template{{
		TemplateName: telesign.TemplateName{Channel: "whatsapp", Name: "wa_bogo"}, Type: "verified", Category: "marketing",
		Language: "en_US", Status: "Approved", MandatoryParameters: []string{"header_url", "body_text_1"},
	}}
}

func TestTemplates_AreListedInTheVendorsForm(t *testing.T) {
	t.Parallel()
	r := start(t, simulator.Options{Templates: custom(), TemplateRate: 100})
	want := object{
		"name": "wa_bogo", "type": "verified", "channel": "whatsapp", "category": "marketing", "language": "en_US",
		"status": "Approved", "mandatory_parameters": []any{"header_url", "body_text_1"},
	}
	var list []object
	if got := r.do(http.MethodGet, templatesPath, basic(), nil); got.status != 200 || json.Unmarshal([]byte(got.body), &list) != nil {
		t.Fatalf("%d %s", got.status, got.body)
	}
	if diff := cmp.Diff([]object{want}, list); diff != "" {
		t.Error(diff)
	}
	var one object
	path := templatesPath + "/whatsapp/wa_bogo"
	if got := r.do(http.MethodGet, path, digest(t, http.MethodGet, path, "n", now(), nil), nil); got.status != 200 || json.Unmarshal([]byte(got.body), &one) != nil {
		t.Fatalf("%d %s", got.status, got.body)
	}
	if diff := cmp.Diff(want, one); diff != "" {
		t.Error(diff)
	}
}

func TestTemplates_RefusesWithTheVendorsCode(t *testing.T) {
	t.Parallel()
	wrong := basic()
	wrong.Set("Authorization", "Basic AAAA")
	on, off, slow := simulator.Options{Templates: custom(), TemplateRate: 100}, simulator.Options{}, simulator.Options{Templates: custom()}
	for name, c := range map[string]struct {
		o            simulator.Options
		path         string
		header       http.Header
		before       int // requests of the same second
		status, code int
	}{
		"a wrong key":             {on, templatesPath, wrong, 0, 401, 3400},
		"the product isn't there": {off, templatesPath, basic(), 0, 401, 3818},
		"two in a second":         {slow, templatesPath, basic(), 1, 429, 3204},
		"an unknown name":         {on, templatesPath + "/whatsapp/other", basic(), 0, 400, 3856},
		"another channel's":       {on, templatesPath + "/sms/wa_bogo", basic(), 0, 400, 3856},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, c.o)
			for range c.before {
				r.do(http.MethodGet, c.path, c.header, nil)
			}
			if got := r.do(http.MethodGet, c.path, c.header, nil); got.status != c.status || got.Status.Code != c.code {
				t.Errorf("%d/%d, want %d/%d", got.status, got.Status.Code, c.status, c.code)
			}
		})
	}
}

func TestTemplates_FailTheChannelThatUsesThemWrongly(t *testing.T) {
	t.Parallel()
	r := start(t, simulator.Options{Polling: true, NoCallbacks: true, Speed: hurry})
	set := r.do(http.MethodPut, "/simulator/templates", nil, encode(t, custom()))
	if set.status != http.StatusOK {
		t.Fatalf("%d %s", set.status, set.body)
	}
	for name, c := range map[string]struct {
		template   string
		parameters object
		want       string // the code of the leg
	}{
		"right":              {"wa_bogo", object{"header_url": "https://example.com/a.pdf", "body_text_1": "x"}, "3000"},
		"a parameter less":   {"wa_bogo", object{"header_url": "https://example.com/a.pdf"}, "3305"},
		"an unknown one":     {"wa_bogo_2", object{}, "3112"},
		"a predefined one":   {"file", object{"url": "https://example.com/a.pdf"}, "3000"},
		"an empty parameter": {"wa_bogo", object{"header_url": "https://example.com/a.pdf", "body_text_1": ""}, "3305"},
	} {
		m := message("15550000000")
		m["message"].(object)["whatsapp"] = object{"template": c.template, "parameters": c.parameters}
		ref := r.post(m).Reference
		leg := ""
		r.until(func() bool {
			got := r.get(ref)
			if got.Status.Code != 3000 {
				return false
			}
			leg = fmt.Sprint(got.Channels[0]["whatsapp"].Code)
			return true
		})
		if leg != c.want {
			t.Errorf("%s: %s, want %s", name, leg, c.want)
		}
	}
}

func TestChangeTemplate_CallsBackAsTheVendorDoes(t *testing.T) {
	t.Parallel()
	r := start(t, simulator.Options{Templates: custom(), TemplateRate: 100})
	for code, status := range map[int]string{3855: "Disabled", 3852: "Rejected", 3851: "Approved"} {
		body := encode(t, object{"channel": "whatsapp", "name": "wa_bogo", "code": code})
		if got := r.do(http.MethodPost, "/simulator/templates", nil, body); got.status != http.StatusOK {
			t.Fatalf("%d: %d %s", code, got.status, got.body)
		}
		all := r.listener.callbacks()
		last := all[len(all)-1]
		receipt, err := telesign.ParseReceipt([]byte(last.body))
		if err != nil || last.fault != nil || int(receipt.Status.Code) != code || receipt.Template != custom()[0].TemplateName || len(receipt.Reference) != 32 {
			t.Errorf("%d: %+v, %v, signature: %v", code, receipt, err, last.fault)
		}
		var one telesign.Template
		if got := r.do(http.MethodGet, templatesPath+"/whatsapp/wa_bogo", basic(), nil); json.Unmarshal([]byte(got.body), &one) != nil || one.Status != status {
			t.Errorf("%d: %s", code, got.body)
		}
	}
	if err := r.vendor.ChangeTemplate(t.Context(), simulator.TemplateChange{TemplateName: custom()[0].TemplateName, Code: 3853}); err != nil {
		t.Fatal(err)
	}
	if got := r.do(http.MethodGet, templatesPath, basic(), nil); got.body != "[]" {
		t.Errorf("after its removal: %s", got.body)
	}
	if err := r.vendor.ChangeTemplate(t.Context(), simulator.TemplateChange{TemplateName: custom()[0].TemplateName, Code: 3855}); err == nil {
		t.Error("a template that is gone was changed")
	}
}
