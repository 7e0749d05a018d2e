package operations_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/templates/cache"
	"github.com/handout-dev/handout/producer"
	"github.com/handout-dev/handout/telesign"
	"github.com/handout-dev/handout/telesign/simulator"
	"github.com/handout-dev/handout/test/redistest"
)

// account is one of the vendor's, and the operations of someone who knows its key.
type account struct {
	*operations.Operations
	vendor *simulator.Simulator
	server *httptest.Server
	client *telesign.Client
	rdb    redis.UniversalClient
	asked  atomic.Int64 // requests about templates
}

// newAccount has the templates, and may be asked about them as often as one likes. With
// rate 1 it is as the vendor is.
func newAccount(t *testing.T, rate int, all []telesign.Template) *account {
	t.Helper()
	const id, key = "FFFFFFFF-EEEE-DDDD-1234-AB1234567890", "VGVzdCBLZXk="
	vendor, err := simulator.New(simulator.Options{CustomerID: id, APIKey: key, Templates: all, TemplateRate: rate})
	if err != nil {
		t.Fatal(err)
	}
	a := &account{vendor: vendor}
	a.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.asked.Add(1)
		vendor.ServeHTTP(w, r)
	}))
	t.Cleanup(a.server.Close)
	t.Cleanup(vendor.Close)
	a.client, err = telesign.NewClient(telesign.Options{URL: a.server.URL, CustomerID: id, APIKey: key, Auth: telesign.AuthDigest, Timeout: 15 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	a.rdb = redistest.Start(t).Client()
	a.Operations = operations.New(a.rdb, operations.Options{Telesign: a.client})
	return a
}

func bogo() []telesign.Template {
	return []telesign.Template{{
		TemplateName: telesign.TemplateName{Channel: "whatsapp", Name: "wa_bogo"}, Type: "verified", Category: "marketing",
		Language: "en_US", Status: "Approved", MandatoryParameters: []string{"header_url"},
	}}
}

// submission is of a campaign whose first channel has a template with a parameter.
func submission(t *testing.T, id, template, parameter string) *operations.Submission {
	t.Helper()
	file, err := operations.ParseCampaign("c.yaml", []byte("id: "+id+`
message_type: MKT
channels:
  - {channel: whatsapp, template: `+template+", parameters: {"+parameter+`: "https://example.com/a.pdf"}}
  - {channel: sms, template: text, parameters: {text: "Hello"}}
`))
	if err != nil {
		t.Fatal(err)
	}
	return &operations.Submission{File: file, List: producer.ListReader("list.csv", producer.CSV, strings.NewReader("recipient,phone\na,+12015550100\n"))}
}

func TestSubmit_RefusesATemplateThatCantBeSentAndSaysWhere(t *testing.T) {
	t.Parallel()
	a := newAccount(t, 100, bogo())
	for name, c := range map[string]struct{ template, parameter, want string }{
		"missing":         {"wa_bogof", "header_url", "c.yaml:4:35: channels[0].template: Telesign has no template wa_bogof for whatsapp"},
		"wrong parameter": {"wa_bogo", "url", "channels[0].parameters.url: the template wa_bogo of whatsapp calls this parameter header_url"},
		"predefined":      {"file", "file_name", "channels[0].parameters: the template file of whatsapp needs url or header_url"},
	} {
		for _, do := range []func(*operations.Submission) error{
			func(s *operations.Submission) error { _, err := a.Submit(t.Context(), s); return err },
			func(s *operations.Submission) error { _, err := a.DryRun(t.Context(), s); return err },
		} {
			err := do(submission(t, "spring", c.template, c.parameter))
			var faults *producer.Faults
			if operations.KindOf(err) != operations.Refused || !errors.As(err, &faults) || !strings.Contains(faults.Error(), c.want) {
				t.Errorf("%s: %v: %v", name, err, faults)
			}
		}
	}
	if _, err := a.Standing(t.Context(), "spring"); operations.KindOf(err) != operations.NotFound {
		t.Errorf("something stands: %v", err)
	}
	r, err := a.Submit(t.Context(), submission(t, "spring", "wa_bogo", "header_url"))
	if err != nil || r.Already || len(r.Templates) != 1 || !strings.Contains(r.Templates[0], "verified, Approved, marketing, en_US") {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestSubmit_AgainFindsTheCampaignWhenItsTemplateHasGone(t *testing.T) {
	t.Parallel()
	a := newAccount(t, 100, bogo())
	if _, err := a.Submit(t.Context(), submission(t, "spring", "wa_bogo", "header_url")); err != nil {
		t.Fatal(err)
	}
	a.vendor.SetTemplates([]telesign.Template{})
	again := submission(t, "spring", "wa_bogo", "header_url")
	again.Begin.Hold = true
	r, err := a.Submit(t.Context(), again)
	if err != nil || !r.Already {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestSubmit_LooksOnceAndTakesAListOfAMinute(t *testing.T) {
	t.Parallel()
	a := newAccount(t, 100, bogo())
	for _, c := range []struct {
		id, template, parameter string
		asked                   int64
	}{
		{"a", "file", "url", 0}, // predefined: Telesign needn't be asked
		{"b", "wa_bogo", "header_url", 1},
		{"c", "wa_bogo", "header_url", 0}, // the list was kept
	} {
		before := a.asked.Load()
		if _, err := a.Submit(t.Context(), submission(t, c.id, c.template, c.parameter)); err != nil {
			t.Fatal(err)
		}
		if n := a.asked.Load() - before; n != c.asked {
			t.Errorf("%s: asked %d times, want %d", c.id, n, c.asked)
		}
	}
}

func (a *account) list(t *testing.T) *operations.TemplateList {
	t.Helper()
	list, err := a.Templates(t.Context(), "default")
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// A template that was made a moment ago isn't in the list that was kept before: no
// refusal is made of that.
func TestSubmit_RefusesByAFreshListAlone(t *testing.T) {
	t.Parallel()
	a := newAccount(t, 100, []telesign.Template{})
	a.list(t)
	a.vendor.SetTemplates(bogo())
	if _, err := a.Submit(t.Context(), submission(t, "spring", "wa_bogo", "header_url")); err != nil {
		t.Error(err)
	}
}

// The vendor takes one request about templates a second: the second question of a
// refusal waits for its turn.
func TestSubmit_RefusesAtTheVendorsRate(t *testing.T) {
	t.Parallel()
	a := newAccount(t, 1, bogo())
	_, err := a.Submit(t.Context(), submission(t, "spring", "wa_bogof", "header_url"))
	if operations.KindOf(err) != operations.Refused {
		t.Errorf("%v", err)
	}
}

func TestSubmit_TakesAListThatCantBeAskedForAsANote(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(a *account)
		want  string
	}{
		"off":    {func(a *account) { a.vendor.SetTemplates(nil) }, "the templates weren't checked: Telesign: 3818 Template Management Product not enabled"},
		"away":   {func(a *account) { a.server.Close() }, "the templates weren't checked: Telesign can't be reached: dial tcp "},
		"closed": {func(a *account) { a.vendor.Close() }, "the templates weren't checked: Telesign: 3500 System Unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAccount(t, 100, bogo())
			c.spoil(a)
			d, err := a.DryRun(t.Context(), submission(t, "spring", "wa_bogof", "header_url"))
			if err != nil || len(d.Templates) != 1 || !strings.HasPrefix(d.Templates[0], c.want) {
				t.Errorf("dry run: %+v, %v", d, err)
			}
			r, err := a.Submit(t.Context(), submission(t, "spring", "wa_bogof", "header_url"))
			if err != nil || len(r.Templates) != 1 || !strings.HasPrefix(r.Templates[0], c.want) {
				t.Errorf("submit: %+v, %v", r, err)
			}
		})
	}
}

// What an old list says is no more than a note: the template may have come since.
func TestSubmit_MakesNotesOfWhatAnOldListSays(t *testing.T) {
	t.Parallel()
	a := newAccount(t, 100, nil)
	old := cache.Listed{At: time.Now().Add(-2 * time.Hour).UTC(), Templates: bogo()}
	if err := cache.Write(t.Context(), a.rdb, "default", old); err != nil {
		t.Fatal(err)
	}
	r, err := a.Submit(t.Context(), submission(t, "spring", "wa_bogof", "header_url"))
	if err != nil || len(r.Templates) != 2 || !strings.Contains(r.Templates[0], "3818") ||
		!strings.HasPrefix(r.Templates[1], "as of "+old.At.Format(time.RFC3339)+": channels[0].template: Telesign has no template wa_bogof") {
		t.Errorf("%+v, %v", r, err)
	}
	if list := a.list(t); !list.At.Equal(old.At) || len(list.Templates) != 1 || !strings.Contains(list.Problem, "3818") {
		t.Errorf("%+v", list)
	}
}

func TestDryRun_ChecksTemplatesWithoutRedis(t *testing.T) {
	t.Parallel()
	a := newAccount(t, 100, bogo())
	o := operations.New(nil, operations.Options{Telesign: a.client})
	if _, err := o.DryRun(t.Context(), submission(t, "spring", "wa_bogof", "header_url")); operations.KindOf(err) != operations.Refused {
		t.Errorf("%v", err)
	}
	keyless := operations.New(nil, operations.Options{})
	d, err := keyless.DryRun(t.Context(), submission(t, "spring", "wa_bogo", "header_url"))
	if err != nil || len(d.Templates) != 1 || !strings.Contains(d.Templates[0], "TELESIGN_API_KEY aren't set here") {
		t.Errorf("%+v, %v", d, err)
	}
}

func TestSubmit_WaitsThreeSecondsForTheList(t *testing.T) {
	t.Parallel()
	a := newAccount(t, 100, bogo())
	let := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-let:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(slow.Close)
	t.Cleanup(func() { close(let) })
	client, err := telesign.NewClient(telesign.Options{URL: slow.URL, CustomerID: "x", APIKey: "VGVzdCBLZXk=", Auth: telesign.AuthBasic, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	a.Operations = operations.New(redistest.Start(t).Client(), operations.Options{Telesign: client})
	begun := time.Now()
	r, err := a.Submit(t.Context(), submission(t, "spring", "wa_bogo", "header_url"))
	if took := time.Since(begun); err != nil || took < 3*time.Second || took > 20*time.Second {
		t.Fatalf("after %v: %v", took, err)
	}
	if len(r.Templates) != 1 || r.Templates[0] != "the templates weren't checked: Telesign gave no answer within 3s" {
		t.Errorf("%v", r.Templates)
	}
}

func TestTemplates_ShowsTheLastKnownListWithTheProblem(t *testing.T) {
	t.Parallel()
	a := newAccount(t, 100, nil)
	if list := a.list(t); !list.At.IsZero() || !strings.Contains(list.Problem, "3818") {
		t.Errorf("never listed: %+v", list)
	}
	a.vendor.SetTemplates(bogo())
	if list := a.list(t); list.Problem != "" || len(list.Templates) != 1 || time.Since(list.At) > time.Minute {
		t.Errorf("listed: %+v", list)
	}
	a.vendor.SetTemplates(nil)
	if list := a.list(t); list.Problem != "" || len(list.Templates) != 1 {
		t.Errorf("within the minute: %+v", list)
	}
}

func TestTemplate_IsFoundInTheListOrAskedFor(t *testing.T) {
	t.Parallel()
	a := newAccount(t, 100, bogo())
	if one, err := a.Template(t.Context(), "default", "whatsapp", "wa_bogo"); err != nil || one.Name != "wa_bogo" {
		t.Errorf("%+v, %v", one, err)
	}
	if _, err := a.Template(t.Context(), "default", "whatsapp", "wa_bogof"); operations.KindOf(err) != operations.NotFound {
		t.Errorf("%v", err)
	}
	off := newAccount(t, 100, nil)
	if _, err := off.Template(t.Context(), "default", "whatsapp", "wa_bogo"); operations.KindOf(err) != operations.Unavailable {
		t.Errorf("%v", err)
	}
}
