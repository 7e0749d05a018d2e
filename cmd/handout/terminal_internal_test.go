package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/handout-dev/handout/ledger"
)

// steering is what a hostile list, campaign file or vendor writes to whoever looks.
const steering = "=x\x1b]0;title\x07\x1b[2J\u009b2J\u202egnp.\u2066\x08"

// Lists, campaign files, Telesign and Redis say what they like: no command writes it so
// that a terminal obeys.
func TestCommands_WriteNothingThatATerminalObeys(t *testing.T) {
	f := openFaces(t)
	file, list := filepath.Join(f.dir, "c.yaml"), filepath.Join(f.dir, "list.csv")
	bad := filepath.Join(f.dir, "bad.csv")
	for path, text := range map[string]string{
		file: `{"id": "spring", "message_type": "MKT", "channels": [{"channel": "sms", "template": "text", "parameters": {"text": "Hello {{.name}}"}}]}`,
		list: "recipient,phone,name\n" + steering + ",+12015550100," + steering + "\n",
		bad:  "recipient,phone,name," + steering + "\n" + steering + "," + steering + ",a\n" + steering + "," + steering + ",a\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var said []string
	say := func(args ...string) string {
		out, why := f.command(args...)
		said = append(said, out, why)
		return out
	}
	say("submit", file, bad, "--dry-run")
	say("submit", file, list, "--dry-run")
	if out := say("submit", file, list, "--by", steering, "--why", steering); !strings.Contains(strings.Join(said, ""), "spring") {
		t.Fatalf("%q %q", out, said)
	}
	if err := ledger.New(f.rdb).Hold(t.Context(), "spring", "Telesign: 3206 "+steering, time.Now()); err != nil {
		t.Fatal(err)
	}
	report := say("report", "spring")
	for _, args := range [][]string{
		{"list"}, {"list", "--json"}, {"report", "spring", "--json"}, {"resend", "spring", steering}, {"suppress", "add", "+12015550101", "--why", steering},
		{"suppress", "check", "+12015550101"}, {"webhook", "add", "https://example.com/" + steering}, {steering}, {"report", steering}, {"suppress", "list", "--json"},
		{"submit", steering, steering}, {"report", "--" + steering},
	} {
		say(args...)
	}
	if !strings.Contains(report, `3206 =x\u001b]0;title\u0007\u001b[2J\u009b2J\u202egnp.\u2066\u0008`) {
		t.Errorf("the reason isn't shown: %q", report)
	}
	for _, text := range said {
		if strings.ContainsAny(text, "\x1b\x07\x08\x7f\u009b\u202e\u2066\r") {
			t.Errorf("a terminal obeys: %q", text)
		}
	}
	// What is no terminal gets CSV as it is.
	if out, why := f.command("export", "spring"); why != "" || !strings.Contains(out, "\n"+steering+",+12015550100,") {
		t.Errorf("%q %s", out, why)
	}
	if out, why := f.command("export", "spring", "--format", "xlsx"); why != "" || !strings.HasPrefix(out, "PK") {
		t.Errorf("%.20q %s", out, why)
	}
}
