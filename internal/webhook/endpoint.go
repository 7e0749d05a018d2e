package webhook

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/handout-dev/handout/internal/secret"
	"github.com/handout-dev/handout/internal/webhook/outbox"
)

// secretBytes is within the 24 to 64 that Standard Webhooks asks for.
const secretBytes = 32

// idLength is that of an endpoint's ID.
const idLength = 12

// New is an endpoint with an ID and a secret of its own.
func New(address string, events []string, prefix string, phones bool, now time.Time) outbox.Endpoint {
	key := make([]byte, secretBytes)
	rand.Read(key)
	return outbox.Endpoint{
		ID: strings.ToLower(rand.Text()[:idLength]), URL: address, Events: events, Prefix: prefix, Phones: phones,
		Secret:    secret.New("whsec_" + base64.StdEncoding.EncodeToString(key)),
		CreatedAt: now.UTC().Truncate(time.Second),
	}
}

// Errors of an address.
var (
	ErrBadURL   = errors.New("it must be a URL as in https://example.com/hooks, without a name and password")
	ErrInsecure = errors.New("it must be an https URL")
)

// CheckURL returns what is wrong with an endpoint's URL; plain http is allowed only
// where private addresses are.
func CheckURL(address string, private bool) error {
	u, err := url.Parse(address) // whose error would repeat the address
	switch {
	case err != nil || u.Hostname() == "" || u.User != nil || (u.Scheme != "https" && u.Scheme != "http"):
		return ErrBadURL
	case u.Scheme != "https" && !private:
		return ErrInsecure
	}
	return nil
}

// Place is where an address leads, without what it says after a question mark,
// which may be a secret.
func Place(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	if u.RawQuery != "" {
		u.RawQuery = "..."
	}
	u.User, u.Fragment = nil, ""
	return u.String()
}

// ParseEvents reads sorts of events with commas between them.
func ParseEvents(s string) ([]string, error) {
	var sorts []string
	for name := range strings.SplitSeq(s, ",") {
		switch name = strings.TrimSpace(name); name {
		case "campaigns":
			name = outbox.EventCampaign
		case outbox.EventCampaign, outbox.EventRecipients:
		default:
			return nil, fmt.Errorf("there are no events %q: there are %s and %s", name, outbox.EventCampaign, outbox.EventRecipients)
		}
		if !slices.Contains(sorts, name) {
			sorts = append(sorts, name)
		}
	}
	return sorts, nil
}
