package sealed

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/installation"
	"github.com/handout-dev/handout/test/campaigntest"
	"github.com/handout-dev/handout/test/redistest"
)

func ring(t *testing.T, current, previous string) *Ring {
	t.Helper()
	r, err := NewRing(current, previous)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestNewRing_TakesOnlyThirtyTwoBytesInBase64(t *testing.T) {
	t.Parallel()
	if r, err := NewRing("", ""); r != nil || err != nil {
		t.Errorf("%v, %v", r, err)
	}
	good := NewMasterKey()
	for _, c := range [][2]string{{"hunter2", ""}, {good[:40], ""}, {good, "hunter2"}, {"", good}, {strings.Repeat("A", 48), ""}} {
		if r, err := NewRing(c[0], c[1]); r != nil || err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", c, err)
		}
	}
	if a, b := ring(t, good, "").IDs(), ring(t, NewMasterKey(), good).IDs(); len(a) != 1 || len(b) != 2 || b[1] != a[0] || b[0] == a[0] {
		t.Errorf("%q, %q", a, b)
	}
}

func TestRing_OpensWithEitherOfItsKeysAsWhatItWasSealed(t *testing.T) {
	t.Parallel()
	before, now := NewMasterKey(), NewMasterKey()
	r := ring(t, before, "")
	b, err := r.Seal(r.IDs()[0], "the secret of a", []byte("hunter2"))
	if err != nil || bytes.Contains(b, []byte("hunter2")) {
		t.Fatalf("%q, %v", b, err)
	}
	both := ring(t, now, before)
	for _, r := range []*Ring{r, both} {
		if plain, err := r.Open("the secret of a", b); string(plain) != "hunter2" || err != nil {
			t.Errorf("%q, %v", plain, err)
		}
	}
	if plain, err := r.Open("the secret of b", b); err == nil {
		t.Errorf("%q opens as another's", plain)
	}
	var missing *KeyError
	for _, r := range []*Ring{nil, ring(t, now, "")} {
		if _, err := r.Open("the secret of a", b); !errors.As(err, &missing) || !strings.Contains(err.Error(), both.IDs()[1]) {
			t.Errorf("%v", err)
		}
	}
	again, err := both.Rewrap(both.IDs()[0], "the secret of a", b)
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := ring(t, now, "").Open("the secret of a", again); string(plain) != "hunter2" || err != nil {
		t.Errorf("%q, %v", plain, err)
	}
	if third, err := both.Rewrap(both.IDs()[0], "the secret of a", again); third != nil || err != nil {
		t.Errorf("wrapped twice: %q, %v", third, err)
	}
	for _, cut := range []int{0, 3, idBytes, len(b) - 1} {
		if _, err := r.Open("the secret of a", b[:cut]); err == nil {
			t.Errorf("%d bytes of it open", cut)
		}
	}
}

