package campaign_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/test/campaigntest"
)

// goldenPage has what is peculiar: empty values, other scripts, every length of
// number.
var goldenPage = []campaign.Recipient{
	{ID: "anna", Phone: "+41791234567", Values: []string{"https://example.com/a", "Anna"}},
	{ID: "", Phone: "+12", Values: []string{"", ""}},
	{ID: "Ωmega", Phone: "+999999999999999", Values: []string{"https://example.com/o", "line\nbreak\x00"}},
}

func TestPage_StoredFormIsVersion1(t *testing.T) {
	t.Parallel()
	plain, err := campaign.AppendPage(nil, 2, goldenPage)
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("plain: %x\nstored: %x\n", plain, campaign.CompressPage(plain))
	want := map[string][]byte{}
	for line := range strings.Lines(string(campaigntest.Golden(t, "page-v1.txt", []byte(text)))) {
		name, digits, _ := strings.Cut(strings.TrimSpace(line), ": ")
		if want[name], err = hex.DecodeString(digits); err != nil {
			t.Fatal(err)
		}
	}
	// The plain form is digested, so that its bytes matter; the stored one must
	// only be read, since another version of zstd may write it otherwise.
	if !bytes.Equal(plain, want["plain"]) {
		t.Errorf("the plain form is\n%x, want\n%x", plain, want["plain"])
	}
	got, err := campaign.DecodePage(want["stored"])
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(goldenPage, got); d != "" {
		t.Errorf("the stored form reads otherwise:\n%s", d)
	}
}

func anyRecipients(r *rand.Rand, n, columns int) []campaign.Recipient {
	text := func() string {
		b := make([]byte, r.IntN(20))
		for i := range b {
			b[i] = byte(r.UintN(256))
		}
		return string(b)
	}
	list := make([]campaign.Recipient, n)
	for i := range list {
		list[i] = campaign.Recipient{ID: text(), Phone: fmt.Sprintf("+%d", 10+r.Int64N(999_999_999_999_990)), Values: make([]string, columns)}
		for c := range columns {
			list[i].Values[c] = text()
		}
	}
	return list
}

func TestPage_RoundTrip(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(4, 4))
	for range 60 {
		columns := r.IntN(6)
		list := anyRecipients(r, 1+r.IntN(campaign.PageSize), columns)
		stored, err := campaigntest.EncodePage(columns, list)
		if err != nil {
			t.Fatal(err)
		}
		got, err := campaign.DecodePage(stored)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(list, got); d != "" {
			t.Fatal(d)
		}
	}
}

func TestPage_EqualRecipientsGiveEqualBytes(t *testing.T) {
	t.Parallel()
	want, err := campaigntest.EncodePage(1, campaigntest.People(0, 100))
	if err != nil {
		t.Fatal(err)
	}
	campaigntest.Together(8, func(int) {
		for range 5 {
			got, err := campaigntest.EncodePage(1, campaigntest.People(0, 100))
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%x, %v; want %x", got, err, want)
				return
			}
			if _, err := campaigntest.EncodePage(1, campaigntest.People(100, 150)); err != nil { // another use of the same coder
				t.Error(err)
			}
		}
	})
	prefix := []byte("before")
	appended, err := campaign.AppendPage(prefix, 1, campaigntest.People(0, 100))
	if err != nil || !bytes.HasPrefix(appended, prefix) || !bytes.Equal(campaign.CompressPage(appended[len(prefix):]), want) {
		t.Errorf("appended to what is there, it differs (%v)", err)
	}
}

func TestPage_IsSmall(t *testing.T) {
	t.Parallel()
	stored, err := campaigntest.EncodePage(1, campaigntest.People(0, 100))
	if err != nil {
		t.Fatal(err)
	}
	if len(stored) > 1500 { // plain some 3,500
		t.Errorf("100 recipients take %d bytes", len(stored))
	}
}

func TestEncodePage_RefusesWhatCouldNotBeReadBack(t *testing.T) {
	t.Parallel()
	one := func(phone string, values ...string) []campaign.Recipient {
		return []campaign.Recipient{{ID: "secret", Phone: phone, Values: values}}
	}
	for name, tt := range map[string]struct {
		columns int
		list    []campaign.Recipient
	}{
		"nobody":               {0, nil},
		"a page too many":      {1, campaigntest.People(0, 101)},
		"too few values":       {2, one("+41791234567", "secret")},
		"too many values":      {0, one("+41791234567", "secret")},
		"less than no columns": {-1, one("+41791234567")},
		"too many columns":     {5000, one("+41791234567", make([]string, 5000)...)},
		"too long":             {1, one("+41791234567", strings.Repeat("x", 16<<20))},
		"only a plus":          {0, one("+")},
		"one digit":            {0, one("+1")},
		"no plus":              {0, one("41791234567")},
		"leading zero":         {0, one("+041791234567")},
		"blanks":               {0, one("+41 79 123 45 67")},
		"two plus signs":       {0, one("++41791234567")},
		"sixteen digits":       {0, one("+4179123456789012")},
		"other digits":         {0, one("+٤١٧٩")},
	} {
		_, err := campaigntest.EncodePage(tt.columns, tt.list)
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		if s := err.Error(); strings.Contains(s, "secret") || strings.Contains(s, "417") {
			t.Errorf("%s: the error quotes a recipient: %s", name, s)
		}
	}
}

