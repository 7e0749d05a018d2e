package simulator_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/telesign/simulator"
)

var (
	plain    = []string{"3002 whatsapp: whatsapp 3002", "3000 whatsapp: whatsapp 3000"}
	timedOut = []string{"3002 whatsapp: whatsapp 3002", "3002 sms: whatsapp 3056, sms 3002", "3000 sms: whatsapp 3056, sms 3000"}
)

// callbacksOf is what the listener hears of each story, in order.
var callbacksOf = map[string][]string{
	"delivered":                     plain,
	"read":                          {"3002 whatsapp: whatsapp 3002", "3000 whatsapp: whatsapp 3000", "3005 whatsapp: whatsapp 3005"},
	"fallback after time-out":       timedOut,
	"not on WhatsApp":               {"3002 sms: whatsapp 3055, sms 3002", "3000 sms: whatsapp 3055, sms 3000"},
	"no conversation window":        {"3002 sms: whatsapp 3114, sms 3002", "3000 sms: whatsapp 3114, sms 3000"},
	"both":                          append(slices.Clone(timedOut), "3000 whatsapp: whatsapp 3000, sms 3000"),
	"both fail":                     {"3002 whatsapp: whatsapp 3002", "3003 sms: whatsapp 3056, sms 3033"},
	"phone error":                   {"3003 sms: whatsapp 3055, sms 3031"},
	"silent":                        nil,
	"vanished":                      nil,
	"early":                         plain,
	"early without external_id":     plain,
	"duplicated":                    {plain[0], plain[0], plain[0], plain[1], plain[1], plain[1]},
	"reordered":                     {plain[1], plain[0], "3001 whatsapp: whatsapp 3001"},
	"external_id null":              plain,
	"external_id absent":            plain,
	`external_id "null"`:            plain,
	"timestamp with a colon":        plain,
	"timestamp without a zone":      plain,
	"timestamp as documented":       plain,
	"timestamp of HTTP":             plain,
	"timestamp of month 31":         plain,
	"answer held":                   plain,
	"connection reset":              plain,
	"server error":                  plain,
	"in doubt":                      nil,
	"unavailable at first":          plain,
	"rate limited at first":         plain,
	"rate limited with Retry-After": plain,
	"refused":                       nil,
	"blocked":                       {"3003 sms: whatsapp 3046, sms 3046"},
	"unproven":                      {"3002 sms: whatsapp 3055, sms 3002", "3004 sms: whatsapp 3055, sms 3004"},
	"unknown code":                  {"3999 whatsapp: whatsapp 3999", plain[1]},
	"another channel":               {"3002 rcs: whatsapp 3055, rcs 3002", "3000 rcs: whatsapp 3055, rcs 3000"},
	"unreadable answer":             plain,
}

// answersOf are the answers to the first POSTs of the stories that don't give
// 200/3001 at once; 0 is none.
var answersOf = map[string][]reply{
	"answer held":                   {answered(0, 0)},
	"connection reset":              {answered(0, 0)},
	"in doubt":                      {answered(0, 0)},
	"server error":                  {answered(500, 0)},
	"unreadable answer":             {answered(200, 0)},
	"unavailable at first":          {answered(503, 3500), answered(503, 3500), answered(200, 3001)},
	"rate limited at first":         {answered(429, 3204), answered(429, 3204), answered(200, 3001)},
	"rate limited with Retry-After": {answered(429, 3204), answered(429, 3204), answered(200, 3001)},
	"refused":                       {answered(400, 3113), answered(400, 3113), answered(400, 3113)},
}

func answered(status, code int) (r reply) {
	r.status, r.Status.Code = status, code
	return r
}

