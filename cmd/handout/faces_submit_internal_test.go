package main

import (
	"bytes"
	"cmp"
	"fmt"
	"html"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/handout-dev/handout/producer"
	"github.com/handout-dev/handout/telesign"
	"github.com/handout-dev/handout/telesign/simulator"
	"github.com/handout-dev/handout/test/redistest"
)

// submitFace submits a campaign of an ID through one face, and returns what it says
// if it refuses. at is a time of RFC 3339; hold, at, aside and dry may be empty.
type submitFace func(t *testing.T, id, list string, how submitHow) (refused string)

type submitHow struct {
	hold, aside, dry bool
	at               string
	template         string // of SMS; empty: text
}

// spec is the campaign's.
func (how submitHow) spec(id string) string {
	return fmt.Sprintf(submitSpec, id, cmp.Or(how.template, "text"))
}

const submitSpec = `{"id": %q, "message_type": "MKT", "channels": [{"channel": "sms", "template": %q, "parameters": {"text": "Hello"}}]}`

// submitFaces are the command line, the API and the pages on one Redis.
func submitFaces(t *testing.T) (*producer.Client, map[string]submitFace) {
	t.Helper()
	server := redistest.Start(t)
	t.Setenv("REDIS_URL", server.URL())
	vendor, err := simulator.New(simulator.Options{
		CustomerID: "FFFFFFFF-EEEE-DDDD-1234-AB1234567890", APIKey: "VGVzdCBLZXk=", TemplateRate: 1000,
		Templates: []telesign.Template{{TemplateName: telesign.TemplateName{Channel: "sms", Name: "hello"}, Type: "standard", Status: "Approved"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	at := httptest.NewServer(vendor)
	t.Cleanup(func() { vendor.Close(); at.Close() })
	t.Setenv("TELESIGN_URL", at.URL)
	t.Setenv("TELESIGN_CUSTOMER_ID", "FFFFFFFF-EEEE-DDDD-1234-AB1234567890")
	t.Setenv("TELESIGN_API_KEY", "VGVzdCBLZXk=")
	c, err := loadConfig()
	if err != nil {
		t.Fatal(err)
	}
	c.ConsoleOpen = true
	handler, link, stop, err := newConsole(&mode{c, server.Client(), prometheus.NewRegistry(), slog.New(slog.DiscardHandler), ""})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(withToken(handler, link))
	t.Cleanup(func() { stop(); web.Close() })
	return producer.New(server.Client()), map[string]submitFace{
		"command line": submitByCommand, "API": apiSubmit(web.URL), "page": pageSubmit(web.URL),
	}
}

func submitByCommand(t *testing.T, id, list string, how submitHow) string {
	t.Helper()
	file, path := filepath.Join(t.TempDir(), "c.yaml"), filepath.Join(t.TempDir(), "list.csv")
	for name, text := range map[string]string{file: how.spec(id), path: list} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	args := []string{"submit", file, path}
	for flag, set := range map[string]bool{"--hold": how.hold, "--set-aside-bad-rows": how.aside, "--dry-run": how.dry} {
		if set {
			args = append(args, flag)
		}
	}
	if how.at != "" {
		args = append(args, "--at", how.at)
	}
	var stdout, stderr bytes.Buffer
	if run(t.Context(), args, &stdout, &stderr) == exitDone {
		return ""
	}
	return stderr.String()
}

// ask sends a request, without a key: the console is open.
func ask(t *testing.T, method, to, media string, body io.Reader) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, to, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", media)
	resp, err := http.DefaultTransport.RoundTrip(req) // which follows no redirect
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, html.UnescapeString(string(text))
}

func apiSubmit(at string) submitFace {
	return func(t *testing.T, id, list string, how submitHow) string {
		t.Helper()
		campaigns := at + "/api/v1/campaigns"
		if resp, text := ask(t, "POST", campaigns, "application/json", strings.NewReader(how.spec(id))); resp.StatusCode > 201 {
			return text
		}
		query := url.Values{}
		if how.aside {
			query.Set("set_aside_bad_rows", "true")
		}
		if how.at != "" {
			query.Set("start_at", how.at)
		}
		method, verb := "PUT", "/recipients?"
		if how.dry {
			method, verb = "POST", "/dry-run?"
		} else if how.hold {
			query.Set("hold", "true")
		}
		resp, text := ask(t, method, campaigns+"/"+id+verb+query.Encode(), "text/csv", strings.NewReader(list))
		if resp.StatusCode > 201 || strings.Contains(text, `"rejected":true`) {
			return text
		}
		return ""
	}
}

func pageSubmit(at string) submitFace {
	shown := regexp.MustCompile(`(?s)role="alert">(.*?)</div>|<main.*?</main>`)
	return func(t *testing.T, id, list string, how submitHow) string {
		t.Helper()
		var body bytes.Buffer
		w := multipart.NewWriter(&body)
		for _, f := range [][3]string{{"campaign", "c.yaml", how.spec(id)}, {"list", "list.csv", list}} {
			part, err := w.CreateFormFile(f[0], f[1])
			if err == nil {
				_, err = part.Write([]byte(f[2]))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		resp, _ := ask(t, "POST", at+"/new", w.FormDataContentType(), &body)
		review := resp.Header.Get("Location")
		if _, text := ask(t, "GET", at+review, "", nil); how.dry || strings.Contains(text, `id="faults"`) {
			if strings.Contains(text, `id="faults"`) || (strings.Contains(text, `id="aside"`) && !how.aside) {
				return shown.FindString(text)
			}
			return ""
		}
		form := url.Values{"start": {"now"}}
		if how.hold {
			form.Set("start", "paused")
		}
		if how.at != "" {
			form.Set("start", "at")
			form.Set("at", strings.TrimSuffix(how.at, ":00Z"))
		}
		if how.aside {
			form.Set("aside", "1")
		}
		resp, text := ask(t, "POST", at+review, "application/x-www-form-urlencoded", strings.NewReader(form.Encode()))
		if resp.StatusCode == http.StatusSeeOther {
			return ""
		}
		return text
	}
}

func TestFaces_SubmitTheSameAndRefuseWithTheSameWords(t *testing.T) {
	const (
		good  = "recipient,phone\na,+12015550100\nb,+12015550101\n"
		bad   = good + "c,12\n"
		other = good + "c,+12015550102\n"
		none  = "recipient,phone\nc,12\n"
		past  = "2020-01-01T09:00:00Z"
		later = "2099-01-01T09:00:00Z"
	)
	client, faces := submitFaces(t)
	for _, c := range []struct {
		name, list string
		how        submitHow
		stood      bool   // it was submitted before, on hold
		says       string // where it is refused
		phase      producer.Phase
		total      int
	}{
		{name: "at once", list: good, phase: producer.PhaseRunning, total: 2},
		{name: "on hold", list: good, how: submitHow{hold: true}, phase: producer.PhasePaused, total: 2},
		{name: "at a time", list: good, how: submitHow{at: later}, phase: producer.PhasePaused, total: 2},
		{name: "in the past", list: good, how: submitHow{at: past}, says: past + " is past; nothing was sent"},
		{name: "dry, in the past", list: good, how: submitHow{at: past, dry: true}, says: past + " is past; nothing was sent"},
		{name: "in the past, again", list: good, how: submitHow{at: past}, stood: true, phase: producer.PhasePaused, total: 2},
		{name: "again", list: good, stood: true, phase: producer.PhasePaused, total: 2},
		{name: "other content", list: other, stood: true, says: "already stands with other content", phase: producer.PhasePaused, total: 2},
		{name: "a bad row", list: bad, says: "1 bad row|nothing was sent: 1 fault"},
		{name: "a bad row, set aside", list: bad, how: submitHow{aside: true}, phase: producer.PhaseRunning, total: 2},
		{name: "dry, a bad row", list: bad, how: submitHow{dry: true}, says: "has 1 bad row|\"rejected\":true|Leave the 1 bad row out"},
		{name: "dry, a bad row set aside", list: bad, how: submitHow{dry: true, aside: true}},
		{name: "dry, only bad rows", list: none, how: submitHow{dry: true, aside: true}, says: "has 1 bad row and no good one|\"rejected\":true"},
		{name: "a template of one's own", list: good, how: submitHow{template: "hello"}, phase: producer.PhaseRunning, total: 2},
		{name: "a missing template", list: good, how: submitHow{template: "hallo"}, says: "channels\\[0\\].template.*Telesign has no template hallo for sms"},
		{name: "dry, a missing template", list: good, how: submitHow{dry: true, template: "hallo"}, says: "Telesign has no template hallo for sms"},
		{name: "no rows", list: "recipient,phone\n", says: "the list has no recipients|The list has no recipients"},
	} {
		for face, submit := range faces {
			if face == "page" && c.how.dry && c.how.at != "" {
				continue // a page asks for the time when it has checked
			}
			t.Run(c.name+" by the "+face, func(t *testing.T) {
				id := regexp.MustCompile("[^a-z]+").ReplaceAllString(strings.ToLower(c.name+face), "-")
				if c.stood {
					if why := faces["command line"](t, id, good, submitHow{hold: true}); why != "" {
						t.Fatal(why)
					}
				}
				why := submit(t, id, c.list, c.how)
				if (why != "") != (c.says != "") || !regexp.MustCompile(c.says).MatchString(why) {
					t.Errorf("%q, want %q", why, c.says)
				}
				s, err := client.Status(t.Context(), producer.ID(id))
				if c.total == 0 {
					if err == nil {
						t.Errorf("it stands: %+v", s)
					}
					return
				}
				if err != nil || s.Phase != c.phase || s.Total != c.total {
					t.Errorf("%+v, %v", s, err)
				}
			})
		}
	}
}
