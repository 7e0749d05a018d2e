package bench_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/handout-dev/handout/telesign/simulator"
	"github.com/handout-dev/handout/test/redistest"
)

// kind is how a vendor grants less than the account's rate, and what is to be made
// of it: how much of what is left is used at least, and which share of the requests
// is denied at most.
type kind struct {
	what         string
	vendor       vendorOptions
	used, denied float64
	long         time.Duration
}

// kinds are vendors for an account of 100 requests per second.
var kinds = []kind{
	{"60 of 100/s are granted", vendorOptions{Rate: 60}, 0.95, 0.05, 30 * time.Second},
	{"another application takes half, 20 s long", vendorOptions{Rate: 100, Bursts: 20 * time.Second}, 0.90, 0.04, 80 * time.Second},
	{"another application takes half, 5 s long", vendorOptions{Rate: 100, Bursts: 5 * time.Second}, 0.80, 0.08, 120 * time.Second},
	{"1 % is denied whatever we do", vendorOptions{Rate: 100, Denies: 0.01}, 0.95, 0.02, 60 * time.Second},
	{"5 % is denied whatever we do", vendorOptions{Rate: 100, Denies: 0.05}, 0.60, 0.06, 60 * time.Second},
}

// BenchmarkGranted holds what handout makes of a vendor who grants less than the
// rate that is set, by the vendor's counts.
func BenchmarkGranted(b *testing.B) {
	const (
		workers = 3
		rate    = 100
		warm    = 3 * time.Second
	)
	for _, k := range kinds {
		b.Run(k.what, func(b *testing.B) {
			for b.Loop() {
				server := redistest.Start(b)
				to, stop := startVendor(b, k.vendor)
				newHandout(b, server).submit(b, people(int(1.2*rate*(k.long+2*warm).Seconds()), acceptedDigits, false))
				var stops []func()
				for range workers {
					_, _, stop := startChild(b, senderVariable, senderOptions{Redis: server.URL(), Vendor: to.url, Rate: rate})
					stops = append(stops, stop)
				}
				time.Sleep(warm)
				before, from := stats(b, to), time.Now()
				time.Sleep(k.long)
				after, long := stats(b, to), time.Since(from)
				for _, stop := range stops {
					stop()
				}
				stop()
				server.Kill()
				left := float64(k.vendor.Rate)*long.Seconds() - float64(after.Elsewhere-before.Elsewhere)
				used := float64(after.Accepted-before.Accepted) / left
				denied := float64(after.ByAnswer["429/3204"]-before.ByAnswer["429/3204"]) / float64(after.Requests-before.Requests)
				b.Logf("%s: %s of what is left used, %s denied, at most %d in a second", k.what, percent(used), percent(denied), after.MaxPerSecond)
				table = append(table,
					line{k.what + ": used of what is left", percent(used), "", "", "≥ " + percent(k.used), met(used >= k.used)},
					line{"  denied", percent(denied), "", "", "≤ " + percent(k.denied), met(denied <= k.denied)},
					line{"  most in a second", fmt.Sprint(after.MaxPerSecond), "", "", fmt.Sprintf("≤ %d", rate), met(after.MaxPerSecond <= rate)})
			}
			noTime(b)
		})
	}
}

// stats are the vendor's counts.
func stats(b *testing.B, to *vendor) (s simulator.Stats) {
	b.Helper()
	if err := json.Unmarshal([]byte(fetch(b, to.url+"/simulator/stats")), &s); err != nil {
		b.Fatal(err)
	}
	return s
}
