package campaign_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/test/campaigntest"
)

// What stands in Redis is a public format: a line for each state, and a few
// that use what these don't.
func goldenRecords(t testing.TB) map[string]campaign.Record {
	t.Helper()
	all := situations(t)
	all["text reference"] = campaigntest.Become(t, campaigntest.Claim(), func() campaign.Event {
		e := campaigntest.Accept(1)
		e.Reference = "not-hex"
		return e
	}())
	all["other channel"] = campaigntest.Become(t, campaigntest.Claim(), campaigntest.Accept(1), campaigntest.Receipt(1, campaign.RankRead, 3005, campaigntest.Leg("fax", campaign.RankRead, 3005)))
	all["every channel"] = campaigntest.Become(t, campaigntest.Claim(), campaigntest.Accept(1), campaigntest.Receipt(1, campaign.RankDelivered, 3000,
		campaigntest.Leg("rcs", campaign.RankFailed, 3055), campaigntest.Leg("whatsapp", campaign.RankFailed, 3114), campaigntest.Leg("viber", campaign.RankProgress, 999_999),
		campaigntest.Leg("mms", campaign.RankProbable, 3004), campaigntest.Leg("email", campaign.RankGateway, 0), campaigntest.Leg("sms", campaign.RankDelivered, 3000)))
	all["forgotten attempt"] = campaigntest.Become(t, campaigntest.AllFailed(20))
	return all
}

func TestRecord_StoredFormIsVersion2(t *testing.T) {
	t.Parallel()
	records := goldenRecords(t)
	var b strings.Builder
	for _, name := range sortedKeys(records) {
		r := records[name]
		fmt.Fprintf(&b, "%s: %x\n", name, r.Encode())
	}
	want := campaigntest.Golden(t, "record-v2.txt", []byte(b.String()))
	if d := cmp.Diff(string(want), b.String()); d != "" {
		t.Errorf("version 2 is written otherwise than it was:\n%s", d)
	}
	for line := range strings.Lines(string(want)) {
		name, text, _ := strings.Cut(strings.TrimSpace(line), ":")
		stored, err := hex.DecodeString(strings.TrimSpace(text))
		if err != nil {
			t.Fatal(err)
		}
		got, err := campaign.DecodeRecord(stored)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if d := cmp.Diff(records[name], got); d != "" {
			t.Errorf("%s reads back otherwise:\n%s", name, d)
		}
	}
}

// reachable calls f with every record on random walks through the events.
func reachable(seed uint64, walks int, f func(campaign.Record)) {
	r := rand.New(rand.NewPCG(seed, 2))
	for range walks {
		var rec campaign.Record
		for range 1 + r.IntN(25) {
			attempt := max(1, rec.Attempt-r.IntN(2))
			var e campaign.Event
			if r.IntN(2) == 0 {
				e = anyReceipt(r, attempt)
				for i := range e.Legs {
					e.Legs[i].Channel = campaigntest.Pick(r, someChannels[:4])
				}
			} else {
				e = campaigntest.Pick(r, campaigntest.Happenings[:10]).Make(attempt)
			}
			e.At = campaigntest.Noon.Add(time.Duration(r.IntN(1<<20)) * time.Second)
			e.Claim = r.Uint64()
			if next, err := campaign.Next(rec, e); err == nil {
				rec = next
			}
			f(rec)
		}
	}
}

func TestRecord_RoundTrip(t *testing.T) {
	t.Parallel()
	seen := map[campaign.State]int{}
	reachable(1, 1500, func(r campaign.Record) {
		seen[r.State]++
		back, err := campaign.DecodeRecord(r.Encode())
		if err != nil {
			t.Fatalf("%+v: %v", r, err)
		}
		if back != r {
			t.Fatal(cmp.Diff(r, back))
		}
	})
	for _, s := range campaign.States() {
		if seen[s] == 0 {
			t.Errorf("no walk came to %s", s)
		}
	}
}

