package bench_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/telesign"
	"github.com/handout-dev/handout/test/redistest"
)

// BenchmarkReceipts has the outcome of every recipient posted over 64
// connections. Ours are signed and verified, find their record by its external
// ID, and go through the state machine; the plain way's are unsigned.
func BenchmarkReceipts(b *testing.B) {
	const (
		perRound    = 15_000
		turns       = 5
		connections = 64
		seconds     = 4 // of the measurement of latencies
		mostLatency = 50 * time.Millisecond
	)
	for b.Loop() {
		server := redistest.Start(b)
		h, p := newHandout(b, server), newPlain(b, server)
		listener := h.listen(b)
		plainURL, stopPlain := serve(b, p)
		const all = (turns + seconds) * perRound
		info := h.submit(b, people(all, acceptedDigits, false))
		h.acceptAll(b, info)
		p.acceptAll(b, all)

		measure := func(way, to string, requests [][]byte) float64 {
			before := cpuTime(b, server, nil)
			stop := profile(b, way)
			rate := post(b, to, connections, requests)
			stop()
			b.Logf("%s %s/s, %s; the load's own included", way, count(rate), cpuTime(b, server, nil).minus(before).per(perRound))
			return rate
		}
		var r rounds
		r.run(turns,
			func(round int) float64 {
				return measure("receipts", listener.url, signedReceipts(b, listener.url, round*perRound, perRound))
			},
			func(round int) float64 {
				return measure("receipts-plain", plainURL, plainReceipts(b, plainURL, round*perRound, perRound))
			})
		r.report(b, "receipts/s", "receipts recorded, ours signed", 1)
		n := min(int(median(r.ours)/2*seconds), seconds*perRound)
		rate := float64(n) / seconds
		latencies := postPaced(b, listener.url, connections, signedReceipts(b, listener.url, turns*perRound, n), rate)
		plainLatencies := postPaced(b, plainURL, connections, plainReceipts(b, plainURL, turns*perRound, n), rate)
		p50, p99, plain99 := latencies[n/2], latencies[n*99/100], plainLatencies[n*99/100]
		listener.stop()
		stopPlain()
		if got := h.balance(b).Of(campaign.Delivered); got != turns*perRound+n {
			b.Errorf("%d recipients are delivered, not %d", got, turns*perRound+n)
		}
		server.Kill()

		b.Logf("at %s/s: p50 %s, p99 %s, most %s; plain: p50 %s, p99 %s, most %s", count(rate),
			p50, p99, latencies[n-1], plainLatencies[n/2], plain99, plainLatencies[n-1])
		ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
		b.ReportMetric(ms(p99), "p99-ms")
		b.ReportMetric(ms(plain99), "plain-p99-ms")
		table = append(table,
			line{"  p99 at half that load", fmt.Sprintf("%.1f ms", ms(p99)), fmt.Sprintf("%.1f ms", ms(plain99)), ratio(ms(p99), ms(plain99)), "< 50 ms", met(p99 < mostLatency)},
		)
	}
	noTime(b)
}

// acceptAll has the vendor's answer to everyone recorded, without sending.
func (h *handout) acceptAll(b *testing.B, info *campaign.Info) {
	b.Helper()
	now := time.Now()
	var next atomic.Int64
	var working sync.WaitGroup
	for range 256 {
		working.Go(func() {
			for {
				n := int(next.Add(1)) - 1
				if n >= info.Total {
					return
				}
				place := campaign.PlaceOf(n)
				seen, err := h.ledger.Apply(b.Context(), info, place, ledger.Seen{},
					campaign.Event{Kind: campaign.EventClaim, At: now, Claim: uint64(n) + 1})
				if err == nil {
					_, err = h.ledger.Apply(b.Context(), info, place, seen, campaign.Event{
						Kind: campaign.EventAccept, At: now, Attempt: 1, Code: 3001,
						Reference: referenceOf(uint64(n)), DueAt: now.Add(time.Hour),
					})
				}
				if err != nil {
					b.Errorf("accept: %v", err)
					return
				}
			}
		})
	}
	working.Wait()
}

