package process_test

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/handout-dev/handout/test/redistest"
)

func TestServe_EveryModeSaysThatItIsReadyAndStopsCleanly(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	for _, c := range []struct {
		mode   string
		public bool // it has no metrics there
	}{
		{"listen", true}, {"work", false}, {"console", true}, {"simulate", true},
	} {
		t.Run(c.mode, func(t *testing.T) {
			t.Parallel()
			e := account(server.URL())
			p := serve(t, e, c.mode)
			if !strings.HasPrefix(p.url, "http://127.0.0.1:") {
				t.Errorf("it listens on %q", p.url)
			}
			for _, path := range []string{"/healthz", "/readyz"} {
				if status, body := get(t, p.url+path); status != http.StatusOK {
					t.Errorf("%s: %d %s", path, status, body)
				}
			}
			done(t, e, "health", p.url+"/healthz")
			status, body := get(t, p.url+"/metrics")
			if c.public == (status == http.StatusOK) || !c.public && !strings.Contains(body, "\ngo_goroutines ") {
				t.Errorf("/metrics: %d %s", status, body)
			}
			if status, _ := get(t, p.url+"/nothing"); status != http.StatusNotFound && status != http.StatusUnauthorized {
				t.Errorf("/nothing: %d", status)
			}
			p.stop()
			if got := strings.Count(p.out.String(), listening); got != 1 {
				t.Errorf("it says %d times where it listens:\n%s", got, p.out)
			}
		})
	}
}

func TestServe_IsNotReadyWhenRedisTakesNoWrites(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	e := account(server.URL())
	modes := []*process{serve(t, e, "listen"), serve(t, e, "console"), serve(t, e, "work")}
	for _, set := range []struct{ name, bad, good, word string }{
		{"maxmemory", "1mb", "0", "OOM"},
		{"min-replicas-to-write", "3", "0", "NOREPLICAS"},
	} {
		if err := server.Client().ConfigSet(t.Context(), set.name, set.bad).Err(); err != nil {
			t.Fatal(err)
		}
		for _, p := range modes {
			await(t, p.name+" says why it isn't ready", func() bool {
				status, body := get(t, p.url+"/readyz")
				return status == http.StatusServiceUnavailable && body == "Redis refuses writes: "+set.word+"\n"
			})
		}
		if err := server.Client().ConfigSet(t.Context(), set.name, set.good).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range modes {
		await(t, p.name+" is ready again", func() bool {
			status, _ := get(t, p.url+"/readyz")
			return status == http.StatusOK
		})
		p.stop()
	}
}

func TestServe_IsNotReadyWithoutRedisButLivesAndStops(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.AppendOnly("always"))
	e := account(server.URL())
	modes := []*process{serve(t, e, "listen"), serve(t, e, "console"), serve(t, e, "work")}
	server.Kill()
	for _, p := range modes {
		await(t, p.name+" isn't ready", func() bool {
			status, _ := get(t, p.url+"/readyz")
			return status == http.StatusServiceUnavailable
		})
		if status, _ := get(t, p.url+"/healthz"); status != http.StatusOK {
			t.Errorf("%s: /healthz: %d", p.name, status)
		}
		r := handout(t, e, "health", p.url+"/readyz")
		if r.code != 1 || !strings.Contains(r.stderr, "answers 503") {
			t.Errorf("health: exit status %d: %s", r.code, r.stderr)
		}
	}
	server.Restart()
	for _, p := range modes {
		await(t, p.name+" is ready again", func() bool {
			status, _ := get(t, p.url+"/readyz")
			return status == http.StatusOK
		})
	}
	server.Kill()
	for _, p := range modes {
		p.stop()
		if strings.Contains(p.out.String(), "panic") {
			t.Errorf("%s:\n%s", p.name, p.out)
		}
	}
}

func TestServe_APortInUseIsSaidInOneLine(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for mode, name := range map[string]string{
		"listen": "HANDOUT_LISTEN_ADDR", "listen ": "HANDOUT_LISTEN_METRICS_ADDR", "console ": "HANDOUT_CONSOLE_METRICS_ADDR", "work": "HANDOUT_WORK_ADDR", "console": "HANDOUT_CONSOLE_ADDR", "simulate": "HANDOUT_SIMULATE_ADDR",
	} {
		refusal{
			args: []string{strings.TrimSpace(mode)}, env: []string{name, taken.Addr().String()}, code: 1,
			stderr: name + ": listen tcp " + taken.Addr().String() + ": .*address already in use",
		}.check(t, account(server.URL()))
	}
}

