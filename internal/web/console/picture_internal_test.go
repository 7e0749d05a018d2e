package console

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/web/access"
)

func delivered(took time.Duration, whatsApp, sms bool) *campaign.Record {
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	r := &campaign.Record{State: campaign.Delivered, ClaimedAt: at, SettledAt: at.Add(took)}
	if whatsApp {
		r.Legs[campaign.WhatsApp] = campaign.Leg{Rank: campaign.RankDelivered, Code: 3100}
	}
	if sms {
		r.Legs[campaign.SMS] = campaign.Leg{Rank: campaign.RankDelivered, Code: 3100}
	}
	return r
}

// Of who got both, WhatsApp's own time isn't known, but that it was over the
// fallback time: left out, they would make any fallback time look good.
func TestTiming_ReckonsWithWhoGotBoth(t *testing.T) {
	t.Parallel()
	var w timing
	for i := range 90 {
		w.add(delivered(time.Duration(100-i)*time.Second, true, false)) // 11 s to 100 s
	}
	for range 10 {
		w.add(delivered(700*time.Second, true, true))
	}
	for i := range 4 {
		w.add(delivered(time.Duration(610+i)*time.Second, false, true))
	}
	w.add(&campaign.Record{State: campaign.Failed, ClaimedAt: time.Now(), SettledAt: time.Now()})
	w.add(delivered(-time.Second, true, false)) // clocks that disagree say nothing
	w.add(&campaign.Record{State: campaign.Delivered, Legs: campaign.Legs{campaign.WhatsApp: {Rank: campaign.RankRead}}})
	w.sort()
	limit := 10 * time.Minute
	want := []percentileRow{
		{"whatsapp", "WhatsApp", 100, []string{"1 min", "1 min 40 s", "over 10 min", "over 10 min"}},
		{"sms", "SMS", 4, []string{"10 min 11 s", "10 min 13 s", "10 min 13 s", "10 min 13 s"}},
	}
	if diff := cmp.Diff(want, w.table(limit)); diff != "" {
		t.Error(diff)
	}
	f := w.fallback(limit)
	if f.Reached != 100 || f.Late != 10 || f.Share != "90.0 %" || f.Today != "10 min" || f.Enough[0].Time != "1 min" || f.Enough[2].Time != "more than today's 10 min" {
		t.Errorf("%+v", f)
	}
	if w.fallback(0) != nil || new(timing).fallback(limit) != nil || new(timing).chart(limit) != nil {
		t.Error("there is nothing to say, and it is said")
	}
}

func TestPercentile_IsTheSmallestWithinWhichSoManyAre(t *testing.T) {
	t.Parallel()
	var ten []time.Duration
	for i := range 10 {
		ten = append(ten, time.Duration(i+1)*time.Second)
	}
	for _, c := range []struct {
		beyond, percent int
		want            time.Duration
		known           bool
	}{
		{0, 50, 5 * time.Second, true}, {0, 90, 9 * time.Second, true}, {0, 95, 10 * time.Second, true}, {0, 99, 10 * time.Second, true},
		{10, 50, 10 * time.Second, true}, {10, 90, 0, false}, {1, 90, 10 * time.Second, true}, {1, 99, 0, false},
	} {
		if d, ok := percentile(ten, c.beyond, c.percent); d != c.want || ok != c.known {
			t.Errorf("%d %% with %d beyond: %s, %t", c.percent, c.beyond, d, ok)
		}
	}
	if _, ok := percentile(nil, 0, 50); ok {
		t.Error("of nobody")
	}
}

func TestFallback_IsWhatsAppsUnlessItIsTheLast(t *testing.T) {
	t.Parallel()
	whatsApp, sms := campaign.Channel{Channel: "whatsapp", FallbackTime: 90}, campaign.Channel{Channel: "sms"}
	for _, c := range []struct {
		channels []campaign.Channel
		want     time.Duration
	}{
		{[]campaign.Channel{whatsApp, sms}, 90 * time.Second}, {[]campaign.Channel{{Channel: "whatsapp"}, sms}, 5 * time.Minute},
		{[]campaign.Channel{sms, whatsApp}, 0}, {[]campaign.Channel{whatsApp}, 0}, {nil, 0},
	} {
		if got := fallbackOf(&campaign.Spec{Channels: c.channels}); got != c.want {
			t.Errorf("%+v: %s", c.channels, got)
		}
	}
}

