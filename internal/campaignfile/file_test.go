package campaignfile_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/campaignfile"
	"github.com/handout-dev/handout/producer"
)

// fileThenText is a campaign as most are: a file by WhatsApp, else a text with a link.
const fileThenText = `
id: order-history
message_type: MKT
channels:
  - channel: whatsapp
    fallback_time: 10m
    template: file
    parameters: {url: "{{.url}}", file_name: "order history.xlsx"}
  - channel: sms
    template: text
    parameters: {text: "Your viatu.com order history is ready for download at {{.url}}."}
rate: 10
`

func TestParse_ReadsEveryKey(t *testing.T) {
	f := parse(t, fileThenText+"lane: urgent\non_doubt: resend\ngive_up_after: 2h\n"+
		"max_failure_rate: 5%\ncanary: 100\ncanary_success: 0.95\nretention: 30d\n"+
		"hours: {from: \"09:00\", to: \"24:00\", days: [sun, mon], zone: recipient}\nunknown_zone: Europe/Berlin\n"+
		"sender_id: 15558675310\noriginating_ip: 2001:db8::1\naccount_lifecycle_event: transact\n")
	want := &campaign.Spec{
		ID: "order-history", MessageType: "MKT", Rate: 10, Lane: campaign.LaneUrgent, OnDoubt: campaign.DoubtResend,
		GiveUpAfter: 7200, MaxFailureRate: 0.05, Canary: 100, CanarySuccess: 0.95, Retention: 30 * 86400,
		Hours:       &campaign.Hours{From: "09:00", To: "24:00", Days: []string{"mon", "sun"}, Zone: "recipient"},
		UnknownZone: "Europe/Berlin",
		SenderID:    "15558675310", OriginatingIP: "2001:db8::1", LifecycleEvent: "transact",
		Channels: []campaign.Channel{
			{Channel: "whatsapp", FallbackTime: 600, Template: "file", Parameters: map[string]string{
				"url": "{{.url}}", "file_name": "order history.xlsx"}},
			{Channel: "sms", Template: "text", Parameters: map[string]string{
				"text": "Your viatu.com order history is ready for download at {{.url}}."}},
		},
	}
	if diff := cmp.Diff(want, f.Spec); diff != "" {
		t.Errorf("spec (-want +got):\n%s", diff)
	}
}

func TestParse_ReadsADefaultForChannelsWithoutATemplate(t *testing.T) {
	const text = "id: a\nmessage_type: MKT\nchannels:\n  - {channel: rcs, template: media, parameters: {url: \"{{.url}}\"}}\n  - {channel: viber}\n  - {channel: sms}\n"
	f := parse(t, text+"default: {template: text, parameters: {text: \"Yours: {{.url}}\"}}\n")
	want := []campaign.Channel{
		{Channel: "rcs", Template: "media", Parameters: map[string]string{"url": "{{.url}}"}},
		{Channel: "default", Template: "text", Parameters: map[string]string{"text": "Yours: {{.url}}"}},
	}
	if diff := cmp.Diff(want, f.Spec.Contents()); diff != "" {
		t.Error(diff)
	}
	d, err := producer.Check(t.Context(), f, producer.ListRows([]string{"url"}, func(yield func(producer.Row, error) bool) {
		yield(producer.Row{Recipient: "a", Phone: "+12015550100", Values: []string{"https://x.example/a"}}, nil)
	}), producer.CheckOptions{})
	if err != nil || d.SMS.Total != 1 || d.Rejected {
		t.Errorf("%+v, %v: the SMS says the default", d, err)
	}
	for src, fault := range map[string]string{
		text: "channels[1].template: missing",
		text + "default: {parameters: {text: hello}}\n":                                             "default.template: missing",
		text + "default: {template: text}\n":                                                        "default.parameters.text: missing",
		text + "default: {template: file, parameters: {url: x.pdf}}\n":                              "default.parameters.url: not an absolute",
		text + "default: {template: text, parameters: {text: \"{{.a\"}}\n":                          "default.parameters.text: ",
		text + "default: text\n":                                                                    "default: must be a mapping",
		text + "default: {template: x, channel: sms}\n":                                             "unknown key \"channel\"",
		strings.Replace(text, "viber", "viber, parameters: {a: b}", 1) + "default: {template: x}\n": "channels[1].parameters: need a template",
	} {
		if _, err := campaignfile.Parse("", []byte(src)); err == nil || !strings.Contains(err.Error(), fault) {
			t.Errorf("%s: %v, want %s", src, err, fault)
		}
	}
}

