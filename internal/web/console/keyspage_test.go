package console_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/handout-dev/handout/internal/web/access"
)

func TestKeys_AreMadeAndRevokedByAKeyWithAllScopes(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	b := h.login(t, "root", access.Scopes()...)
	b.see(b.get(http.StatusOK, "/campaigns"), `href="/keys"`)
	b.see(b.get(http.StatusOK, "/keys"), "root", "(yours)")
	a := b.send(http.StatusOK, http.MethodPost, "/keys", url.Values{"name": {"shop"}, "scope": {"read", "submit"}})
	token := regexp.MustCompile(`ho_shop_[0-9a-f]{64}`).FindString(a.body)
	if key, err := h.keys.Check(t.Context(), token, time.Now()); err != nil || !key.May(access.Submit) || key.May(access.Control) {
		t.Fatalf("%+v, %v", key, err)
	}
	b.miss(b.get(http.StatusOK, "/keys"), token, token[len("ho_shop_"):])
	if strings.Contains(strings.Join(a.header.Values("Set-Cookie"), ""), token) || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%v", a.header)
	}
	b.post(http.StatusConflict, "/keys", "name", "shop", "scope", "read") // loaded anew
	b.post(http.StatusUnprocessableEntity, "/keys", "name", "other")
	b.post(http.StatusUnprocessableEntity, "/keys", "name", "Other", "scope", "read")
	b.post(http.StatusUnprocessableEntity, "/keys", "name", "other", "scope", "admin")
	b.see(b.get(http.StatusOK, "/keys/shop/revoke"), "undone")
	if _, err := h.keys.Check(t.Context(), token, time.Now()); err != nil {
		t.Fatalf("the question alone revoked it: %v", err)
	}
	b.post(http.StatusSeeOther, "/keys/shop/revoke")
	b.post(http.StatusNotFound, "/keys/shop/revoke")
	if _, err := h.keys.Check(t.Context(), token, time.Now()); err == nil {
		t.Error("it is good still")
	}
	b.see(b.get(http.StatusOK, "/keys/root/revoke"), "logged out")
	b.post(http.StatusSeeOther, "/keys/root/revoke")
	b.get(http.StatusSeeOther, "/keys") // to the login
}

func TestKeys_NoKeyMakesABetterOne(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	for i, scope := range access.Scopes() {
		var lesser []access.Scope
		for _, s := range access.Scopes() {
			if s != scope {
				lesser = append(lesser, s)
			}
		}
		name := []string{"a", "b", "c", "d"}[i]
		token := h.key(t, name, lesser...)
		b := h.browser(t)
		b.header.Set("Authorization", "Bearer "+token)
		for _, path := range []string{"/keys", "/keys/" + name + "/revoke"} {
			b.get(http.StatusForbidden, path)
			b.post(http.StatusForbidden, path, "name", "mine", "scope", "read")
		}
		if scope != access.Read {
			b.miss(b.get(http.StatusOK, "/campaigns"), `href="/keys"`)
		}
	}
	if keys, err := h.keys.List(t.Context()); err != nil || len(keys) != 4 {
		t.Errorf("%v, %v", keys, err)
	}
}

func TestKeys_AreLimitedUnlessThePageSaysOtherwise(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	b := h.login(t, "root", access.Scopes()...)
	b.send(http.StatusOK, http.MethodPost, "/keys", url.Values{"name": {"shop"}, "scope": {"read", "submit"}})
	b.send(http.StatusOK, http.MethodPost, "/keys", url.Values{"name": {"wide"}, "scope": {"read"}, "campaigns": {"all"}})
	b.post(http.StatusUnprocessableEntity, "/keys", "name", "odd", "scope", "read", "campaigns", "some")
	b.see(b.get(http.StatusOK, "/keys"), "its own campaigns, 10 an hour to one number", "all campaigns, 10 an hour to one number")
}

func TestAudit_IsAPageForKeysWithAllScopes(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	b := h.login(t, "root", access.Scopes()...)
	for i := range 101 {
		b.post(http.StatusSeeOther, "/suppression/add", "phone", fmt.Sprintf("+120155501%02d", i%100), "why", "asked by +12015550142")
	}
	page := b.get(http.StatusOK, "/audit")
	b.see(page, `href="/audit"`, "root", "session", "*********99", "[number]", "Earlier entries")
	b.miss(page, "5550142", "+12015550199")
	next := regexp.MustCompile(`/audit\?before=[0-9]+-[0-9]+`).FindString(page.body)
	b.see(b.get(http.StatusOK, next), "*********00")
	b.get(http.StatusNotFound, "/audit?before=x")
	lesser := h.login(t, "eve", access.Read, access.Submit, access.Control)
	lesser.get(http.StatusForbidden, "/audit")
	lesser.miss(lesser.get(http.StatusOK, "/campaigns"), `href="/audit"`)
	b.see(b.get(http.StatusOK, "/audit"), "GET /audit", "refused", "all scopes")
}

// A page can't do what the API refuses.
func TestLimits_HoldOnPages(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	h.submit(t, "spring", 3, false, "")
	token, err := h.keys.Create(t.Context(), access.Key{Name: "own", Scopes: access.Scopes(), Limits: access.Limits{Own: true}}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	b := h.browser(t)
	b.header.Set("Authorization", "Bearer "+token)
	for _, path := range []string{"", "/picture", "/live", "/export?format=xlsx", "/people", "/people/0.0", "/cancel", "/resume", "/reschedule", "/rate", "/purge", "/retry?only=failed", "/people/0.0/resend"} {
		b.get(http.StatusForbidden, "/campaigns/spring"+path)
	}
	for _, path := range []string{"/pause", "/resume", "/cancel", "/rate", "/purge", "/retry", "/people/0.0/resend", "/people/0.0/accept"} {
		b.post(http.StatusForbidden, "/campaigns/spring"+path, "rate", "5", "id", "spring", "only", "failed", "count", "1", "at", "2099-01-01T00:00", "state", "failed", "attempt", "1", "expected", "1", "began", fmt.Sprint(time.Now().UnixMicro()))
	}
	for _, path := range []string{"/campaigns", "/doubt"} {
		b.miss(b.get(http.StatusOK, path), "/campaigns/spring")
	}
	b.miss(b.post(http.StatusOK, "/people", "q", "customer"), "/campaigns/spring")
}
