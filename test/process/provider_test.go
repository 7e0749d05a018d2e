package process_test

import (
	"net"
	"regexp"
	"strings"
	"testing"

	"github.com/oauth2-proxy/mockoidc"

	"github.com/handout-dev/handout/test/browsertest"
	"github.com/handout-dev/handout/test/redistest"
)

// A browser that comes from the provider's site keeps Strict cookies back, which only a
// browser shows: localhost and 127.0.0.1 are two sites to it.
func TestBrowser_LogsInThroughAProviderOnAnotherSite(t *testing.T) {
	t.Parallel()
	provider, err := mockoidc.Run()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = provider.Shutdown() })
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := free.Addr().String()
	if err := free.Close(); err != nil { // its port is the console's, which has to know it
		t.Fatal(err)
	}
	url := strings.Replace("http://"+addr, "127.0.0.1", "localhost", 1)
	e := account(redistest.Start(t).URL()).with("HANDOUT_CONSOLE_ADDR", addr, "HANDOUT_CONSOLE_URL", url,
		"HANDOUT_OIDC_ISSUER", provider.Issuer(), "HANDOUT_OIDC_CLIENT_ID", provider.ClientID, "HANDOUT_OIDC_CLIENT_SECRET", provider.ClientSecret,
		"HANDOUT_OIDC_GROUPS", "engineering=read,submit,control,people")
	serve(t, e, "console")
	p := browsertest.Start(t).Open(t, url+"/keys", browsertest.Expect(`asks another host: `+regexp.QuoteMeta(provider.Issuer())))
	p.Axe(t)
	p.Click("#provider")
	p.WaitText("Make a key") // where it was going
	if !p.Is(`document.querySelector("#logout").textContent.includes("jane.doe@127.0.0.1")`) || p.URL() != url+"/keys" {
		t.Errorf("%s: %s", p.URL(), p.Text())
	}
	p.Axe(t)
	p.Click("#logout button")
	p.Wait("the session has ended", `document.querySelector("#provider") && !document.querySelector("#logout")`)
}
