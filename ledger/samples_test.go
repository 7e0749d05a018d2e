package ledger_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/test/campaigntest"
)

// clock is Redis's, in whole seconds.
func (b *bundle) clock(t testing.TB) time.Time {
	t.Helper()
	now, err := b.rdb.Time(t.Context()).Result()
	if err != nil {
		t.Fatal(err)
	}
	return now.Truncate(time.Second)
}

// plant puts a sample into the set as if it had been taken then.
func (b *bundle) plant(t testing.TB, id campaign.ID, at int64, counts string) {
	t.Helper()
	member := strconv.FormatInt(at, 10) + ":" + counts
	if err := b.rdb.ZAdd(t.Context(), key(id, "samples"), redis.Z{Score: float64(at), Member: member}).Err(); err != nil {
		t.Fatal(err)
	}
}

// take samples as a worker of its own would.
func (b *bundle) take(t testing.TB, ids ...campaign.ID) {
	t.Helper()
	for _, id := range ids {
		if err := ledger.New(b.rdb).Sample(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
}

func (b *bundle) samples(t testing.TB, id campaign.ID) []campaign.Sample {
	t.Helper()
	all, err := b.ledger.Samples(t.Context(), id, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestSample_SaysWhereTheCampaignStands(t *testing.T) {
	t.Parallel()
	b := setup(t)
	info := b.stand(t, "a", 250)
	at := campaign.Event{Kind: campaign.EventClaim, At: campaigntest.Noon}
	b.apply(t, info, campaign.Place{}, at)
	before := b.clock(t)
	b.take(t, "a")
	all := b.samples(t, "a")
	if len(all) != 1 {
		t.Fatalf("%d samples", len(all))
	}
	if d := diff(*b.balance(t, "a"), all[0].Balance); d != "" {
		t.Error(d)
	}
	if s := all[0].At; s.Unix()%5 != 0 || before.Sub(s) >= ledger.SampleTime || s.After(b.clock(t)) {
		t.Errorf("taken at %v, and stamped %v", before, s)
	}
	if ttl := b.rdb.TTL(t.Context(), key("a", "samples")).Val(); ttl <= 47*time.Hour || ttl > 48*time.Hour {
		t.Errorf("they go after %v", ttl)
	}
}

func TestSample_ManyWorkersTakeOneEachFiveSeconds(t *testing.T) {
	t.Parallel()
	b := setup(t)
	info := b.stand(t, "a", 100)
	ctx := t.Context()
	campaigntest.Together(8, func(worker int) {
		l := ledger.New(b.rdb)
		for i := range 20 { // the counts differ from call to call
			e := campaign.Event{Kind: campaign.EventClaim, At: campaigntest.Noon}
			if p := worker*10 + i; i < 10 {
				_, _ = l.Apply(ctx, info, campaign.PlaceOf(p), ledger.Seen{}, e)
			}
			if err := ledger.New(b.rdb).Sample(ctx, "a"); err != nil {
				t.Error(err)
			}
		}
	})
	seen := make(map[int64]bool)
	for _, s := range b.samples(t, "a") {
		if seen[s.At.Unix()] || s.At.Unix()%5 != 0 {
			t.Errorf("another sample of %v", s.At)
		}
		seen[s.At.Unix()] = true
	}
	if len(seen) == 0 {
		t.Error("no sample at all")
	}
}

func TestSample_NothingNewIsSaidOnceAMinute(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		ago    int64 // of the last sample
		counts string
		want   int
	}{
		{10, "3", 1},     // the same
		{50, "3", 1},     // and still
		{65, "3", 2},     // a minute has passed
		{10, "2,1", 2},   // something has changed
		{10, "3,,,1", 2}, // or will have
		{10, "33", 2},
	} {
		t.Run(fmt.Sprintf("%s %d s ago", c.counts, c.ago), func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.stand(t, "a", 3)
			now := b.clock(t).Unix()
			b.plant(t, "a", now-now%5-c.ago, c.counts)
			b.take(t, "a")
			if got := len(b.samples(t, "a")); got != c.want {
				t.Errorf("%d samples, want %d", got, c.want)
			}
		})
	}
}

func TestSample_IsThinnedOutAndDropped(t *testing.T) {
	t.Parallel()
	const day = 24 * 60 * 60
	for _, gap := range []int64{5, 700, 3 * 60 * 60} { // since the sample before: workers may have been away
		t.Run(fmt.Sprint(gap), func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.stand(t, "a", 1000)
			now := b.clock(t).Unix()
			now -= now % 5
			last := now - gap
			// As it stands after last: thinned out up to 10 minutes before it.
			for at := last; at > last-600; at -= 5 {
				b.plant(t, "a", at, strconv.FormatInt(at%977, 10))
			}
			minutes := last - 600
			for at := minutes - minutes%60; at > last-2*day-600; at -= 60 {
				b.plant(t, "a", at, strconv.FormatInt(at%977, 10))
			}
			b.take(t, "a")
			all := b.samples(t, "a")
			if newest := all[len(all)-1].At.Unix(); newest < now {
				t.Fatalf("the newest is %d s old", now-newest)
			}
			now = all[len(all)-1].At.Unix()
			perMinute, recent := make(map[int64]int), 0
			for _, s := range all {
				at := s.At.Unix()
				switch {
				case at < now-2*day:
					t.Errorf("a sample is %d s old", now-at)
				case at < now-600:
					perMinute[at/60]++
				default:
					recent++
				}
			}
			for minute, n := range perMinute {
				if n != 1 {
					t.Errorf("%d samples of the minute %d s ago", n, now-minute*60)
				}
			}
			if want := max(0, 600-int(gap))/5 + 1; recent < want {
				t.Errorf("%d samples of the last ten minutes, want %d", recent, want)
			}
			if want := (2*day - int(gap) - 600) / 60; len(perMinute) < want-2 || len(perMinute) > want+int(gap)/60+2 {
				t.Errorf("samples of %d minutes, want %d", len(perMinute), want)
			}
		})
	}
}

func TestSample_OfWhatIsNotThereIsNone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.open(t, "draft")
	b.stand(t, "a", 3)
	b.take(t, "nobody", "draft", "a")
	for _, id := range []campaign.ID{"nobody", "draft"} {
		if all := b.samples(t, id); len(all) > 0 {
			t.Errorf("%s: %v", id, all)
		}
	}
	if len(b.samples(t, "a")) != 1 {
		t.Error("and none of the one that is there")
	}
}

