package access_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/handout-dev/handout/internal/web/access"
	"github.com/handout-dev/handout/test/redistest"
)

func TestSession_EndsWithItsKey(t *testing.T) {
	t.Parallel()
	rdb := redistest.Start(t).Client()
	keys := access.NewKeys(rdb)
	token, err := keys.Create(t.Context(), access.Key{Name: "olga", Scopes: []access.Scope{access.Read}}, noon)
	if err != nil {
		t.Fatal(err)
	}
	_, value, err := keys.Login(t.Context(), token, noon)
	if err != nil {
		t.Fatal(err)
	}
	if key, err := keys.Session(t.Context(), value, true, noon); err != nil || key.Name != "olga" || !key.May(access.Read) || key.May(access.Control) {
		t.Fatalf("%+v, %v", key, err)
	}
	for _, name := range rdb.Keys(t.Context(), "*").Val() {
		if strings.Contains(name, value) || strings.Contains(rdb.Get(t.Context(), name).Val(), token[len("ho_olga_"):]) {
			t.Errorf("Redis has the session's value, or the key's secret: %s", name)
		}
		if strings.HasPrefix(name, "handout:session:") {
			if left := rdb.TTL(t.Context(), name).Val(); left <= access.SessionIdle-time.Minute || left > access.SessionIdle {
				t.Errorf("it lasts %s", left)
			}
		}
	}
	if err := keys.Revoke(t.Context(), "olga"); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Session(t.Context(), value, true, noon); !errors.Is(err, access.ErrRefused) {
		t.Errorf("its key was revoked: %v", err)
	}
	if _, err := keys.Create(t.Context(), access.Key{Name: "olga", Scopes: access.Scopes()}, noon); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Session(t.Context(), value, true, noon); !errors.Is(err, access.ErrRefused) {
		t.Errorf("a later key of the name lets it in: %v", err)
	}
}

func TestSession_RefusesWhatIsNone(t *testing.T) {
	t.Parallel()
	keys := access.NewKeys(redistest.Start(t).Client())
	token, err := keys.Create(t.Context(), access.Key{Name: "olga", Scopes: access.Scopes()}, noon)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := keys.Login(t.Context(), token+"0", noon); !errors.Is(err, access.ErrRefused) {
		t.Errorf("a wrong key logs in: %v", err)
	}
	_, value, err := keys.Login(t.Context(), token, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	gate := &access.Gate{Keys: keys}
	for _, wrong := range []string{"", "a", strings.Repeat("0", 64), value[1:], token} {
		if _, err := keys.Session(t.Context(), wrong, true, noon); !errors.Is(err, access.ErrRefused) {
			t.Errorf("%q: %v", wrong, err)
		}
	}
	if err := keys.Logout(t.Context(), value); err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequest(http.MethodGet, "/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.AddCookie(&http.Cookie{Name: access.SessionCookie, Value: value})
	if _, err := gate.Browser(r); !errors.Is(err, access.ErrRefused) {
		t.Errorf("logged out: %v", err)
	}
}

// A session is for pages: the API takes keys alone, whose requests no other
// site can make a browser send.
func TestSession_IsNoBearerToken(t *testing.T) {
	t.Parallel()
	keys := access.NewKeys(redistest.Start(t).Client())
	token, err := keys.Create(t.Context(), access.Key{Name: "olga", Scopes: access.Scopes()}, noon)
	if err != nil {
		t.Fatal(err)
	}
	_, value, err := keys.Login(t.Context(), token, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.AddCookie(&http.Cookie{Name: access.SessionCookie, Value: value})
	gate := &access.Gate{Keys: keys}
	if key, err := gate.Browser(r); err != nil || key.Name != "olga" {
		t.Errorf("%v, %v", key, err)
	}
	if _, err := gate.Bearer(r); !errors.Is(err, access.ErrRefused) {
		t.Errorf("the API takes a cookie: %v", err)
	}
}

func TestSession_EndsWhenItWasIdleAndAtItsEnd(t *testing.T) {
	t.Parallel()
	rdb := redistest.Start(t).Client()
	keys := access.NewKeys(rdb)
	token, err := keys.Create(t.Context(), access.Key{Name: "olga", Scopes: access.Scopes()}, noon)
	if err != nil {
		t.Fatal(err)
	}
	_, value, err := keys.Login(t.Context(), token, noon)
	if err != nil {
		t.Fatal(err)
	}
	at := rdb.Keys(t.Context(), "handout:session:*").Val()[0]
	// ask says how long the session lasts without another request.
	ask := func(used bool, now time.Time) time.Duration {
		t.Helper()
		if key, err := keys.Session(t.Context(), value, used, now); err != nil || key.Name != "olga" {
			t.Fatalf("%v, %v", key, err)
		}
		return rdb.TTL(t.Context(), at).Val().Round(10 * time.Second)
	}
	set := func(left time.Duration) { rdb.Expire(t.Context(), at, left) }
	set(10 * time.Minute)
	if left := ask(false, noon); left != 10*time.Minute {
		t.Errorf("a page that asks by itself keeps it: %s", left)
	}
	if left := ask(true, noon); left != access.SessionIdle {
		t.Errorf("someone who is there: %s", left)
	}
	set(10 * time.Minute)
	if left := ask(true, noon.Add(access.SessionLife-30*time.Minute)); left != 30*time.Minute {
		t.Errorf("before its end: %s", left)
	}
	if _, err := keys.Session(t.Context(), value, true, noon.Add(access.SessionLife)); !errors.Is(err, access.ErrRefused) {
		t.Errorf("after its end: %v", err)
	}
}
