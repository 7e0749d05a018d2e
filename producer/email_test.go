package producer_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/producer"
)

const (
	emailAlone  = "id: mails\nmessage_type: MKT\nchannels: [{channel: email, template: history, parameters: {link: \"{{.url}}\", to: \"{{.email}}\"}}]\n"
	smsThenMail = "id: mails\nmessage_type: MKT\nchannels: [{channel: sms, template: text, parameters: {text: Hello}}, {channel: email, template: history}]\n"
)

func TestCheck_ACascadeOfEmailNeedsAddressesAndNoNumbers(t *testing.T) {
	d, err := producer.Check(t.Context(), parse(t, emailAlone), list("recipient,E-Mail,url\n"+
		"a,anna@example.com,https://a.b/anna@example.com\n"+
		"b, Bob@Example.com ,https://a.b/b\n"+
		"c,ANNA@example.com,https://a.b/c\n"+
		"d,dan@example,https://a.b/d\n").With(producer.ListOptions{Columns: map[string]string{"email": "E-Mail"}}), producer.CheckOptions{SetAsideBadRows: true})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"channels":[{"channel":"email"}],"recipient":{"email":"a***@e***.com"},"message":{"email":{"template":"history","parameters":{"link":"https://a.b/a***@e***.com","to":"a***@e***.com"}}},"message_type":"MKT","external_id":"mails.xxxxxxxx.0.0.1"}`
	if diff := cmp.Diff(want, string(d.Samples[0])); diff != "" {
		t.Errorf("sample (-want +got):\n%s", diff)
	}
	s := d.Summary
	if s.Recipients != 2 || s.Duplicates != 1 || s.BadRows != 1 || s.UnknownRanges != 0 || !strings.Contains(s.Faults[0].Message, "email: not an e-mail address") {
		t.Errorf("%+v", s)
	}
}

func TestCheck_ACascadeWithEmailNeedsBoth(t *testing.T) {
	for text, want := range map[string]string{
		"recipient,phone\na,+12015550101\n":                        "no column named email",
		"recipient,email\na,anna@example.com\n":                    "no column named phone",
		"url\nx\n":                                                 "no columns named recipient and phone and email",
		"recipient,phone,email\na,+12015550101,\n":                 "email: empty",
		"recipient,phone,email\na,,anna@example.com\n":             "phone: ",
		"recipient,phone,email\na,+12015550101,anna@example.com\n": "",
	} {
		d, err := producer.Check(t.Context(), parse(t, smsThenMail), list(text), producer.CheckOptions{})
		got := ""
		var faults *producer.Faults
		switch {
		case errors.As(err, &faults):
			got = err.Error()
		case err != nil:
			t.Fatal(err)
		case d.Summary.BadRows > 0:
			got = d.Summary.Faults[0].Message
		}
		if !strings.Contains(got, want) || want == "" && got != "" {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