func (p *plain) acceptAll(b *testing.B, all int) {
	b.Helper()
	pipe, n := p.rdb.Pipeline(), uint64(0)
	flush := func() {
		if _, err := pipe.Exec(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	for who := range people(all, acceptedDigits, false) {
		task := newPlainTask(who)
		_ = p.recordSend(b.Context(), pipe, &task, referenceOf(n)) // fails in flush, if at all
		if n++; pipe.Len() >= 1000 {
			flush()
		}
	}
	flush()
}

// receipt is the vendor's, of a delivery over WhatsApp.
func receipt(b *testing.B, n int, externalID string) []byte {
	b.Helper()
	now := time.Now()
	at, text := now.UTC().Format(time.RFC3339Nano), telesign.CodeDelivered.Text()
	return fmt.Appendf(nil, `{"reference_id":%q,"external_id":%q,`+
		`"status":{"code":%d,"description":%q,"last_channel":"whatsapp","updated_on":%q},`+
		`"channel_status":[{"whatsapp":{"code":%[3]d,"description":%[4]q,"reference_id":%[6]q,"updated_on":%[5]q}}]}`,
		referenceOf(uint64(n)), externalID, telesign.CodeDelivered, text, at, referenceOf(uint64(n)+1<<40))
}

// signedReceipts are whole requests, ready to be written.
func signedReceipts(b *testing.B, to string, first, n int) [][]byte {
	b.Helper()
	requests := make([][]byte, n)
	for i := range requests {
		body := receipt(b, first+i, campaign.ExternalID(campaignID, campaign.PlaceOf(first+i), 1))
		header, err := telesign.SignCallback(customerID, apiKey, body)
		if err != nil {
			b.Fatal(err)
		}
		requests[i] = request(b, to, header, body)
	}
	return requests
}

func plainReceipts(b *testing.B, to string, first, n int) [][]byte {
	b.Helper()
	requests := make([][]byte, n)
	for i := range requests {
		requests[i] = request(b, to, http.Header{}, receipt(b, first+i, "2026-11-customer"+strconv.Itoa(first+i)))
	}
	return requests
}

func request(b *testing.B, to string, header http.Header, body []byte) []byte {
	b.Helper()
	r, err := http.NewRequest(http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	r.Header = header
	r.Header.Set("Content-Type", "application/json")
	var text bytes.Buffer
	if err := r.Write(&text); err != nil {
		b.Fatal(err)
	}
	return text.Bytes()
}

// post makes all requests, as fast as they are answered, and returns how many
// per second were.
func post(b *testing.B, to string, connections int, requests [][]byte) float64 {
	b.Helper()
	start := time.Now()
	overConnections(b, to, connections, len(requests), func(c *connection, i int) error {
		return c.exchange(requests[i])
	})
	return float64(len(requests)) / time.Since(start).Seconds()
}

// postPaced makes requests at a rate, whether or not those before have been
// answered, and returns how long each took from the moment when it was due,
// sorted.
func postPaced(b *testing.B, to string, connections int, requests [][]byte, rate float64) []time.Duration {
	b.Helper()
	took := make([]time.Duration, len(requests))
	start := time.Now().Add(50 * time.Millisecond)
	overConnections(b, to, connections, len(requests), func(c *connection, i int) error {
		due := start.Add(time.Duration(float64(i) / rate * float64(time.Second)))
		time.Sleep(time.Until(due))
		err := c.exchange(requests[i])
		took[i] = time.Since(due)
		return err
	})
	slices.Sort(took)
	return took
}

// connection is one client, as cheap as can be: what it costs is the same for
// both ways.
type connection struct {
	net.Conn
	r *bufio.Reader
}

// exchange writes a request and reads its answer.
func (c *connection) exchange(request []byte) error {
	if _, err := c.Write(request); err != nil {
		return err
	}
	length := 0
	for first := true; ; first = false {
		text, err := c.r.ReadSlice('\n')
		if err != nil {
			return err
		}
		if first && !bytes.HasPrefix(text, []byte("HTTP/1.1 200 ")) {
			return errors.New("answered " + string(bytes.TrimSpace(text)))
		}
		if value, ok := bytes.CutPrefix(text, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return err
			}
		}
		if len(bytes.TrimSpace(text)) == 0 {
			_, err := c.r.Discard(length)
			return err
		}
	}
}

// overConnections calls do for 0 to n-1, in this order, from as many
// connections as there are.
func overConnections(b *testing.B, to string, connections, n int, do func(c *connection, i int) error) {
	b.Helper()
	u, err := url.Parse(to)
	if err != nil {
		b.Fatal(err)
	}
	var next atomic.Int64
	var working sync.WaitGroup
	for range connections {
		working.Go(func() {
			raw, err := net.Dial("tcp", u.Host)
			if err != nil {
				b.Error(err)
				return
			}
			defer raw.Close()
			c := &connection{raw, bufio.NewReader(raw)}
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := do(c, i); err != nil {
					b.Errorf("receipt %d: %v", i, err)
					return
				}
			}
		})
	}
	working.Wait()
}