// 64 bytes is Redis's hash-max-listpack-value: with one longer record, the
// whole page takes five times the memory.
func TestRecord_TakesAtMost64Bytes(t *testing.T) {
	t.Parallel()
	longest := 0
	reachable(2, 1500, func(r campaign.Record) {
		if n := len(r.Encode()); n > 64 {
			t.Fatalf("%d bytes: %+v", n, r)
		} else {
			longest = max(longest, n)
		}
	})
	if longest < 40 {
		t.Errorf("the longest took %d bytes: the walks don't get far", longest)
	}
	// The worst that a campaign of years could bring.
	r := campaign.Record{
		State: campaign.Delivered, Reason: campaign.ReasonLostClaim, Attempt: 9999, Faults: 99,
		Status:    campaign.Leg{Rank: 6, Code: 3999},
		Reference: campaigntest.Reference(1), ClaimedAt: campaigntest.Noon.AddDate(5, 0, 0), SettledAt: campaigntest.Noon.AddDate(6, 0, 0),
	}
	for i := range 4 {
		r.Legs[i] = campaign.Leg{Rank: 6, Code: 3999, At: campaigntest.Noon.AddDate(6, 0, 0)}
	}
	if n := len(r.Encode()); n > 64 {
		t.Errorf("the worst takes %d bytes", n)
	}
	// And the worst that is still to be sent, with a claim, weeks after it was
	// first put off.
	r.State, r.SettledAt, r.DueAt, r.Legs = campaign.InDoubt, time.Time{}, campaigntest.Noon.AddDate(6, 0, 0), campaign.Legs{}
	r.Claim, r.PutOffAt = 1<<63, r.ClaimedAt.AddDate(0, 0, -90)
	if n := len(r.Encode()); n > 64 {
		t.Errorf("the worst under way takes %d bytes", n)
	}
	// And every channel that Telesign has, each failing within an hour.
	r = campaign.Record{
		State: campaign.Failed, Reason: campaign.ReasonUndelivered, Attempt: 2, Faults: 1, Status: campaign.Leg{Rank: campaign.RankFailed, Code: 3003},
		Reference: campaigntest.Reference(1), ClaimedAt: campaigntest.Noon.AddDate(5, 0, 0), SettledAt: campaigntest.Noon.AddDate(5, 0, 0).Add(time.Hour),
	}
	for i := range campaign.OtherChannel {
		r.Legs[i] = campaign.Leg{Rank: campaign.RankFailed, Code: 3114, At: r.SettledAt}
	}
	if n := len(r.Encode()); n > 64 {
		t.Errorf("six channels take %d bytes", n)
	}
}

func TestRecord_PlannedIsNothing(t *testing.T) {
	t.Parallel()
	var r campaign.Record
	if b := r.Encode(); b != nil {
		t.Errorf("the zero record is stored as %x", b)
	}
	if r, err := campaign.DecodeRecord(nil); err != nil || r != (campaign.Record{}) {
		t.Errorf("nothing reads as %+v, %v", r, err)
	}
}

func TestRecord_KeepsAnyReference(t *testing.T) {
	t.Parallel()
	for _, ref := range []string{
		"", "x", campaigntest.Reference(1), strings.ToLower(campaigntest.Reference(0xABCDEF)), campaigntest.Reference(1)[:31], campaigntest.Reference(1) + "0",
		"not a reference of 32 hex digits", "été", "\x00\xff", strings.Repeat("y", 128),
	} {
		r := campaigntest.Become(t, campaigntest.Claim())
		r.Reference = ref
		back, err := campaign.DecodeRecord(r.Encode())
		if err != nil || back.Reference != ref {
			t.Errorf("%q reads back as %q, %v", ref, back.Reference, err)
		}
	}
}

func TestDecodeRecord_RefusesWhatIsNoRecord(t *testing.T) {
	t.Parallel()
	good := situations(t)["delivered"]
	stored := good.Encode()
	for name, b := range map[string][]byte{
		"one byte":          {0x20},
		"version 1":         append([]byte{0x10 | stored[0]&0xf}, stored[1:]...),
		"another version":   append([]byte{0x30 | stored[0]&0xf}, stored[1:]...),
		"version 0":         append([]byte{stored[0] & 0xf}, stored[1:]...),
		"unknown state":     append([]byte{0x2f}, stored[1:]...),
		"unknown flag":      append([]byte{stored[0], stored[1] | 64}, stored[2:]...),
		"two references":    append([]byte{stored[0], 3}, stored[2:]...),
		"unknown reason":    append([]byte{stored[0], stored[1], 200}, stored[3:]...),
		"cut":               stored[:len(stored)-1],
		"cut in the middle": stored[:9],
		"a byte too many":   append(bytes.Clone(stored), 0),
		"text":              []byte("what is this doing here?"),
	} {
		if r, err := campaign.DecodeRecord(b); !errors.Is(err, campaign.ErrBadRecord) || r != (campaign.Record{}) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

func FuzzDecodeRecord(f *testing.F) {
	for _, r := range goldenRecords(f) {
		f.Add(r.Encode())
	}
	f.Add([]byte{0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{0x21, 0, 0, 1, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f, 0, 0, 0})
	f.Add([]byte{0x25, 0, 0, 1, 0, 1, 0, 0, 0x26, 0, 0x16, 0, 0, 0x15, 0, 0}) // two legs of one channel
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := campaign.DecodeRecord(b)
		if err != nil {
			if r != (campaign.Record{}) {
				t.Fatalf("an error and a record: %+v", r)
			}
			return
		}
		back, err := campaign.DecodeRecord(r.Encode())
		if err != nil || back != r {
			t.Fatalf("%x reads as %+v, and is read back from %x as %+v, %v", b, r, r.Encode(), back, err)
		}
	})
}
