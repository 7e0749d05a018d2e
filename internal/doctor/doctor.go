// Package doctor examines what handout is set up with: Redis, the credentials, the master
// key, the way out, the data of phone numbers, and settings that are unsafe. Each finding says what to do.
package doctor

import (
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/handout-dev/handout/internal/outbound"
	"github.com/handout-dev/handout/internal/phone"
	"github.com/handout-dev/handout/internal/probe"
	"github.com/handout-dev/handout/internal/redisx"
	"github.com/handout-dev/handout/internal/sealed"
	"github.com/handout-dev/handout/internal/secret"
	"github.com/handout-dev/handout/internal/version"
	"github.com/handout-dev/handout/telesign"
)

// Setup is what is examined.
type Setup struct {
	RedisURL, Prefix string
	RedisTLS         redisx.TLS
	KeysURL          string // of the Redis of the campaigns' keys; empty: there is none
	RedisReplicas    int
	Rate             float64
	CustomerID       string
	APIKey           secret.Text
	TelesignURLs     []string // of all accounts
	// Accounts are the digests of the accounts, by their names.
	Accounts   map[string]string
	MasterKeys *sealed.Ring // nil: none
	Route      *outbound.Route
	CAFile     string
	// Unsafe are the variables of unsafe, and whether each is set so.
	Unsafe map[string]bool
	// Meant are the names of variables that are unsafe and are said to be meant.
	Meant []string
}

// maxPhoneData is how old the data of phone numbers may be. Countries open a range
// every other week, taken together.
const maxPhoneData = 365 * 24 * time.Hour

// Examine returns what it finds.
func Examine(ctx context.Context, s *Setup) []probe.Finding {
	findings := []probe.Finding{{OK: true, Check: "version", Found: version.String()}}
	findings = append(findings, examineRedis(ctx, s)...)
	findings = append(findings, examineCredentials(s)...)
	findings = append(findings, examineRoute(ctx, s)...)
	findings = append(findings, examineSafety(s)...)
	return append(findings, probe.Finding{
		OK: time.Since(phone.DataDay()) < maxPhoneData, Check: "phone numbers", Found: fmt.Sprintf("%s of %s", phone.DataVersion, phone.DataDay().Format(time.DateOnly)),
		Advice: "update handout: numbers of newer ranges are sent to, but counted as in no range known",
	})
}

// oneLine is an error on one line.
func oneLine(err error) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(err.Error(), "\n", "; ")), " ")
}

func examineCredentials(s *Setup) []probe.Finding {
	id := probe.Finding{OK: s.CustomerID != "", Fatal: true, Check: "TELESIGN_CUSTOMER_ID", Found: "set", Advice: "copy it from Telesign's portal"}
	if !id.OK {
		id.Found = "not set"
	}
	key := probe.Finding{OK: true, Fatal: true, Check: "TELESIGN_API_KEY", Found: "set, and it is base64", Advice: "copy it from Telesign's portal, all of it"}
	if s.APIKey.Reveal() == "" {
		key.OK, key.Found = false, "not set"
	} else if _, err := telesign.DecodeKey(s.APIKey.Reveal()); err != nil {
		key.OK, key.Found = false, "set, but it isn't base64"
	}
	if id.OK && !customerID.MatchString(s.CustomerID) {
		id.OK, id.Fatal, id.Found = false, false, "set, but it doesn't look like a customer ID (8-4-4-4-12 hex digits)"
	}
	return []probe.Finding{id, key}
}

var customerID = regexp.MustCompile(`(?i)^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// unsafe is why a setting is unsafe, by its variable, in the order of findings.
var unsafe = []struct{ name, set, why string }{
	{"REDIS_URL", "it has skip_verify", "who stands between handout and Redis reads and changes everything: give Redis a certificate that this machine trusts, and remove skip_verify"},
	{"TELESIGN_URL", "plain http to another machine", "the credentials, every number and every text can be read and changed on the way: use https"},
	{"HANDOUT_REQUIRE_SIGNATURE", "false", "whoever reaches the listener says what became of people: set it to true"},
	{"HANDOUT_CONSOLE_OPEN", "true", "who reads the console's output, and is on this machine, has all scopes without a name: make keys instead"},
	{"HANDOUT_CONSOLE_PLAIN_HTTP", "true", "keys and sessions can be read on the way: put TLS before the console, and its address into HANDOUT_CONSOLE_URL"},
	{"HANDOUT_CHECK_FILES_PRIVATE", "true", "who submits a list makes workers ask addresses inside your network"},
	{"HANDOUT_WEBHOOK_ALLOW_PRIVATE", "true", "webhooks reach addresses inside your network, also by http, where events can be read"},
	{"HANDOUT_SCHEDULE_ALLOW_PRIVATE", "true", "schedules fetch lists inside your network, also by http, where they can be read and changed"},
}

// examineSafety finds what is unsafe. What is said to be meant is no fault.
func examineSafety(s *Setup) []probe.Finding {
	set := map[string]bool{"REDIS_URL": redisx.SkipsVerify(s.RedisURL), "TELESIGN_URL": slices.ContainsFunc(s.TelesignURLs, plainElsewhere)}
	var findings []probe.Finding
	meant := func(name string) bool {
		return slices.ContainsFunc(s.Meant, func(m string) bool { return strings.TrimSpace(m) == name })
	}
	for _, u := range unsafe {
		switch {
		case !set[u.name] && !s.Unsafe[u.name]:
		case meant(u.name):
			findings = append(findings, probe.Finding{OK: true, Check: u.name, Found: u.set + "; unsafe, and meant by HANDOUT_ALLOW_UNSAFE"})
		default:
			findings = append(findings, probe.Finding{Fatal: true, Check: u.name, Found: u.set + ", which is unsafe",
				Advice: u.why + "; or, if it is meant, name it in HANDOUT_ALLOW_UNSAFE"})
		}
	}
	if findings == nil {
		findings = append(findings, probe.Finding{OK: true, Fatal: true, Check: "safety", Found: "no setting is unsafe"})
	}
	return findings
}

// plainElsewhere reports whether a URL is http and not of this machine.
func plainElsewhere(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" || u.Hostname() == "localhost" {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return err != nil || !ip.IsLoopback()
}