func TestPage_OpensAtItsOwnPlaceInItsOwnLifeAlone(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := New(server.Client(), ring(t, NewMasterKey(), ""))
	key := func(c campaign.ID, salt string) *Key {
		k, err := s.Create(t.Context(), c, salt)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	plain, err := campaign.AppendPage(nil, 1, campaigntest.People(0, 2))
	if err != nil {
		t.Fatal(err)
	}
	stored := campaign.CompressPage(plain)
	b := key("one", "aaaaaaaa").Page("one", 3, stored)
	grown, begins := key("one", "aaaaaaaa").Appended("one", campaign.Place{Page: 3}, []byte("first"))
	growing := append(begins, grown...)
	key("one", "bbbbbbbb")
	key("two", "aaaaaaaa")
	// The key was made anew under the same salt: the first one is destroyed with it.
	if _, err := s.Open(t.Context(), "one", 3, b); err == nil {
		t.Error("a page opens by another key")
	}
	b = key("one", "aaaaaaaa").Page("one", 3, stored)
	s.forget("one")
	for name, c := range map[string]struct {
		campaign campaign.ID
		page     int
		b        []byte
	}{
		"another page":      {"one", 4, b},
		"another campaign":  {"two", 3, b},
		"another life":      {"one", 3, append([]byte{pageSealed}, append([]byte("bbbbbbbb"), b[9:]...)...)},
		"cut off":           {"one", 3, b[:len(b)-1]},
		"changed":           {"one", 3, append(append([]byte{}, b[:len(b)-1]...), b[len(b)-1]^1)},
		"as one that grows": {"one", 3, append([]byte{growingSealed}, b[1:]...)},
		"growing, cut off":  {"one", 3, growing[:len(growing)-1]},
	} {
		if plain, err := s.Open(t.Context(), c.campaign, c.page, c.b); err == nil {
			t.Errorf("%s: it opens: %q", name, plain)
		}
	}
	if got, err := s.Open(t.Context(), "one", 3, b); err != nil || !bytes.Equal(got, stored) {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := s.Open(t.Context(), "one", 3, stored); err != nil || !bytes.Equal(got, stored) {
		t.Errorf("one that isn't sealed: %q, %v", got, err)
	}
}

func TestAppended_RecipientsOpenInTheirOrderAlone(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := New(server.Client(), ring(t, NewMasterKey(), ""))
	key, err := s.Create(t.Context(), "sends-2026-11-22", "aaaaaaaa")
	if err != nil {
		t.Fatal(err)
	}
	people := campaigntest.People(0, 3)
	var parts [][]byte
	var begins []byte
	for i, r := range people {
		plain, err := campaign.AppendPage(nil, 1, []campaign.Recipient{r})
		if err != nil {
			t.Fatal(err)
		}
		var stored []byte
		stored, begins = key.Appended("sends-2026-11-22", campaign.Place{Page: 1, Index: i}, plain)
		parts = append(parts, stored)
	}
	stored, err := s.Open(t.Context(), "sends-2026-11-22", 1, bytes.Join(append([][]byte{begins}, parts...), nil))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := campaign.DecodePage(stored); err != nil || !cmp.Equal(got, people) {
		t.Errorf("%v, %v", got, err)
	}
	for _, order := range [][]int{{1, 0, 2}, {0, 0}, {1}} {
		b := bytes.Clone(begins)
		for _, i := range order {
			b = append(b, parts[i]...)
		}
		if _, err := s.Open(t.Context(), "sends-2026-11-22", 1, b); err == nil {
			t.Errorf("%v opens", order)
		}
	}
}

func TestStore_ForgetsADestroyedKey(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	r := ring(t, NewMasterKey(), "")
	here, elsewhere := New(server.Client(), r), New(server.Client(), r)
	key, err := here.Create(t.Context(), "c", "aaaaaaaa")
	if err != nil {
		t.Fatal(err)
	}
	b := key.Page("c", 0, []byte("stored"))
	for _, s := range []*Store{here, elsewhere} {
		if _, err := s.Open(t.Context(), "c", 0, b); err != nil {
			t.Fatal(err)
		}
	}
	if err := here.Destroy(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	if _, err := here.Open(t.Context(), "c", 0, b); !errors.Is(err, ErrDestroyed) {
		t.Errorf("%v", err)
	}
	// Elsewhere it is looked up again after keyTime.
	for l, k := range elsewhere.known {
		k.until = time.Now()
		elsewhere.known[l] = k
	}
	if _, err := elsewhere.Open(t.Context(), "c", 0, b); !errors.Is(err, ErrDestroyed) || len(elsewhere.known) != 0 {
		t.Errorf("%v, and %d keys are kept", err, len(elsewhere.known))
	}
}

func TestStore_KeepsABoundedNumberOfKeys(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := New(server.Client(), ring(t, NewMasterKey(), ""))
	for range 2*maxKeys + 1 {
		salt := strings.ToLower(NewMasterKey()[:campaign.SaltLength])
		if _, err := s.Create(t.Context(), "c", salt); err != nil {
			t.Fatal(err)
		}
		if _, err := s.find(t.Context(), life{"c", salt}); err != nil {
			t.Fatal(err)
		}
		if len(s.known) > maxKeys {
			t.Fatalf("%d keys are kept", len(s.known))
		}
	}
}

func TestStore_WithoutTheMasterKeyNothingIsWrittenAndNothingRead(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	r := ring(t, NewMasterKey(), "")
	with, without := New(server.Client(), r), New(server.Client(), nil)
	if k, err := without.Create(t.Context(), "c", "aaaaaaaa"); k != nil || err != nil {
		t.Errorf("before there is one: %v, %v", k, err)
	}
	key, err := with.Create(t.Context(), "c", "aaaaaaaa")
	if err != nil {
		t.Fatal(err)
	}
	var missing *KeyError
	if _, err := without.Create(t.Context(), "d", "aaaaaaaa"); !errors.As(err, &missing) {
		t.Errorf("%v", err)
	}
	if _, err := without.Open(t.Context(), "c", 0, key.Page("c", 0, nil)); !errors.As(err, &missing) {
		t.Errorf("%v", err)
	}
	text, err := with.Text(t.Context(), "a secret", "hunter2")
	if err != nil || strings.Contains(text, "hunter2") {
		t.Errorf("%q, %v", text, err)
	}
	if plain, err := with.OpenText("a secret", text); plain != "hunter2" || err != nil {
		t.Errorf("%q, %v", plain, err)
	}
	if _, err := without.OpenText("a secret", text); !errors.As(err, &missing) {
		t.Errorf("%v", err)
	}
}

func TestRewrap_LeavesNothingThatTheKeyBeforeOpens(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	rdb := server.Client()
	before, now := NewMasterKey(), NewMasterKey()
	old, both := New(rdb, ring(t, before, "")), New(rdb, ring(t, now, before))
	first, err := old.Create(t.Context(), "c", "aaaaaaaa")
	if err != nil {
		t.Fatal(err)
	}
	// Until the switch all wrap by the same: those that haven't the new one yet read it.
	second, err := both.Create(t.Context(), "c", "bbbbbbbb")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := old.Open(t.Context(), "c", 0, second.Page("c", 0, nil)); err != nil {
		t.Errorf("before the switch: %v", err)
	}
	campaigns := func(context.Context) ([]campaign.ID, error) { return []campaign.ID{"a", "c"}, nil }
	for i, want := range []int{2, 0} {
		if n, err := both.Rewrap(t.Context(), campaigns, standing); n != want || err != nil {
			t.Errorf("%d: %d, %v", i, n, err)
		}
	}
	for _, k := range []*Key{first, second} {
		if _, err := New(rdb, ring(t, now, "")).Open(t.Context(), "c", 0, k.Page("c", 0, nil)); err != nil {
			t.Error(err)
		}
		if _, err := New(rdb, ring(t, before, "")).Open(t.Context(), "c", 0, k.Page("c", 0, nil)); err == nil {
			t.Error("the key before opens it")
		}
	}
	if _, err := installation.EnterMasterKey(t.Context(), rdb, ring(t, before, "").IDs()); err == nil {
		t.Error("a process with the key before alone enters")
	}
}

func TestRewrap_BringsNoDestroyedKeyBack(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := New(server.Client(), ring(t, NewMasterKey(), ""))
	if _, err := s.Create(t.Context(), "c", "aaaaaaaa"); err != nil {
		t.Fatal(err)
	}
	wrapped := server.Client().HGet(t.Context(), "handout:{c}:key", "aaaaaaaa").Val()
	if err := s.Destroy(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	// What Rewrap does once it has read the key, if a purge comes between.
	n, err := swapScript.Run(t.Context(), server.Client(), []string{"handout:{c}:key"}, "aaaaaaaa", wrapped, "again").Int()
	if n != 0 || err != nil || server.Client().Exists(t.Context(), "handout:{c}:key").Val() != 0 {
		t.Errorf("%d, %v", n, err)
	}
}

// standing are campaigns that weren't purged.
func standing(context.Context, campaign.ID) (bool, error) { return false, nil }

// pair is an installation that keeps its keys in a Redis of their own.
func pair(t *testing.T) (main, keys *redistest.Server) {
	t.Helper()
	main, keys = redistest.Start(t), redistest.Start(t)
	for _, s := range []*redistest.Server{main, keys} {
		if _, err := installation.Enter(t.Context(), s.Client(), nil); err != nil {
			t.Fatal(err)
		}
	}
	return main, keys
}

// enter has the keys of the installation kept elsewhere from now on.
func enter(t *testing.T, main, keys *redistest.Server) {
	t.Helper()
	if err := installation.EnterKeyStore(t.Context(), main.Client(), keys.Client()); err != nil {
		t.Fatal(err)
	}
}

// in is a ring that keeps keys there.
func in(t *testing.T, masterKey string, keys *redistest.Server) *Ring {
	t.Helper()
	r := ring(t, masterKey, "")
	r.KeepKeysIn(keys.Client())
	return r
}

func TestKeyStore_HasTheKeysAlone(t *testing.T) {
	t.Parallel()
	main, keys := pair(t)
	enter(t, main, keys)
	master := NewMasterKey()
	s := New(main.Client(), in(t, master, keys))
	key, err := s.Create(t.Context(), "c", "aaaaaaaa")
	if err != nil {
		t.Fatal(err)
	}
	if main.Client().Exists(t.Context(), "handout:{c}:key").Val() != 0 || keys.Client().Exists(t.Context(), "handout:{c}:key").Val() != 1 {
		t.Error("it isn't there alone")
	}
	b := key.Page("c", 0, []byte("stored"))
	if got, err := New(main.Client(), in(t, master, keys)).Open(t.Context(), "c", 0, b); err != nil || string(got) != "stored" {
		t.Errorf("%q, %v", got, err)
	}
	// Who looks elsewhere says so: it doesn't take the campaign for purged, and destroys nothing.
	other := redistest.Start(t)
	if _, err := installation.Enter(t.Context(), other.Client(), nil); err != nil {
		t.Fatal(err)
	}
	for what, r := range map[string]*Ring{"no Redis for keys": ring(t, master, ""), "another one": in(t, master, other)} {
		elsewhere := New(main.Client(), r)
		var wrong *installation.KeyStoreError
		_, created := elsewhere.Create(t.Context(), "d", "aaaaaaaa")
		_, opened := elsewhere.Open(t.Context(), "c", 0, b)
		for _, err := range []error{created, opened, elsewhere.Destroy(t.Context(), "c")} {
			if !errors.As(err, &wrong) {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
	if err := s.Destroy(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Open(t.Context(), "c", 0, b); !errors.Is(err, ErrDestroyed) || keys.Client().Exists(t.Context(), "handout:{c}:key").Val() != 0 {
		t.Errorf("%v", err)
	}
}

// Rewrap moves what stands beside its campaigns, wherever it was interrupted before, and
// brings back nothing that a purge has destroyed.
func TestKeyStore_GetsTheKeysOfBefore(t *testing.T) {
	t.Parallel()
	main, keys := pair(t)
	master := NewMasterKey()
	before := New(main.Client(), ring(t, master, ""))
	pages := map[campaign.ID][]byte{}
	for _, c := range []campaign.ID{"a", "b", "purged"} {
		key, err := before.Create(t.Context(), c, "aaaaaaaa")
		if err != nil {
			t.Fatal(err)
		}
		pages[c] = key.Page(c, 0, []byte("stored"))
	}
	enter(t, main, keys)
	s := New(main.Client(), in(t, master, keys))
	for c, b := range pages { // before they are moved
		if _, err := s.Open(t.Context(), c, 0, b); err != nil {
			t.Error(err)
		}
	}
	// It has died between the two writes.
	keys.Client().HSet(t.Context(), "handout:{b}:key", "aaaaaaaa", main.Client().HGet(t.Context(), "handout:{b}:key", "aaaaaaaa").Val())
	campaigns := func(context.Context) ([]campaign.ID, error) { return []campaign.ID{"a", "b", "purged"}, nil }
	purged := func(_ context.Context, c campaign.ID) (bool, error) { return c == "purged", nil }
	for i, want := range []int{2, 0} {
		if n, err := s.Rewrap(t.Context(), campaigns, purged); n != want || err != nil {
			t.Errorf("%d: %d, %v", i, n, err)
		}
	}
	if left := main.Client().Keys(t.Context(), "*:key").Val(); len(left) > 0 {
		t.Errorf("%v are left", left)
	}
	fresh := New(main.Client(), in(t, master, keys))
	for c, b := range pages {
		if _, err := fresh.Open(t.Context(), c, 0, b); (err != nil) != (c == "purged") {
			t.Errorf("%s: %v", c, err)
		}
	}
	if n := main.Client().Get(t.Context(), "handout:erased").Val(); n == "" || n == "0" {
		t.Error("the append-only file isn't written anew")
	}
}
