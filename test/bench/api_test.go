package bench_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/web/access"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/test/program"
	"github.com/handout-dev/handout/test/redistest"
)

// BenchmarkAPI hands lists over HTTP to handout console, in a process of its own,
// beside handout submit on the same lists. Then it asks for a campaign of a
// million, and for everyone in one whose people have outcomes.
func BenchmarkAPI(b *testing.B) {
	const (
		rounded     = 500_000
		large       = 1_000_000
		settled     = 200_000
		leastRatio  = 0.8
		mostStatus  = 10 * time.Millisecond
		leastExport = 200_000
		mostMiB     = 150
	)
	for b.Loop() {
		var r rounds
		r.run(5,
			func(int) float64 {
				c := newConsole(b)
				defer c.stop()
				return c.upload(b, rounded)
			},
			func(int) float64 {
				rate, _ := submitProcess(b, "list.csv", rounded)
				return rate
			})
		r.report(b, "rows", "API: upload of 500,000 rows, beside handout submit", leastRatio)

		c := newConsole(b)
		upload := c.upload(b, large)
		var times []float64
		for range 200 {
			start := time.Now()
			c.ask(b, http.StatusOK, http.MethodGet, "/campaigns/"+string(campaignID), "", nil)
			times = append(times, time.Since(start).Seconds())
		}
		status := time.Duration(median(times) * float64(time.Second))
		planned := c.export(b, large)
		resident := c.stop()

		c = newConsole(b)
		c.upload(b, settled)
		c.settle(b, settled)
		export := c.export(b, settled)
		c.stop()

		b.ReportMetric(status.Seconds()*1000, "status-ms")
		b.ReportMetric(export, "export-rows/s")
		table = append(table,
			line{"API: upload of 1,000,000 rows", count(upload) + "/s", "", "", "", noRequirement},
			line{"  its process, resident at most", fmt.Sprintf("%.0f MiB", resident), "", "", fmt.Sprintf("≤ %d MiB", mostMiB), met(resident <= mostMiB)},
			line{"API: a campaign of 1,000,000 looked at", status.Round(10 * time.Microsecond).String(), "", "", "< 10 ms", met(status < mostStatus)},
			line{"API: export of 1,000,000 rows, nothing sent yet", count(planned) + "/s", "", "", "≥ 200,000/s", met(planned >= leastExport)},
			line{"API: export of 200,000 rows, all delivered", count(export) + "/s", "", "", "≥ 200,000/s", met(export >= leastExport)},
		)
	}
	noTime(b)
}

// upload hands over a campaign on hold, and returns the rows per second.
func (c *console) upload(b *testing.B, n int) float64 {
	b.Helper()
	path := filepath.Join(b.TempDir(), "list.csv")
	writeCSV(b, path, people(n, acceptedDigits, false))
	c.ask(b, http.StatusCreated, http.MethodPost, "/campaigns", "application/json", strings.NewReader(campaignJSON))
	f, err := os.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	start := time.Now()
	c.ask(b, http.StatusCreated, http.MethodPut, "/campaigns/"+string(campaignID)+"/recipients?hold=true", "text/csv", f)
	return float64(n) / time.Since(start).Seconds()
}

// export reads everyone, and returns the rows per second.
func (c *console) export(b *testing.B, n int) float64 {
	b.Helper()
	start := time.Now()
	lines := c.ask(b, http.StatusOK, http.MethodGet, "/campaigns/"+string(campaignID)+"/export", "", nil)
	if lines != n+1 {
		b.Fatalf("the export has %d lines", lines)
	}
	return float64(n) / time.Since(start).Seconds()
}

// settle has everyone get the SMS.
func (c *console) settle(b *testing.B, n int) {
	b.Helper()
	c.ask(b, http.StatusOK, http.MethodPost, "/campaigns/"+string(campaignID)+"/start", "", nil)
	l := ledger.New(c.rdb)
	info, err := l.Info(b.Context(), campaignID)
	if err != nil {
		b.Fatal(err)
	}
	const hands = 256
	var wg sync.WaitGroup
	for hand := range hands {
		wg.Go(func() {
			for i := hand; i < n; i += hands {
				at, reference := campaign.PlaceOf(i), fmt.Sprintf("%032X", i)
				sms := campaign.Leg{Rank: campaign.RankDelivered, Code: 3000}
				var seen ledger.Seen
				for _, e := range []campaign.Event{
					{Kind: campaign.EventClaim, Claim: 7},
					{Kind: campaign.EventAccept, Attempt: 1, Claim: 7, Reference: reference, DueAt: time.Now().Add(time.Hour)},
					{
						Kind: campaign.EventReceipt, Attempt: 1, Reference: reference, Status: sms, Legs: []campaign.ChannelLeg{
							{Channel: "whatsapp", Leg: campaign.Leg{Rank: campaign.RankFailed, Code: 3056}}, {Channel: "sms", Leg: sms},
						},
					},
				} {
					e.At = time.Now()
					var err error
					if seen, err = l.Apply(b.Context(), info, at, seen, e); err != nil {
						b.Error(err)
						return
					}
				}
			}
		})
	}
	wg.Wait()
}

const campaignJSON = `{"id":"` + string(campaignID) + `","message_type":"MKT","channels":[
{"channel":"whatsapp","fallback_time":"10m","template":"file","parameters":{"url":"{{.url}}","file_name":"order history.xlsx"}},
{"channel":"sms","template":"text","parameters":{"text":"Your viatu.com order history is ready for download at {{.url}}."}}]}`

// console is handout console in a process of its own.
type console struct {
	url, token string
	rdb        *redis.Client
	cmd        *exec.Cmd
	peak       chan float64
}

func newConsole(b *testing.B) *console {
	b.Helper()
	bin, err := program.Find("handout", b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	server := redistest.Start(b)
	token, err := access.NewKeys(server.Client()).Create(b.Context(), access.Key{Name: "bench", Scopes: access.Scopes()}, time.Now())
	if err != nil {
		b.Fatal(err)
	}
	c := &console{rdb: server.Client(), token: token, cmd: exec.Command(bin, "console"), peak: make(chan float64, 1)}
	c.cmd.Env = append(os.Environ(), "REDIS_URL="+server.URL(), "HANDOUT_CONSOLE_ADDR=127.0.0.1:0")
	var said bytes.Buffer
	c.cmd.Stderr = &said
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = c.cmd.Process.Kill() })
	go func() { c.peak <- peakResident(c.cmd.Process.Pid) }()
	first, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatalf("%v: %s", err, said.String())
	}
	c.url = strings.TrimSpace(strings.TrimPrefix(first, "listening on ")) + "/api/v1"
	return c
}

// ask sends a request and returns the number of lines of its answer.
func (c *console) ask(b *testing.B, status int, method, path, media string, body io.Reader) int {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), method, c.url+path, body)
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	if media != "" {
		req.Header.Set("Content-Type", media)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	lines := 0
	buf := make([]byte, 256<<10)
	for {
		n, err := resp.Body.Read(buf)
		lines += bytes.Count(buf[:n], []byte{'\n'})
		if err == io.EOF { // a reader's own
			break
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	if resp.StatusCode != status {
		b.Fatalf("%s %s: %d: %.500s", method, path, resp.StatusCode, buf)
	}
	return lines
}

// stop ends the process and returns the most memory resident, in MiB.
func (c *console) stop() float64 {
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait()
	return <-c.peak
}
