package access_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/handout-dev/handout/internal/web/access"
	"github.com/handout-dev/handout/test/redistest"
)

func TestRotate_TwoSecretsAreGoodWhileItRuns(t *testing.T) {
	t.Parallel()
	keys := access.NewKeys(redistest.Start(t).Client())
	first, err := keys.Create(t.Context(), access.Key{Name: "shop", Scopes: access.Scopes()}, noon)
	if err != nil {
		t.Fatal(err)
	}
	_, session, err := keys.Login(t.Context(), first, noon)
	if err != nil {
		t.Fatal(err)
	}
	second, err := keys.Rotate(t.Context(), "shop", time.Hour, noon)
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{first, second} {
		if key, err := keys.Check(t.Context(), token, noon.Add(59*time.Minute)); err != nil || !key.Overlap.Equal(noon.Add(time.Hour)) {
			t.Errorf("%+v, %v", key, err)
		}
	}
	var ended *access.EndedError
	if _, err := keys.Check(t.Context(), first, noon.Add(time.Hour)); !errors.As(err, &ended) || !errors.Is(err, access.ErrRefused) || !ended.At.Equal(noon.Add(time.Hour)) {
		t.Errorf("the overlap is over: %v", err)
	}
	if _, err := keys.Session(t.Context(), session, true, noon.Add(time.Hour)); !errors.Is(err, access.ErrRefused) {
		t.Errorf("a session of the old secret: %v", err)
	}
	if _, err := keys.Check(t.Context(), second, noon.Add(time.Hour)); err != nil {
		t.Error(err)
	}
	third, err := keys.Rotate(t.Context(), "shop", 0, noon)
	if err != nil {
		t.Fatal(err)
	}
	for token, want := range map[string]bool{first: false, second: false, third: true} {
		if _, err := keys.Check(t.Context(), token, noon); (err == nil) != want {
			t.Errorf("without an overlap: %v, want %v", err, want)
		}
	}
	if _, err := keys.Rotate(t.Context(), "nobody", 0, noon); !errors.Is(err, access.ErrNoKey) {
		t.Error(err)
	}
}

