package pacing_test

import (
	"math"
	"testing"
	"time"

	"github.com/handout-dev/handout/internal/pacing"
)

var planned = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

// many are n equal demands.
func many(n int, d pacing.Demand) []pacing.Demand {
	all := make([]pacing.Demand, n)
	for i := range all {
		all[i] = d
	}
	return all
}

func TestPlan_DividesTheRateByWhatEachCanSend(t *testing.T) {
	t.Parallel()
	type want struct {
		share      float64
		recipients int
		look       time.Duration // 0: none
	}
	big := pacing.Demand{Ready: 5000}
	for name, c := range map[string]struct {
		rate    float64
		max     int
		demands []pacing.Demand
		want    map[int]want
	}{
		"one alone has it all":                       {100, 1000, many(1, big), map[int]want{0: {100, 200, 1500 * time.Millisecond}}},
		"two have half each":                         {100, 1000, many(2, big), map[int]want{0: {50, 100, 1500 * time.Millisecond}, 1: {50, 100, 1500 * time.Millisecond}}},
		"no window is larger than the setting":       {100, 20, many(1, big), map[int]want{0: {100, 20, 150 * time.Millisecond}}},
		"a window of one":                            {100, 1, many(1, big), map[int]want{0: {100, 1, 50 * time.Millisecond}}},
		"without a limit each has a whole window":    {0, 1000, many(2, big), map[int]want{1: {math.Inf(1), 1000, 25 * time.Millisecond}}},
		"without a limit it keeps its own":           {0, 1000, []pacing.Demand{big, {Ready: 100, Rate: 10}}, map[int]want{1: {10, 20, 1500 * time.Millisecond}}},
		"its own rate leaves the rest to the other":  {100, 1000, []pacing.Demand{big, {Ready: 500, Rate: 10}}, map[int]want{0: {90, 180, 1500 * time.Millisecond}, 1: {10, 20, 1500 * time.Millisecond}}},
		"a few people leave the rest to the other":   {100, 1000, []pacing.Demand{big, {Ready: 10}}, map[int]want{0: {95, 190, 1500 * time.Millisecond}, 1: {5, 10, 0}}},
		"who can't send takes nothing":               {100, 1000, append(many(99, pacing.Demand{}), big), map[int]want{0: {}, 99: {100, 200, 1500 * time.Millisecond}}},
		"urgent ones come first":                     {100, 1000, []pacing.Demand{big, {Ready: 120, Urgent: true}}, map[int]want{0: {40, 80, 1500 * time.Millisecond}, 1: {60, 120, 0}}},
		"and leave a little":                         {100, 1000, []pacing.Demand{big, {Ready: 5000, Urgent: true}}, map[int]want{0: {2, 4, 1500 * time.Millisecond}, 1: {100, 200, 1500 * time.Millisecond}}},
		"what is queued counts":                      {100, 1000, []pacing.Demand{{Ready: 5000, Queued: 100}}, map[int]want{0: {100, 100, 1500 * time.Millisecond}}},
		"over half a window gets no more yet":        {100, 1000, []pacing.Demand{{Ready: 5000, Queued: 150}}, map[int]want{0: {100, 0, time.Second}}},
		"over a window gets nothing":                 {100, 1000, []pacing.Demand{{Ready: 5000, Queued: 300}}, map[int]want{0: {100, 0, 2500 * time.Millisecond}}},
		"the last ones are written all the same":     {100, 1000, []pacing.Demand{{Ready: 20, Queued: 180}}, map[int]want{0: {100, 20, 0}}},
		"tiny rates take only theirs":                {100, 1000, append(many(130, pacing.Demand{Ready: 500, Rate: 0.05}), big), map[int]want{0: {0.05, 1, 19750 * time.Millisecond}, 130: {93.5, 187, 1500 * time.Millisecond}}},
		"a tiny rate whose one waits gets no other":  {100, 1000, []pacing.Demand{{Ready: 500, Rate: 0.05, Queued: 1}}, map[int]want{0: {0.05, 0, 19750 * time.Millisecond}}},
		"a thousand at 10/s: the first ones of them": {10, 1000, many(1000, big), map[int]want{0: {0.01, 1, 125 * time.Second}, 19: {0.01, 1, 125 * time.Second}, 20: {0.01, 0, 125 * time.Second}, 999: {0.01, 0, 125 * time.Second}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rooms := pacing.Plan(planned, c.rate, c.max, c.demands)
			for i, w := range c.want {
				r := rooms[i]
				look := time.Duration(0)
				if !r.Look.IsZero() {
					look = r.Look.Sub(planned).Round(time.Millisecond)
				}
				if r.Share != w.share && math.Abs(r.Share-w.share) > 1e-9 || r.Recipients != w.recipients || look != w.look {
					t.Errorf("demand %d: %.3f/s, %d recipients, next look in %v; want %+v", i, r.Share, r.Recipients, look, w)
				}
			}
		})
	}
}

