package simulator

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/url"
	"time"

	"github.com/handout-dev/handout/telesign"
)

// Options are how one simulated account behaves. The zero value of every field
// but CustomerID and APIKey is usable.
type Options struct {
	// CustomerID and APIKey are the account's. Requests are checked with them,
	// callbacks are signed with them.
	CustomerID string
	APIKey     string

	// Rate is how many requests are let through in any one-second window; the
	// others get 429/3204. 0 means no limit. The vendor's default for Messaging
	// is 10. Status queries have a window of their own of the same size: whether
	// the vendor counts the two together isn't known.
	Rate int
	// Bursts has another application on the account take half of Rate, evenly
	// spaced, for so long and then nothing for as long; it begins with nothing.
	Bursts time.Duration
	// Denies is the share of POSTs that get 429/3204 whatever the rate, over 0 to 1.
	Denies float64

	// CallbackURL is where receipts go. It may be set later, with SetCallbackURL.
	CallbackURL string
	// AllowCallbackURL lets a request name a callback URL of its own, which the
	// vendor enables account by account. Otherwise such a request gets 429/3203.
	AllowCallbackURL bool
	// NoCallbacks accepts and never calls back. For throughput benchmarks.
	NoCallbacks bool
	// CallbackTimeout is how long the listener has for its answer. Default 5 s,
	// as documented; it is real time, whatever Speed says.
	CallbackTimeout time.Duration

	// Speed is how many simulated seconds pass in a real one: for delivery
	// times, fallback times and the waits between callback attempts. Default 1.
	Speed float64
	// Latency delays every answer to a POST. The message is already taken by
	// then: a client that goes away during the delay was accepted.
	Latency time.Duration

	// Polling enables the status query, which the vendor enables account by
	// account. Otherwise it answers 401/3206.
	Polling bool

	// Templates are the account's custom templates; nil: the product that lists them
	// isn't enabled, and requests for them get 401/3818. See SetTemplates.
	Templates []telesign.Template
	// TemplateRate is how many requests about templates are let through in any
	// one-second window. Default 1, as documented.
	TemplateRate int

	// FetchFiles fetches the file of every message over WhatsApp, by the address
	// in its url or header_url, before the POST is answered: WhatsApp does so at
	// some moment that isn't documented. The channel fails with 3035 when the
	// file can't be fetched within 2 s or isn't a document, with 3061 over 100 MB.
	FetchFiles bool

	// Seed makes references repeat from run to run, and which requests Denies
	// chooses. 0 draws one, so that two runs never hand out the same reference;
	// nothing else depends on chance.
	Seed uint64

	// Logger logs refused requests and failed callbacks, without phone numbers and
	// texts. Nil logs nothing.
	Logger *slog.Logger
}

// complete checks the options and fills in the defaults.
func (o *Options) complete() error {
	var faults []error
	if o.CustomerID == "" {
		faults = append(faults, errors.New("no customer ID"))
	}
	if o.APIKey == "" {
		faults = append(faults, errors.New("no API key"))
	} else if _, err := telesign.DecodeKey(o.APIKey); err != nil {
		faults = append(faults, fmt.Errorf("API key: %w", err))
	}
	if o.CallbackURL != "" {
		if err := checkURL(o.CallbackURL); err != nil {
			faults = append(faults, fmt.Errorf("callback URL: %w", err))
		}
	}
	if o.Rate < 0 || o.TemplateRate < 0 || o.Latency < 0 || o.CallbackTimeout < 0 {
		faults = append(faults, errors.New("a rate or a duration is negative"))
	}
	if o.Bursts < 0 || (o.Bursts > 0 && o.Rate < 2) {
		faults = append(faults, errors.New("bursts need a rate of 2 or more, and a length over 0"))
	}
	if !(o.Denies >= 0 && o.Denies <= 1) {
		faults = append(faults, errors.New("the share of denied requests isn't over 0 to 1"))
	}
	if o.Speed < 0 || math.IsNaN(o.Speed) || math.IsInf(o.Speed, 0) {
		faults = append(faults, errors.New("the speed isn't a positive number"))
	}
	if o.CallbackTimeout == 0 {
		o.CallbackTimeout = 5 * time.Second
	}
	if o.TemplateRate == 0 {
		o.TemplateRate = defaultTemplateRate
	}
	if o.Speed == 0 {
		o.Speed = 1
	}
	if o.Seed == 0 {
		var b [8]byte
		_, _ = rand.Read(b[:]) // never fails, says its documentation
		o.Seed = binary.LittleEndian.Uint64(b[:])
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return errors.Join(faults...)
}

func checkURL(text string) error {
	u, err := url.Parse(text)
	if err != nil {
		return errors.New("malformed") // the parser's error repeats the URL
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return errors.New("not an absolute http or https URL")
	}
	return nil
}
