package api_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/web/api"
)

// keysOf are a struct's keys in JSON, with those of its lists and structs.
func keysOf(t reflect.Type, but ...string) map[string]bool {
	keys := make(map[string]bool)
	for i := range t.NumField() {
		key, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		of := t.Field(i).Type
		for of.Kind() == reflect.Pointer || (of.Kind() == reflect.Slice && of.Elem().Kind() != reflect.Uint8) {
			of = of.Elem()
		}
		if of.Kind() == reflect.Struct {
			for inner := range keysOf(of) {
				keys[key+"."+inner] = true
			}
		}
		keys[key] = true
	}
	for _, key := range but {
		delete(keys, key)
	}
	return keys
}

func TestCampaignFile_HasAllKeysOfACampaign(t *testing.T) {
	t.Parallel()
	want := keysOf(reflect.TypeFor[campaign.Spec](), "standing", "-")
	if diff := cmp.Diff(want, keysOf(reflect.TypeFor[api.CampaignFile]())); diff != "" {
		t.Error(diff)
	}
}

func TestCampaignFile_ComesBackAsItWasTaken(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	c := h.all(t)
	const more = `"MKT","rate":7,"lane":"urgent","on_doubt":"resend","give_up_after":"2h","max_failure_rate":"20%","canary":5,"canary_success":0.9,
		"retention":"30d","hours":{"from":"09:00","to":"20:00","zone":"recipient","days":["mon","tue"]},"unknown_zone":"Europe/Vienna"`
	c.do(t, 201, "POST", "/campaigns", asJSON, strings.Replace(campaignBody("spring"), `"MKT"`, more, 1))
	c.do(t, 201, "PUT", "/campaigns/spring/recipients?hold=true", asCSV, csvOf(3))
	var got struct {
		File map[string]any `json:"file"`
	}
	c.do(t, 200, "GET", "/campaigns/spring", "", "").into(t, &got)
	delete(got.File, "channels")
	want := map[string]any{
		"id": "spring", "message_type": "MKT", "rate": 7.0, "lane": "urgent", "on_doubt": "resend", "give_up_after": 7200.0,
		"max_failure_rate": 0.2, "canary": 5.0, "canary_success": 0.9, "retention": 2592000.0,
		"hours":        map[string]any{"from": "09:00", "to": "20:00", "zone": "recipient", "days": []any{"mon", "tue"}},
		"unknown_zone": "Europe/Vienna",
	}
	if diff := cmp.Diff(want, got.File); diff != "" {
		t.Error(diff)
	}
	// What comes back is taken, as the same.
	var whole struct {
		File json.RawMessage `json:"file"`
	}
	c.do(t, 200, "GET", "/campaigns/spring", "", "").into(t, &whole)
	c.do(t, 200, "POST", "/campaigns", asJSON, string(whole.File))
	for hours, field := range map[string]string{
		`{"from":"20:00","to":"09:00","zone":"recipient"}`:                    "hours.to",
		`{"from":"09:00","to":"20:00","zone":"Mars/Base"}`:                    "hours.zone",
		`{"from":"09:00","to":"20:00","zone":"UTC","days":["monday"]}`:        "hours.days[0]",
		`{"from":"9","to":"20:00","zone":"UTC"}`:                              "hours.from",
		`{"from":"09:00","to":"20:00","zone":"UTC"},"unknown_zone":"nowhere"`: "unknown_zone",
	} {
		p := problemOf(t, c.do(t, 422, "POST", "/campaigns", asJSON, strings.Replace(campaignBody("autumn"), `"MKT"`, `"MKT","hours":`+hours, 1)), "invalid")
		if len(p.Errors) != 1 || p.Errors[0].Field != field {
			t.Errorf("%s: %+v", hours, p)
		}
	}
}

func TestDryRun_SaysWhoCanBeSentToWhen(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	c := h.all(t)
	c.do(t, 201, "POST", "/campaigns", asJSON, strings.Replace(campaignBody("spring"), `"MKT"`, `"MKT","hours":{"from":"09:00","to":"20:00","zone":"recipient"}`, 1))
	const list = "recipient,phone,url,zone\na,+12015550100,https://files.example.com/a,America/New_York\nb,+12015550101,https://files.example.com/b,America/New_York\nc,+12015550102,https://files.example.com/c,Europe/Vienna\n"
	var got struct {
		Hours api.DryHours `json:"hours"`
	}
	const at = "2030-01-02T10:00:00Z" // 05:00 in New York, 11:00 in Vienna
	c.do(t, 200, "POST", "/campaigns/spring/dry-run?start_at="+at, asCSV, list).into(t, &got)
	opens := time.Date(2030, 1, 2, 14, 0, 0, 0, time.UTC)
	want := api.DryHours{
		Zones: []api.DryZone{
			{Zones: []string{"America/New_York"}, Recipients: 2, Opens: &opens}, {Zones: []string{"Europe/Vienna"}, Recipients: 1, Open: true},
		},
		Now: 1, Later: []api.DryLate{{At: opens, Local: opens, Recipients: 2}},
	}
	if diff := cmp.Diff(want, got.Hours); diff != "" {
		t.Error(diff)
	}
	c.do(t, 201, "POST", "/campaigns", asJSON, campaignBody("always"))
	if a := c.do(t, 200, "POST", "/campaigns/always/dry-run", asCSV, csvOf(2)); strings.Contains(a.body, `"hours"`) {
		t.Error(a.body)
	}
}

func TestGet_SaysHowFastItGoesAndWhatWasDone(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	c := h.all(t)
	c.held(t, "spring", 100)
	var got api.Campaign
	c.do(t, 200, "GET", "/campaigns/spring", "", "").into(t, &got)
	if got.Pace == nil || got.Pace.Limit != "paused" || got.Pace.ETA != nil || len(got.History) != 1 || got.History[0].Verb != "submitted" {
		t.Errorf("%+v, %+v", got.Pace, got.History)
	}
	c.do(t, 200, "PUT", "/campaigns/spring/rate", asJSON, `{"rate":5}`)
	c.do(t, 200, "POST", "/campaigns/spring/start", "", "").into(t, &got)
	if p := got.Pace; p.Limit != "campaign" || p.LimitDetail != "the campaign's rate (5/s)" || p.CampaignRate != 5 || p.AccountRate != 10 ||
		p.ETA == nil || time.Until(*p.ETA) > 25*time.Second || len(got.History) != 3 {
		t.Errorf("%+v, %+v", got.Pace, got.History)
	}
	if a := c.do(t, 200, "GET", "/campaigns", "", ""); strings.Contains(a.body, `"pace"`) || strings.Contains(a.body, `"history"`) {
		t.Errorf("for one campaign only: %s", a.body)
	}
}
