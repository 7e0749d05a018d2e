package campaign_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/test/campaigntest"
)

var (
	columns = []string{"url", "name", "order id", "empty"}
	anna    = &campaign.Recipient{ID: "anna", Phone: "+41791234567", Values: []string{"https://example.com/a?b=1&c=2", "Anna", "A 17", ""}}
)

func TestTemplate_Renders(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ text, want string }{
		{"", ""},
		{"plain text", "plain text"},
		{"{{.url}}", "https://example.com/a?b=1&c=2"},
		{"Dear {{.name}}, yours is at {{.url}}.", "Dear Anna, yours is at https://example.com/a?b=1&c=2."},
		{"{{.recipient}} {{.phone}}{{.empty}}", "anna +41791234567"},
		{"  {{- .name -}}  !", "Anna!"},
		{"{{/* a comment */}}{{.name}}", "Anna"},
		{"{{$.name}}", "Anna"},
		{`{{index . "order id"}}`, "A 17"},
		{`{{index . "name" | printf "%q"}}`, `"Anna"`},
		{`{{printf "%.2s" .name}}`, "An"},
		{`{{.name | printf "%s-%s" .recipient}}`, "anna-Anna"},
		{`{{len .name}}`, "4"},
		{`{{slice .url 0 8}}`, "https://"},
		{`{{urlquery .url}}`, "https%3A%2F%2Fexample.com%2Fa%3Fb%3D1%26c%3D2"},
		{`{{if .empty}}a{{else if eq .name "Anna"}}b{{else}}c{{end}}`, "b"},
		{`{{if and .name (not .empty)}}{{.name}}{{end}}`, "Anna"},
		{`{{$n := .name}}{{$n}}{{$n}}`, "AnnaAnna"},
		{`{{if $n := .name}}{{$n}}{{end}}`, "Anna"},
	} {
		tpl, err := campaign.ParseTemplate(tt.text, columns)
		if err != nil {
			t.Errorf("%s: %v", tt.text, err)
			continue
		}
		if got, err := tpl.Render(anna); err != nil || got != tt.want {
			t.Errorf("%s: %q, %v; want %q", tt.text, got, err, tt.want)
		}
	}
}