func TestKeys_EndAtTheirTime(t *testing.T) {
	t.Parallel()
	keys := access.NewKeys(redistest.Start(t).Client())
	token, err := keys.Create(t.Context(), access.Key{Name: "shop", Scopes: access.Scopes(), EndsAt: noon.Add(time.Hour)}, noon)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Check(t.Context(), token, noon.Add(59*time.Minute)); err != nil {
		t.Error(err)
	}
	var ended *access.EndedError
	if _, err := keys.Check(t.Context(), token, noon.Add(time.Hour)); !errors.As(err, &ended) {
		t.Errorf("it has ended: %v", err)
	}
	// Who hasn't the secret isn't told when.
	if _, err := keys.Check(t.Context(), token+"0", noon.Add(time.Hour)); errors.As(err, new(*access.EndedError)) || !errors.Is(err, access.ErrRefused) {
		t.Errorf("a wrong secret: %v", err)
	}
	// The overlap of a rotation doesn't outlast the key.
	if _, err := keys.Rotate(t.Context(), "shop", 24*time.Hour, noon); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Check(t.Context(), token, noon.Add(2*time.Hour)); !errors.As(err, &ended) || !ended.At.Equal(noon.Add(time.Hour)) {
		t.Errorf("the old secret: %v", err)
	}
	key := access.Key{Name: "shop", Scopes: []access.Scope{access.Read}, Limits: access.Limits{Own: true, Countries: []string{"CH"}, Daily: 3, Hourly: 2}}
	if err := keys.Limit(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	got, err := keys.Check(t.Context(), token, noon.Add(2*time.Hour))
	if err != nil || !got.Own || got.Countries[0] != "CH" || got.Daily != 3 || got.Hourly != 2 || got.May(access.Submit) || !got.EndsAt.IsZero() {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestLimit_DoesNotBringARevokedKeyBack(t *testing.T) {
	t.Parallel()
	keys := access.NewKeys(redistest.Start(t).Client())
	for range 20 {
		if _, err := keys.Create(t.Context(), access.Key{Name: "shop", Scopes: access.Scopes()}, noon); err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		all.Go(func() {
			if _, err := keys.Rotate(t.Context(), "shop", time.Hour, noon); err != nil && !errors.Is(err, access.ErrNoKey) {
				t.Error(err)
			}
		})
		all.Go(func() {
			if err := keys.Revoke(t.Context(), "shop"); err != nil {
				t.Error(err)
			}
		})
		all.Wait()
		if list, err := keys.List(t.Context()); err != nil || len(list) != 0 {
			t.Fatalf("%+v, %v", list, err)
		}
	}
}

func TestAll_IsNotForAKeyWithLimits(t *testing.T) {
	t.Parallel()
	for _, limits := range []access.Limits{{Own: true}, {Countries: []string{"US"}}, {Daily: 1}, {Hourly: 1}} {
		key := access.Key{Name: "shop", Scopes: access.Scopes(), Limits: limits}
		if err := key.Require(access.All); key.May(access.All) || err == nil {
			t.Errorf("%+v could make a key without limits", limits)
		}
	}
}

func TestTake_CountsOnceAndSaysUntilWhen(t *testing.T) {
	t.Parallel()
	keys := access.NewKeys(redistest.Start(t).Client())
	key := &access.Key{Name: "shop", Limits: access.Limits{Daily: 10, Hourly: 2}}
	take := func(want string, err error) {
		t.Helper()
		var over *access.OverError
		got := ""
		if errors.As(err, &over) {
			got = over.Until.Format(time.RFC3339)
		} else if err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("%q, want %q: %v", got, want, err)
		}
	}
	take("", keys.TakeDay(t.Context(), key, "campaign a", 6, noon))
	take("", keys.TakeDay(t.Context(), key, "campaign a", 6, noon))
	take("2026-11-23T00:00:00Z", keys.TakeDay(t.Context(), key, "campaign b", 5, noon))
	take("", keys.TakeDay(t.Context(), key, "campaign b", 4, noon))
	take("2026-11-23T00:00:00Z", keys.TakeDay(t.Context(), key, "campaign a", 7, noon))
	take("", keys.TakeDay(t.Context(), key, "campaign c", 10, noon.Add(12*time.Hour)))
	take("0001-01-01T00:00:00Z", keys.TakeDay(t.Context(), key, "campaign d", 11, noon))

	take("", keys.TakeHour(t.Context(), key, "send 1", "+12015550100", noon))
	take("", keys.TakeHour(t.Context(), key, "send 1", "+12015550100", noon.Add(time.Minute)))
	take("", keys.TakeHour(t.Context(), key, "send 2", "+12015550100", noon.Add(2*time.Minute)))
	take("2026-11-22T13:00:00Z", keys.TakeHour(t.Context(), key, "send 3", "+12015550100", noon.Add(3*time.Minute)))
	take("", keys.TakeHour(t.Context(), key, "send 3", "+12015550101", noon.Add(3*time.Minute)))
	take("", keys.TakeHour(t.Context(), key, "send 3", "+12015550100", noon.Add(time.Hour)))
}

func TestGate_ReportsWhoIsRefusedAndFromWhere(t *testing.T) {
	t.Parallel()
	keys := access.NewKeys(redistest.Start(t).Client())
	site, err := access.ParseSite("https://ops.example.com/", false)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		site         access.Site
		header, from string
		want         []string
	}{
		{header: "Bearer ho_shop_0000", want: []string{"192.0.2.1", "shop"}},
		{header: "Bearer nonsense", want: []string{"192.0.2.1", ""}},
		{header: "Bearer ho_shop_0000", from: "198.51.100.9", want: []string{"192.0.2.1", "shop"}}, // no proxy is known here
		{site: site, header: "Bearer ho_shop_0000", from: "10.9.9.9, 198.51.100.9", want: []string{"198.51.100.9", "shop"}},
		{}, // nothing was brought
	} {
		var got []string
		gate := access.Gate{Keys: keys, Site: c.site, OnRefused: refusals(&got)}
		r := request(t, c.header, c.from)
		if _, err := gate.Bearer(r); !errors.Is(err, access.ErrRefused) {
			t.Error(err)
		}
		if len(got) != len(c.want) || len(got) == 2 && (got[0] != c.want[0] || got[1] != c.want[1]) {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

func refusals(got *[]string) func(context.Context, string, string, error) {
	return func(_ context.Context, from, name string, _ error) { *got = append(*got, from, name) }
}

func request(t *testing.T, authorization, forwarded string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil) // from 192.0.2.1
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	if forwarded != "" {
		r.Header.Set("X-Forwarded-For", forwarded)
	}
	return r
}

func TestKey_OfATestStartsNothingWhereMessagesGoToTelesign(t *testing.T) {
	t.Parallel()
	keys := access.NewKeys(redistest.Start(t).Client())
	token, err := keys.Create(t.Context(), access.Key{Name: "ci", Scopes: access.Scopes(), Limits: access.Limits{Test: true}}, noon)
	if err != nil {
		t.Fatal(err)
	}
	_, session, err := keys.Login(t.Context(), token, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, simulated := range []bool{false, true} {
		gate := &access.Gate{Keys: keys, Simulated: simulated}
		byKey, bySession := httptest.NewRequest(http.MethodGet, "/", nil), httptest.NewRequest(http.MethodGet, "/", nil)
		byKey.Header.Set("Authorization", "Bearer "+token)
		bySession.AddCookie(&http.Cookie{Name: access.SessionCookie, Value: session})
		for _, r := range []*http.Request{byKey, bySession} {
			key, err := gate.Browser(r)
			if err != nil || key.May(access.Submit) != simulated || key.May(access.Control) != simulated || !key.May(access.Read) || key.May(access.All) {
				t.Errorf("simulated %v: %+v, %v", simulated, key, err)
				continue
			}
			for _, scope := range []access.Scope{access.Submit, access.Control} {
				if err := key.Require(scope); (err == nil) != simulated || err != nil && !strings.Contains(err.Error(), "is a test key, and messages go to Telesign here") {
					t.Errorf("simulated %v, %s: %v", simulated, scope, err)
				}
			}
		}
	}
	// A change of its limits leaves it a test key.
	all, err := keys.List(t.Context())
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	all[0].Daily = 5
	if err := keys.Limit(t.Context(), all[0]); err != nil {
		t.Fatal(err)
	}
	if key, err := keys.Check(t.Context(), token, noon); err != nil || !key.Test || key.Daily != 5 {
		t.Errorf("%+v, %v", key, err)
	}
}
