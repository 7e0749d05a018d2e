package console_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/handout-dev/handout/internal/web/access"
	"github.com/handout-dev/handout/internal/web/console"
)

func TestWebhooks_AreAddedTestedAndRemoved(t *testing.T) {
	t.Parallel()
	h := open(t, func(o *console.Options) { o.PrivateWebhooks = true })
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	defer receiver.Close()
	b := h.login(t, "olga", access.Read, access.Control)
	b.see(b.get(http.StatusOK, "/webhooks"), `id="none"`)
	b.see(b.post(http.StatusUnprocessableEntity, "/webhooks", "url", "nowhere", "event", "campaign", "campaigns", "spring"),
		`id="fault-add-url" class="fault"`, `value="nowhere"`, `value="spring"`, `value="campaign" checked`)
	b.see(b.post(http.StatusUnprocessableEntity, "/webhooks", "url", receiver.URL), `id="fault-add-event" class="fault"`)
	b.see(b.post(http.StatusUnprocessableEntity, "/webhooks", "url", receiver.URL, "event", "campaign", "phones", "1"), `id="fault-add-phones" class="fault"`)
	a := b.post(http.StatusOK, "/webhooks", "url", receiver.URL+"/?key=s3cr3t", "event", "campaign")
	b.see(a, `id="secret"`, "whsec_")
	b.miss(a, "s3cr3t")
	at := regexp.MustCompile(`href="(/webhooks/[a-z0-9]+)"`).FindStringSubmatch(a.body)[1]
	b.miss(b.get(http.StatusOK, "/webhooks"), "whsec_")
	b.post(http.StatusSeeOther, at+"/test")
	b.see(b.get(http.StatusOK, at), "It didn&#39;t take the test", "<dd>the last delivery failed: HTTP 418</dd>", `id="log"`)
	b.see(b.get(http.StatusOK, "/webhooks"), ">the last delivery failed: HTTP 418<")
	reader := h.login(t, "rita", access.Read)
	if page := reader.get(http.StatusOK, at); strings.Contains(page.body, `id="test"`) {
		t.Error("a reader may test")
	}
	reader.post(http.StatusForbidden, at+"/remove")
	reader.post(http.StatusForbidden, at+"/rotate")
	b.see(b.post(http.StatusOK, at+"/rotate"), `id="secret"`, "whsec_", "the old secret signs until")
	page := b.get(http.StatusOK, at)
	b.see(page, "the old secret signs until")
	b.miss(page, "whsec_")
	b.see(b.get(http.StatusOK, at+"/remove"), `id="do"`)
	b.post(http.StatusSeeOther, at+"/remove")
	b.see(b.get(http.StatusOK, "/webhooks"), `id="none"`)
	b.get(http.StatusNotFound, at)
}

func TestWebhooks_APrivateAddressNamesWhatAllowsIt(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	b := h.login(t, "olga", access.Read, access.Control)
	b.see(b.post(http.StatusUnprocessableEntity, "/webhooks", "url", "https://127.0.0.1/", "event", "campaign"), "HANDOUT_WEBHOOK_ALLOW_PRIVATE=true")
}
