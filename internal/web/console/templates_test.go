package console_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/handout-dev/handout/internal/templates/cache"
	"github.com/handout-dev/handout/internal/web/access"
	"github.com/handout-dev/handout/telesign"
)

func TestTemplates_ShowsWhatTelesignListsOrWhyNot(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	b := h.login(t, "olga", access.Read)
	a := b.get(http.StatusOK, "/templates")
	b.see(a, `id="problem"`, "The templates aren't known", "TELESIGN_API_KEY")
	b.miss(a, `id="list"`)
	list := cache.Listed{At: time.Now().UTC(), Templates: []telesign.Template{{
		TemplateName: telesign.TemplateName{Channel: "whatsapp", Name: "wa_bogo"}, Type: "verified",
		Status: "Rejected", MandatoryParameters: []string{"header_url", "body_text_1"},
	}}}
	if err := cache.Write(t.Context(), h.rdb, "default", list); err != nil {
		t.Fatal(err)
	}
	a = b.get(http.StatusOK, "/templates")
	b.see(a, `id="list"`, "wa_bogo", "<b>Rejected</b>", "body_text_1")
	b.miss(a, `id="problem"`)
	list.At = list.At.Add(-time.Hour)
	if err := cache.Write(t.Context(), h.rdb, "default", list); err != nil {
		t.Fatal(err)
	}
	b.see(b.get(http.StatusOK, "/templates"), `id="list"`, `id="problem"`, "This is what Telesign said at")
}
