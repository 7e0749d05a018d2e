package worker_test

import (
	"errors"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/outbound"
	"github.com/handout-dev/handout/telesign"
	"github.com/handout-dev/handout/test/proxytest"
	"github.com/handout-dev/handout/worker"
)

const behindProxy = "rest-ww.example.com"

// setupBehind is a rig whose vendor is reached through a proxy alone, by TLS with a
// certificate of an authority of its own.
func setupBehind(t *testing.T, vendor http.Handler) (*rig, *proxytest.Proxy, func(*worker.Options)) {
	t.Helper()
	r, proxy, ca := setup(t, vendor), proxytest.Start(t), proxytest.NewCA(t)
	proxy.Lead(behindProxy+":443", ca.Serve(t, vendor, behindProxy))
	r.url = "https://" + behindProxy
	route, err := outbound.NewRoute(proxy.URL(), "", ca.Pool)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, secret := range []string{proxytest.Password, "p%40ss", "d29ya2Vy"} {
			if strings.Contains(r.log.String(), secret) {
				t.Errorf("the log has the proxy's password: %q", secret)
			}
		}
	})
	transport := route.Through(telesign.NewTransport())
	t.Cleanup(transport.CloseIdleConnections)
	client, err := telesign.NewClient(telesign.Options{
		URL: r.url, CustomerID: customerID, APIKey: apiKey, Auth: telesign.AuthBasic, Timeout: sendTimeout, Transport: transport,
	})
	if err != nil {
		t.Fatal(err)
	}
	return r, proxy, func(o *worker.Options) { o.Telesign, o.Route = client, route }
}

// What became of a request is known by how far it came: nothing passes a proxy before it
// has made a connection, and anything may have once the request was written.
func TestSend_ThroughAProxyThatFailsIsJudgedByWhetherItWasWritten(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil   func(t *testing.T, p *proxytest.Proxy)
		atPost  func(p *proxytest.Proxy) // when the vendor has the request
		want    telesign.Class
		written bool
		proxy   bool // the error is the proxy's
		refused bool
	}{
		"it is down":                       {spoil: func(_ *testing.T, p *proxytest.Proxy) { p.Stop() }, want: telesign.Later, proxy: true},
		"it wants another password":        {spoil: func(_ *testing.T, p *proxytest.Proxy) { p.Answer(407) }, want: telesign.Later, proxy: true, refused: true},
		"it lets no one there":             {spoil: func(_ *testing.T, p *proxytest.Proxy) { p.Answer(403) }, want: telesign.Later, proxy: true, refused: true},
		"it is overloaded":                 {spoil: func(_ *testing.T, p *proxytest.Proxy) { p.Answer(503) }, want: telesign.Later, proxy: true},
		"it answers with a time-out":       {spoil: func(_ *testing.T, p *proxytest.Proxy) { p.Answer(504) }, want: telesign.Later, proxy: true},
		"it breaks before the handshake":   {spoil: hangsUp, want: telesign.Later},
		"it breaks after the request":      {atPost: (*proxytest.Proxy).Cut, want: telesign.Unknown, written: true},
		"it breaks and stays down at once": {atPost: func(p *proxytest.Proxy) { go p.Stop(); p.Cut() }, want: telesign.Unknown, written: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := &vendor{}
			r, proxy, behind := setupBehind(t, v)
			v.send = func(w http.ResponseWriter, _ *http.Request, _ post) {
				c.atPost(proxy)
				accept(w, v.next())
			}
			if c.spoil != nil {
				c.spoil(t, proxy)
			}
			o := r.options()
			behind(&o)
			_, err := o.Telesign.Send(t.Context(), telesign.Message{
				Channels: []telesign.Channel{{Channel: "sms"}}, PhoneNumber: "15558675309", MessageType: "ARN", ExternalID: "c.aaaaaaaa.0.0.1",
				Content: map[string]telesign.Content{"sms": {Template: "text", Parameters: map[string]string{"text": "hello"}}},
			})
			e, ok := errors.AsType[*telesign.Error](err)
			if !ok || e.Class != c.want || e.Written != c.written {
				t.Fatalf("%+v", err)
			}
			p, ofProxy := errors.AsType[*outbound.ProxyError](err)
			if ofProxy != c.proxy || ofProxy && p.Refused() != c.refused {
				t.Errorf("%v, of the proxy %t", err, ofProxy)
			}
			if posts := len(v.all()); posts > 0 != c.written {
				t.Errorf("%d POSTs at the vendor", posts)
			}
		})
	}
}

// hangsUp leads to a server that ends each connection at once.
func hangsUp(t *testing.T, p *proxytest.Proxy) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.Close()
		}
	}()
	p.Lead(behindProxy+":443", l.Addr().String())
}

// A proxy that is away for a while costs time alone: each is sent to once.
func TestProxy_ThatCannotConnectPutsEveryoneOff(t *testing.T) {
	t.Parallel()
	const n = 10
	v := &vendor{}
	r, proxy, behind := setupBehind(t, v)
	proxy.Answer(http.StatusServiceUnavailable)
	c := r.stand("away", phones(n), false)
	r.start(behind)
	r.until("everyone is put off", func() bool { return r.balance(c).Of(campaign.Retrying) == n })
	if rec := r.record(c, 0); rec.Reason != campaign.ReasonNotWritten || len(v.all()) != 0 {
		t.Errorf("%+v, %d POSTs", rec, len(v.all()))
	}
	proxy.Answer(0)
	r.until("everyone is sent to", func() bool { return r.balance(c).Of(campaign.Accepted) == n })
	v.once(t, n)
	r.closes(c)
}

// Credentials that the proxy doesn't take are a fault of ours: the list waits.
func TestProxy_ThatRefusesHoldsTheCampaigns(t *testing.T) {
	t.Parallel()
	const n = 10
	v := &vendor{}
	r, proxy, behind := setupBehind(t, v)
	proxy.Answer(http.StatusProxyAuthRequired)
	c := r.stand("refused", phones(n), false)
	r.start(behind, oneByOne)
	r.untilPhase(c, campaign.Held)
	r.heldFor(c, "no way to Telesign: the proxy answers 407 Proxy Authentication Required")
	r.untilQuiet()
	if b := r.balance(c); b.Of(campaign.Planned)+b.Of(campaign.Retrying) != n || len(v.all()) != 0 {
		t.Errorf("%+v, %d POSTs", b, len(v.all()))
	}
	proxy.Answer(0)
	r.resume(c)
	r.until("everyone is sent to", func() bool { return r.balance(c).Of(campaign.Accepted) == n })
	v.once(t, n)
	r.closes(c)
}

// What the vendor had when the proxy broke is in doubt, and isn't sent again.
func TestProxy_ThatBreaksAfterTheRequestLeavesItInDoubt(t *testing.T) {
	t.Parallel()
	const n = 5
	v := &vendor{}
	r, proxy, behind := setupBehind(t, v)
	var cut atomic.Bool
	v.send = func(w http.ResponseWriter, _ *http.Request, p post) {
		if cut.CompareAndSwap(false, true) {
			proxy.Cut()
			return
		}
		accept(w, v.next())
	}
	c := r.stand("broken", phones(n), false)
	r.start(behind, oneByOne)
	r.until("the others are sent to", func() bool { return r.balance(c).Of(campaign.Accepted) == n-1 })
	if b := r.balance(c); b.Of(campaign.InDoubt) != 1 {
		t.Errorf("%+v", b)
	}
	v.once(t, n)
	r.closes(c)
}
