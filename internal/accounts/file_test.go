package accounts_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/internal/accounts"
	"github.com/handout-dev/handout/internal/secret"
	"github.com/handout-dev/handout/telesign"
)

const (
	key      = "a2V5"
	previous = "b2xkIGtleQ=="
)

// variables are those of an environment without credentials.
var variables = accounts.Account{URL: "https://rest-ww.telesign.com", Auth: telesign.AuthBasic, Rate: 10, PollRate: 5, CallbackURL: "https://us.example.com/callbacks/telesign"}

func write(t *testing.T, text string) string {
	t.Helper()
	t.Setenv("US_KEY", key)
	path := filepath.Join(t.TempDir(), "old")
	if err := os.WriteFile(path, []byte(previous+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "accounts.yaml")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(text, "OLD", "file:"+path)), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestRead_TakesWhatAnAccountLeavesOutFromTheVariables(t *testing.T) {
	file := write(t, `
accounts:
  us:
    customer_id: CAFE
    api_key: env:US_KEY
    previous_api_key: OLD
    url: http://127.0.0.1:9
    auth: digest
    rate: 40
    poll_rate: 2.5
    sender_id: "12345"
    callback_url: https://us.example.com/t
  at: {customer_id: BEEF, api_key: env:US_KEY}
`)
	own := variables
	own.CustomerID, own.APIKey = "F00D", secret.New(key)
	all, err := accounts.Read(file, own)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"default", "at", "us"}, all.Names()); diff != "" {
		t.Fatal(diff)
	}
	at, us := all[1], all[2]
	if at.URL != variables.URL || at.Auth != variables.Auth || at.Rate != 10 || at.PollRate != 5 || at.CallbackURL != variables.CallbackURL || at.SenderID != "" || at.Previous.Reveal() != "" {
		t.Errorf("%+v", at)
	}
	if us.CustomerID != "CAFE" || us.APIKey.Reveal() != key || us.Previous.Reveal() != previous || us.URL != "http://127.0.0.1:9" || us.Auth != telesign.AuthDigest ||
		us.Rate != 40 || us.PollRate != 2.5 || us.SenderID != "12345" || us.CallbackURL != "https://us.example.com/t" {
		t.Errorf("%+v", us)
	}
	for name, want := range map[string]int{"us": 2, "at": 1} {
		a, _ := all.Find(name)
		if v, err := a.Verifiers(); err != nil || len(v) != want {
			t.Errorf("%s has %d verifiers, want %d; %v", name, len(v), want, err)
		}
	}
	if d := all.Digests(); len(d) != 3 || d["us"] == d["at"] || strings.Contains(d["us"], "CAFE") {
		t.Error(d)
	}
}

func TestRead_ReportsEveryFaultWithItsPlaceAndNoKey(t *testing.T) {
	const literal = "c2VjcmV0IQ=="
	file := write(t, `accounts:
  us:
    customer_id: "a b"
    api_key: `+literal+`
    previous_api_key: env:NOWHERE
    url: rest-ww.telesign.com
    auth: plain
    rate: -1
    sender: me
  us: {}
  Big: {customer_id: C, api_key: "file:relative"}
  empty: {}
  none:
other: 1
`)
	_, err := accounts.Read(file, variables)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		":3:18: us.customer_id: ", ":4:14: us.api_key: must be env:NAME or file:/path", ":5:23: us.previous_api_key: the variable NOWHERE isn't set",
		":6:10: us.url: must be", ":7:11: us.auth: must be basic or digest", ":8:11: us.rate: must be over 0", `:9:5: us: unknown key "sender"`,
		`:10:3: the key "us" stands here twice`, `:11:3: "Big" must be`, ":11:34: Big.api_key: must be env:NAME", ":12:3: empty.customer_id: missing", ":12:3: empty.api_key: missing",
		":13:8: none: must be a mapping", `:14:1: unknown key "other"`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q isn't in\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), literal) {
		t.Error("the error has the key")
	}
}

func TestRead_WantsOneDefault(t *testing.T) {
	own := variables
	own.CustomerID = "F00D"
	for text, want := range map[string]string{
		"":                                "empty",
		"accounts: {}":                    "no account default",
		"accounts: [":                     "isn't YAML",
		"accounts: {}\n---\naccounts: {}": "more than one document",
		"accounts: {us: {customer_id: CAFE, api_key: env:US_KEY}}": "no account default",
	} {
		if _, err := accounts.Read(write(t, text), variables); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	both := write(t, "accounts: {default: {customer_id: CAFE, api_key: env:US_KEY}}")
	if _, err := accounts.Read(both, own); err == nil || !strings.Contains(err.Error(), ":1:12: default: TELESIGN_CUSTOMER_ID is set") {
		t.Error(err)
	}
	if all, err := accounts.Read(both, variables); err != nil || len(all) != 1 || all[0].Name != "default" {
		t.Error(all.Names(), err)
	}
}