func TestTimeChart_StaysInItsFrame(t *testing.T) {
	t.Parallel()
	var samples []campaign.Sample
	at := time.Date(2026, 11, 22, 23, 50, 0, 0, time.UTC)
	for i := range 2000 {
		s := campaign.Sample{At: at.Add(time.Duration(i) * 5 * time.Second)}
		s.Balance.States[campaign.Delivered], s.Balance.States[campaign.Failed] = 60*i, i
		s.Balance.By[campaign.ByWhatsApp], s.Balance.By[campaign.BySMS] = 40*i, 20*i
		samples = append(samples, s)
	}
	c := drawTime(samples)
	if len(c.Curves) != 4 || c.Curves[0].EndX != plotRight || c.Curves[0].Name != "WhatsApp "+campaign.Number(40*1999) {
		t.Fatalf("%+v", c.Curves[0])
	}
	for _, curve := range c.Curves {
		if n := strings.Count(curve.Path, "L"); n > maxPoints+2 || n < maxPoints/2 {
			t.Errorf("%s has %d points", curve.Name, n)
		}
		if curve.EndY < plotTop || curve.EndY > plotBottom || curve.NameY < plotTop || curve.NameY > plotBottom {
			t.Errorf("%s ends at %v, its name stands at %v", curve.Name, curve.EndY, curve.NameY)
		}
	}
	if len(c.X) < 3 || len(c.X) > 7 || len(c.Y) < 4 || len(c.Y) > 6 {
		t.Errorf("%d and %d marks", len(c.X), len(c.Y))
	}
	if drawTime(samples[:1]) != nil || drawTime(nil) != nil || drawTime([]campaign.Sample{{At: at}, {At: at.Add(time.Hour)}}) != nil {
		t.Error("there is nothing to draw, and it is drawn")
	}
}

func TestBar_HoldsEverybodyOnce(t *testing.T) {
	t.Parallel()
	var b campaign.Balance
	for i, s := range campaign.States() {
		b.States[s] = i + 1
	}
	n := b.Of(campaign.Delivered)
	b.By[campaign.ByWhatsApp], b.By[campaign.BySMS], b.By[campaign.ByBoth], b.By[campaign.ByOther] = 1, 1, 1, n-3
	people, width := 0, 0.0
	for _, p := range barOf(&b).Parts {
		if p.X != width {
			t.Errorf("%s begins at %v, not %v", p.Name, p.X, width)
		}
		people, width = people+p.Count, width+p.Width
	}
	if people != b.Total() || width < 999.9 || width > 1000.1 {
		t.Errorf("%d of %d people, %v wide", people, b.Total(), width)
	}
}

func TestPercent_NeverSaysAllOfAPart(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		part, whole int
		want        string
	}{{0, 0, "–"}, {0, 5, "0.0 %"}, {5, 5, "100.0 %"}, {99999, 100000, ">99.9 %"}, {1, 100000, "<0.1 %"}, {1, 3, "33.3 %"}} {
		if got := percent(c.part, c.whole); got != c.want {
			t.Errorf("%d of %d is %q", c.part, c.whole, got)
		}
	}
}

func TestVisit_MasksPeople(t *testing.T) {
	t.Parallel()
	number := "+12015550123"
	reader, seer := &visit{key: &access.Key{Scopes: []access.Scope{access.Read, access.Control}}}, &visit{key: &access.Key{Scopes: []access.Scope{access.People}}}
	if reader.phone(number) != "+*********23" || reader.name("tel-"+number, number) != "tel-+*********23" || reader.name("customer-1", number) != "customer-1" {
		t.Errorf("%s, %s", reader.phone(number), reader.name("tel-"+number, number))
	}
	if seer.phone(number) != number || seer.name(number, number) != number {
		t.Errorf("%s, %s", seer.phone(number), seer.name(number, number))
	}
}
