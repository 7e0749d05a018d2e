package api_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/web/api"
	"github.com/handout-dev/handout/test/redistest"
)

func TestPut_IsDoneOnce(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	c := h.all(t)
	c.do(t, 201, "POST", "/campaigns", asJSON, campaignBody("spring"))
	var put api.Submitted
	c.do(t, 201, "PUT", "/campaigns/spring/recipients", asCSV+"; charset=utf-8", csvOf(250)).into(t, &put)
	if put.Campaign.State != "running" || put.Campaign.Total != 250 || put.List.Rows != 250 || put.List.Recipients != 250 {
		t.Errorf("%+v", put)
	}
	before := h.dump(t)
	c.do(t, 200, "PUT", "/campaigns/spring/recipients?hold=true", asCSV, csvOf(250)).into(t, &put)
	if put.Campaign.State != "running" {
		t.Errorf("again: %+v", put.Campaign)
	}
	problemOf(t, c.do(t, 409, "PUT", "/campaigns/spring/recipients", asCSV, csvOf(249)), "other-content")
	problemOf(t, c.do(t, 409, "PUT", "/campaigns/spring/recipients", asCSV, strings.Replace(csvOf(250), ",url", ",url,more", 1)), "other-content")
	if after := h.dump(t); after != before {
		t.Errorf("something has changed:\n%s\n%s", before, after)
	}
}

// many rows are more than one batch of pages, and than what is read at once.
const many = 20_000

// dump is the campaign spring as Redis has it.
func (h *house) dump(t *testing.T) string {
	t.Helper()
	return fmt.Sprint(h.rdb.HGetAll(t.Context(), "handout:{spring}:meta").Val(), h.rdb.LRange(t.Context(), "handout:{spring}:history", 0, -1).Val(),
		h.rdb.HGetAll(t.Context(), "handout:{spring}:counts").Val())
}

func TestPut_NDJSONWithItsStart(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	c := h.all(t)
	c.do(t, 201, "POST", "/campaigns", asJSON, campaignBody("spring"))
	list := `{"recipient":"ç","phone":"+12015550100","url":"https://files.example.com/1.xlsx"}` + "\n"
	problemOf(t, c.do(t, 422, "PUT", "/campaigns/spring/recipients?hold=true&start_at=2099-01-01T00:00:00Z", asNDJSON, list), "invalid")
	problemOf(t, c.do(t, 422, "PUT", "/campaigns/spring/recipients?start_at=tomorrow", asNDJSON, list), "invalid")
	var put api.Submitted
	c.do(t, 201, "PUT", "/campaigns/spring/recipients?start_at=2099-01-01T00:00:00Z", asNDJSON, list).into(t, &put)
	if put.Campaign.State != "paused" || put.Campaign.StartAt == nil || put.Campaign.StartAt.Year() != 2099 {
		t.Errorf("%+v", put.Campaign)
	}
}

// badList has so many bad rows among 100 good ones.
func badList(bad int) string {
	var b strings.Builder
	b.WriteString(csvOf(100))
	for i := range bad {
		fmt.Fprintf(&b, "bad-%d,+1201555,https://files.example.com/%d.xlsx\n", i, i)
	}
	return b.String()
}

func TestPut_NamesEveryBadRow(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	c := h.all(t)
	c.do(t, 201, "POST", "/campaigns", asJSON, campaignBody("spring"))
	a := c.do(t, 422, "PUT", "/campaigns/spring/recipients", asCSV, badList(1500))
	p := problemOf(t, a, "invalid")
	if p.Count != 1500 || len(p.Errors) != 1000 {
		t.Fatalf("%d faults of %d", len(p.Errors), p.Count)
	}
	for i, f := range p.Errors {
		if f.Line != 102+i || f.Field != "phone" || f.Column == 0 || f.Message == "" {
			t.Fatalf("fault %d: %+v", i, f)
		}
	}
	if strings.Contains(a.body, "1201555") {
		t.Error("the answer quotes numbers")
	}
	if _, err := h.ledger.Info(t.Context(), "spring"); err == nil {
		t.Error("something was kept")
	}
	problemOf(t, c.do(t, 422, "PUT", "/campaigns/spring/recipients?set_aside_bad_rows=true", asCSV, "recipient,phone,url\n,,\n"), "invalid")
	problemOf(t, c.do(t, 422, "PUT", "/campaigns/spring/recipients", asCSV, "recipient,phone\na,+12015550100\n"), "invalid")
	problemOf(t, c.do(t, 422, "PUT", "/campaigns/spring/recipients", asCSV, ""), "invalid")
	var put api.Submitted
	list := badList(1500) + "again," + phoneOf(0) + ",https://files.example.com/x.xlsx\n"
	c.do(t, 201, "PUT", "/campaigns/spring/recipients?set_aside_bad_rows=true", asCSV, list).into(t, &put)
	if l := put.List; l.Rows != 1601 || l.Recipients != 100 || l.BadRows != 1500 || len(l.Faults) != 1000 || l.Duplicates != 1 || l.DuplicateLines[0] != 1602 {
		t.Errorf("%+v", put.List)
	}
}

