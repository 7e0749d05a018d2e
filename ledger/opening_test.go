package ledger_test

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/test/campaigntest"
)

// silence makes the draft of a campaign look as if its submit had died.
func (b *bundle) silence(t testing.TB, id campaign.ID) {
	t.Helper()
	long := time.Now().Add(-time.Minute).UnixMilli()
	if err := b.rdb.HSet(t.Context(), key(id, "meta"), "draft_seen", long).Err(); err != nil {
		t.Fatal(err)
	}
}

// keys are the names of a campaign's keys in Redis, without its prefix.
func (b *bundle) keys(t testing.TB, id campaign.ID) []string {
	t.Helper()
	names, err := b.rdb.Keys(t.Context(), key(id, "*")).Result()
	if err != nil {
		t.Fatal(err)
	}
	for i := range names {
		names[i] = names[i][len(key(id, "")):]
	}
	slices.Sort(names)
	return names
}

func TestOpen_CommittedCampaignHasItsRecipients(t *testing.T) {
	t.Parallel()
	b := setup(t)
	before := time.Now().Truncate(time.Millisecond)
	info := b.stand(t, "c", 250)
	want := &campaign.Info{
		ID: "c", Salt: info.Salt, Spec: campaigntest.Spec("c"), Columns: []string{"url"}, Digest: "digest", Total: 250, Pages: 3, Phase: campaign.Running,
		Zones:     []campaign.ZoneCount{{Recipients: 250}},
		CreatedAt: info.CreatedAt, StartedAt: info.StartedAt,
	}
	if d := cmp.Diff(want, info); d != "" {
		t.Error(d)
	}
	if info.CreatedAt.Before(before) || info.StartedAt.Before(info.CreatedAt) {
		t.Errorf("created %v, started %v", info.CreatedAt, info.StartedAt)
	}
	for page := range 3 {
		got, err := b.ledger.Recipients(t.Context(), "c", page)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(campaigntest.People(page*100, min(250, page*100+100)), got); d != "" {
			t.Error(d)
		}
	}
	if bal := b.balance(t, "c"); bal.Of(campaign.Planned) != 250 || bal.Total() != 250 {
		t.Errorf("balance %+v", bal)
	}
	b.healthy(t, info)
	if _, err := b.ledger.Recipients(t.Context(), "c", 3); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("page 3: %v", err)
	}
}

func TestOpen_DraftIsFoundAndNotCounted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	o := b.open(t, "c")
	write(t, o, 10)
	info, err := b.ledger.Info(t.Context(), "c")
	if err != nil || info.Phase != campaign.Draft {
		t.Fatalf("%+v, %v", info, err)
	}
	all, err := b.ledger.Campaigns(t.Context(), 10)
	if err != nil || !slices.Equal(all, []campaign.ID{"c"}) {
		t.Errorf("campaigns %v, %v", all, err)
	}
	if active, err := b.ledger.Active(t.Context()); err != nil || len(active) != 0 {
		t.Errorf("active %v, %v", active, err)
	}
	if n := b.balance(t, "c").Total(); n != 0 {
		t.Errorf("a draft counts %d", n)
	}
}

func TestOpen_SecondSubmitIsBusy(t *testing.T) {
	t.Parallel()
	b := setup(t)
	o := b.open(t, "c")
	if _, err := b.ledger.Open(t.Context(), campaigntest.Spec("c"), nil); !errors.Is(err, ledger.ErrBusy) {
		t.Errorf("%v, want ErrBusy", err)
	}
	write(t, o, 10) // and the first one goes on
	if _, err := o.Commit(t.Context(), content(10, "digest"), campaign.Beginning{}); err != nil {
		t.Error(err)
	}
}

func TestOpen_StandingCampaignIsReported(t *testing.T) {
	t.Parallel()
	b := setup(t)
	info := b.stand(t, "c", 10)
	_, err := b.ledger.Open(t.Context(), campaigntest.Spec("c"), []string{"other"})
	var stands *ledger.StandsError
	if !errors.As(err, &stands) {
		t.Fatalf("%v, want a StandsError", err)
	}
	if d := cmp.Diff(info, stands.Info); d != "" {
		t.Error(d)
	}
	b.healthy(t, info)
}

func TestAddPages_TwiceIsOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	o := b.open(t, "c")
	write(t, o, 250)
	write(t, o, 250)
	info, err := o.Commit(t.Context(), content(250, "digest"), campaign.Beginning{})
	if err != nil {
		t.Fatal(err)
	}
	b.healthy(t, info)
}

func TestCommit_TwiceIsOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	o := b.open(t, "c")
	write(t, o, 10)
	first, err := o.Commit(t.Context(), content(10, "digest"), campaign.Beginning{Hold: true})
	if err != nil {
		t.Fatal(err)
	}
	if first.Phase != campaign.Paused || first.Reason == "" || !first.StartedAt.IsZero() {
		t.Errorf("on hold: %+v", first)
	}
	if err := b.ledger.Resume(t.Context(), "c", campaign.Actor{Name: "ann"}, campaigntest.Noon); err != nil {
		t.Fatal(err)
	}
	b.apply(t, first, campaign.Place{}, campaigntest.Claim())

	second, err := o.Commit(t.Context(), content(10, "digest"), campaign.Beginning{Hold: true})
	if err != nil {
		t.Fatal(err)
	}
	if second.Phase != campaign.Running || b.balance(t, "c").Of(campaign.Claimed) != 1 {
		t.Errorf("the second commit undid what came since: %+v", second)
	}
	if err := o.Abandon(t.Context()); err != nil {
		t.Error(err)
	}
	if err := o.AddPages(t.Context(), 0, pages(t, 1)); !errors.Is(err, ledger.ErrTakenOver) {
		t.Errorf("a page of a standing campaign could be replaced: %v", err)
	}
	b.healthy(t, second)
}

