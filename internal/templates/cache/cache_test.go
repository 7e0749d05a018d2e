package cache_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/internal/templates/cache"
	"github.com/handout-dev/handout/telesign"
	"github.com/handout-dev/handout/test/redistest"
)

func TestWrite_KeepsAListForItsAccount(t *testing.T) {
	t.Parallel()
	rdb := redistest.Start(t).Client()
	if got, err := cache.Read(t.Context(), rdb, "default"); err != nil || !got.At.IsZero() {
		t.Fatalf("before: %+v, %v", got, err)
	}
	want := cache.Listed{At: time.Date(2026, 11, 29, 9, 0, 0, 0, time.UTC), Templates: []telesign.Template{{
		TemplateName: telesign.TemplateName{Channel: "whatsapp", Name: "wa_bogo"}, Type: "verified", Category: "marketing",
		Language: "en_US", Status: "Approved", MandatoryParameters: []string{"header_url"},
	}}}
	for range 2 {
		if err := cache.Write(t.Context(), rdb, "default", want); err != nil {
			t.Fatal(err)
		}
	}
	got, err := cache.Read(t.Context(), rdb, "default")
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	if other, err := cache.Read(t.Context(), rdb, "other"); err != nil || !other.At.IsZero() {
		t.Errorf("another account's: %+v, %v", other, err)
	}
}

func TestWrite_RefusesWhatIsTooLongToKeep(t *testing.T) {
	t.Parallel()
	rdb := redistest.Start(t).Client()
	long := cache.Listed{At: time.Now(), Templates: []telesign.Template{{Status: strings.Repeat("x", 4<<20)}}}
	if err := cache.Write(t.Context(), rdb, "default", long); err == nil {
		t.Error("4 MB were kept")
	}
	if got, err := cache.Read(t.Context(), rdb, "default"); err != nil || !got.At.IsZero() {
		t.Errorf("%+v, %v", got, err)
	}
}