func TestParse_DefaultsAreBulkAndHold(t *testing.T) {
	f := parse(t, "id: a\nmessage_type: ARN\nchannels: [{channel: sms, fallback_time: 90, template: x}]\n")
	if f.Spec.Lane != campaign.LaneBulk || f.Spec.OnDoubt != campaign.DoubtHold || f.Spec.Rate != 0 || f.Spec.Channels[0].FallbackTime != 90 {
		t.Errorf("%+v", f.Spec)
	}
}

func TestParse_EveryFaultHasItsPlace(t *testing.T) {
	const good = "id: a\nmessage_type: MKT\n"
	channel := func(s string) string { return good + "channels:\n  - {" + s + "}\n" }
	for _, c := range []struct{ name, src, want string }{
		{"empty", "", "c.yaml: the campaign file is empty"},
		{"not YAML", "id: [a\n", "c.yaml:1:1: did not find expected ',' or ']'"},
		{"a list", "- id: a\n", "c.yaml:1:1: a campaign file must be a mapping of keys to values"},
		{"two campaigns", good + "channels: [{channel: sms, template: x}]\n---\nid: b\n", "c.yaml:4:1: a campaign file holds one campaign"},
		{"no id", "message_type: MKT\nchannels: [{channel: sms, template: x}]\n", "c.yaml:1:1: id: missing"},
		{"bad id", "id: A b\nmessage_type: MKT\nchannels: [{channel: sms, template: x}]\n", "c.yaml:1:5: id: a campaign ID is"},
		{"a name of one-off sends", "id: sends-2026-11-22\nmessage_type: MKT\nchannels: [{channel: sms, template: x}]\n", "c.yaml:1:5: id: a day's one-off sends have this name"},
		{"one of another account's", "id: sends-2026-11-22-us\nmessage_type: MKT\nchannels: [{channel: sms, template: x}]\n", "c.yaml:1:5: id: a day's one-off sends have this name"},
		{"no message type", "id: a\nchannels: [{channel: sms, template: x}]\n", "c.yaml:1:1: message_type: missing"},
		{"unknown message type", "id: a\nmessage_type: SPAM\nchannels: [{channel: sms, template: x}]\n", "c.yaml:2:15: message_type: must be one of ARN, MKT, OTP"},
		{"no channels", good, "c.yaml:1:1: channels: at least one"},
		{"empty channels", good + "channels: []\n", "c.yaml:3:11: channels: at least one"},
		{"channels no list", good + "channels: sms\n", "c.yaml:3:11: channels: must be a list"},
		{"unknown key", channel("channel: sms, template: x, foo: 1"), `c.yaml:4:33: unknown key "foo"`},
		{"key twice", good + "id: b\nchannels: [{channel: sms, template: x}]\n", `c.yaml:3:1: the key "id" stands here twice`},
		{"channel twice", good + "channels:\n  - {channel: sms, template: x}\n  - {channel: sms, template: y}\n", "c.yaml:5:15: channels[1].channel: sms stands in the cascade twice"},
		{"unknown channel", channel("channel: fax, template: x"), "c.yaml:4:15: channels[0].channel: must be one of"},
		{"no channel", channel("template: x"), "c.yaml:4:5: channels[0].channel: missing"},
		{"no template", channel("channel: sms"), "c.yaml:4:5: channels[0].template: missing"},
		{"a long name", channel("channel: email, template: " + strings.Repeat("x", 65)), "c.yaml:4:32: channels[0].template: longer than the 64 characters"},
		{"a share over one", channel("channel: sms, template: x") + "max_failure_rate: 30\n", "c.yaml:5:19: max_failure_rate: must be a share such as 0.3 or 30%"},
		{"no share", channel("channel: sms, template: x") + "canary: 1\ncanary_success: NaN\n", "c.yaml:6:17: canary_success: must be a share"},
		{"no canary", channel("channel: sms, template: x") + "canary: 0\n", "c.yaml:5:9: canary: must be a whole number from 1 to 10,000"},
		{"success of no canary", channel("channel: sms, template: x") + "canary_success: 50%\n", "c.yaml:5:17: canary_success: needs canary"},
		{"retention too short", channel("channel: sms, template: x") + "retention: 0d\n", "c.yaml:5:12: retention: must be a duration such as 24h or 90d"},
		{"give up after words", channel("channel: sms, template: x") + "give_up_after: tomorrow\n", "c.yaml:5:16: give_up_after: must be a duration"},
		{"fallback too short", channel("channel: sms, template: x, fallback_time: 29"), "c.yaml:4:48: channels[0].fallback_time: must be from 30 seconds to 1 hour"},
		{"fallback too long", channel("channel: sms, template: x, fallback_time: 61m"), "fallback_time: must be from"},
		{"fallback zero", channel("channel: sms, template: x, fallback_time: 0"), "fallback_time: must be from"},
		{"fallback broken", channel("channel: sms, template: x, fallback_time: soon"), "fallback_time: must be a duration"},
		{"fallback in parts", channel("channel: sms, template: x, fallback_time: 30.5s"), "fallback_time: must be whole seconds"},
		{"rate a text", channel("channel: sms, template: x") + "rate: fast\n", "c.yaml:5:7: rate: must be a number"},
		{"rate negative", channel("channel: sms, template: x") + "rate: -1\n", "c.yaml:5:7: rate: must not be negative"},
		{"lane", channel("channel: sms, template: x") + "lane: slow\n", "c.yaml:5:7: lane: must be bulk or urgent"},
		{"on_doubt", channel("channel: sms, template: x") + "on_doubt: maybe\n", "on_doubt: must be hold or resend"},
		{"hours a text", channel("channel: whatsapp, fallback_time: 10m, template: x}\n  - {channel: sms, template: y") + "hours: night\n", "c.yaml:6:8: hours: must be a mapping"},
		{"hours without an end", channel("channel: whatsapp, fallback_time: 10m, template: x}\n  - {channel: sms, template: y") + "hours: {from: \"09:00\", zone: recipient}\n", "c.yaml:6:8: hours.to: must be a time of the day"},
		{"hours without a zone", channel("channel: whatsapp, fallback_time: 10m, template: x}\n  - {channel: sms, template: y") + "hours: {from: \"09:00\", to: \"20:00\"}\n", "c.yaml:6:8: hours.zone: missing: recipient, or"},
		{"hours over midnight", channel("channel: whatsapp, fallback_time: 10m, template: x}\n  - {channel: sms, template: y") + "hours: {from: \"20:00\", to: \"09:00\", zone: recipient}\n", "c.yaml:6:28: hours.to: must be later than from: a window can't go over midnight"},
		{"hours too short", channel("channel: whatsapp, fallback_time: 10m, template: x}\n  - {channel: sms, template: y") + "hours: {from: \"09:00\", to: \"09:11\", zone: recipient}\n", "c.yaml:6:8: hours: the window of 11 min is too short"},
		{"hours, a day", channel("channel: whatsapp, fallback_time: 10m, template: x}\n  - {channel: sms, template: y") + "hours: {from: \"09:00\", to: \"20:00\", days: [mon, friday], zone: recipient}\n", "c.yaml:6:43: hours.days: must be some of mon, tue, wed"},
		{"hours, days no list", channel("channel: whatsapp, fallback_time: 10m, template: x}\n  - {channel: sms, template: y") + "hours: {from: \"09:00\", to: \"20:00\", days: mon, zone: recipient}\n", "c.yaml:6:43: hours.days: must be a list such as [mon, tue]"},
		{"hours, no day", channel("channel: whatsapp, fallback_time: 10m, template: x}\n  - {channel: sms, template: y") + "hours: {from: \"09:00\", to: \"20:00\", days: [], zone: recipient}\n", "hours.days: must be a list such as [mon, tue]"},
		{"hours, unknown key", channel("channel: whatsapp, fallback_time: 10m, template: x}\n  - {channel: sms, template: y") + "hours: {from: \"09:00\", to: \"20:00\", zone: recipient, until: x}\n", "unknown key \"until\""},
		{"hours, no such zone", channel("channel: whatsapp, fallback_time: 10m, template: x}\n  - {channel: sms, template: y") + "hours: {from: \"09:00\", to: \"20:00\", zone: Europe/Bärlin}\n", "hours.zone: must be recipient, or the name of a time zone"},
		{"unknown zone", channel("channel: whatsapp, fallback_time: 10m, template: x}\n  - {channel: sms, template: y") + "unknown_zone: Europe/Berlin\n", "c.yaml:6:15: unknown_zone: needs hours with zone: recipient"},
		{"sender with a space", channel("channel: sms, template: x") + "sender_id: \"VIATU \"\n", "c.yaml:5:12: sender_id: must have no space around it"},
		{"no sender", channel("channel: sms, template: x") + "sender_id: \"\"\n", "c.yaml:5:12: sender_id: must not be empty"},
		{"no address", channel("channel: sms, template: x") + "originating_ip: 160.199.219\n", "c.yaml:5:17: originating_ip: must be an IPv4 or IPv6 address"},
		{"an address with a zone", channel("channel: sms, template: x") + "originating_ip: \"fe80::1%eth0\"\n", "originating_ip: must be an IPv4 or IPv6 address"},
		{"no event", channel("channel: sms, template: x") + "account_lifecycle_event: signin\n", "c.yaml:5:26: account_lifecycle_event: must be one of create, sign-in, transact, update, delete"},
		{"template syntax", channel("channel: sms, template: text, parameters: {text: \"{{.a\"}"), "c.yaml:4:55: channels[0].parameters.text: "},
		{"static URL", channel("channel: whatsapp, template: file, parameters: {url: x.pdf}"), "c.yaml:4:59: channels[0].parameters.url: not an absolute http or https URL"},
		{"SMS without text", channel("channel: sms, template: text"), "channels[0].parameters.text: missing"},
		{"SMS with empty text", channel("channel: sms, template: text, parameters: {text: \" \"}"), "channels[0].parameters.text: the text is empty"},
		{"parameter a list", channel("channel: sms, template: x, parameters: {a: [1]}"), "channels[0].parameters.a: must be a text"},
		{"parameter null", channel("channel: sms, template: x, parameters: {a: }"), "channels[0].parameters.a: must be a text"},
		{"alias", "id: &x a\nmessage_type: *x\nchannels: [{channel: sms, template: x}]\n", "c.yaml:2:15: message_type: aliases are not supported"},
	} {
		_, err := campaignfile.Parse("c.yaml", []byte(c.src))
		var faults *campaignfile.Faults
		if !errors.As(err, &faults) {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if faults.Total != 1 || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: faults:\n%s\nwant one: %s", c.name, err, c.want)
		}
	}
}

