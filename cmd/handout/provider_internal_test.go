package main

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/oauth2-proxy/mockoidc"

	"github.com/handout-dev/handout/internal/secret"
)

func TestConsole_PeopleLogInThroughTheProvider(t *testing.T) {
	provider, err := mockoidc.Run()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = provider.Shutdown() })
	for base, cookie := range map[string]string{"": "__Host-handout_session", "/handout": "__Secure-handout_session"} {
		proxy, _, _ := behind(t, base, httptest.NewTLSServer, func(c *Config, proxy string) {
			c.ConsoleURL = proxy + base + "/"
			c.OIDCIssuer, c.OIDCClientID, c.OIDCClientSecret = provider.Issuer(), provider.ClientID, secret.New(provider.ClientSecret)
			c.OIDCGroups, c.OIDCGroupsClaim = "ops=read,control", "groups"
		})
		provider.QueueUser(&mockoidc.MockUser{Subject: "1", PreferredUsername: "anna@example.com", Groups: []string{"ops"}})
		v := visit(t, proxy)
		// To the provider, back, and on.
		status, at, _, text := v.ask(http.MethodGet, base+"/login/oidc?next=/doubt", nil)
		if status != http.StatusOK || at != base+"/doubt" || !strings.Contains(text, "<span>anna@example.com</span>") {
			t.Errorf("%s: %d %s: %.2000s", base, status, at, text)
		}
		u, err := url.Parse(proxy.URL + base + "/")
		if err != nil {
			t.Fatal(err)
		}
		all := v.client.Jar.Cookies(u)
		if len(all) != 1 || all[0].Name != cookie {
			t.Errorf("%s: cookies %v", base, all)
		}
	}
}

func TestConfig_WantsAllOfTheProviderOrNothing(t *testing.T) {
	good := map[string]string{
		"HANDOUT_OIDC_ISSUER": "https://id.example.com", "HANDOUT_OIDC_CLIENT_ID": "handout", "HANDOUT_OIDC_CLIENT_SECRET": "s3cr3t", "HANDOUT_OIDC_GROUPS": "ops=read",
		"HANDOUT_CONSOLE_URL": "https://ops.example.com",
	}
	for name, value := range good {
		t.Setenv(name, value)
	}
	if _, err := loadConfig(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, value, says string }{
		{"HANDOUT_OIDC_ISSUER", "", "must be an https URL"}, {"HANDOUT_OIDC_CLIENT_ID", "", "is not set"}, {"HANDOUT_OIDC_CLIENT_SECRET", "", "is not set"},
		{"HANDOUT_CONSOLE_URL", "", "sends browsers back there"}, {"HANDOUT_OIDC_GROUPS", "", "must name groups"},
		{"HANDOUT_OIDC_ISSUER", "http://id.example.com", "must be an https URL"}, {"HANDOUT_OIDC_ISSUER", "https://id.example.com/?a=b", "must be an https URL"},
		{"HANDOUT_OIDC_GROUPS", "ops", "isn't a group and its scopes"}, {"HANDOUT_OIDC_GROUPS", "ops=root", `the group ops: there is no scope "root"`},
		{"HANDOUT_OIDC_GROUPS", "ops=read;ops=people", "stands in it twice"},
	} {
		t.Setenv(c.name, c.value)
		if _, err := loadConfig(); err == nil || !strings.Contains(err.Error(), c.name+": ") || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s=%s: %v", c.name, c.value, err)
		}
		t.Setenv(c.name, good[c.name])
	}
}
