package ledger_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/test/campaigntest"
)

// zonedPage is people in one zone.
type zonedPage struct{ zone, size int }

// standZoned makes a campaign of these pages in the zones named.
func (b *bundle) standZoned(t testing.TB, id campaign.ID, zones []string, layout ...zonedPage) *campaign.Info {
	t.Helper()
	s := campaigntest.Spec(id)
	s.Hours = &campaign.Hours{From: "09:00", To: "20:00", Zone: campaign.ZoneRecipient}
	o, err := b.ledger.Open(t.Context(), s, []string{"url"})
	if err != nil {
		t.Fatal(err)
	}
	c := ledger.Content{Pages: len(layout), Digest: "digest", Partial: map[int]int{}}
	for _, z := range zones {
		c.Zones = append(c.Zones, campaign.ZoneCount{Zones: z})
	}
	for i, p := range layout {
		page, err := campaigntest.EncodePage(1, campaigntest.People(c.Total, c.Total+p.size))
		if err != nil {
			t.Fatal(err)
		}
		if err := o.AddPages(t.Context(), i, [][]byte{page}); err != nil {
			t.Fatal(err)
		}
		c.Total += p.size
		c.Zones[p.zone].Recipients += p.size
		c.PageZones = append(c.PageZones, uint16(p.zone))
		if p.size < campaign.PageSize {
			c.Partial[i] = p.size
		}
	}
	if _, err := o.Commit(t.Context(), c, campaign.Beginning{}); err != nil {
		t.Fatal(err)
	}
	info, err := o.Commit(t.Context(), c, campaign.Beginning{}) // its answer may have been lost
	if err != nil {
		t.Fatal(err)
	}
	return info
}

var twoZones = []string{"Europe/Berlin", "America/New_York|Europe/Berlin"}

func TestZones_AreReadAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.standZoned(t, "c", twoZones, zonedPage{0, 100}, zonedPage{1, 100}, zonedPage{0, 7}, zonedPage{1, 3})
	if c.Total != 210 || c.Pages != 4 || !c.Zoned() {
		t.Fatalf("%+v", c)
	}
	if d := cmp.Diff([]campaign.ZoneCount{{Zones: twoZones[0], Recipients: 107}, {Zones: twoZones[1], Recipients: 103}}, c.Zones); d != "" {
		t.Error(d)
	}
	for page, want := range map[int]int{-1: 0, 0: 100, 1: 100, 2: 7, 3: 3, 4: 0} {
		if got := c.Size(page); got != want {
			t.Errorf("page %d holds %d, want %d", page, got, want)
		}
	}
	for p, want := range map[campaign.Place]bool{
		{Page: 2, Index: 6}: true, {Page: 2, Index: 7}: false, {Page: 3, Index: 2}: true, {Page: 3, Index: 3}: false,
		{Page: 4, Index: 0}: false, {Page: 0, Index: -1}: false, {Page: -1, Index: 0}: false,
	} {
		if c.Has(p) != want {
			t.Errorf("%+v: %v", p, c.Has(p))
		}
	}
	zones, err := b.ledger.PageZones(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	for page, want := range []int{0, 1, 0, 1} {
		if got := zones.Of(page); got != want {
			t.Errorf("page %d is in zone %d", page, got)
		}
	}
	b.healthy(t, c)
}

// In lists that aren't by zone only the end is without people.
func TestInfo_SizeWithoutZones(t *testing.T) {
	t.Parallel()
	c := &campaign.Info{Spec: campaigntest.Spec("c"), Total: 230, Pages: 3}
	for page, want := range map[int]int{-1: 0, 0: 100, 1: 100, 2: 30, 3: 0} {
		if got := c.Size(page); got != want {
			t.Errorf("page %d holds %d, want %d", page, got, want)
		}
	}
	if c.Has(campaign.PlaceOf(230)) || !c.Has(campaign.PlaceOf(229)) {
		t.Error("the end is elsewhere")
	}
}

// A hole between pages is no recipient: no record may ever stand there.
func TestZones_NobodyStandsInAHole(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.standZoned(t, "c", twoZones, zonedPage{0, 7}, zonedPage{1, 100})
	hole := campaign.Place{Page: 0, Index: 7}
	if _, err := b.ledger.ReadRecord(t.Context(), c, hole); err == nil {
		t.Error("somebody is in the hole")
	}
	e := campaign.Event{Kind: campaign.EventClaim, At: campaigntest.Noon, Claim: 1}
	if _, err := b.ledger.Apply(t.Context(), c, hole, ledger.Seen{}, e); err == nil {
		t.Error("somebody was claimed in the hole")
	}
	// Past the number of recipients there are people.
	b.apply(t, c, campaign.Place{Page: 1, Index: 99}, e, campaign.Event{
		Kind: campaign.EventAccept, At: campaigntest.Noon, Attempt: 1, Code: 3001, Reference: campaigntest.Reference(1), DueAt: campaigntest.Noon.Add(time.Hour)})
	b.healthy(t, c)
	// A record in the hole is a fault.
	if err := b.rdb.HSet(t.Context(), key("c", "rec:0"), "8", b.rdb.HGet(t.Context(), key("c", "rec:1"), "99").Val()).Err(); err != nil {
		t.Fatal(err)
	}
	v, err := b.ledger.Verify(t.Context(), c, nil)
	if err != nil || len(v.Faults) == 0 || !strings.Contains(v.Faults[0], "0.8 has a record") {
		t.Errorf("%v, %q", err, v.Faults)
	}
}

