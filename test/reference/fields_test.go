package reference_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/telesign"
)

// object is a JSON object.
type object = map[string]any

// field is one of a campaign file's.
type field struct {
	name     string // its path, as in channels[].template
	required bool
	kind     string // for people
	schema   object // for programs
	standard string // what holds without it
	example  string // in YAML
	doc      string
	values   []string // all that it may be; empty: not a choice
}

func choice(f field, values ...string) field {
	f.kind, f.schema, f.values = "one of "+strings.Join(values, ", "), object{"enum": values}, values
	return f
}

var (
	text     = object{"type": "string"}
	long     = object{"anyOf": []object{{"type": "string", "pattern": `^([0-9]+d|([0-9.]+(h|m|s))+)$`}, {"type": "integer", "minimum": 60}}}
	fallback = object{"anyOf": []object{{"type": "string", "pattern": `^([0-9.]+(h|m|s))+$`}, {"type": "integer", "minimum": telesign.MinFallback, "maximum": telesign.MaxFallback}}}
	share    = object{"anyOf": []object{{"type": "number", "exclusiveMinimum": 0, "maximum": 1}, {"type": "string", "pattern": `^[0-9.]+ ?%$`}}}
	texts    = object{"type": "object", "additionalProperties": object{"type": []string{"string", "number", "boolean"}}}
	names    = object{"type": "object", "additionalProperties": text}
	clock    = object{"type": "string", "pattern": `^[0-2][0-9]:[0-5][0-9]$`}
)

// days is a duration of whole days as a file has it.
func days(d time.Duration) string { return fmt.Sprintf("%dd", d/(24*time.Hour)) }

func percent(v float64) string { return fmt.Sprintf("%g %%", 100*v) }