func TestSamples_SinceAMoment(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i := range int64(10) {
		b.plant(t, "a", 1_764_000_000+5*i, strconv.FormatInt(100-i, 10)+",,,"+strconv.FormatInt(i, 10))
	}
	all, err := b.ledger.Samples(t.Context(), "a", time.Unix(1_764_000_040, 0))
	if err != nil {
		t.Fatal(err)
	}
	want := []campaign.Sample{
		{At: time.Unix(1_764_000_040, 0).UTC()}, {At: time.Unix(1_764_000_045, 0).UTC()},
	}
	want[0].Balance.States[campaign.Planned], want[0].Balance.States[campaign.Accepted] = 92, 8
	want[1].Balance.States[campaign.Planned], want[1].Balance.States[campaign.Accepted] = 91, 9
	if d := diff(want, all); d != "" {
		t.Error(d)
	}
}

func TestSamples_RefusesWhatIsNone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i, counts := range []string{"x", "1,x", strings.Repeat("1,", 40) + "1"} {
		id := campaign.ID(fmt.Sprintf("a%d", i))
		b.plant(t, id, 1_764_000_000, counts)
		if all, err := b.ledger.Samples(t.Context(), id, time.Time{}); err == nil {
			t.Errorf("%q is read as %v", counts, all)
		}
	}
}