// Whatever the demands, no more is promised than there is, and no window is larger
// than its share lasts, but for one recipient.
func TestPlan_NeverPromisesMoreThanThereIs(t *testing.T) {
	t.Parallel()
	for n := range 200 {
		demands := make([]pacing.Demand, 1+n%17)
		for i := range demands {
			k := n*31 + i*17
			demands[i] = pacing.Demand{Urgent: k%5 == 0, Rate: float64(k%4) * 3.5, Ready: k * 7 % 900, Queued: k * 3 % 40}
		}
		rate := float64(1 + n%60)
		urgent, bulk := 0.0, 0.0
		for i, r := range pacing.Plan(planned, rate, 500, demands) {
			d := demands[i]
			if d.Urgent {
				urgent += r.Share
			} else {
				bulk += r.Share
			}
			if r.Recipients > d.Ready || r.Recipients > 0 && float64(d.Queued+r.Recipients) > math.Max(float64(r.Run), r.Share*pacing.WindowTime.Seconds())+1e-6 {
				t.Errorf("at %v/s: %+v gets %+v", rate, d, r)
			}
			if left := d.Ready - r.Recipients; left > 0 != !r.Look.IsZero() {
				t.Errorf("at %v/s: %+v has %d left, and the next look is at %v", rate, d, left, r.Look)
			}
		}
		if urgent > rate+0.01 || bulk > math.Max(rate*0.02, rate-urgent)+0.01 {
			t.Errorf("shares of %.3f/s and %.3f/s at %v/s", urgent, bulk, rate)
		}
	}
}

// A thousand campaigns that share 10 a second, looked at when their turn in the line
// has come, get all of it, each as much as the others, with a look for each send, and
// never stand in the queue all at once.
func TestPlan_AThousandCampaignsTakeTurns(t *testing.T) {
	t.Parallel()
	const n, rate = 1000, 10
	demands := many(n, pacing.Demand{Ready: 5000})
	served := make([]int, n)
	queue, sent, most := []int(nil), 0, 0
	for tick := range 3000 { // 0.1 s each
		now := planned.Add(time.Duration(tick) * 100 * time.Millisecond)
		for i, r := range pacing.Plan(now, rate, 1000, demands) {
			if !r.Line || r.Look.Sub(now) < 100*time.Second {
				t.Fatalf("not in a line: %+v", r)
			}
			if r.Recipients > 0 {
				demands[i].Ready -= r.Recipients
				demands[i].Queued += r.Recipients
				demands[i].Served = now
				queue = append(queue, i)
			}
		}
		most = max(most, len(queue))
		if len(queue) > 0 {
			demands[queue[0]].Queued--
			served[queue[0]]++
			queue = queue[1:]
			sent++
		}
	}
	least, top := served[0], served[0]
	for _, s := range served {
		least, top = min(least, s), max(top, s)
	}
	if sent < 2990 || most > 60 || top-least > 1 {
		t.Errorf("%d sent of 3,000, at most %d in the queue, each campaign %d to %d times", sent, most, least, top)
	}
}