func TestStories_TellWhatTheTableSays(t *testing.T) {
	t.Parallel()
	for _, story := range simulator.Stories() {
		t.Run(story.Name, func(t *testing.T) {
			t.Parallel()
			want, known := callbacksOf[story.Name]
			if !known {
				t.Fatal("this test doesn't know the story")
			}
			r := start(t, simulator.Options{Speed: hurry, Polling: true})
			phone := "155500000" + story.Endings()[0]
			answers := answersOf[story.Name]
			if answers == nil {
				answers = []reply{answered(200, 3001)}
			}
			for i, want := range answers {
				r.expectAnswer(story.Name, i, phone, want)
			}
			r.idle()
			heard := r.listener.callbacks()
			var got []string
			for _, c := range heard {
				got = append(got, c.outline())
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			taken := r.vendor.Accepted()
			if story.ExpectedState == "refused" {
				if len(taken) != 0 {
					t.Fatalf("%d messages were accepted, want none", len(taken))
				}
				return
			}
			if len(taken) != 1 || taken[0].Story != story.Name || taken[0].PhoneNumber != phone || taken[0].ExternalID != "campaign.0.0.1" {
				t.Fatalf("log: %+v", taken)
			}
			for _, c := range heard {
				checkCallback(t, c, story.Name, taken[0].Reference)
			}
			checkOutcome(t, r, story, taken[0].Reference)
		})
	}
}

// expectAnswer makes the n-th POST to a number.
func (r *rig) expectAnswer(story string, n int, phone string, want reply) {
	r.t.Helper()
	ctx := context.Background()
	if story == "answer held" {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, 50*time.Millisecond) // the client's own time-out
		defer cancel()
	}
	got, err := r.try(ctx, http.MethodPost, "/v1/omnichannel", basic(), encode(r.t, message(phone)))
	switch {
	case want.status == 0 && story == "answer held":
		if !errors.Is(err, context.DeadlineExceeded) {
			r.t.Errorf("POST %d: %d %v, want no answer", n+1, got.status, err)
		}
		if heard := len(r.listener.callbacks()); heard != 0 {
			r.t.Errorf("%d callbacks came while the answer was held", heard)
		}
	case want.status == 0:
		if !errors.Is(err, syscall.ECONNRESET) {
			r.t.Errorf("POST %d: %d %v, want a reset", n+1, got.status, err)
		}
	case err != nil:
		r.t.Fatal(err)
	default:
		if got.status != want.status || got.Status.Code != want.Status.Code {
			r.t.Errorf("POST %d: %d/%d, want %d/%d", n+1, got.status, got.Status.Code, want.status, want.Status.Code)
		}
	}
	retryAfter := ""
	if story == "rate limited with Retry-After" && want.status == 429 {
		retryAfter = "1"
	}
	if err == nil && got.header.Get("Retry-After") != retryAfter {
		r.t.Errorf("POST %d: Retry-After %q, want %q", n+1, got.header.Get("Retry-After"), retryAfter)
	}
	if strings.HasPrefix(story, "early") && len(r.listener.callbacks()) != 2 {
		r.t.Errorf("%d callbacks before the answer, want 2", len(r.listener.callbacks()))
	}
}

func checkCallback(t *testing.T, c callback, story, reference string) {
	t.Helper()
	if c.method != http.MethodPost || c.header.Get("Content-Type") != "application/json" || c.fault != nil {
		t.Errorf("%s, %s, signature: %v", c.method, c.header.Get("Content-Type"), c.fault)
	}
	if c.header.Get("Authorization") == "" || c.header.Get("X-TS-Authorization") == "" {
		t.Error("a signature's header is missing")
	}
	if c.Reference != reference {
		t.Errorf("reference %s, the log has %s", c.Reference, reference)
	}
	id, present := c.fields["external_id"]
	want := map[string]any{
		"external_id null": nil, "early without external_id": nil, "external_id absent": nil, `external_id "null"`: "null",
	}
	expected, special := want[story]
	if !special {
		expected = "campaign.0.0.1"
	}
	if id != expected || present == (story == "external_id absent") {
		t.Errorf("external_id %v (present: %t), want %v", id, present, expected)
	}
	layout := map[string]string{
		"timestamp with a colon":   "2006-01-02 15:04:05:000",
		"timestamp without a zone": "2006-01-02 15:04:05.000",
		"timestamp of HTTP":        http.TimeFormat,
	}[story]
	if layout == "" {
		layout = "2006-01-02T15:04:05.000000Z"
	}
	for _, stamp := range stamps(c.reply) {
		if story == "timestamp of month 31" {
			if stamp[4:8] != "-31-" {
				t.Errorf("timestamp %s has no month 31", stamp)
			}
			continue
		}
		if story == "timestamp with a colon" {
			stamp = stamp[:19] + "." + stamp[20:] // time.Parse knows no such fraction
			layout = "2006-01-02 15:04:05.000"
		}
		at, err := time.Parse(layout, stamp)
		if err != nil || time.Since(at).Abs() > time.Minute {
			t.Errorf("timestamp %s: %v", stamp, err)
		}
	}
}

func stamps(r reply) []string {
	all := []string{r.Status.UpdatedOn}
	for _, leg := range r.Channels {
		for _, state := range leg {
			all = append(all, state.UpdatedOn)
		}
	}
	return all
}

