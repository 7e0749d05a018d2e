package access_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/handout-dev/handout/internal/web/access"
	"github.com/handout-dev/handout/test/redistest"
)

func TestGate_OpensByItsTokenAndOnlyFromThisMachine(t *testing.T) {
	t.Parallel()
	keys := access.NewKeys(redistest.Start(t).Client())
	const token = "THETOKENTHATWASPRINTED"
	for _, c := range []struct {
		name   string
		shut   bool
		from   string
		host   string
		header []string
		in     bool
	}{
		{name: "by the token", from: "127.0.0.1:5000", header: []string{"Authorization", "Bearer " + token}, in: true},
		{name: "by the cookie", from: "[::1]:5000", header: []string{"Cookie", "handout_session=" + token}, in: true},
		{name: "as a password", from: "[::ffff:127.0.0.1]:5000", header: []string{"Authorization", "Basic OlRIRVRPS0VOVEhBVFdBU1BSSU5URUQ="}, in: true},
		{name: "not open", shut: true, from: "127.0.0.1:5000", header: []string{"Authorization", "Bearer " + token}},
		{name: "not open, without a token", shut: true, from: "127.0.0.1:5000", header: []string{"Authorization", "Bearer "}},
		{name: "this machine, without the token", from: "127.0.0.1:5000", host: "127.0.0.1:8090"},
		{name: "another token", from: "127.0.0.1:5000", header: []string{"Authorization", "Bearer " + token + "A"}},
		{name: "another machine", from: "10.0.0.7:5000", header: []string{"Authorization", "Bearer " + token}},
		{name: "two cookies", from: "127.0.0.1:5000", header: []string{"Cookie", "handout_session=a; handout_session=" + token}},
		{name: "behind a proxy", from: "127.0.0.1:5000", header: []string{"Authorization", "Bearer " + token, "X-Forwarded-For", "8.8.8.8"}},
		{name: "behind another proxy", from: "127.0.0.1:5000", header: []string{"Authorization", "Bearer " + token, "Forwarded", "for=8.8.8.8"}},
		{name: "with a wrong key", from: "127.0.0.1:5000", header: []string{"Authorization", "Bearer ho_a_b"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			gate := access.Gate{Keys: keys, Open: token}
			if c.shut {
				gate.Open = ""
			}
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.RemoteAddr, r.Host = c.from, c.host
			for i := 0; i < len(c.header); i += 2 {
				r.Header.Set(c.header[i], c.header[i+1])
			}
			key, err := gate.Browser(r)
			if c.in && (err != nil || key.Name != access.Local || !key.May(access.People)) {
				t.Errorf("%+v, %v", key, err)
			}
			if !c.in && !errors.Is(err, access.ErrRefused) {
				t.Errorf("let in: %+v, %v", key, err)
			}
		})
	}
}

func TestGate_APasswordIsForPagesOnly(t *testing.T) {
	t.Parallel()
	keys := access.NewKeys(redistest.Start(t).Client())
	token, err := keys.Create(t.Context(), access.Key{Name: "eve", Scopes: []access.Scope{access.Read}}, noon)
	if err != nil {
		t.Fatal(err)
	}
	gate := access.Gate{Keys: keys}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.SetBasicAuth("anybody", token)
	if key, err := gate.Browser(r); err != nil || key.Name != "eve" {
		t.Errorf("a page: %+v, %v", key, err)
	}
	if _, err := gate.Bearer(r); !errors.Is(err, access.ErrRefused) {
		t.Errorf("the API: %v", err)
	}
	r.Header.Set("Authorization", "bearer "+token)
	for _, who := range []func(*http.Request) (*access.Key, error){gate.Browser, gate.Bearer} {
		if key, err := who(r); err != nil || key.Name != "eve" {
			t.Errorf("with a token: %+v, %v", key, err)
		}
	}
}