func TestCommit_WithoutRecipientsIsRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	o := b.open(t, "c")
	if _, err := o.Commit(t.Context(), ledger.Content{}, campaign.Beginning{}); err == nil {
		t.Error("no error")
	}
	if p := b.phase(t, "c"); p != campaign.Draft {
		t.Errorf("phase %s", p)
	}
}

func TestAbandon_LeavesNothingAndTwiceIsOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	o := b.open(t, "c")
	write(t, o, 1250)
	for range 2 {
		if err := o.Abandon(t.Context()); err != nil {
			t.Fatal(err)
		}
		left, err := b.rdb.Keys(t.Context(), "*").Result()
		if err != nil || len(left) > 0 {
			t.Fatalf("left in Redis: %q, %v", left, err)
		}
	}
	if _, err := b.ledger.Info(t.Context(), "c"); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("%v, want ErrNotFound", err)
	}
	b.stand(t, "c", 10)
}

func TestOpen_DraftLeftBehindIsTakenOver(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := b.open(t, "c")
	write(t, first, 350)
	b.silence(t, "c")

	second := b.open(t, "c")
	write(t, second, 150)
	// The first wakes up: nothing that it does is to reach the second's draft.
	if err := first.AddPages(t.Context(), 0, pages(t, 1)); !errors.Is(err, ledger.ErrTakenOver) {
		t.Errorf("write: %v, want ErrTakenOver", err)
	}
	if _, err := first.Commit(t.Context(), content(50, "other"), campaign.Beginning{}); !errors.Is(err, ledger.ErrTakenOver) {
		t.Errorf("commit: %v, want ErrTakenOver", err)
	}
	if err := first.Abandon(t.Context()); err != nil {
		t.Errorf("abandon: %v", err)
	}
	info, err := second.Commit(t.Context(), content(150, "digest"), campaign.Beginning{})
	if err != nil {
		t.Fatal(err)
	}
	b.healthy(t, info)
	if want, got := []string{"counts", "history", "meta", "page:0", "page:1"}, b.keys(t, "c"); !slices.Equal(got, want) {
		t.Errorf("keys %q, want %q: the longer draft left pages", got, want)
	}
	// And afterwards neither, with the same list or another.
	if _, err := first.Commit(t.Context(), content(350, "other"), campaign.Beginning{}); !errors.Is(err, ledger.ErrTakenOver) {
		t.Errorf("commit of other content: %v, want ErrTakenOver", err)
	}
	if same, err := first.Commit(t.Context(), content(150, "digest"), campaign.Beginning{}); err != nil || same.Digest != "digest" {
		t.Errorf("commit of the same content: %v, %v", same, err)
	}
	b.healthy(t, info)
}

func TestOpen_AbandonedTakeoverDeletesTheLongerDraftToo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	write(t, b.open(t, "c"), 650)
	b.silence(t, "c")
	second := b.open(t, "c")
	write(t, second, 50)
	if err := second.Abandon(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := b.keys(t, "c"); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

func TestOpen_OfManySubmitsAtOnceOneMakesTheCampaign(t *testing.T) {
	t.Parallel()
	for _, same := range []bool{true, false} {
		t.Run(fmt.Sprintf("same content %v", same), func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			var made atomic.Int32
			campaigntest.Together(8, func(i int) {
				digest, n := "digest", 120
				if !same {
					digest, n = fmt.Sprint(i), 10+i
				}
				o, err := b.ledger.Open(t.Context(), campaigntest.Spec("c"), []string{"url"})
				var stands *ledger.StandsError
				if errors.Is(err, ledger.ErrBusy) || errors.As(err, &stands) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				if err := o.AddPages(t.Context(), 0, pages(t, n)); err != nil {
					t.Error(err)
					return
				}
				info, err := o.Commit(t.Context(), content(n, digest), campaign.Beginning{})
				if err != nil || info.Digest != digest {
					t.Errorf("%+v, %v", info, err)
					return
				}
				made.Add(1)
			})
			if n := made.Load(); n != 1 {
				t.Errorf("%d made it, want 1", n)
			}
			info, err := b.ledger.Info(t.Context(), "c")
			if err != nil {
				t.Fatal(err)
			}
			b.healthy(t, info)
		})
	}
}

func TestCampaigns_NewestFirst(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i, id := range []campaign.ID{"first", "second", "third"} {
		b.stand(t, id, 1)
		if err := b.rdb.ZAdd(t.Context(), "handout:campaigns", zAt(id, i)).Err(); err != nil {
			t.Fatal(err)
		}
	}
	got, err := b.ledger.Campaigns(t.Context(), 2)
	if err != nil || !slices.Equal(got, []campaign.ID{"third", "second"}) {
		t.Errorf("%v, %v", got, err)
	}
}

func TestRelease_TheNextSubmitNeedNotWait(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := b.open(t, "c")
	for range 2 {
		if err := first.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	b.open(t, "c") // fails the test when the draft is busy
	if err := first.AddPages(t.Context(), 0, nil); !errors.Is(err, ledger.ErrTakenOver) {
		t.Errorf("the first one writes on: %v", err)
	}
}