func TestTemplate_FieldsAreTheColumnsThatItUses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"plain":                       nil,
		"{{.url}} {{.name}} {{.url}}": {"url", "name"},
		`{{if .empty}}{{.name}}{{else}}{{urlquery (printf "%s" .url)}}{{end}}{{$.phone}}`: {"empty", "name", "url", "phone"},
		`{{index . "order id"}}`: {"order id"},
	} {
		tpl, err := campaign.ParseTemplate(text, columns)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := tpl.Fields(); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

func TestParseTemplate_NamesTheMissingColumn(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"{{.link}}", "{{$.link}}", `{{index . "link"}}`, `{{if .name}}x{{else}}{{.link}}{{end}}`, `{{if .link}}{{end}}`,
		`{{printf "%s" .link}}`, `{{urlquery (print .link)}}`, `{{$x := .link}}{{$x}}`,
	} {
		_, err := campaign.ParseTemplate(text, columns)
		var missing *campaign.MissingColumnError
		if !errors.As(err, &missing) || missing.Column != "link" {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, want := err.Error(), `the list has no column "link" among its 6`; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestParseTemplate_RefusesWhatWouldFailAtTheFirstSend(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"{{range .name}}x{{end}}",
		"{{with .name}}{{.}}{{end}}",
		`{{template "other" .}}`,
		`{{define "x"}}y{{end}}{{.name}}`,
		`{{define "x"}}y{{end}}`,
		`{{block "x" .}}y{{end}}`,
		"{{.name.first}}", "{{$.name.first}}", "{{(.name).first}}", "{{$n := .name}}{{$n.first}}",
		"{{.}}", "{{$}}", "{{print .}}", "{{if .}}x{{end}}", `{{$d := .}}{{index $d "link"}}`, `{{index $ "link"}}`, `{{"link" | index .}}`,
		"{{.name", "{{nosuch .name}}", "{{if .name}}", "{{end}}", "{{break}}",
	} {
		if _, err := campaign.ParseTemplate(text, columns); err == nil {
			t.Errorf("%s: no error", text)
		}
	}
}

func TestTemplate_TextIsAtMostMaxRendered(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", campaign.MaxRendered)
	r := &campaign.Recipient{ID: "y", Values: []string{long}}
	for text, fits := range map[string]bool{
		long:                               true,
		long + "x":                         false,
		"{{.url}}":                         true,
		"{{.url}}{{.recipient}}":           false,
		`{{printf "%s" .url}}`:             true,
		`{{printf "%s%s" .url .url}}`:      false,
		`{{if .url}}{{.url}}{{end}}x`:      false,
		`{{if .recipient}}{{.url}}{{end}}`: true,
	} {
		tpl, err := campaign.ParseTemplate(text, []string{"url"})
		if err != nil {
			t.Fatal(err)
		}
		got, err := tpl.Render(r)
		if fits && (err != nil || len(got) != campaign.MaxRendered) {
			t.Errorf("%.40s: %d bytes, %v", text, len(got), err)
		}
		if !fits && (!errors.Is(err, campaign.ErrTooLong) || got != "") {
			t.Errorf("%.40s: %d bytes, %v; want ErrTooLong", text, len(got), err)
		}
	}
}

func TestTemplate_ErrorsQuoteNoValue(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{{slice .phone 0 99}}`, `{{index .phone 99}}`, `{{slice .name 3 1}}`, `{{lt .phone 3}}`, `{{call .phone}}`, `{{.phone "x"}}`,
	} {
		tpl, err := campaign.ParseTemplate(text, columns)
		if err != nil {
			continue // refused before there was any value
		}
		got, err := tpl.Render(anna)
		if err == nil {
			t.Errorf("%s: %q and no error", text, got)
			continue
		}
		if s := err.Error(); strings.Contains(s, "4179") || strings.Contains(s, "Anna") {
			t.Errorf("%s: %s", text, s)
		}
	}
}

func TestTemplate_OfTwoColumnsWithOneNameTheFirstCounts(t *testing.T) {
	t.Parallel()
	r := &campaign.Recipient{ID: "a", Phone: "+12", Values: []string{"first", "second", "third"}}
	for _, text := range []string{"{{.x}} {{.phone}}", `{{print .x}} {{print .phone}}`} {
		tpl, err := campaign.ParseTemplate(text, []string{"x", "x", "phone"})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := tpl.Render(r); err != nil || got != "first +12" {
			t.Errorf("%s: %q, %v", text, got, err)
		}
	}
}

func TestTemplate_MayBeUsedByMany(t *testing.T) {
	t.Parallel()
	tpl, err := campaign.ParseTemplate(`{{if .name}}{{printf "%s %s" .recipient .url}}{{end}}`, []string{"url", "name"})
	if err != nil {
		t.Fatal(err)
	}
	campaigntest.Together(8, func(i int) {
		r := &campaign.Recipient{ID: strings.Repeat("r", i), Values: []string{"u", "n"}}
		for range 100 {
			if got, err := tpl.Render(r); err != nil || got != r.ID+" u" {
				t.Errorf("%q, %v", got, err)
				return
			}
		}
	})
}

func TestCascade_RendersEveryParameterInAFixedOrder(t *testing.T) {
	t.Parallel()
	s := campaigntest.Spec("c")
	s.Channels[0].Parameters = map[string]string{"url": "{{.url}}", "file_name": "orders.xlsx", "body": "Dear {{.name}}"}
	c, err := campaign.NewCascade(s, columns)
	if err != nil {
		t.Fatal(err)
	}
	type rendered struct {
		Channel     int
		Name, Value string
	}
	want := []rendered{
		{0, "body", "Dear Anna"}, {0, "file_name", "orders.xlsx"}, {0, "url", "https://example.com/a?b=1&c=2"},
		{1, "text", "Yours is at https://example.com/a?b=1&c=2."},
	}
	for range 10 {
		var got []rendered
		if err := c.Each(anna, func(channel int, name, value string) error {
			got = append(got, rendered{channel, name, value})
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatal(d)
		}
	}
	stop := errors.New("enough")
	if err := c.Each(anna, func(int, string, string) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("%v, want %v", err, stop)
	}
}

func TestCascade_ErrorsNameChannelAndParameter(t *testing.T) {
	t.Parallel()
	_, err := campaign.NewCascade(campaigntest.Spec("c"), []string{"link"})
	var missing *campaign.MissingColumnError
	if !errors.As(err, &missing) || !strings.Contains(err.Error(), "channel whatsapp, parameter url") {
		t.Errorf("%v", err)
	}
	c, err := campaign.NewCascade(campaigntest.Spec("c"), []string{"url"})
	if err != nil {
		t.Fatal(err)
	}
	r := &campaign.Recipient{Values: []string{strings.Repeat("x", campaign.MaxRendered)}}
	err = c.Each(r, func(int, string, string) error { return nil })
	if !errors.Is(err, campaign.ErrTooLong) || !strings.Contains(err.Error(), "channel sms, parameter text") {
		t.Errorf("%v", err)
	}
}
