package phone_test

import (
	"strings"
	"testing"

	"github.com/handout-dev/handout/internal/phone"
)

func TestParseEmail_TakesAddressesAndNothingElse(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"anna@example.com": "anna@example.com", " Anna.B+x@Mail.Example.CO.UK\t": "Anna.B+x@Mail.Example.CO.UK",
		"ünï@exämple.de": "ünï@exämple.de",
	} {
		if got, err := phone.ParseEmail(in); got != want || err != nil {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	for _, in := range []string{
		"", "  ", "anna", "anna@", "@example.com", "anna@example", "anna@.com", "anna@example.", "a@b@example.com",
		"Bob <bob@example.com>", "<anna@example.com>", "anna@example.com, bob@example.com", "an na@example.com",
		"anna@example.com (home)", "mailto:anna@exam ple.com", "anna@[127.0.0.1]", strings.Repeat("x", 250) + "@example.com", "anna\n@example.com",
	} {
		if got, err := phone.ParseEmail(in); err == nil || got != "" || strings.Contains(err.Error(), "Bob") {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
}

func TestMask_HidesEmailAddresses(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"anna@example.com": "a***@e***.com", "ö@mail.example.co.uk": "ö***@m***.uk", "": "",
	} {
		if got := phone.Mask(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	if got := phone.MaskName("Anna@Example.com", ""); got != "A***@E***.com" {
		t.Errorf("a name: %q", got)
	}
	if got := phone.MaskName("customer-17", "anna@example.com"); got != "customer-17" {
		t.Errorf("another name: %q", got)
	}
	if got := phone.HideIn("https://a.b/?to=ANNA@example.com&x=anna@example.com.", "Anna@Example.com"); got != "https://a.b/?to=A***@e***.com&x=a***@e***.com." {
		t.Errorf("in a text: %q", got)
	}
	if got := phone.HideIn("no one's", ""); got != "no one's" {
		t.Errorf("without an address: %q", got)
	}
}
