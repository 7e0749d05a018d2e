package api_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/handout-dev/handout/internal/web/access"
	"github.com/handout-dev/handout/internal/web/api"
)

func TestWebhooks_AreAddedTestedListedAndRemoved(t *testing.T) {
	t.Parallel()
	h := open(t, func(o *api.Options) { o.PrivateWebhooks = true })
	c := h.all(t)
	status := http.StatusOK
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	defer receiver.Close()
	var added api.AddedWebhook
	c.do(t, 201, "POST", "/webhooks", asJSON, `{"url":"`+receiver.URL+`/?key=s3cr3t","campaigns":"spring","events":["campaign"]}`).into(t, &added)
	if !strings.HasPrefix(added.Secret, "whsec_") || added.Note != "" {
		t.Fatalf("%+v", added)
	}
	list := func() api.Webhook {
		t.Helper()
		a := c.do(t, 200, "GET", "/webhooks", "", "")
		if strings.Contains(a.body, "s3cr3t") || strings.Contains(a.body, "whsec_") {
			t.Errorf("a secret: %s", a.body)
		}
		var all api.Webhooks
		a.into(t, &all)
		if len(all.Webhooks) != 1 {
			t.Fatalf("%+v", all)
		}
		return all.Webhooks[0]
	}
	if w := list(); w.Last != nil || w.Campaigns != "spring" || len(w.Events) != 1 {
		t.Errorf("%+v", w)
	}
	var d api.Delivery
	c.do(t, 200, "POST", "/webhooks/"+added.ID+"/test", "", "").into(t, &d)
	if d.Status != 200 || d.Error != "" {
		t.Errorf("%+v", d)
	}
	status = http.StatusTeapot
	c.do(t, 200, "POST", "/webhooks/"+added.ID+"/test", "", "").into(t, &d)
	if d.Status != http.StatusTeapot || d.Error == "" {
		t.Errorf("%+v", d)
	}
	if w := list(); w.Last == nil || w.Last.Status != http.StatusTeapot || w.State != "the last delivery failed: HTTP 418" {
		t.Errorf("the latest delivery: %+v of %+v", w.Last, w)
	}
	var log api.Deliveries
	c.do(t, 200, "GET", "/webhooks/"+added.ID+"/deliveries", "", "").into(t, &log)
	if len(log.Deliveries) != 2 {
		t.Errorf("%+v", log)
	}
	var rotated api.RotatedWebhook
	c.do(t, 200, "POST", "/webhooks/"+added.ID+"/rotate", asJSON, `{"overlap":"48h"}`).into(t, &rotated)
	if left := time.Until(rotated.Overlap); !strings.HasPrefix(rotated.Secret, "whsec_") || rotated.Secret == added.Secret || left < 47*time.Hour || left > 48*time.Hour {
		t.Errorf("%+v", rotated)
	}
	if w := list(); w.Overlap == nil || !w.Overlap.Equal(rotated.Overlap) {
		t.Errorf("%+v", w)
	}
	for _, body := range []string{`{"overlap":"a day"}`, `{"overlap":"721h"}`, `{"overlap":"-1h"}`} {
		problemOf(t, c.do(t, 422, "POST", "/webhooks/"+added.ID+"/rotate", asJSON, body), "invalid")
	}
	c.do(t, 200, "DELETE", "/webhooks/"+added.ID, "", "")
	for _, call := range [][2]string{{"POST", "/test"}, {"POST", "/rotate"}, {"GET", "/deliveries"}, {"DELETE", ""}} {
		problemOf(t, c.do(t, 404, call[0], "/webhooks/"+added.ID+call[1], "", ""), "not-found")
	}
	// What can't be reached now is added with a note.
	receiver.Close()
	c.do(t, 201, "POST", "/webhooks", asJSON, `{"url":"`+receiver.URL+`"}`).into(t, &added)
	if !strings.Contains(added.Note, "can't be reached") {
		t.Errorf("%+v", added)
	}
	steerer := h.client(t, "steerer", access.Read, access.Control)
	problemOf(t, steerer.do(t, 403, "POST", "/webhooks", asJSON, `{"url":"`+receiver.URL+`","phones":true}`), "forbidden")
}

func TestWebhooks_AURLThatIsRefusedSaysWhatAllowsIt(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	c := h.all(t)
	for _, url := range []string{"http://example.com/", "https://127.0.0.1/hooks", "https://[::1]/hooks"} {
		p := problemOf(t, c.do(t, 422, "POST", "/webhooks", asJSON, `{"url":"`+url+`"}`), "invalid")
		if len(p.Errors) != 1 || p.Errors[0].Field != "url" || !strings.Contains(p.Errors[0].Message, "HANDOUT_WEBHOOK_ALLOW_PRIVATE=true") {
			t.Errorf("%s: %+v", url, p)
		}
	}
}
