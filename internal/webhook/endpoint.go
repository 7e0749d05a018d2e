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

const (
	// secretBytes is within the 24 to 64 that Standard Webhooks asks for.
	secretBytes = 32
	// idLength is how many characters an endpoint's ID has.
	idLength = 12
)

// New returns an endpoint with a new ID and secret.
func New(address string, events []string, prefix string, phones bool, now time.Time) outbox.Endpoint {
	return outbox.Endpoint{
		ID: strings.ToLower(rand.Text()[:idLength]), URL: address, Events: events, Prefix: prefix, Phones: phones,
		Secret:    NewSecret(),
		CreatedAt: now.UTC().Truncate(time.Second),
	}
}

// NewSecret returns a new secret of an endpoint.
func NewSecret() secret.Text {
	key := make([]byte, secretBytes)
	rand.Read(key)
	return secret.New("whsec_" + base64.StdEncoding.EncodeToString(key))
}

// What can be wrong with an endpoint's URL.
var (
	ErrBadURL   = errors.New("it must be a URL as in https://example.com/hooks, without user name and password")
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

// ShowURL returns an endpoint's URL without its query, user and fragment, which may
// hold secrets.
func ShowURL(address string) string {
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

// ParseEvents reads kinds of events with commas between them.
func ParseEvents(s string) ([]string, error) {
	var kinds []string
	for name := range strings.SplitSeq(s, ",") {
		switch name = strings.TrimSpace(name); name {
		case "campaigns":
			name = outbox.EventCampaign
		case outbox.EventCampaign, outbox.EventRecipients:
		default:
			return nil, fmt.Errorf("there are no events %q: there are %s and %s", name, outbox.EventCampaign, outbox.EventRecipients)
		}
		if !slices.Contains(kinds, name) {
			kinds = append(kinds, name)
		}
	}
	return kinds, nil
}
