package process_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/handout-dev/handout/test/redistest"
)

// A console is killed while most of a list has come, and pages of it are written.
// None of it stands; then the same request finishes it, and everybody is in it once.
func TestAPI_AConsoleKilledInTheMiddleOfAnUpload(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.ConfigFile("../../deploy/redis.conf"))
	e := account(server.URL())
	token := strings.TrimSpace(done(t, e, "key", "create", "--name", "billing", "--scopes", "submit,read,control", "--campaigns", "all"))
	first := serve(t, e, "console")
	api := &caller{t, first.url + "/api/v1", token}
	api.ask(http.StatusCreated, "POST", "/campaigns", "application/json", strings.NewReader(`{"id":"spring","message_type":"MKT","channels":[
		{"channel":"sms","template":"text","parameters":{"text":"Your order history is ready for download at {{.url}}."}}]}`))
	const total, half = 20_000, 19_000 // pages are written fifty at a time
	rows := make([]string, total)
	for i := range rows {
		rows[i] = fmt.Sprintf("customer-%d,+1201%07d,https://files.example.com/%d.xlsx\n", i, 2_000_000+i, i)
	}
	const head = "recipient,phone,url\n"

	coming, sent := io.Pipe()
	answer := make(chan error, 1)
	go func() {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, api.url+"/campaigns/spring/recipients", coming)
		if err == nil {
			req.Header.Set("Authorization", "Bearer "+token)
			req.Header.Set("Content-Type", "text/csv")
			var resp *http.Response
			if resp, err = http.DefaultClient.Do(req); err == nil {
				_ = resp.Body.Close()
			}
		}
		answer <- err
	}()
	go func() { _, _ = io.WriteString(sent, head+strings.Join(rows[:half], "")) }()
	await(t, "pages of it are written", func() bool {
		return len(server.Client().Keys(t.Context(), "handout:{spring}:page:*").Val()) > 0
	})
	first.signal(syscall.SIGKILL)
	_ = sent.Close()
	if err := <-answer; err == nil {
		t.Error("a killed console has answered")
	}

	second := serve(t, e, "console")
	api = &caller{t, second.url + "/api/v1", token}
	if draft := api.ask(http.StatusOK, "GET", "/campaigns/spring", "", nil); !strings.Contains(draft, `"state":"draft"`) {
		t.Errorf("half of it stands: %s", draft)
	}
	list := head + strings.Join(rows, "")
	put := api.ask(http.StatusCreated, "PUT", "/campaigns/spring/recipients", "text/csv", strings.NewReader(list))
	if !strings.Contains(put, fmt.Sprintf(`"total":%d`, total)) {
		t.Error(put)
	}
	api.ask(http.StatusOK, "PUT", "/campaigns/spring/recipients", "text/csv", strings.NewReader(list)) // nothing more
	done(t, e, "verify", "spring")
	seen := make(map[string]bool)
	for _, person := range export(t, e, "spring") {
		seen[person["recipient"]] = person["state"] == "planned"
	}
	if len(seen) != total || !seen["customer-0"] || !seen[fmt.Sprintf("customer-%d", total-1)] {
		t.Errorf("%d people are in it", len(seen))
	}
	if again := api.ask(http.StatusOK, "GET", "/campaigns", "", nil); strings.Count(again, `"campaign":`) != 1 {
		t.Error(again)
	}
	second.stop()
}
