package doctor

import (
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/installation"
	"github.com/handout-dev/handout/internal/outbound"
	"github.com/handout-dev/handout/internal/probe"
	"github.com/handout-dev/handout/internal/redisx"
	"github.com/handout-dev/handout/internal/sealed"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/test/proxytest"
	"github.com/handout-dev/handout/test/redistest"
)

// said fails the test unless a finding is as wanted, and names no password.
func said(t *testing.T, f probe.Finding, ok, fatal bool, words string) {
	t.Helper()
	if f.OK != ok || !ok && f.Fatal != fatal || !strings.Contains(f.Found, words) || !ok && f.Advice == "" {
		t.Errorf("%+v, want %t with %q", f, ok, words)
	}
	if strings.Contains(f.Found+f.Advice, proxytest.Password) || strings.Contains(f.Found+f.Advice, "p%40ss") {
		t.Errorf("%+v shows the proxy's password", f)
	}
}

func TestRoute_IsTriedToTelesignWithoutSendingAnything(t *testing.T) {
	ca, proxy := proxytest.NewCA(t), proxytest.Start(t)
	asked := 0
	proxy.Lead("rest-ww.example.com:443", ca.Serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }), "rest-ww.example.com"))
	look := func(proxyURL, noProxy, caFile string) []probe.Finding {
		t.Helper()
		roots, err := outbound.Roots(caFile)
		if err != nil {
			t.Fatal(err)
		}
		route, err := outbound.NewRoute(proxyURL, noProxy, roots)
		if err != nil {
			t.Fatal(err)
		}
		return examineRoute(t.Context(), &Setup{Route: route, CAFile: caFile, TelesignURLs: []string{"https://rest-ww.example.com", "https://rest-ww.example.com"}})
	}
	all := look(proxy.URL(), "", ca.File)
	if len(all) != 2 {
		t.Fatalf("%+v", all)
	}
	said(t, all[0], true, false, "1 read")
	said(t, all[1], true, false, "a certificate by an authority of a test")
	said(t, look(proxy.URL(), "", "")[0], false, true, "unknown authority")
	said(t, look(strings.Replace(proxy.URL(), "worker", "stranger", 1), "", ca.File)[1], false, true, "the proxy answers 407")
	said(t, look(proxy.URL(), "rest-ww.example.com", ca.File)[1], false, true, "straight: ")
	proxy.Answer(http.StatusServiceUnavailable)
	said(t, look(proxy.URL(), "", ca.File)[1], false, true, "the proxy answers 503")
	proxy.Stop()
	said(t, look(proxy.URL(), "", ca.File)[1], false, true, "connection refused")
	if asked != 0 {
		t.Errorf("%d requests were made", asked)
	}
	t.Setenv("HTTPS_PROXY", proxy.URL())
	said(t, look("", "", "")[0], false, false, "HTTPS_PROXY is set, which handout doesn't read")
	t.Setenv("HTTPS_PROXY", "")
	t.Setenv("https_proxy", "")
	if all := look("", "", ""); len(all) != 0 {
		t.Errorf("nothing is set: %+v", all)
	}
}

func TestCA_IsAFaultWhenItsTimeIsOver(t *testing.T) {
	t.Parallel()
	ca := proxytest.NewCA(t) // good for 100 days
	said(t, examineCA(ca.File, time.Now()), true, false, "1 read, the first ends on ")
	said(t, examineCA(ca.File, time.Now().Add(80*24*time.Hour)), false, false, "an authority of a test ends on ")
	said(t, examineCA(ca.File, time.Now().Add(101*24*time.Hour)), false, true, "an authority of a test ended on ")
	said(t, examineCA(filepath.Join(t.TempDir(), "none"), time.Now()), false, true, "no such file")
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	said(t, examineCA(empty, time.Now()), false, true, "has no certificate in PEM")
}

func TestMasterKey_IsAFaultWhereCampaignsAreWrappedByAnother(t *testing.T) {
	t.Parallel()
	rdb := redistest.Start(t).Client()
	ringOf := func(current, previous string) *sealed.Ring {
		t.Helper()
		r, err := sealed.NewRing(current, previous)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	keysURL := ""
	look := func(r *sealed.Ring) probe.Finding {
		t.Helper()
		stamp, _, err := installation.Read(t.Context(), rdb)
		if err != nil {
			t.Fatal(err)
		}
		return examineMasterKey(t.Context(), &Setup{MasterKeys: r, KeysURL: keysURL, Prefix: "handout"}, rdb, stamp)
	}
	before, now := sealed.NewMasterKey(), sealed.NewMasterKey()
	said(t, look(nil), true, false, "not set")
	said(t, look(ringOf(now, "")), true, false, "nothing is encrypted yet")
	l := ledger.New(rdb)
	l.Seal(ringOf(before, ""))
	spec := &campaign.Spec{ID: "april", MessageType: "MKT", Channels: []campaign.Channel{{Channel: "sms", Template: "text", Parameters: map[string]string{"text": "x"}}}}
	if _, err := l.Open(t.Context(), spec, nil); err != nil {
		t.Fatal(err)
	}
	said(t, look(ringOf(before, "")), true, false, "opens the keys of all campaigns")
	said(t, look(ringOf(now, before)), true, false, "with the one before")
	said(t, look(nil), false, true, "set HANDOUT_MASTER_KEY")
	said(t, look(ringOf(now, "")), false, true, "is another installation's, or was replaced")
	// A replacement that was broken off, and the old key taken away too soon.
	if err := installation.SetMasterKey(t.Context(), rdb, ringOf(now, "").IDs()[0]); err != nil {
		t.Fatal(err)
	}
	said(t, look(ringOf(now, "")), false, true, "1 campaign, as april, can't be read")
	l.Seal(ringOf(now, before))
	if _, err := l.Rewrap(t.Context()); err != nil {
		t.Fatal(err)
	}
	said(t, look(ringOf(now, "")), true, false, "opens the keys of all campaigns")

	// The keys in a Redis of their own.
	server := redistest.Start(t)
	keys, err := installation.OpenKeyStore(t.Context(), rdb, server.URL(), redisx.TLS{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer keys.Close()
	moves := ringOf(now, "")
	moves.KeepKeysIn(keys)
	l.Seal(moves)
	if _, err := l.Rewrap(t.Context()); err != nil {
		t.Fatal(err)
	}
	said(t, look(ringOf(now, "")), false, true, "HANDOUT_KEYS_URL")
	keysURL = server.URL()
	said(t, look(ringOf(now, "")), true, false, "opens the keys of all campaigns")
	if err := keys.HSet(t.Context(), "handout:{april}:key", "salt", "wrapped by another").Err(); err != nil {
		t.Fatal(err)
	}
	said(t, look(ringOf(now, "")), false, true, "1 campaign, as april, can't be read")
}
