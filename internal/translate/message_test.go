package translate_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/translate"
	"github.com/handout-dev/handout/telesign"
)

func cascade(t testing.TB, columns []string, channels ...campaign.Channel) *campaign.Cascade {
	t.Helper()
	c, err := campaign.NewCascade(&campaign.Spec{ID: "x", MessageType: telesign.TypeMarketing, Channels: channels}, columns)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func fileThenText(t testing.TB) *campaign.Cascade {
	return cascade(t, []string{"url"},
		campaign.Channel{Channel: "whatsapp", FallbackTime: 600, Template: "file", Parameters: map[string]string{
			"url": "{{.url}}", "file_name": "order history.xlsx",
		}},
		campaign.Channel{Channel: "sms", Template: "text", Parameters: map[string]string{"text": "Ready at {{.url}}, {{.recipient}}."}},
	)
}

func TestCompose_FillsInEveryChannelForTheRecipient(t *testing.T) {
	got, err := translate.Compose(fileThenText(t),
		&campaign.Recipient{ID: "ann", Phone: "+12015550123", Values: []string{"https://example.com/a.xlsx"}}, "x.0.0.1", "https://example.com/cb")
	if err != nil {
		t.Fatal(err)
	}
	want := telesign.Message{
		Channels:    []telesign.Channel{{Channel: "whatsapp", FallbackTime: 600}, {Channel: "sms"}},
		PhoneNumber: "12015550123",
		Content: map[string]telesign.Content{
			"whatsapp": {Template: "file", Parameters: map[string]string{"url": "https://example.com/a.xlsx", "file_name": "order history.xlsx"}},
			"sms":      {Template: "text", Parameters: map[string]string{"text": "Ready at https://example.com/a.xlsx, ann."}},
		},
		MessageType: "MKT",
		ExternalID:  "x.0.0.1",
		CallbackURL: "https://example.com/cb",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("message (-want +got):\n%s", diff)
	}
}

func TestCompose_ATemplateWithoutParametersHasNone(t *testing.T) {
	got, err := translate.Compose(cascade(t, nil, campaign.Channel{Channel: "sms", Template: "hello"}),
		&campaign.Recipient{ID: "ann", Phone: "+12015550123"}, "", "")
	if err != nil {
		t.Fatal(err)
	}
	if got.Content["sms"].Parameters != nil {
		t.Errorf("parameters: %v", got.Content["sms"].Parameters)
	}
}

func TestCompose_AnErrorQuotesNoColumn(t *testing.T) {
	c := cascade(t, []string{"note"},
		campaign.Channel{Channel: "sms", Template: "text", Parameters: map[string]string{"text": "{{.note}}"}})
	secret := strings.Repeat("12015550123", campaign.MaxRendered/8)
	_, err := translate.Compose(c, &campaign.Recipient{Phone: "+12015550123", Values: []string{secret}}, "", "")
	if !errors.Is(err, campaign.ErrTooLong) {
		t.Fatalf("error: %v", err)
	}
	if strings.Contains(err.Error(), "555") {
		t.Errorf("the error quotes a number: %v", err)
	}
}

func BenchmarkCompose(b *testing.B) {
	c := fileThenText(b)
	r := &campaign.Recipient{ID: "ann", Phone: "+12015550123", Values: []string{"https://example.com/a.xlsx"}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := translate.Compose(c, r, "x.0.0.1", ""); err != nil {
			b.Fatal(err)
		}
	}
}

func TestCompose_PassesThroughWhatTheFileSaysOfTheSender(t *testing.T) {
	c := fileThenText(t)
	c.Spec.SenderID, c.Spec.OriginatingIP, c.Spec.LifecycleEvent = "15558675310", "160.199.219.47", "transact"
	got, err := translate.Compose(c, &campaign.Recipient{ID: "ann", Phone: "+12015550123", Values: []string{"https://example.com/a.xlsx"}}, "", "")
	if err != nil {
		t.Fatal(err)
	}
	if got.SenderID != "15558675310" || got.OriginatingIP != "160.199.219.47" || got.LifecycleEvent != "transact" {
		t.Errorf("%+v", got)
	}
}

func TestCompose_LeavesTheDefaultToTelesign(t *testing.T) {
	spec := &campaign.Spec{ID: "x", MessageType: telesign.TypeMarketing,
		Channels: []campaign.Channel{{Channel: "rcs", Template: "media", Parameters: map[string]string{"url": "{{.url}}"}}, {Channel: "viber"}, {Channel: "sms"}},
		Default:  &campaign.Content{Template: "text", Parameters: map[string]string{"text": "Yours: {{.url}}"}},
	}
	c, err := campaign.NewCascade(spec, []string{"url"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := translate.Compose(c, &campaign.Recipient{ID: "ann", Phone: "+12015550123", Values: []string{"https://x.example/a"}}, "", "")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]telesign.Content{
		"rcs":     {Template: "media", Parameters: map[string]string{"url": "https://x.example/a"}},
		"default": {Template: "text", Parameters: map[string]string{"text": "Yours: https://x.example/a"}},
	}
	if diff := cmp.Diff(want, got.Content); diff != "" || len(got.Channels) != 3 || campaign.DefaultChannel != telesign.ContentDefault {
		t.Errorf("%v\n%s", got.Channels, diff)
	}
}
