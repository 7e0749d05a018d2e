package oidc

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/handout-dev/handout/internal/outbound"
	"github.com/handout-dev/handout/test/proxytest"
)

func TestProvider_IsAskedThroughTheProxy(t *testing.T) {
	t.Parallel()
	const issuer = "https://login.example.com"
	ca, proxy := proxytest.NewCA(t), proxytest.Start(t)
	proxy.Lead("login.example.com:443", ca.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": issuer, "authorization_endpoint": issuer + "/a", "token_endpoint": issuer + "/t", "jwks_uri": issuer + "/k"})
	}), "login.example.com"))
	provider := func(url string) *Provider {
		t.Helper()
		route, err := outbound.NewRoute(url, "", ca.Pool)
		if err != nil {
			t.Fatal(err)
		}
		p := New(Options{Issuer: issuer, ClientID: "handout", ClientSecret: "s", Console: "https://ops.example.com", GroupsClaim: "groups", Route: route})
		t.Cleanup(p.client.CloseIdleConnections)
		return p
	}
	if found, err := provider(proxy.URL()).ask(t.Context()); err != nil || found.config.Endpoint.TokenURL != issuer+"/t" {
		t.Errorf("%+v, %v", found, err)
	}
	_, err := provider(strings.Replace(proxy.URL(), proxytest.User, "stranger", 1)).ask(t.Context())
	if p := (*outbound.ProxyError)(nil); !errors.As(err, &p) || p.Status != http.StatusProxyAuthRequired || strings.Contains(err.Error(), "p%40ss") {
		t.Errorf("a stranger: %v", err)
	}
}