func TestParse_ReportsEveryFaultAtOnce(t *testing.T) {
	_, err := campaignfile.Parse("", []byte("lane: x\nrate: -1\nfoo: 1\nchannels: [{}]\n"))
	var faults *campaignfile.Faults
	if !errors.As(err, &faults) || faults.Total != 7 {
		t.Errorf("faults:\n%v", err)
	}
}

func TestNew_JudgesASpecFromGo(t *testing.T) {
	spec := campaign.Spec{ID: "a", MessageType: "MKT", Channels: []campaign.Channel{{Channel: "sms", Template: "x"}}}
	f, err := campaignfile.New(spec)
	if err != nil {
		t.Fatal(err)
	}
	if f.Spec.Lane != campaign.LaneBulk || spec.Lane != "" {
		t.Errorf("the default is not set in the copy alone: %+v, %+v", f.Spec, spec)
	}
	spec.Channels[0].FallbackTime = 5
	if _, err := campaignfile.New(spec); err == nil || err.Error() != "channels[0].fallback_time: must be from 30 seconds to 1 hour" {
		t.Errorf("error: %v", err)
	}
}

func TestNew_LeavesTheCallersHoursAlone(t *testing.T) {
	hours := campaign.Hours{From: "09:00", To: "20:00", Days: []string{"tue", "mon"}, Zone: "recipient"}
	f, err := campaignfile.New(campaign.Spec{
		ID: "a", MessageType: "MKT", Channels: []campaign.Channel{{Channel: "sms", Template: "x"}}, Hours: &hours, UnknownZone: "hold",
	})
	if err != nil {
		t.Fatal(err)
	}
	if hours.Days[0] != "tue" || f.Spec.Hours.Days[0] != "mon" || f.Spec.UnknownZone != "" {
		t.Errorf("%v, %+v, %q", hours, f.Spec.Hours, f.Spec.UnknownZone)
	}
}

func parse(t *testing.T, src string) *campaignfile.File {
	t.Helper()
	f, err := campaignfile.Parse("campaign.yaml", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	return f
}
