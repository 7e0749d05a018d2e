package references_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/references"
	"github.com/handout-dev/handout/test/campaigntest"
)

func (b *bundle) add(t testing.TB, at time.Time, entries ...references.Entry) {
	t.Helper()
	if err := b.store.Add(t.Context(), entries, at); err != nil {
		t.Fatal(err)
	}
}

func (b *bundle) find(t testing.TB, reference string, at time.Time) []references.Tag {
	t.Helper()
	tags, err := b.store.Find(t.Context(), reference, at)
	if err != nil {
		t.Fatal(err)
	}
	return tags
}

func TestFind_LeadsToTheCampaignsThatMayHaveTheReference(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var entries []references.Entry
	for i := range 500 {
		entries = append(entries, references.Entry{Reference: campaigntest.Reference(i), Campaign: campaign.ID(fmt.Sprint("c", i%7))})
	}
	b.add(t, campaigntest.Noon, entries...)
	b.add(t, campaigntest.Noon, entries...)                                                                // twice
	b.add(t, campaigntest.Noon, references.Entry{Reference: campaigntest.Reference(0), Campaign: "other"}) // another's, too
	for i, e := range entries {
		want := []references.Tag{references.TagOf(e.Campaign)}
		if i == 0 {
			want = append(want, references.TagOf("other"))
		}
		if got := b.find(t, e.Reference, campaigntest.Noon.AddDate(0, 0, 29)); !slices.Equal(got, want) {
			t.Errorf("%s leads to %v, not %v", e.Reference, got, want)
		}
	}
	for i := 500; i < 1500; i++ {
		if got := b.find(t, campaigntest.Reference(i), campaigntest.Noon); len(got) > 0 {
			t.Errorf("a foreign reference leads to %v", got)
		}
	}
	if got := b.find(t, campaigntest.Reference(1), campaigntest.Noon.AddDate(0, 0, 61)); len(got) > 0 {
		t.Errorf("two months later it leads to %v", got)
	}
}

func TestAdd_KeepsABucketForTwoMonths(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for range 2 {
		b.add(t, campaigntest.Noon, references.Entry{Reference: campaigntest.Reference(1), Campaign: "c"})
	}
	keys := b.rdb.Keys(t.Context(), "*").Val()
	if len(keys) != 1 {
		t.Fatalf("%q", keys)
	}
	if life := b.rdb.TTL(t.Context(), keys[0]).Val(); life <= 59*24*time.Hour || life > 60*24*time.Hour {
		t.Errorf("%s is kept for %v", keys[0], life)
	}
	if size := b.rdb.StrLen(t.Context(), keys[0]).Val(); size != 2*8 {
		t.Errorf("two entries take %d bytes", size)
	}
}
