package process_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/internal/report"
	"github.com/handout-dev/handout/test/redistest"
)

// TestCampaign_FourProcessesSendEveryStoryOnce is the whole program: one
// campaign, then everything that can be asked about it.
func TestCampaign_FourProcessesSendEveryStoryOnce(t *testing.T) {
	t.Parallel()
	const id, total = "every-story", 2000
	server := redistest.Start(t, redistest.ConfigFile("../../deploy/redis.conf"))
	// A receipt without our ID finds only who isn't in doubt: a busy machine must
	// not make an answer late. And fewer than ten of those whose answer never comes
	// are under way when the others have been sent to: ten in a row hold a campaign.
	h := open(t, quick(server.URL()).with("HANDOUT_SEND_TIMEOUT", "6s", "HANDOUT_RATE", "125"))
	// Those whom Telesign throttles hold up everybody: one of each is enough.
	phones := numbers(total, func(area, digits int) bool { return digits != 90 && digits != 91 || area == 0 })
	file, list := campaignFile(t, id), listFile(t, phones)

	var submitted report.Report
	if err := json.Unmarshal([]byte(done(t, h.env, "submit", file, list, "--json")), &submitted); err != nil {
		t.Fatal(err)
	}
	if submitted.Total != total || submitted.Campaign != id {
		t.Fatalf("submit reports %+v", submitted)
	}
	leaks := newLeaks(phones)
	await(t, "half of the messages are taken", func() bool { return h.stats(t).Accepted > total/2 })
	leaks.redis(t, server.Client())
	if r := handout(t, h.env, "report", id, "--follow"); r.code != 0 {
		t.Fatalf("report --follow: exit status %d: %s", r.code, r.stderr)
	}

	t.Run("every outcome is the story's", func(t *testing.T) { checkOutcomes(t, h, id, phones) })
	t.Run("the simulator took each message once", func(t *testing.T) { checkAccepted(t, h, phones) })
	t.Run("the report adds up", func(t *testing.T) { checkReport(t, reportOf(t, h.env, id), phones) })
	t.Run("verify agrees", func(t *testing.T) {
		if out := done(t, h.env, "verify", id); !strings.Contains(out, "the balance closes: 2,000 recipients in 20 pages") {
			t.Error(out)
		}
	})
	t.Run("its forms are the contract's", func(t *testing.T) { checkForms(t, h.env, id, total) })
	t.Run("the same submit again changes nothing", func(t *testing.T) {
		before := done(t, h.env, "report", id, "--json")
		if out := done(t, h.env, "submit", file, list); !strings.Contains(out, "already") {
			t.Errorf("submit says: %s", out)
		}
		if diff := cmp.Diff(before, done(t, h.env, "report", id, "--json")); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("another content is refused", func(t *testing.T) {
		for _, args := range [][]string{
			{"submit", file, listFile(t, phones[:total-1])},
			{"submit", write(t, "c.yaml", strings.Replace(campaignText(id), "10m", "9m", 1)), list},
		} {
			r := handout(t, h.env, args...)
			if r.code != 1 || r.stdout != "" || !strings.Contains(r.stderr, "campaign every-story already stands with other content") {
				t.Errorf("exit status %d: %s%s", r.code, r.stdout, r.stderr)
			}
		}
		checkReport(t, reportOf(t, h.env, id), phones)
	})
	leaks.redis(t, server.Client())
	console := serve(t, h.env, "console")
	for _, p := range []*process{h.listen, h.work, console} {
		page := p.metrics(t)
		leaks.look(t, "handout "+p.name+"'s /metrics", page)
		if strings.Contains(page, "customer-") {
			t.Errorf("handout %s's /metrics name a recipient", p.name)
		}
	}
	for _, p := range []*process{h.work, h.simulate, h.listen} {
		p.stop()
		leaks.look(t, "handout "+p.name+"'s output", p.out.String())
	}
}

func checkOutcomes(t *testing.T, h *house, id string, phones []string) {
	t.Helper()
	people := export(t, h.env, id)
	if len(people) != len(phones) {
		t.Fatalf("%d people in the export of %d", len(people), len(phones))
	}
	for i, person := range people {
		story := storyOf(phones[i])
		want := []string{fmt.Sprintf("customer-%d", i+1), phones[i], story.ExpectedState, story.ExpectedDeliveredBy}
		got := []string{person["recipient"], person["phone"], person["state"], person["delivered_by"]}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("story %q:\n%s", story.Name, diff)
		}
		known := person["state"] == "delivered" && person["delivered_by"] == "whatsapp"
		if !known && person["delivered_by"] != "both" && person["reason"] == "" {
			t.Errorf("story %q: no reason for %s %s", story.Name, person["state"], person["delivered_by"])
		}
		if person["attempts"] == "0" || person["claimed_at"] == "" || person["external_id"] == "" {
			t.Errorf("story %q: how it was sent is missing: %v", story.Name, person["external_id"])
		}
	}
}

func checkAccepted(t *testing.T, h *house, phones []string) {
	t.Helper()
	want := make(map[string]int)
	for _, phone := range phones {
		if storyOf(phone).ExpectedState != "refused" {
			want[phone] = 1
		}
	}
	if diff := cmp.Diff(want, h.accepted(t)); diff != "" {
		t.Errorf("messages per phone number (-want +got):\n%s", diff)
	}
}

func checkReport(t *testing.T, got report.Report, phones []string) {
	t.Helper()
	if p := got.Pace; p == nil || p.Limit != report.LimitNothing || p.Rate != 0 || p.ETA != nil {
		t.Errorf("the pace of a campaign that is done: %+v", p)
	}
	got.Pace = nil
	if n := len(got.History); n != 2 || got.History[0].Verb != "submitted" || got.History[1].Verb != "done" {
		t.Errorf("history: %+v", got.History)
	}
	want := report.Report{Campaign: got.Campaign, History: got.History, State: "done", Total: len(phones), Balance: make(map[string]int)}
	for state := range got.Balance {
		want.Balance[state] = 0
	}
	for _, phone := range phones {
		story := storyOf(phone)
		want.Balance[story.ExpectedState]++
		if story.Read {
			want.DeliveredBy.Read++
		}
		switch story.ExpectedDeliveredBy {
		case "whatsapp":
			want.DeliveredBy.WhatsApp++
		case "sms":
			want.DeliveredBy.SMS++
		case "both":
			want.DeliveredBy.Both++
		case "other":
			want.DeliveredBy.Other++
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
}

const exportHeader = "recipient,phone,state,delivered_by,reason,whatsapp_code,sms_code,reference_id,external_id,attempts,claimed_at,settled_at"

func checkForms(t *testing.T, e env, id string, total int) {
	t.Helper()
	checkReportKeys(t, done(t, e, "report", id, "--json"))
	lines := strings.Split(strings.TrimSuffix(done(t, e, "export", id), "\n"), "\n")
	if lines[0] != exportHeader || len(lines) != total+1 {
		t.Errorf("the export has %d lines and the header %s", len(lines), lines[0])
	}
	lines = strings.Split(strings.TrimSuffix(done(t, e, "export", id, "--format", "ndjson"), "\n"), "\n")
	if len(lines) != total {
		t.Errorf("%d lines of NDJSON", len(lines))
	}
	var person map[string]any
	if err := json.Unmarshal([]byte(lines[total-1]), &person); err != nil {
		t.Fatal(err)
	}
	want := slices.Sorted(slices.Values(strings.Split(exportHeader+",delivered_by_channels,channels", ",")))
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(person))); diff != "" {
		t.Error(diff)
	}
}

// checkReportKeys holds a JSON report to exactly the contract's keys, alone.
func checkReportKeys(t *testing.T, text string) {
	t.Helper()
	if strings.Count(text, "\n") != 1 || !strings.HasSuffix(text, "}\n") {
		t.Errorf("not one object on one line: %q", text)
	}
	var object map[string]any
	if err := json.Unmarshal([]byte(text), &object); err != nil {
		t.Fatalf("%v: %q", err, text)
	}
	got := make(map[string][]string)
	for key, value := range object {
		got[key] = nil
		if inner, ok := value.(map[string]any); ok {
			delete(inner, "bad_lines") // of a list that has some
			delete(inner, "duplicate_lines")
			got[key] = slices.Sorted(maps.Keys(inner))
		}
	}
	want := map[string][]string{
		"campaign": nil, "state": nil, "reason": nil, "total": nil,
		"balance": {"accepted", "canceled", "claimed", "delivered", "failed", "in_doubt", "planned", "refused",
			"retrying", "suppressed", "unconfirmed"},
		"delivered_by": {"both", "other", "read", "sms", "whatsapp"},
		"left_out":     {"bad_rows", "duplicates"},
		"pace":         {"account_rate", "campaign_rate", "eta", "limit", "limit_detail", "rate"},
		"history":      nil, // a list; report_test.go looks into it
	}
	if _, list := object["history"].([]any); !list {
		t.Errorf("history is %v", object["history"])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}

// leaks looks for what may stand only in an export: phone numbers of a list,
// and the key nowhere at all.
type leaks struct {
	phones  map[string]bool // digits alone
	secrets []string
}

func newLeaks(phones []string) *leaks {
	l := &leaks{phones: make(map[string]bool), secrets: []string{
		apiKey, base64.StdEncoding.EncodeToString([]byte(customerID + ":" + apiKey)),
	}}
	for _, phone := range phones {
		l.phones[strings.TrimPrefix(phone, "+")] = true
	}
	return l
}

const phoneDigits = 11

var digits = regexp.MustCompile(`[0-9]{11,}`)

func (l *leaks) look(t *testing.T, where, text string) {
	t.Helper()
	if text == "" {
		t.Errorf("%s is empty: nothing was looked at", where)
	}
	for _, secret := range l.secrets {
		if strings.Contains(text, secret) {
			t.Errorf("%s has the API key", where)
		}
	}
	for _, run := range digits.FindAllString(text, -1) {
		for i := range len(run) - phoneDigits + 1 {
			if l.phones[run[i:i+phoneDigits]] {
				t.Errorf("%s has a phone number of the list: %s", where, run)
				return
			}
		}
	}
}

// redis looks into everything that the queue's own console can show.
func (l *leaks) redis(t *testing.T, rdb *redis.Client) {
	t.Helper()
	ctx := t.Context()
	var b strings.Builder
	keys := rdb.Scan(ctx, 0, "asynq:*", 1000).Iterator()
	for keys.Next(ctx) {
		key := keys.Val()
		b.WriteString(key + "\n")
		var values any
		switch kind := rdb.Type(ctx, key).Val(); kind {
		case "string":
			values = rdb.Get(ctx, key).Val()
		case "hash":
			values = rdb.HGetAll(ctx, key).Val()
		case "list":
			values = rdb.LRange(ctx, key, 0, -1).Val()
		case "set":
			values = rdb.SMembers(ctx, key).Val()
		case "zset":
			values = rdb.ZRange(ctx, key, 0, -1).Val()
		case "none": // gone this moment
		default:
			t.Errorf("%s is a %s, which this test can't read", key, kind)
		}
		fmt.Fprintln(&b, values)
	}
	if err := keys.Err(); err != nil {
		t.Fatal(err)
	}
	l.look(t, "the queue", b.String())
}
