package bench_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/producer"
	"github.com/handout-dev/handout/telesign/simulator"
	"github.com/handout-dev/handout/test/redistest"
)

// BenchmarkCampaigns measures one worker that has many campaigns: what they cost that
// have nothing to send, and what one gets of the rate beside others that can't use
// their part. There is no plain way: asynq knows no campaigns.
func BenchmarkCampaigns(b *testing.B) {
	closed := func() string { // for hours to come
		from := time.Now().UTC().Add(3 * time.Hour)
		if from.Hour() > 20 {
			from = from.Add(4 * time.Hour)
		}
		return fmt.Sprintf("hours: {from: %q, to: %q, zone: UTC}\n", from.Format("15:00"), from.Add(time.Hour).Format("15:00"))
	}
	for _, c := range []struct {
		what     string
		n, each  int    // campaigns, and the recipients of each
		has      string // in the file of each
		paused   bool
		rate     float64
		one      int           // recipients of one more, without limit
		commands float64       // a second, at most; 0: not asked
		turn     time.Duration // until each campaign has had its first turn
		core     float64       // at most
		sends    float64       // a second, at least
	}{
		{what: "2,000 campaigns paused", n: 2000, each: 1, paused: true, rate: 100, commands: 400, core: 0.03},
		{what: "1,000 campaigns running at 10/s", n: 1000, each: 50, rate: 10, turn: 105 * time.Second, commands: 2000, core: 0.08, sends: 9.7},
		{what: "one at 100/s beside 99 whose hours are closed", n: 99, each: 100, has: closed(), rate: 100, one: 5000, sends: 97},
		{what: "one at 100/s beside 130 at 0.05/s each", n: 130, each: 20, has: "rate: 0.05\n", rate: 100, one: 5000, sends: 90},
	} {
		b.Run(c.what, func(b *testing.B) {
			const warm, long = 5 * time.Second, 20 * time.Second
			for b.Loop() {
				server := redistest.Start(b)
				to, stopVendor := startVendor(b, vendorOptions{})
				h := newHandout(b, server)
				for i := range c.n {
					begin := campaign.Beginning{Hold: c.paused}
					h.submitAs(b, fmt.Sprintf("c%d", i), c.has, c.each, begin)
				}
				counted := "c"
				if c.one > 0 {
					counted = "one"
					h.submitAs(b, counted, "", c.one, campaign.Beginning{})
				}
				_, pid, stop := startChild(b, senderVariable, senderOptions{Redis: server.URL(), Vendor: to.url, Rate: c.rate})
				time.Sleep(warm + c.turn)
				server.ResetCommandStats()
				core, from := processTime(pid), time.Now()
				time.Sleep(long)
				core = processTime(pid) - core
				until := time.Now()
				commands := 0.0
				for _, calls := range server.CommandStats() {
					commands += float64(calls)
				}
				seconds := until.Sub(from).Seconds()
				part, commands := core.Seconds()/seconds, commands/seconds
				sends := float64(acceptedOf(b, to, counted, from, until)) / seconds
				stop()
				stopVendor()
				server.Kill()

				b.Logf("%s: %.2f sends/s, %.0f commands/s, %s of a core", c.what, sends, commands, percent(part))
				what := c.what
				if c.sends > 0 {
					table = append(table, line{what + ": sends", fmt.Sprintf("%.2f/s", sends), "", "", fmt.Sprintf("≥ %.1f/s", c.sends), met(sends >= c.sends)})
					what = "  the same"
				}
				if c.commands > 0 {
					table = append(table,
						line{what + ": Redis commands", count(commands) + "/s", "", "", "≤ " + count(c.commands) + "/s", met(commands <= c.commands)},
						line{"  the same: of a core", percent(part), "", "", "≤ " + percent(c.core), met(part <= c.core)})
				}
			}
			noTime(b)
		})
	}
}

// submitAs opens a campaign of another name, whose file says more.
func (h *handout) submitAs(b *testing.B, id, more string, n int, begin campaign.Beginning) {
	b.Helper()
	text := strings.Replace(campaignFile, string(campaignID), id, 1) + more
	file, err := producer.ParseCampaign("campaign.yaml", []byte(text))
	if err != nil {
		b.Fatal(err)
	}
	_, err = producer.New(h.rdb).Submit(b.Context(), file,
		producer.ListRows([]string{"url"}, rows(people(n, acceptedDigits, false))), producer.SubmitOptions{Begin: begin})
	if err != nil {
		b.Fatal(err)
	}
}

// acceptedOf counts the messages of the campaigns whose names begin so.
func acceptedOf(b *testing.B, to *vendor, campaigns string, from, until time.Time) (n int) {
	b.Helper()
	for l := range strings.Lines(fetch(b, to.url+"/simulator/log")) {
		var m simulator.Accepted
		if err := json.Unmarshal([]byte(l), &m); err != nil {
			b.Fatal(err)
		}
		if strings.HasPrefix(m.ExternalID, campaigns) && m.At.After(from) && m.At.Before(until) {
			n++
		}
	}
	return n
}
