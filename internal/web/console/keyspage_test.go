package console_test

import (
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
