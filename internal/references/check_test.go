package references_test

import (
	"context"
	"slices"
	"testing"

	"github.com/handout-dev/handout/internal/references"
	"github.com/handout-dev/handout/test/campaigntest"
)

func TestCheck_FindsPartsOfEntriesAndWhatNeverExpires(t *testing.T) {
	t.Parallel()
	b := setup(t)
	check := func() []string {
		t.Helper()
		faults, err := b.store.Check(t.Context(), campaigntest.Noon, func(context.Context) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		return faults
	}
	for i := range 500 {
		b.add(t, campaigntest.Noon, references.Entry{Reference: campaigntest.Reference(i), Campaign: "c"})
		b.add(t, campaigntest.Noon.AddDate(0, 0, -30), references.Entry{Reference: campaigntest.Reference(i), Campaign: "c"})
	}
	if faults := check(); len(faults) > 0 {
		t.Error(faults)
	}
	keys, err := b.rdb.Keys(t.Context(), "handout:{handout:ref}:*").Result()
	if err != nil || len(keys) < 50 {
		t.Fatal(len(keys), err)
	}
	for i, key := range keys[:3] {
		if err := b.rdb.Persist(t.Context(), key).Err(); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			if err := b.rdb.Append(t.Context(), key, "abc").Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if faults := check(); !slices.Equal(faults, []string{"1 bucket of the index with part of an entry", "3 buckets of the index without an expiry"}) {
		t.Error(faults)
	}
}