func compress(t testing.TB, plain []byte) []byte {
	t.Helper()
	e, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return e.EncodeAll(plain, []byte{1})
}

func TestDecodePage_RefusesWhatIsNoPage(t *testing.T) {
	t.Parallel()
	good, err := campaign.AppendPage(nil, 1, campaigntest.People(0, 3))
	if err != nil {
		t.Fatal(err)
	}
	stored := campaign.CompressPage(good)
	for name, b := range map[string][]byte{
		"nothing":         nil,
		"only a version":  {1},
		"another version": append([]byte{2}, stored[1:]...),
		"not compressed":  append([]byte{1}, good...),
		"cut":             stored[:len(stored)-1],
		"nobody":          compress(t, []byte{0, 0}),
		"half a header":   compress(t, []byte{5}),
		"cut inside":      compress(t, good[:len(good)-1]),
		"more than said":  compress(t, append(bytes.Clone(good), 0)),
		"number 1":        compress(t, []byte{1, 0, 0, 1}),
		"number 10^15":    compress(t, binary.AppendUvarint([]byte{1, 0, 0}, 1e15)),
		"endless number":  compress(t, append([]byte{1, 0, 0}, bytes.Repeat([]byte{0xff}, 12)...)),
	} {
		if list, err := campaign.DecodePage(b); !errors.Is(err, campaign.ErrBadPage) || list != nil {
			t.Errorf("%s: %v, %v", name, list, err)
		}
	}
}

// Not parallel: it counts what is allocated.
func TestDecodePage_BombTakesLittleMemory(t *testing.T) {
	zeros := make([]byte, 24<<20)
	bombs := map[string][]byte{
		"long":           compress(t, zeros),
		"many columns":   compress(t, append(binary.AppendUvarint([]byte{100}, 600_000), zeros...)),
		"as long as may": compress(t, append(binary.AppendUvarint([]byte{100}, 4096), zeros[:15<<20]...)),
		"endless column": compress(t, append(binary.AppendUvarint([]byte{1}, 1<<62), zeros[:1000]...)),
		"everything":     compress(t, append(binary.AppendUvarint([]byte{100}, 1<<63), zeros[:1<<20]...)),
	}
	const most = 64 << 20
	for name, bomb := range bombs {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := campaign.DecodePage(bomb)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, campaign.ErrBadPage) {
			t.Errorf("%s: %v", name, err)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > most {
			t.Errorf("%s: %d bytes of it took %d MB", name, len(bomb), n>>20)
		}
	}
}

func FuzzDecodePage(f *testing.F) {
	plain, err := campaign.AppendPage(nil, 2, goldenPage)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(plain)
	f.Add([]byte{1, 0, 0, 10})
	f.Add([]byte{100, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f})
	f.Fuzz(func(t *testing.T, plain []byte) {
		_, _ = campaign.DecodePage(plain) // as it comes: nearly always no zstd
		list, err := campaign.DecodePage(campaign.CompressPage(plain))
		if err != nil {
			return
		}
		stored, err := campaigntest.EncodePage(len(list[0].Values), list)
		if err != nil {
			t.Fatalf("%x is read and can't be written: %v", plain, err)
		}
		back, err := campaign.DecodePage(stored)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(list, back); d != "" {
			t.Fatal(d)
		}
	})
}

func TestDecodePageWith_LeavesOutPagesThatCantHoldTheName(t *testing.T) {
	t.Parallel()
	people := campaigntest.People(0, 100)
	stored, err := campaigntest.EncodePage(1, people)
	if err != nil {
		t.Fatal(err)
	}
	for who, want := range map[string]int{people[0].ID: 100, people[99].ID: 100, people[42].Phone: 100, "nobody": 0, "+4179": 0, "": 0} {
		if got, err := campaign.DecodePageWith(stored, who); err != nil || len(got) != want {
			t.Errorf("%q: %d recipients, want %d (%v)", who, len(got), want, err)
		}
	}
	if _, err := campaign.DecodePageWith(stored[:len(stored)-1], people[0].ID); !errors.Is(err, campaign.ErrBadPage) {
		t.Errorf("a broken page: %v", err)
	}
}

func TestPage_KeepsThoseWhoHaveAnEmailAddressAlone(t *testing.T) {
	t.Parallel()
	people := []campaign.Recipient{
		{ID: "a", Phone: "+41791234567", Values: []string{"anna@example.com"}},
		{ID: "b", Values: []string{"Bob@example.com"}},
	}
	stored, err := campaigntest.EncodePage(1, people)
	if err != nil {
		t.Fatal(err)
	}
	back, err := campaign.DecodePage(stored)
	if diff := cmp.Diff(people, back); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}