func TestDryRun_WritesNothing(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	c := h.all(t)
	c.do(t, 201, "POST", "/campaigns", asJSON, campaignBody("spring"))
	var d api.DryRun
	a := c.do(t, 200, "POST", "/campaigns/spring/dry-run", asCSV, badList(2))
	a.into(t, &d)
	if !d.Rejected || d.List.Recipients != 100 || d.List.BadRows != 2 || len(d.Samples) != 3 || d.Rate != 10 || d.SMSParts.Total == 0 || d.ColumnsUsed[0] != "url" {
		t.Errorf("%+v", d)
	}
	if strings.Contains(a.body, "5550") {
		t.Error("it shows numbers")
	}
	c.do(t, 200, "POST", "/campaigns/spring/dry-run?set_aside_bad_rows=true", asCSV, badList(2)).into(t, &d)
	if d.Rejected {
		t.Errorf("%+v", d)
	}
	if _, err := h.ledger.Info(t.Context(), "spring"); err == nil {
		t.Error("it wrote something")
	}
}

func TestPut_CutInTheMiddleLeavesNothing(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	c := h.all(t)
	c.do(t, 201, "POST", "/campaigns", asJSON, campaignBody("spring"))
	list := csvOf(many)
	reached := make(chan struct{})
	conn := c.begin(t, "/campaigns/spring/recipients", 2*len(list))
	go func() {
		defer close(reached)
		_, _ = io.WriteString(conn, list)
	}()
	<-reached
	await(t, "pages of it are written", func() bool { return len(h.rdb.Keys(t.Context(), "handout:{spring}:page:*").Val()) > 0 })
	if info, err := h.ledger.Info(t.Context(), "spring"); err != nil || info.Phase != campaign.Draft {
		t.Errorf("under way: %+v, %v", info, err)
	}
	var draft api.Campaign
	c.do(t, 200, "GET", "/campaigns/spring", "", "").into(t, &draft)
	if draft.State != "draft" {
		t.Errorf("%+v", draft)
	}
	_ = conn.SetLinger(0) // as a client that is killed
	_ = conn.Close()
	await(t, "nothing of it is left", func() bool {
		return len(h.rdb.Keys(t.Context(), "handout:{spring}:page:*").Val()) == 0 && h.rdb.Exists(t.Context(), "handout:{spring}:meta").Val() == 0
	})
	if active, err := h.ledger.Active(t.Context()); err != nil || len(active) > 0 {
		t.Errorf("active: %v, %v", active, err)
	}
	var put api.Submitted
	c.do(t, 201, "PUT", "/campaigns/spring/recipients", asCSV, list).into(t, &put)
	if put.Campaign.Total != many {
		t.Errorf("%+v", put.Campaign)
	}
}

// begin sends the head of an upload.
func (c *client) begin(t *testing.T, path string, length int) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(strings.TrimSuffix(c.h.url, api.Prefix), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	fmt.Fprintf(conn, "PUT %s%s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: text/csv\r\nContent-Length: %d\r\n\r\n",
		api.Prefix, path, c.token, length)
	tcp, _ := conn.(*net.TCPConn)
	return tcp
}

func TestPut_TwoAtOnceAreDoneOnce(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	c := h.all(t)
	c.do(t, 201, "POST", "/campaigns", asJSON, campaignBody("spring"))
	list := csvOf(many)
	slow := c.begin(t, "/campaigns/spring/recipients", len(list))
	_, _ = io.WriteString(slow, list[:len(list)-10])
	await(t, "the slow one has begun", func() bool { return h.rdb.Exists(t.Context(), "handout:{spring}:meta").Val() == 1 })
	second := make(chan answer, 1)
	go func() { second <- c.send(t, "PUT", "/campaigns/spring/recipients", asCSV, strings.NewReader(list)) }()
	time.Sleep(100 * time.Millisecond) // it may wait by now, or not: both have to be right
	_, _ = io.WriteString(slow, list[len(list)-10:])
	if a := <-second; a.status != 200 && a.status != 201 {
		t.Errorf("the second: %d %s", a.status, a.body[:min(len(a.body), 500)])
	}
	if a := c.do(t, 200, "GET", "/campaigns/spring", "", ""); !strings.Contains(a.body, `"total":20000`) {
		t.Error(a.body)
	}
}

func TestPut_WaitsForAnotherOnlyForAWhile(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	c := h.all(t)
	c.do(t, 201, "POST", "/campaigns", asJSON, campaignBody("spring"))
	endless := c.begin(t, "/campaigns/spring/recipients", 1<<24)
	_, _ = io.WriteString(endless, csvOf(5000))
	await(t, "the endless one has begun", func() bool { return h.rdb.Exists(t.Context(), "handout:{spring}:meta").Val() == 1 })
	a := c.do(t, 409, "PUT", "/campaigns/spring/recipients", asCSV, csvOf(2))
	problemOf(t, a, "busy")
	if a.header.Get("Retry-After") == "" {
		t.Error("without Retry-After")
	}
}

