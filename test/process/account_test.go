package process_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/handout-dev/handout/test/redistest"
)

func TestAccount_IsListedCheckedAndReplaced(t *testing.T) {
	t.Parallel()
	const other = "11111111-2222-3333-4444-555555555555"
	e := account(redistest.Start(t).URL())
	own := serve(t, e, "simulate")
	file := write(t, "accounts.yaml", "accounts:\n  us: {customer_id: "+other+", api_key: env:US_KEY, previous_api_key: env:US_KEY, rate: 40, sender_id: me}\n")
	e = e.with("HANDOUT_ACCOUNTS", file, "US_KEY", "a2V5IG9mIHVz", "TELESIGN_URL", own.url)

	var rows []map[string]any
	if err := json.Unmarshal([]byte(done(t, e, "account", "list", "--json")), &rows); err != nil || len(rows) != 2 || rows[0]["name"] != "default" || rows[1]["keys"] != 2.0 || rows[1]["rate"] != 40.0 {
		t.Errorf("%v, %v", rows, err)
	}
	for _, args := range [][]string{{"account", "list"}, {"account", "list", "--json"}, {"config", "--json"}, {"doctor", "--json"}} {
		if r := handout(t, e, args...); strings.Contains(r.stdout+r.stderr, "a2V5IG9mIHVz") || strings.Contains(r.stdout+r.stderr, apiKey) {
			t.Errorf("%v shows a key", args)
		}
	}
	if out := done(t, e, "account", "check", "default"); !strings.Contains(out, "ok     Telesign: takes the credentials") {
		t.Error(out)
	}
	// The simulator is the default's, and refuses the other's key.
	if r := handout(t, e, "account", "check"); r.code != 1 || !strings.Contains(r.stdout, "FAULT  us: Telesign: ") || !strings.Contains(r.stderr, "account check: 1 fault") {
		t.Errorf("%+v", r)
	}
	us := serve(t, e, "simulate", "--account", "us")
	if out := done(t, e.with("TELESIGN_URL", us.url), "account", "check", "us"); !strings.Contains(out, "ok     us: Telesign: takes the credentials") {
		t.Error(out)
	}
	done(t, e, "rate", "--account", "us", "5")
	if out := done(t, e, "rate", "--account=us"); !strings.Contains(out, "account us: 5 messages per second") || !strings.Contains(out, "40 in the file of accounts") {
		t.Error(out)
	}
	if out := done(t, e, "rate", "--account"); !strings.Contains(out, "account: 10 messages per second") {
		t.Error(out)
	}

	// The stamp has both by now.
	strange := e.with("TELESIGN_CUSTOMER_ID", "AAAAAAAA-2222-3333-4444-555555555555")
	for _, args := range [][]string{{"list"}, {"work"}, {"listen"}} {
		r := handout(t, strange, args...)
		if r.code != 1 || !strings.HasPrefix(r.stderr, "handout: the installation handout in this Redis has another Telesign account as default: ") || strings.Count(r.stderr, "\n") != 1 {
			t.Errorf("%v: %+v", args, r)
		}
	}
	if r := handout(t, e, "account", "check", "eu"); r.code != 2 || !strings.Contains(r.stderr, "there is no account eu here") {
		t.Errorf("%+v", r)
	}
	if r := handout(t, strange, "doctor"); r.code != 1 || !strings.Contains(r.stdout, "FAULT  installation: the installation handout in this Redis has another Telesign account as default") {
		t.Errorf("%+v", r)
	}
	done(t, strange, "account", "replace", "default")
	done(t, strange, "list")
	if r := handout(t, e, "list"); r.code != 1 {
		t.Errorf("the one before: %+v", r)
	}
	broken := e.with("US_KEY", "")
	if r := handout(t, broken, "list"); r.code != 2 || !strings.Contains(r.stderr, "HANDOUT_ACCOUNTS: "+file+":2:") || !strings.Contains(r.stderr, "the variable US_KEY isn't set") || strings.Count(r.stderr, "\n") != 1 {
		t.Errorf("%+v", r)
	}
	if r := handout(t, broken, "doctor"); r.code != 1 || !strings.Contains(r.stdout, "FAULT  HANDOUT_ACCOUNTS: ") {
		t.Errorf("%+v", r)
	}
}