// fields are all of them, in the order of the page.
func fields() []field {
	var s campaign.Spec // without a value: what holds by default
	return []field{
		{name: "id", required: true, kind: "text", schema: object{"type": "string", "pattern": `^[a-z0-9][a-z0-9_-]{0,47}$`}, example: "order-history-2026-11",
			doc: "The campaign's name and its idempotency key: the same ID with the same content changes nothing, with other content it is refused. Up to 48 of `a-z`, `0-9`, `-` and `_`."},
		choice(field{name: "message_type", required: true, example: "MKT",
			doc: "What Telesign is to take the messages for: alerts and notifications, marketing, or one-time passwords."}, telesign.MessageTypes...),
		{name: "channels", required: true, kind: "list", schema: object{"type": "array", "minItems": 1},
			doc: "The cascade: the channels that are tried, in this order, each once."},
		choice(field{name: "channels[].channel", required: true, example: "whatsapp", doc: "The channel."}, telesign.Channels...),
		{name: "channels[].template", kind: "text", schema: object{"type": "string", "minLength": 1}, example: "file", standard: "what `default` says",
			doc: "A template of the channel, Telesign's own (`text`, `file`, …) or yours. See [templates.md](templates.md)."},
		{name: "channels[].parameters", kind: "mapping", schema: texts, example: `{url: "{{.url}}", file_name: "order history.xlsx"}`, standard: "none",
			doc: "The template's parameters by Telesign's names. Values are [Go templates](https://pkg.go.dev/text/template) over the list's columns."},
		{name: "channels[].fallback_time", kind: "duration", schema: fallback, example: "10m", standard: "Telesign's, 5 min",
			doc: "How long Telesign waits for the channel before it tries the next: 30 s to 1 h, or a number of seconds."},
		{name: "default", kind: "mapping", schema: object{"type": "object"}, standard: "none",
			doc: "What channels say that have no `template` of their own; Telesign's `message.default`."},
		{name: "default.template", required: true, kind: "text", schema: object{"type": "string", "minLength": 1}, example: "text", doc: "A template that each of these channels has."},
		{name: "default.parameters", kind: "mapping", schema: texts, example: `{text: "Your file: {{.url}}"}`, standard: "none", doc: "Its parameters, as those of a channel."},
		{name: "rate", kind: "number", schema: object{"type": "number", "minimum": 0}, example: "10", standard: "the account's",
			doc: "Messages per second of this campaign, at most; under the account's own limit."},
		choice(field{name: "lane", example: "bulk", standard: "`bulk`", doc: "Urgent campaigns take slots before all bulk ones."}, string(campaign.LaneBulk), string(campaign.LaneUrgent)),
		{name: "hours", kind: "mapping", schema: object{"type": "object"}, standard: "at any time",
			doc: "When recipients may be sent to. See [hours.md](hours.md)."},
		{name: "hours.from", required: true, kind: "time of the day", schema: clock, example: `"09:00"`, doc: "When it begins."},
		{name: "hours.to", required: true, kind: "time of the day", schema: clock, example: `"20:00"`, doc: "When it ends, later than `from`; up to `24:00`."},
		{name: "hours.zone", required: true, kind: "text", schema: object{"type": "string", "minLength": 1}, example: campaign.ZoneRecipient,
			doc: "By whose clocks: `recipient`, each one's own, or one time zone for all, as in `Europe/Berlin`."},
		{name: "hours.days", kind: "list", schema: object{"type": "array", "minItems": 1, "items": object{"enum": campaign.Weekdays}}, example: "[mon, tue, wed, thu, fri]", standard: "every day",
			doc: "On which days: some of " + strings.Join(campaign.Weekdays, ", ") + "."},
		{name: "unknown_zone", kind: "text", schema: object{"type": "string", "minLength": 1}, example: "Europe/Berlin", standard: "`hold`",
			doc: "With `hours.zone: recipient`, the zone of recipients whose own isn't known; `hold`: they aren't sent to."},
		choice(field{name: "on_doubt", example: "hold", standard: "`hold`",
			doc: "What becomes of a recipient who may have been sent the file and whose receipt doesn't come: `hold` leaves it to a late receipt or a person, `resend` sends again, **at the risk of a second message**."}, string(campaign.DoubtHold), string(campaign.DoubtResend)),
		{name: "give_up_after", kind: "duration", schema: long, example: "24h", standard: campaign.FormatDuration(s.GiveUp()),
			doc: "How long a recipient is tried whom Telesign certainly didn't take: 1 min to 3650 days."},
		{name: "max_failure_rate", kind: "share", schema: share, example: "0.3", standard: percent(s.FailureLimit()),
			doc: "The share of the last 200 outcomes that may be failures; beyond it the campaign is held. 1: no limit."},
		{name: "canary", kind: "whole number", schema: object{"type": "integer", "minimum": 1, "maximum": campaign.MostCanary}, example: "100", standard: "none",
			doc: fmt.Sprintf("The first so many recipients are sent to alone; the others wait for their outcomes. At most %d.", campaign.MostCanary)},
		{name: "canary_success", kind: "share", schema: share, example: "0.8", standard: percent(s.CanaryLimit()),
			doc: "The share of the canary that must be delivered for the others to be sent to; else the campaign is held."},
		choice(field{name: "check_files", example: "sample", standard: "`none`",
			doc: "Whose files are looked at before the first send: nobody's, those of 20 people, or everyone's. See [files.md](files.md)."}, "none", string(campaign.CheckSample), string(campaign.CheckAll)),
		{name: "columns", kind: "mapping", schema: names, example: "{recipient: Kundennummer, phone: Mobil, url: Link}", standard: "the list's names",
			doc: "The list's own names of columns, by the names that templates use. See [lists.md](lists.md)."},
		choice(field{name: "same_recipient", example: "note", standard: "`refuse`",
			doc: "What becomes of a second row with the same `recipient` and another phone number: `refuse` makes it a bad row, `note` sends to both and counts it in the dry run. (A second row with the same number is always left out as a duplicate.)"}, "refuse", string(campaign.SameNote)),
		choice(field{name: "unknown_ranges", example: "refuse", standard: "`accept`",
			doc: "What becomes of numbers in ranges that are newer than the data of phone numbers: `refuse` makes them bad rows."}, "accept", string(campaign.RangesRefuse)),
		choice(field{name: "whatsapp_whitespace", example: "collapse", standard: "`refuse`",
			doc: "What becomes of line breaks, tabs and runs of spaces that WhatsApp refuses in a template's texts: a bad row, or one space each."}, "refuse", string(campaign.WhitespaceCollapse)),
		{name: "account", kind: "text", schema: object{"type": "string", "pattern": `^[a-z0-9][a-z0-9_-]{0,23}$`}, example: "us", standard: "`default`",
			doc: "The Telesign account that it is sent through, by its name. See [accounts.md](accounts.md)."},
		{name: "sender_id", kind: "text", schema: object{"anyOf": []object{{"type": "string", "minLength": 1}, {"type": "integer"}}}, example: "15558675310", standard: "the account's, else Telesign's choice",
			doc: "The sender, which Telesign must have put on the account's list: it silently doesn't use others."},
		{name: "originating_ip", kind: "text", schema: text, example: "160.199.219.47", standard: "none",
			doc: "The end user's IP address, passed on to Telesign: IPv4 or IPv6."},
		choice(field{name: "account_lifecycle_event", example: "transact", standard: "none",
			doc: "What the recipient does that the messages are about, passed on to Telesign."}, telesign.LifecycleEvents...),
		{name: "retention", kind: "duration", schema: long, example: "90d", standard: days(s.Keep()),
			doc: "How long the campaign's recipients are kept after it is done: 1 min to 3650 days. Counts and history stay."},
	}
}

