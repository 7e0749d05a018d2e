package ledger_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/installation"
	"github.com/handout-dev/handout/internal/sealed"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/test/campaigntest"
	"github.com/handout-dev/handout/test/redistest"
)

// seal has a bundle encrypt, and returns its master key.
func (b *bundle) seal(t testing.TB) string {
	t.Helper()
	masterKey := sealed.NewMasterKey()
	ring, err := sealed.NewRing(masterKey, "")
	if err != nil {
		t.Fatal(err)
	}
	b.ledger.Seal(ring)
	return masterKey
}

func TestSeal_PagesAreReadAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.seal(t)
	c := b.stand(t, "spring", 250)
	if raw := b.rdb.Get(t.Context(), key("spring", "page:1")).Val(); strings.Contains(raw, "+4179") || raw[0] < 0x80 {
		t.Errorf("page 1 begins with %q", raw[:20])
	}
	for page, want := range map[int][]campaign.Recipient{0: campaigntest.People(0, 100), 2: campaigntest.People(200, 250)} {
		if got, err := b.ledger.Recipients(t.Context(), "spring", page); err != nil || diff(want, got) != "" {
			t.Errorf("page %d: %v", page, err)
		}
	}
	if found, err := b.ledger.Find(t.Context(), c, "r123", true); err != nil || len(found) != 1 || found[0].Recipient.Phone != "+41790000123" {
		t.Errorf("%+v, %v", found, err)
	}
	if all, err := b.ledger.Outcomes(t.Context(), "spring", []campaign.Place{{Page: 2, Index: 49}}); err != nil || len(all) != 1 || all[0].Recipient.ID != "r249" {
		t.Errorf("%+v, %v", all, err)
	}
	b.healthy(t, c)
	// Someone who may write to Redis puts one page in another's place.
	b.rdb.Set(t.Context(), key("spring", "page:1"), b.rdb.Get(t.Context(), key("spring", "page:0")).Val(), 0)
	if got, err := b.ledger.Recipients(t.Context(), "spring", 1); err == nil {
		t.Errorf("page 1 has %v", got[0])
	}
}

// The second submit's pages are sealed by another key than those that the first one left.
func TestSeal_ADraftThatIsTakenOverHasTheKeyOfItsPages(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.seal(t)
	first := b.open(t, "spring")
	write(t, first, 300)
	b.silence(t, "spring")
	second := b.open(t, "spring")
	if err := first.AddPages(t.Context(), 0, pages(t, 100)); !errors.Is(err, ledger.ErrTakenOver) {
		t.Errorf("%v", err)
	}
	if _, err := b.ledger.Open(t.Context(), campaigntest.Spec("spring"), []string{"url"}); !errors.Is(err, ledger.ErrBusy) {
		t.Errorf("%v", err)
	}
	write(t, second, 150)
	c, err := second.Commit(t.Context(), content(150, "d"), campaign.Beginning{})
	if err != nil {
		t.Fatal(err)
	}
	b.healthy(t, c)
	if n := b.rdb.HLen(t.Context(), key("spring", "key")).Val(); n != 2 {
		t.Errorf("%d keys: of the first, and of the second; that of who was busy is withdrawn", n)
	}
}

func TestSeal_OneOffSendsOfManyAtOnceAreAllRead(t *testing.T) {
	t.Parallel()
	b := setup(t)
	masterKey := b.seal(t)
	now := campaigntest.Noon
	const n = 250
	campaigntest.Together(n, func(i int) {
		l := b.ledger
		if i%2 == 0 { // in another process
			ring, err := sealed.NewRing(masterKey, "")
			if err != nil {
				t.Error(err)
			}
			l = ledger.New(b.rdb)
			l.Seal(ring)
		}
		if _, _, added, err := l.Append(background(t), "", fmt.Sprint(i), person(i), text("hello"), now); err != nil || !added {
			t.Errorf("%d: %v", i, err)
		}
	})
	var ids, want []string
	for page := range 3 {
		all, err := b.ledger.Recipients(t.Context(), campaign.StandingID(now, campaign.DefaultAccount), page)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range all {
			ids = append(ids, r.ID)
		}
	}
	for i := range n {
		want = append(want, person(i).ID)
	}
	slices.Sort(ids)
	slices.Sort(want)
	if !slices.Equal(ids, want) {
		t.Errorf("%d people of %d", len(ids), n)
	}
	// A process without the master key adds nothing.
	if _, _, added, err := ledger.New(b.rdb).Append(t.Context(), "", "another", person(n), text("hello"), now); added || !errors.Is(err, sealed.ErrOtherKey) {
		t.Errorf("%v, %v", added, err)
	}
}

