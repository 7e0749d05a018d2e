package access_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/handout-dev/handout/internal/web/access"
	"github.com/handout-dev/handout/test/redistest"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func TestKeys_AreGoodUntilTheyAreRevoked(t *testing.T) {
	t.Parallel()
	keys := access.NewKeys(redistest.Start(t).Client())
	token, err := keys.Create(t.Context(), access.Key{Name: "billing", Scopes: []access.Scope{access.Read, access.Submit}}, noon)
	if err != nil {
		t.Fatal(err)
	}
	key, err := keys.Check(t.Context(), token, noon)
	if err != nil || key.Name != "billing" || !key.May(access.Read) || !key.May(access.Submit) || key.May(access.Control) || key.May(access.People) {
		t.Fatalf("%+v, %v", key, err)
	}
	if err := keys.Revoke(t.Context(), "billing"); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Check(t.Context(), token, noon); !errors.Is(err, access.ErrRefused) {
		t.Errorf("revoked: %v", err)
	}
	if err := keys.Revoke(t.Context(), "billing"); !errors.Is(err, access.ErrNoKey) {
		t.Errorf("revoked again: %v", err)
	}
	again, err := keys.Create(t.Context(), access.Key{Name: "billing", Scopes: []access.Scope{access.Read}}, noon)
	if err != nil || again == token {
		t.Fatalf("made again: %v", err)
	}
	if _, err := keys.Check(t.Context(), token, noon); !errors.Is(err, access.ErrRefused) {
		t.Errorf("the old one is good for the new one's name: %v", err)
	}
}

func TestKeys_RefuseWhatIsNoKey(t *testing.T) {
	t.Parallel()
	keys := access.NewKeys(redistest.Start(t).Client())
	token, err := keys.Create(t.Context(), access.Key{Name: "billing", Scopes: access.Scopes()}, noon)
	if err != nil {
		t.Fatal(err)
	}
	for _, wrong := range []string{
		"", "ho_", "ho_billing", "ho_billing_", token[:len(token)-1], token + "0", strings.ToUpper(token), "ho_shop" + token[len("ho_billing"):],
		strings.TrimPrefix(token, "ho_"), "ho__" + token, "ho_../x_" + token,
	} {
		if key, err := keys.Check(t.Context(), wrong, noon); !errors.Is(err, access.ErrRefused) {
			t.Errorf("%q: %v, %v", wrong, key, err)
		}
	}
	if _, err := keys.Create(t.Context(), access.Key{Name: "billing", Scopes: access.Scopes()}, noon); !errors.Is(err, access.ErrExists) {
		t.Errorf("a second one of the name: %v", err)
	}
	for _, name := range []string{"", "Billing", "a_b", "-a", strings.Repeat("a", 33)} {
		if _, err := keys.Create(t.Context(), access.Key{Name: name, Scopes: access.Scopes()}, noon); !errors.Is(err, access.ErrBadName) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestKeys_RedisHasNoSecret(t *testing.T) {
	t.Parallel()
	rdb := redistest.Start(t).Client()
	keys := access.NewKeys(rdb)
	token, err := keys.Create(t.Context(), access.Key{Name: "billing", Scopes: access.Scopes()}, noon)
	if err != nil {
		t.Fatal(err)
	}
	secret := token[strings.LastIndex(token, "_")+1:]
	if len(secret) != 64 {
		t.Fatalf("the secret has %d digits", len(secret))
	}
	if _, err := keys.Check(t.Context(), token, noon); err != nil {
		t.Fatal(err)
	}
	for _, name := range rdb.Keys(t.Context(), "*").Val() {
		if text := fmt.Sprint(rdb.HGetAll(t.Context(), name).Val()); strings.Contains(text, secret) || text == "map[]" {
			t.Errorf("%s: %s", name, text)
		}
	}
}

func TestKeys_TheDayOfUseIsWrittenOnceADay(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	keys := access.NewKeys(server.Client())
	token, err := keys.Create(t.Context(), access.Key{Name: "billing", Scopes: access.Scopes()}, noon)
	if err != nil {
		t.Fatal(err)
	}
	list, err := keys.List(t.Context())
	if err != nil || len(list) != 1 || !list[0].LastUsed.IsZero() || !list[0].CreatedAt.Equal(noon) {
		t.Fatalf("%+v, %v", list, err)
	}
	server.ResetCommandStats()
	for i, at := range []time.Time{noon, noon.Add(time.Hour), noon.Add(24 * time.Hour), noon.Add(25 * time.Hour)} {
		if _, err := keys.Check(t.Context(), token, at); err != nil {
			t.Fatal(err)
		}
		list, err = keys.List(t.Context())
		if err != nil || !list[0].LastUsed.Equal(at.Truncate(24*time.Hour)) {
			t.Errorf("%+v, %v", list, err)
		}
		if n := server.CommandStats()["hset"]; n != int64(1+i/2) {
			t.Errorf("after check %d: %d writes", i+1, n)
		}
	}
}

func TestKeys_ARedisThatIsAwayIsNoRefusal(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	keys := access.NewKeys(server.Client())
	token, err := keys.Create(t.Context(), access.Key{Name: "billing", Scopes: access.Scopes()}, noon)
	if err != nil {
		t.Fatal(err)
	}
	server.Kill()
	if _, err := keys.Check(t.Context(), token, noon); err == nil || errors.Is(err, access.ErrRefused) {
		t.Errorf("%v", err)
	}
}

func TestParseScopes_KnowsFour(t *testing.T) {
	t.Parallel()
	scopes, err := access.ParseScopes("people, read,submit,control,read")
	if err != nil || len(scopes) != 4 {
		t.Errorf("%v, %v", scopes, err)
	}
	for _, s := range []string{"", "admin", "read,", "Read"} {
		if _, err := access.ParseScopes(s); err == nil {
			t.Errorf("%q is taken", s)
		}
	}
}