func TestServe_TheListenersMetricsStandApartFromWhatThePublicCalls(t *testing.T) {
	t.Parallel()
	p := serve(t, account(redistest.Start(t).URL()), "listen")
	if p.inside == "" || p.inside == p.url {
		t.Fatalf("its metrics are on %q, and it listens on %q", p.inside, p.url)
	}
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		if status, body := get(t, p.inside+path); status != http.StatusOK {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	if status, _ := request(t, http.MethodPost, p.inside+"/callbacks/telesign"); status != http.StatusNotFound {
		t.Errorf("a receipt there: %d", status)
	}
	p.stop()
}

// Two on one machine need no names.
func TestServe_TwoOfAKindFindPlaceForTheirMetrics(t *testing.T) {
	t.Parallel()
	for mode, variable := range map[string]string{"listen": "HANDOUT_LISTEN_METRICS_ADDR", "console": "HANDOUT_CONSOLE_METRICS_ADDR"} {
		e := account(redistest.Start(t).URL())
		delete(e, variable)
		one, two := serve(t, e, mode), serve(t, e, mode)
		if one.inside == two.inside {
			t.Errorf("both serve metrics on %s", one.inside)
		}
		for _, p := range []*process{one, two} {
			if status, _ := get(t, p.inside+"/metrics"); status != http.StatusOK {
				t.Errorf("%s: %d", p.inside, status)
			}
			if status, _ := get(t, p.url+"/metrics"); status == http.StatusOK {
				t.Errorf("%s serves metrics on %s, too", mode, p.url)
			}
			p.stop()
		}
	}
}

func TestServe_TheConsolesQueuesOnlyShow(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	e := account(server.URL()).with("HANDOUT_CONSOLE_OPEN", "true")
	p := serve(t, e, "console")
	browser := p.opened(t)
	get := func(t *testing.T, url string) (int, string) { return requestBy(t, browser, http.MethodGet, url) }
	request := func(t *testing.T, method, url string) (int, string) { return requestBy(t, browser, method, url) }
	if _, page := get(t, p.url+"/"); !strings.Contains(page, "There are no campaigns yet") {
		t.Errorf("without campaigns: %s", page)
	}
	done(t, e, "submit", campaignFile(t, "spring"), listFile(t, numbers(3, plainly)), "--hold")
	status, page := get(t, p.url+"/")
	if status != http.StatusOK || !strings.Contains(page, `id="campaign-spring"`) || !strings.Contains(page, "state-paused") {
		t.Errorf("/: %d %s", status, page)
	}
	_, one := get(t, p.url+"/campaigns/spring")
	for _, page := range []string{page, one} {
		if strings.Contains(page, "12015550100") || strings.Contains(page, "customer-1") {
			t.Error("the page names people")
		}
	}
	for _, path := range []string{"/queues/", "/queues/api/queues"} {
		if status, body := get(t, p.url+path); status != http.StatusOK {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	for _, path := range []string{"queues/handout:bulk:pause", "queues/handout:bulk/pending_tasks:delete_all", "queues/handout:bulk/archived_tasks:run_all"} {
		if status, body := request(t, http.MethodPost, p.url+"/queues/api/"+path); status != http.StatusMethodNotAllowed && status != http.StatusForbidden {
			t.Errorf("POST %s: %d %s", path, status, body)
		}
	}
	if status, _ := request(t, http.MethodDelete, p.url+"/queues/api/queues/handout:bulk"); status != http.StatusMethodNotAllowed && status != http.StatusForbidden {
		t.Errorf("DELETE of a queue: %d", status)
	}
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete} {
		if status, _ := request(t, method, p.url+"/"); status != http.StatusMethodNotAllowed {
			t.Errorf("%s /: %d", method, status)
		}
	}
}

func TestServe_TheListenerTakesNothingUnsigned(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	p := serve(t, account(server.URL()), "listen")
	for method, want := range map[string]int{
		http.MethodPost: http.StatusUnauthorized, http.MethodGet: http.StatusMethodNotAllowed, http.MethodDelete: http.StatusMethodNotAllowed,
	} {
		if status, body := request(t, method, p.url+"/callbacks/telesign"); status != want {
			t.Errorf("%s: %d %s, want %d", method, status, body, want)
		}
	}
	page := p.metrics(t)
	if want := fmt.Sprintf("handout_receipts_total{result=%q} 1", "unsigned"); !strings.Contains(page, want) {
		t.Errorf("/metrics has no %s:\n%s", want, page)
	}
}
