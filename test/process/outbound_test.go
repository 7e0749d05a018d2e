package process_test

import (
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/handout-dev/handout/test/proxytest"
	"github.com/handout-dev/handout/test/redistest"
)

// Telesign is a name that only the proxy knows, with a certificate of an authority that
// only HANDOUT_CA_FILE knows.
func TestProxy_LeadsToTelesign(t *testing.T) {
	t.Parallel()
	e := account(redistest.Start(t, redistest.ConfigFile("../../deploy/redis.conf")).URL())
	to, err := url.Parse(serve(t, e, "simulate").url)
	if err != nil {
		t.Fatal(err)
	}
	ca, proxy := proxytest.NewCA(t), proxytest.Start(t)
	proxy.Lead("rest-ww.example.com:443", ca.Serve(t, httputil.NewSingleHostReverseProxy(to), "rest-ww.example.com"))
	e = e.with("TELESIGN_URL", "https://rest-ww.example.com", "HANDOUT_PROXY_URL_FILE", write(t, "proxy.url", proxy.URL()+"\n"), "HANDOUT_CA_FILE", ca.File,
		"HTTPS_PROXY", "http://127.0.0.1:9") // is for others
	if out := done(t, e, "account", "check"); !strings.Contains(out, "ok     Telesign: takes the credentials") {
		t.Error(out)
	}
	if out := done(t, e, "doctor", "--live"); !strings.Contains(out, "ok     way to rest-ww.example.com: through the proxy 127.0.0.1:") || !strings.Contains(out, "ok     Telesign: takes the credentials") {
		t.Error(out)
	}
	wrong := e.with("HANDOUT_PROXY_URL_FILE", "", "HANDOUT_PROXY_URL", strings.Replace(proxy.URL(), "worker", "stranger", 1))
	for _, args := range [][]string{{"account", "check"}, {"doctor"}} {
		r := handout(t, wrong, args...)
		if r.code != 1 || !strings.Contains(r.stdout, "the proxy answers 407 Proxy Authentication Required") || strings.Contains(r.stdout+r.stderr, "stranger") || strings.Contains(r.stdout+r.stderr, "p%40ss") {
			t.Errorf("%v: %+v", args, r)
		}
	}
	for name, value := range map[string]string{"HANDOUT_PROXY_URL": "socks5://u:hunter2@proxy:1080", "HANDOUT_CA_FILE": "/nowhere.pem"} {
		r := handout(t, e.with("HANDOUT_PROXY_URL_FILE", "", name, value), "list")
		if r.code != 2 || !strings.Contains(r.stderr, name+": ") || strings.Contains(r.stderr, "hunter2") || strings.Count(r.stderr, "\n") != 1 {
			t.Errorf("%s: %+v", name, r)
		}
	}
}