// checkOutcome asks the status query for the truth and compares it with the
// table.
func checkOutcome(t *testing.T, r *rig, story simulator.Story, reference string) {
	t.Helper()
	if story.ExpectedState == "unconfirmed" && story.Name == "vanished" {
		if got := r.get(reference); got.status != 404 || got.Status.Code != -10004 {
			t.Errorf("status: %d %s", got.status, got.body)
		}
		return
	}
	codes := map[string]int{"delivered": 3000, "failed": 3003, "unconfirmed": 3004, "in_doubt": 3000}
	want := codes[story.ExpectedState]
	if story.Read {
		want = 3005
	}
	got := r.get(reference)
	for deadline := time.Now().Add(10 * time.Second); got.Status.Code != want && time.Now().Before(deadline); {
		got = r.get(reference) // a story without callbacks has no other signal
	}
	if got.status != 200 || got.Status.Code != want || got.Reference != reference || *got.ExternalID != "campaign.0.0.1" {
		t.Errorf("status: %d %s", got.status, got.body)
	}
	var by []string
	for _, leg := range got.Channels {
		for channel, state := range leg {
			if state.Code == 3000 || state.Code == 3005 {
				by = append(by, channel)
			}
		}
	}
	want2 := map[string][]string{"whatsapp": {"whatsapp"}, "sms": {"sms"}, "both": {"whatsapp", "sms"}, "other": {"rcs"}}[story.ExpectedDeliveredBy]
	if story.ExpectedState == "in_doubt" {
		want2 = []string{"whatsapp"} // without the answer there is no reference to ask for
	}
	if diff := cmp.Diff(want2, by); diff != "" {
		t.Errorf("delivered by: %s", diff)
	}
}

func TestStories_AdaptToOtherCascades(t *testing.T) {
	t.Parallel()
	details := object{"default": object{"template": "text", "parameters": object{"text": "hello"}}}
	cascade := func(names ...string) []any {
		var list []any
		for _, name := range names {
			list = append(list, object{"channel": name, "fallback_time": 30})
		}
		return list
	}
	for _, tt := range []struct {
		name     string
		ending   string
		channels []any
		want     []string
	}{
		{"SMS alone is delivered", "00", cascade("sms"), []string{"3002 sms: sms 3002", "3000 sms: sms 3000"}},
		{"SMS can't be read", "35", cascade("sms"), []string{"3002 sms: sms 3002", "3000 sms: sms 3000"}},
		{"Viber is read", "35", cascade("viber", "sms"),
			[]string{"3002 viber: viber 3002", "3000 viber: viber 3000", "3005 viber: viber 3005"}},
		{"a time-out without a second channel fails", "50", cascade("whatsapp"),
			[]string{"3002 whatsapp: whatsapp 3002", "3003 whatsapp: whatsapp 3056"}},
		{"a hard failure without a second channel fails", "58", cascade("rcs"), []string{"3003 rcs: rcs 3055"}},
		{"a late delivery follows a failure", "67", cascade("whatsapp"),
			[]string{"3002 whatsapp: whatsapp 3002", "3003 whatsapp: whatsapp 3056", "3000 whatsapp: whatsapp 3000"}},
		{"every later channel fails like the second", "70", cascade("whatsapp", "viber", "sms"),
			[]string{"3003 sms: whatsapp 3055, viber 3031, sms 3031"}},
		{"another channel is one that wasn't asked for", "96", cascade("whatsapp", "rcs"),
			[]string{"3002 viber: whatsapp 3055, viber 3002", "3000 viber: whatsapp 3055, viber 3000"}},
		{"an unproven message without a second channel fails", "94", cascade("sms"), []string{"3003 sms: sms 3055"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := start(t, simulator.Options{Speed: hurry})
			m := message("155500000" + tt.ending)
			m["channels"], m["message"] = tt.channels, details
			if got := r.post(m); got.status != 200 {
				t.Fatalf("got %d %s", got.status, got.body)
			}
			r.idle()
			var got []string
			for _, c := range r.listener.callbacks() {
				got = append(got, c.outline())
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestStories_AListOfConsecutiveNumbersIsHardlyThrottled has 2,000 numbers in a row, of
// which 40 end in 90 or 91.
func TestStories_AListOfConsecutiveNumbersIsHardlyThrottled(t *testing.T) {
	t.Parallel()
	r := start(t, simulator.Options{NoCallbacks: true})
	for n := range 2000 {
		phone := fmt.Sprintf("1201%07d", 5550000+n)
		if story := simulator.StoryOf(phone).Name; !strings.HasPrefix(story, "rate limited") && story != "delivered" {
			phone = phone[:len(phone)-2] + "00" // the others' answers don't matter here
		}
		for r.post(message(phone)).status == 429 {
		}
	}
	if got := r.vendor.Stats().ByAnswer["429/3204"]; got != 8 {
		t.Errorf("%d requests were throttled, want 8", got)
	}
}