func TestZones_VerifyFindsWhatDoesntAgree(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(*testing.T, *bundle){
		"bytes for 2 pages": func(t *testing.T, b *bundle) { b.set(t, "zones", "\x00\x00") },
		"page 1 has none":   func(t *testing.T, b *bundle) { b.set(t, "zones", "\x00\x00\x00\x02") },
		"zone 0 has 0":      func(t *testing.T, b *bundle) { b.set(t, "zones", "\x00\x01\x00\x01") },
		"5 recipients were fed by zone, 0 in all": func(t *testing.T, b *bundle) {
			if err := b.rdb.HSet(t.Context(), key("c", "meta"), "fed", "[0,5]").Err(); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			c := b.standZoned(t, "c", twoZones, zonedPage{0, 7}, zonedPage{1, 100})
			damage(t, b)
			v, err := b.ledger.Verify(t.Context(), c, nil)
			if err != nil || !strings.Contains(strings.Join(v.Faults, "\n"), name) {
				t.Errorf("%v, %q", err, v.Faults)
			}
		})
	}
}

func (b *bundle) set(t *testing.T, rest, value string) {
	t.Helper()
	if err := b.rdb.Set(t.Context(), key("c", rest), value, 0).Err(); err != nil {
		t.Fatal(err)
	}
}

func TestAdvance_MovesEachZoneOnceAndCallsThePages(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.standZoned(t, "c", twoZones, zonedPage{0, 100}, zonedPage{1, 100}, zonedPage{0, 7}, zonedPage{1, 3})
	moved := make(chan bool, 8)
	campaigntest.Together(8, func(int) {
		ok, err := b.ledger.Advance(background(t), "c", 0, []int{100, 103}, []int{0, 1, 3}, campaigntest.Noon)
		if err != nil {
			t.Error(err)
		}
		moved <- ok
	})
	n := 0
	for range 8 {
		if <-moved {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d have moved it", n)
	}
	fed, err := b.ledger.Feed(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(&ledger.Feed{Phase: campaign.Running, Cursor: 203, ByZone: []int{100, 103}}, fed); d != "" {
		t.Error(d)
	}
	due, err := b.ledger.Due(t.Context(), "c", ledger.Watched, campaigntest.Noon, 10)
	if err != nil || len(due) != 3 || due[0].Page != 0 || due[1].Page != 1 || due[2].Page != 3 || !due[0].At.Equal(campaigntest.Noon) {
		t.Errorf("%+v (%v)", due, err)
	}
	left, err := b.ledger.ZonesLeft(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]campaign.ZoneLeft{{Zones: twoZones[0], Recipients: 7}, {Zones: twoZones[1], Recipients: 0}}, left); d != "" {
		t.Error(d)
	}
	b.healthy(t, c)
}

func TestZonesLeft_OfACampaignWithoutZones(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.stand(t, "c", 230)
	if _, err := b.ledger.Advance(t.Context(), "c", 0, []int{30}, []int{0}, campaigntest.Noon); err != nil {
		t.Fatal(err)
	}
	left, err := b.ledger.ZonesLeft(t.Context(), c)
	if err != nil || len(left) != 1 || left[0].Recipients != 200 {
		t.Errorf("%+v (%v)", left, err)
	}
}

// People who were fed may have been kept from being sent to by their hours: a cancel
// recalls their pages, however long they wait.
func TestZones_ACancelRecallsThePagesThatWait(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.standZoned(t, "c", twoZones, zonedPage{0, 100}, zonedPage{1, 100}, zonedPage{0, 7})
	if _, err := b.ledger.Advance(t.Context(), "c", 0, []int{107, 100}, []int{0, 1, 2}, campaigntest.Noon.Add(5*time.Minute)); err != nil {
		t.Fatal(err)
	}
	if ok, err := b.ledger.SetDue(t.Context(), "c", ledger.DuePage{Page: 1, At: campaigntest.Noon.Add(5 * time.Minute)}, campaigntest.Noon.Add(time.Hour)); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if err := b.ledger.Cancel(t.Context(), "c", campaign.Actor{Name: "ann"}, campaigntest.Noon); err != nil {
		t.Fatal(err)
	}
	s, err := b.ledger.State(t.Context(), "c", campaigntest.Noon)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.ledger.Recall(t.Context(), "c", s, campaigntest.Noon); err != nil {
		t.Fatal(err)
	}
	due, err := b.ledger.Due(t.Context(), "c", ledger.Watched, campaigntest.Noon, 10)
	if err != nil || len(due) != 3 {
		t.Errorf("%+v (%v)", due, err)
	}
}

func TestZones_AnAbandonedDraftLeavesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s := campaigntest.Spec("c")
	s.Hours = &campaign.Hours{From: "09:00", To: "20:00", Zone: campaign.ZoneRecipient}
	o, err := b.ledger.Open(t.Context(), s, []string{"url"})
	if err != nil {
		t.Fatal(err)
	}
	// As after a commit that died before its last step.
	b.set(t, "zones", "\x00\x00")
	if err := o.Abandon(t.Context()); err != nil {
		t.Fatal(err)
	}
	if keys := b.rdb.Keys(t.Context(), "*").Val(); len(keys) > 0 {
		t.Errorf("left: %q", keys)
	}
}
