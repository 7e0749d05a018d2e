package api_test

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/internal/templates/cache"
	"github.com/handout-dev/handout/internal/web/access"
	"github.com/handout-dev/handout/internal/web/api"
	"github.com/handout-dev/handout/telesign"
	"github.com/handout-dev/handout/telesign/simulator"
)

func TestTemplates_AreListedAndShown(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	c := h.client(t, "billing", access.Read)
	var list api.Templates
	c.do(t, 200, "GET", "/templates", "", "").into(t, &list)
	if list.At != nil || list.Problem == "" || len(list.Templates) != 0 {
		t.Errorf("never listed: %+v", list)
	}
	problemOf(t, c.do(t, 503, "GET", "/templates/whatsapp/wa_bogo", "", ""), "unavailable")
	at := time.Now().UTC().Truncate(time.Second)
	if err := cache.Write(t.Context(), h.rdb, "default", cache.Listed{At: at, Templates: []telesign.Template{{
		TemplateName: telesign.TemplateName{Channel: "whatsapp", Name: "wa_bogo"}, Type: "verified", Category: "marketing",
		Language: "en_US", Status: "Approved", MandatoryParameters: []string{"header_url"},
	}}}); err != nil {
		t.Fatal(err)
	}
	list = api.Templates{}
	c.do(t, 200, "GET", "/templates", "", "").into(t, &list)
	want := api.Template{
		Name: "wa_bogo", Channel: "whatsapp", Type: "verified", Category: "marketing", Language: "en_US", Status: "Approved", Parameters: []string{"header_url"},
	}
	if list.At == nil || !list.At.Equal(at) || list.Problem != "" {
		t.Errorf("%+v", list)
	}
	if diff := cmp.Diff([]api.Template{want}, list.Templates); diff != "" {
		t.Error(diff)
	}
	var one api.Template
	c.do(t, 200, "GET", "/templates/whatsapp/wa_bogo", "", "").into(t, &one)
	if diff := cmp.Diff(want, one); diff != "" {
		t.Error(diff)
	}
	problemOf(t, c.do(t, 422, "GET", "/templates/viber/wa_bogo", "", ""), "invalid")
}

func TestTemplate_IsAskedForWhenItIsntListed(t *testing.T) {
	t.Parallel()
	const id, key = "FFFFFFFF-EEEE-DDDD-1234-AB1234567890", "VGVzdCBLZXk="
	vendor, err := simulator.New(simulator.Options{CustomerID: id, APIKey: key, Templates: []telesign.Template{}, TemplateRate: 100})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(vendor)
	t.Cleanup(func() { vendor.Close(); server.Close() })
	asking, err := telesign.NewClient(telesign.Options{URL: server.URL, CustomerID: id, APIKey: key, Auth: telesign.AuthBasic, Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	c := open(t, func(o *api.Options) { o.Telesign = asking }).client(t, "billing", access.Read)
	problemOf(t, c.do(t, 404, "GET", "/templates/whatsapp/wa_bogo", "", ""), "not-found")
}
