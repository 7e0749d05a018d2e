package telesign

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"hash"
	"net/http"
	"strings"
	"sync"
)

// What can be wrong with the signature of a callback. Their texts hold nothing
// of the request.
var (
	// ErrUnsigned: neither header is there.
	ErrUnsigned = errors.New("telesign: callback is not signed")
	// ErrMalformedSignature: a header is there, but holds no signature.
	ErrMalformedSignature = errors.New("telesign: callback signature is malformed")
	// ErrWrongCustomer: signed for another customer ID.
	ErrWrongCustomer = errors.New("telesign: callback names another customer")
	// ErrSignatureMismatch: the signature is not that of this body.
	ErrSignatureMismatch = errors.New("telesign: callback signature does not match")
	// ErrEmptyBody: the signature of an empty body is a constant and proves
	// nothing.
	ErrEmptyBody = errors.New("telesign: callback body is empty")
)

// signatureHeaders carry the signature of a callback; "both are always
// included" (docs: authenticate-callbacks).
var signatureHeaders = []string{"Authorization", "X-Ts-Authorization"}

// Verifier checks that a callback comes from Telesign. It may be used by many
// goroutines at once.
type Verifier struct {
	customerID string     // in upper case
	macs       *sync.Pool // of hash.Hash, keyed: a new one hashes the key twice
}

// NewVerifier returns a Verifier for one account. It refuses an empty customer
// ID and a key that is empty or does not decode.
func NewVerifier(customerID, apiKey string) (*Verifier, error) {
	if err := checkCustomerID(customerID); err != nil {
		return nil, err
	}
	key, err := DecodeKey(apiKey)
	if err != nil {
		return nil, err
	}
	return &Verifier{
		customerID: strings.ToUpper(customerID),
		macs:       &sync.Pool{New: func() any { return hmac.New(sha256.New, key) }},
	}, nil
}

// sign is [Sign] with the verifier's key, as bytes.
func (v *Verifier) sign(body []byte) []byte {
	mac, _ := v.macs.Get().(hash.Hash)
	defer v.macs.Put(mac)
	mac.Reset()
	mac.Write(body)
	var sum [sha256.Size]byte
	return base64.StdEncoding.AppendEncode(nil, mac.Sum(sum[:0]))
}

// Verify checks the signature of a callback over its raw body (docs:
// authenticate-callbacks): "this signature only includes the body of the
// message", so it holds no time, and a callback can be replayed for ever.
//
// The signature may stand in Authorization or X-TS-Authorization, as
// "TSA {customer ID}:{signature}" or bare: Telesign's pages and samples
// disagree. One good signature is enough, for a proxy may have put its own
// Authorization in the place of Telesign's; a header that names another
// customer is refused in any case.
//
// The error is one of the five of this file, by identity.
func (v *Verifier) Verify(h http.Header, body []byte) error {
	if len(body) == 0 {
		return ErrEmptyBody
	}
	verdict := ErrUnsigned
	want := v.sign(body)
	for _, name := range signatureHeaders {
		for _, value := range h[name] {
			switch err := v.verify(value, want); {
			case errors.Is(err, ErrWrongCustomer):
				return err
			case err == nil, verdict == nil:
				verdict = nil
			case !errors.Is(verdict, ErrSignatureMismatch):
				verdict = err // a mismatch says more than a malformed header
			}
		}
	}
	return verdict
}

// verify checks one header's value against the signature that the body has.
func (v *Verifier) verify(value string, want []byte) error {
	signature := strings.TrimSpace(value)
	if scheme, rest, ok := strings.Cut(signature, " "); ok {
		id, sig, ok := strings.Cut(strings.TrimSpace(rest), ":")
		if !strings.EqualFold(scheme, "TSA") || !ok {
			return ErrMalformedSignature
		}
		// IDs are UUIDs, which Telesign's own samples write in either case.
		if !hmac.Equal([]byte(strings.ToUpper(id)), []byte(v.customerID)) {
			return ErrWrongCustomer
		}
		signature = sig
	}
	// The text is compared: base64 has several spellings of the same bytes.
	if hmac.Equal([]byte(signature), want) {
		return nil
	}
	if sum, err := base64.StdEncoding.DecodeString(signature); err != nil || len(sum) != sha256.Size {
		return ErrMalformedSignature
	}
	return ErrSignatureMismatch
}

// SignCallback returns the two headers that Telesign puts on a callback with
// this body: for tests, and for a double of the vendor.
func SignCallback(customerID, apiKey string, body []byte) (http.Header, error) {
	v, err := NewVerifier(customerID, apiKey)
	if err != nil {
		return nil, err
	}
	if len(body) == 0 {
		return nil, ErrEmptyBody
	}
	signature := string(v.sign(body))
	return http.Header{
		"Authorization":      {"TSA " + customerID + ":" + signature},
		"X-Ts-Authorization": {signature},
	}, nil
}

// checkCustomerID refuses what can stand in neither kind of Authorization.
func checkCustomerID(id string) error {
	switch {
	case id == "":
		return errors.New("telesign: customer id is empty")
	case strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r == ':' || r >= 0x7f }):
		return errors.New("telesign: customer id has a space, a colon or a character that is not ASCII")
	}
	return nil
}