// parent returns the path that a field stands in, and its own name.
func (f *field) parent() (in, name string) {
	if i := strings.LastIndexByte(f.name, '.'); i >= 0 {
		return f.name[:i], f.name[i+1:]
	}
	return "", f.name
}

// schemaOf returns the schema of what stands in a path.
func schemaOf(in string) object {
	properties, required := object{}, []string{}
	for _, f := range fields() {
		parent, name := f.parent()
		if parent != in {
			continue
		}
		s := object{"description": strings.NewReplacer("**", "", "`", "").Replace(f.doc)}
		for key, value := range f.schema {
			s[key] = value
		}
		switch f.name {
		case "channels":
			s["items"] = schemaOf("channels[]")
		case "hours":
			for key, value := range schemaOf("hours") {
				s[key] = value
			}
		}
		properties[name] = s
		if f.required {
			required = append(required, name)
		}
	}
	return object{"type": "object", "additionalProperties": false, "properties": properties, "required": required}
}

// schema returns the JSON Schema of a campaign file.
func schema() object {
	s := schemaOf("")
	s["$schema"], s["title"] = "https://json-schema.org/draft/2020-12/schema", "A campaign file of handout"
	return s
}

// page returns the tables of docs/campaign-file.md.
func page() string {
	var b strings.Builder
	b.WriteString("| field | what it may be | without it | example |\n|---|---|---|---|\n")
	for _, f := range fields() {
		standard, example := f.standard, "see below"
		if f.required {
			standard = "**required**"
		}
		if f.example != "" {
			example = "`" + f.example + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s<br>%s | %s | %s |\n", f.name, f.kind, f.doc, standard, example)
	}
	return b.String()
}

// example returns a campaign file with every field.
func example() string {
	var b strings.Builder
	for _, f := range fields() {
		in, name := f.parent()
		switch {
		case f.name == "channels", f.name == "hours", f.name == "default":
			fmt.Fprintf(&b, "%s:\n", name)
		case f.name == "channels[].channel":
			fmt.Fprintf(&b, "  - %s: %s\n", name, f.example)
		case in == "channels[]":
			fmt.Fprintf(&b, "    %s: %s\n", name, f.example)
		case in == "hours", in == "default":
			fmt.Fprintf(&b, "  %s: %s\n", name, f.example)
		default:
			fmt.Fprintf(&b, "%s: %s\n", name, f.example)
		}
	}
	return b.String()
}
