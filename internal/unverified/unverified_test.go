package unverified_test

import (
	"strings"
	"testing"
	"time"

	"github.com/handout-dev/handout/internal/unverified"
	"github.com/handout-dev/handout/test/redistest"
)

func TestNotice_CountsSinceTheFirstAndEndsWithAGoodReceipt(t *testing.T) {
	t.Parallel()
	rdb := redistest.Start(t).Client()
	if n, err := unverified.Read(t.Context(), rdb); n != nil || err != nil {
		t.Fatalf("%+v, %v", n, err)
	}
	first := time.Date(2026, 11, 29, 9, 0, 0, 0, time.UTC)
	if err := unverified.Add(t.Context(), rdb, 1, unverified.WrongSignature, first); err != nil {
		t.Fatal(err)
	}
	n, err := unverified.Read(t.Context(), rdb)
	if err != nil || n.Count != 1 || !strings.HasPrefix(n.String(), "a receipt was refused at 2026-11-29 09:00:00 UTC: ") || !strings.Contains(n.String(), "TELESIGN_API_KEY") {
		t.Fatalf("%v, %v", n, err)
	}
	if err := unverified.Add(t.Context(), rdb, 4, unverified.Unsigned, first.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	n, err = unverified.Read(t.Context(), rdb)
	if err != nil || n.Count != 5 || !n.Since.Equal(first) || !n.Last.Equal(first.Add(time.Minute)) || n.Why != unverified.Unsigned ||
		!strings.HasPrefix(n.String(), "5 receipts were refused since 2026-11-29 09:00:00 UTC, the last at 2026-11-29 09:01:00 UTC: they aren't signed") {
		t.Errorf("%v, %v", n, err)
	}
	if left := rdb.TTL(t.Context(), "handout:receipts:refused").Val(); left <= 0 || left > 24*time.Hour {
		t.Errorf("it stands for %v", left)
	}
	if err := unverified.Clear(t.Context(), rdb); err != nil {
		t.Fatal(err)
	}
	if n, err := unverified.Read(t.Context(), rdb); n != nil || err != nil {
		t.Errorf("%+v, %v", n, err)
	}
}