// A day that began without a master key goes on as it began.
func TestSeal_ADayThatBeganInClearStaysSo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	now := campaigntest.Noon
	for i := range 3 {
		if i == 1 {
			b.seal(t)
		}
		if _, _, _, err := b.ledger.Append(t.Context(), "", fmt.Sprint(i), person(i), text("hello"), now); err != nil {
			t.Fatal(err)
		}
	}
	if all, err := b.ledger.Recipients(t.Context(), campaign.StandingID(now, campaign.DefaultAccount), 0); err != nil || len(all) != 3 {
		t.Errorf("%v, %v", all, err)
	}
}

// The process dies right after the key is gone.
func TestPurge_WithTheKeyDestroyedIsFinishedByAWorker(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.seal(t)
	c := b.ended(t, "spring", 150, nil)
	page := b.rdb.Get(t.Context(), key("spring", "page:0")).Val()
	b.purge(t, c)
	// Back to that moment: marked, without the key, and with everything else.
	b.rdb.Set(t.Context(), key("spring", "page:0"), page, 0)
	b.rdb.HDel(t.Context(), key("spring", "meta"), "emptied")
	b.rdb.ZAdd(t.Context(), "handout:retention", redis.Z{Score: 1, Member: "spring"})
	var purged *campaign.PurgedError
	if got, err := b.ledger.Recipients(t.Context(), "spring", 0); !errors.As(err, &purged) {
		t.Errorf("%v, %v", got, err)
	}
	due, err := b.ledger.Expiring(t.Context(), time.Now(), 10)
	if err != nil || len(due) != 1 {
		t.Fatalf("%v, %v", due, err)
	}
	if _, err := b.ledger.Expire(t.Context(), due[0], time.Now()); err != nil {
		t.Error(err)
	}
	if left := b.named(t, "spring"); slices.ContainsFunc(left, func(k string) bool { return bytes.Contains([]byte(k), []byte("page")) }) {
		t.Errorf("it still has %v", left)
	}
}

// A backup from before a purge gives back who was in the campaign, unless its key is kept
// in a Redis of its own, which isn't in the backup.
func TestPurge_ReachesABackupFromBefore(t *testing.T) {
	t.Parallel()
	for _, apart := range []bool{false, true} {
		t.Run(fmt.Sprintf("keys apart %v", apart), func(t *testing.T) {
			t.Parallel()
			b := setup(t, redistest.AppendOnly("always"))
			masterKey := sealed.NewMasterKey()
			ring := func() *sealed.Ring {
				r, err := sealed.NewRing(masterKey, "")
				if err != nil {
					t.Fatal(err)
				}
				return r
			}
			all := ring()
			if apart {
				keys := redistest.Start(t).Client()
				for _, rdb := range []redis.UniversalClient{b.rdb, keys} {
					if _, err := installation.Enter(t.Context(), rdb, nil); err != nil {
						t.Fatal(err)
					}
				}
				if err := installation.EnterKeyStore(t.Context(), b.rdb, keys); err != nil {
					t.Fatal(err)
				}
				all.KeepKeysIn(keys)
			}
			b.ledger.Seal(all)
			c := b.ended(t, "spring", 150, nil)
			if _, err := b.ledger.Recipients(t.Context(), "spring", 0); err != nil {
				t.Fatal(err)
			}
			restore := b.server.Snapshot()
			b.purge(t, c)
			restore()
			b.ledger.Seal(all) // as a process that has just started
			got, err := b.ledger.Recipients(t.Context(), "spring", 0)
			if dark := errors.Is(err, sealed.ErrDestroyed); dark != apart || dark == (len(got) > 0) {
				t.Errorf("%d people, %v", len(got), err)
			}
		})
	}
}