func TestPut_RedisThatGoesAwayLeavesNothingHalfDone(t *testing.T) {
	t.Parallel()
	h := open(t, nil, redistest.AppendOnly("always"))
	c := h.all(t)
	c.do(t, 201, "POST", "/campaigns", asJSON, campaignBody("spring"))
	reader, writer := io.Pipe()
	list := csvOf(many)
	first := make(chan answer, 1)
	go func() { first <- c.send(t, "PUT", "/campaigns/spring/recipients", asCSV, reader) }()
	_, _ = io.WriteString(writer, list)
	// A list that never ends: nothing but the death of Redis ends it.
	go func() {
		for i := many; ; i++ {
			if _, err := fmt.Fprintf(writer, "customer-%d,+1%d%07d,https://files.example.com/%d.xlsx\n", i, 201, 2000000+i, i); err != nil {
				return
			}
		}
	}()
	await(t, "pages of it are written", func() bool { return len(h.rdb.Keys(t.Context(), "handout:{spring}:page:*").Val()) > 0 })
	h.redis.Kill()
	a := <-first
	_ = reader.Close()
	if a.status != http.StatusServiceUnavailable {
		t.Fatalf("%d %s", a.status, a.body)
	}
	h.redis.Restart()
	await(t, "Redis is found again", func() bool { return h.rdb.Ping(t.Context()).Err() == nil })
	if info, err := h.ledger.Info(t.Context(), "spring"); err == nil && info.Phase != campaign.Draft {
		t.Fatalf("it stands: %+v", info)
	}
	var put api.Submitted
	await(t, "the same upload again finishes", func() bool {
		a := c.send(t, "PUT", "/campaigns/spring/recipients", asCSV, strings.NewReader(list))
		if a.status == 201 {
			a.into(t, &put)
		}
		return a.status == 201
	})
	if put.Campaign.Total != many {
		t.Errorf("%+v", put.Campaign)
	}
	info, err := h.ledger.Info(t.Context(), "spring")
	if err != nil {
		t.Fatal(err)
	}
	if v, err := h.ledger.Verify(t.Context(), info, nil); err != nil || len(v.Faults) > 0 {
		t.Errorf("%+v, %v", v, err)
	}
}

// A list of 200,000 rows, 80 MB, passes through: it is never in memory.
func TestPut_TwoHundredThousandRowsInConstantMemory(t *testing.T) {
	const rows, most = 200_000, 48 << 20
	h := open(t, nil)
	c := h.all(t)
	c.do(t, 201, "POST", "/campaigns", asJSON, campaignBody("spring"))
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	var peak atomic.Uint64
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		ticker := time.NewTicker(20 * time.Millisecond)
		defer ticker.Stop()
		var now runtime.MemStats
		for {
			select {
			case <-ticker.C:
				runtime.ReadMemStats(&now)
				peak.Store(max(peak.Load(), now.HeapAlloc))
			case <-stop:
				return
			}
		}
	}()
	reader, writer := io.Pipe()
	go func() {
		filler := strings.Repeat("f", 330)
		_, _ = io.WriteString(writer, "recipient,phone,url\n")
		for i := range rows {
			_, _ = fmt.Fprintf(writer, "customer-%d,+1201%07d,https://files.example.com/%s/%d.xlsx\n", i, 2_000_000+i, filler, i)
		}
		_ = writer.Close()
	}()
	a := c.send(t, "PUT", "/campaigns/spring/recipients?hold=true", asCSV, reader)
	close(stop)
	<-stopped
	if a.status != 201 {
		t.Fatalf("%d %.1000s", a.status, a.body)
	}
	var put api.Submitted
	a.into(t, &put)
	if put.List.Recipients != rows {
		t.Errorf("%+v", put.List)
	}
	if grown := int64(peak.Load()) - int64(before.HeapAlloc); grown > most {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	} else {
		t.Logf("the heap grew by %d MiB", grown>>20)
	}
}

func TestDryRun_ReadsAListAsItIsAndSaysHow(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	c := h.all(t)
	c.do(t, 201, "POST", "/campaigns", asJSON, campaignBody("spring"))
	const list = "Kundennummer;Mobil;Link;Name\r\n4711;+12015550101;https://x.example.com/1;M\xfcller\r\n"
	var d api.DryRun
	c.do(t, 200, "POST", "/campaigns/spring/dry-run?columns=recipient%3DKundennummer,phone%3DMobil,url%3DLink", asCSV, list).into(t, &d)
	if d.Rejected || d.List.Recipients != 1 || !strings.Contains(strings.Join(d.List.Read, "\n"), "CSV with semicolons, in Windows-1252") {
		t.Errorf("%+v", d)
	}
	c.do(t, 422, "POST", "/campaigns/spring/dry-run?columns=recipient", asCSV, list)
	c.do(t, 415, "POST", "/campaigns/spring/dry-run", "application/pdf", list)
}
