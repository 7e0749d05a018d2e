package process_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/handout-dev/handout/test/redistest"
)

// tell sends JSON to one of the simulator's doors.
func tell(t *testing.T, method, url, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %s: %s", method, url, resp.Status, text)
	}
}

// A template is checked before its campaign stands, and holds it when it is disabled.
func TestTemplate_IsCheckedAndHoldsItsCampaignWhenItIsDisabled(t *testing.T) {
	t.Parallel()
	const id, total = "templated", 800
	h := open(t, slow(redistest.Start(t).URL()))
	list := listFile(t, numbers(total, plainly))
	tell(t, http.MethodPut, h.simulate.url+"/simulator/templates", `[{"name":"order_ready","channel":"whatsapp","type":"verified",
		"category":"marketing","language":"en_US","status":"Approved","mandatory_parameters":["header_url"]}]`)
	text := strings.NewReplacer("template: file", "template: order_ready", "url: \"{{.url}}\",", "header_url: \"{{.url}}\",").Replace(campaignText(id))
	wrong := handout(t, h.env, "submit", write(t, "wrong.yaml", strings.ReplaceAll(text, "order_ready", "order_redy")), list)
	if wrong.code != 1 || !strings.Contains(wrong.stderr, "wrong.yaml:6:15: channels[0].template: Telesign has no template order_redy for whatsapp") {
		t.Errorf("exit status %d: %s", wrong.code, wrong.stderr)
	}
	if r := handout(t, h.env, "report", id); r.code != 1 {
		t.Errorf("something stands: %s", r.stdout)
	}
	done(t, h.env, "submit", write(t, id+".yaml", text), list)
	untilSent(t, h, 100)
	tell(t, http.MethodPost, h.simulate.url+"/simulator/templates", `{"channel":"whatsapp","name":"order_ready","code":3855}`)
	r := reportOf(t, h.env, id)
	if r.State != "held" || !strings.HasPrefix(r.Reason, "Telesign: 3855 Template disabled by provider: template order_ready of whatsapp; resume when") {
		t.Errorf("%s: %s", r.State, r.Reason)
	}
	if again := handout(t, h.env, "submit", write(t, id+".yaml", text), list); again.code != 0 || !strings.Contains(again.stdout, "stood already") {
		t.Errorf("the same again: exit status %d: %s%s", again.code, again.stdout, again.stderr)
	}
	if shown := handout(t, h.env, "template", "list"); shown.code != 0 || !strings.Contains(shown.stdout, "order_ready") {
		t.Errorf("exit status %d: %s%s", shown.code, shown.stdout, shown.stderr)
	}
	done(t, h.env, "resume", id)
	if r := untilDone(t, h.env, id); !r.Closes() {
		t.Errorf("%+v", r)
	}
}
