package references_test

import (
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/internal/references"
	"github.com/handout-dev/handout/test/campaigntest"
	"github.com/handout-dev/handout/test/redistest"
)

// bundle is a store on a Redis of its own.
type bundle struct {
	server *redistest.Server
	rdb    *redis.Client
	store  *references.Store
}

func setup(t testing.TB) *bundle {
	t.Helper()
	s := redistest.Start(t)
	return &bundle{s, s.Client(), references.New(s.Client())}
}

func (b *bundle) keepEarly(t testing.TB, reference, body string, at time.Time) {
	t.Helper()
	if ok, err := b.store.KeepEarly(t.Context(), reference, []byte(body), at); err != nil || !ok {
		t.Fatal(ok, err)
	}
}

// earlyAt are the references to look for at a time.
func (b *bundle) earlyAt(t testing.TB, at time.Time) []references.Early {
	t.Helper()
	due, err := b.store.EarlyDue(t.Context(), at, 100)
	if err != nil {
		t.Fatal(err)
	}
	return due
}

func (b *bundle) earlyBodies(t testing.TB, reference string) []string {
	t.Helper()
	bodies, _, err := b.store.EarlyReceipts(t.Context(), reference)
	if err != nil {
		t.Fatal(err)
	}
	return bodies
}

func TestEarly_IsKeptUntilItIsRecorded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.keepEarly(t, campaigntest.Reference(1), "first", campaigntest.Noon)
	b.keepEarly(t, campaigntest.Reference(1), "second", campaigntest.Noon)
	b.keepEarly(t, campaigntest.Reference(2), "other", campaigntest.Noon.Add(time.Second))

	due := b.earlyAt(t, campaigntest.Noon)
	if len(due) != 1 || due[0].Reference != campaigntest.Reference(1) {
		t.Fatalf("due: %v", due)
	}
	bodies, age, err := b.store.EarlyReceipts(t.Context(), campaigntest.Reference(1))
	if err != nil || !slices.Equal(bodies, []string{"first", "second"}) || age < 0 || age > time.Minute {
		t.Errorf("%q, %v, %v", bodies, age, err)
	}
	for range 2 {
		if err := b.store.DropEarly(t.Context(), campaigntest.Reference(1), "first"); err != nil {
			t.Fatal(err)
		}
	}
	if got := b.earlyBodies(t, campaigntest.Reference(1)); !slices.Equal(got, []string{"second"}) {
		t.Errorf("left: %q", got)
	}
	if err := b.store.PutOffEarly(t.Context(), due[0], campaigntest.Noon.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if got := b.earlyAt(t, campaigntest.Noon.Add(time.Second)); len(got) != 1 || got[0].Reference != campaigntest.Reference(2) {
		t.Errorf("due: %v", got)
	}
	if got := b.earlyAt(t, campaigntest.Noon.Add(time.Minute)); len(got) != 2 {
		t.Errorf("due: %v", got)
	}
}

// A receipt comes while the reference is looked for: its place in the line
// stays, even if both happen in the same microsecond.
func TestEarly_ReceiptInBetweenKeepsItsPlace(t *testing.T) {
	t.Parallel()
	for _, at := range []time.Duration{-time.Second, 0, time.Second} {
		b := setup(t)
		b.keepEarly(t, campaigntest.Reference(1), "first", campaigntest.Noon)
		due := b.earlyAt(t, campaigntest.Noon)
		b.keepEarly(t, campaigntest.Reference(1), "second", campaigntest.Noon.Add(at))
		if err := b.store.PutOffEarly(t.Context(), due[0], time.Time{}); err != nil {
			t.Fatal(err)
		}
		if got := b.earlyAt(t, campaigntest.Noon.Add(time.Second)); len(got) != 1 {
			t.Errorf("%v later: due %v", at, got)
		}
	}
}

func TestEarly_NeverAgainTakesItOutOfTheLine(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.keepEarly(t, "text reference", "x", campaigntest.Noon)
	due := b.earlyAt(t, campaigntest.Noon)
	for range 2 {
		if err := b.store.PutOffEarly(t.Context(), due[0], time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	if got := b.earlyAt(t, campaigntest.Noon.Add(time.Hour)); len(got) > 0 {
		t.Errorf("due: %v", got)
	}
}

func TestEarly_IsBounded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i := range 20 {
		b.keepEarly(t, campaigntest.Reference(1), string(rune('a'+i)), campaigntest.Noon)
	}
	if got := b.earlyBodies(t, campaigntest.Reference(1)); len(got) != 16 || got[15] != "t" {
		t.Errorf("kept %q", got)
	}
	if d := b.rdb.TTL(t.Context(), "handout:early:"+campaigntest.Reference(1)).Val(); d <= 23*time.Hour || d > references.EarlyLife {
		t.Errorf("it expires in %v", d)
	}
	_, age, err := b.store.EarlyReceipts(t.Context(), "nobody's")
	if err != nil || age != references.EarlyLife {
		t.Errorf("what is gone is %v old, %v", age, err)
	}
}
