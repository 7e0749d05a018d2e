package telesign_test

import (
	"encoding/base64"
	"errors"
	"net/http"
	"testing"

	"github.com/handout-dev/handout/telesign"
)

func verifier(t testing.TB, key string) *telesign.Verifier {
	t.Helper()
	v, err := telesign.NewVerifier(customer, key)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestVerify_AgreesWithTheTestsOfTelesignsSDKs(t *testing.T) {
	t.Parallel()
	v := verifier(t, keyLax)
	body := []byte(`{'test': 123}`) // no JSON: the signature is about bytes
	for name, tt := range map[string]struct {
		signature string
		want      error
	}{
		"good": {"B97g3N9lPdVaptvifxRau7bzVAC5hhRBZ6HKXABN744=", nil},
		"bad":  {"BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB=", telesign.ErrSignatureMismatch},
		// The same 32 bytes in another spelling.
		"good, respelt": {"B97g3N9lPdVaptvifxRau7bzVAC5hhRBZ6HKXABN745=", telesign.ErrSignatureMismatch},
	} {
		for _, h := range []http.Header{
			{"Authorization": {"TSA " + customer + ":" + tt.signature}},
			{"Authorization": {tt.signature}},
			{"X-Ts-Authorization": {tt.signature}},
			{"X-Ts-Authorization": {"TSA " + customer + ":" + tt.signature}},
		} {
			if err := v.Verify(h, body); !errors.Is(err, tt.want) {
				t.Errorf("%s: %v: %v, want %v", name, h, err, tt.want)
			}
		}
	}
}

func TestVerify_RefusesWhenOneCharacterIsFlipped(t *testing.T) {
	t.Parallel()
	key := base64.StdEncoding.EncodeToString([]byte("top_secret_key"))
	body := []byte(`{"status":"delivered","reference_id":"ABC123"}`)
	good, err := telesign.SignCallback(customer, key, body)
	if err != nil {
		t.Fatal(err)
	}
	v := verifier(t, key)
	if err := v.Verify(good, body); err != nil {
		t.Fatal(err)
	}
	signature := good.Get("X-TS-Authorization")
	for i := range signature {
		for _, c := range "AB=" {
			flipped := []byte(signature)
			if flipped[i] == byte(c) {
				continue
			}
			flipped[i] = byte(c)
			if err := v.Verify(http.Header{"X-Ts-Authorization": {string(flipped)}}, body); err == nil {
				t.Errorf("accepted with %q in place %d", c, i)
			}
		}
	}
	for i := range body {
		changed := []byte(string(body))
		changed[i] ^= 1
		if err := v.Verify(good, changed); !errors.Is(err, telesign.ErrSignatureMismatch) {
			t.Errorf("byte %d of the body changed: %v", i, err)
		}
	}
}

func TestVerify_ChangesOneThingAtATime(t *testing.T) {
	t.Parallel()
	body := []byte(guideReceipt)
	good, err := telesign.SignCallback(customer, keyLax, body)
	if err != nil {
		t.Fatal(err)
	}
	tsa, bare := good.Get("Authorization"), good.Get("X-TS-Authorization")
	const other = "TSA 00000000-EEEE-DDDD-1234-AB1234567890:"
	wrong := telesign.Sign([]byte("another key"), body)
	tests := []struct {
		name          string
		authorization string
		xts           string
		body          []byte
		want          error
	}{
		{"as Telesign sends it", tsa, bare, body, nil},
		{"only Authorization", tsa, "", body, nil},
		{"only X-TS-Authorization", "", bare, body, nil},
		{"the scheme in lower case", "tsa" + tsa[3:], "", body, nil},
		{"the customer in lower case", "TSA ffffffff-eeee-dddd-1234-ab1234567890:" + bare, "", body, nil},
		{"spaces around it", "  " + tsa + " ", "", body, nil},
		{"a proxy's own Authorization", "Basic dXNlcjpwYXNz", bare, body, nil},
		{"a bad signature beside a good one", "TSA " + customer + ":" + wrong, bare, body, nil},
		{"no header", "", "", body, telesign.ErrUnsigned},
		{"another scheme", "Basic dXNlcjpwYXNz", "", body, telesign.ErrMalformedSignature},
		{"no colon", "TSA " + bare, "", body, telesign.ErrMalformedSignature},
		{"no scheme", customer + ":" + bare, "", body, telesign.ErrMalformedSignature},
		{"no signature", "TSA " + customer + ":", "", body, telesign.ErrMalformedSignature},
		{"a short signature", "", bare[:40], body, telesign.ErrMalformedSignature},
		{"no base64", "", "!" + bare[1:], body, telesign.ErrMalformedSignature},
		{"an empty customer", "TSA :" + bare, "", body, telesign.ErrWrongCustomer},
		{"another customer", other + bare, "", body, telesign.ErrWrongCustomer},
		{"another customer beside a good signature", other + bare, bare, body, telesign.ErrWrongCustomer},
		{"another key", "TSA " + customer + ":" + wrong, wrong, body, telesign.ErrSignatureMismatch},
		{"a mismatch beside a malformed one", "TSA nothing", wrong, body, telesign.ErrSignatureMismatch},
		{"one more byte of body", tsa, bare, append([]byte(" "), body...), telesign.ErrSignatureMismatch},
		{"an empty body", tsa, bare, nil, telesign.ErrEmptyBody},
	}
	v := verifier(t, keyLax)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := http.Header{}
			if tt.authorization != "" {
				h.Set("Authorization", tt.authorization)
			}
			if tt.xts != "" {
				h.Set("X-TS-Authorization", tt.xts)
			}
			if err := v.Verify(h, tt.body); !errors.Is(err, tt.want) {
				t.Errorf("%v, want %v", err, tt.want)
			}
		})
	}
}

func TestVerify_RefusesTheConstantSignatureOfAnEmptyBody(t *testing.T) {
	t.Parallel()
	key, err := telesign.DecodeKey(keyLax)
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{"X-Ts-Authorization": {telesign.Sign(key, nil)}}
	if err := verifier(t, keyLax).Verify(h, nil); !errors.Is(err, telesign.ErrEmptyBody) {
		t.Errorf("%v, want ErrEmptyBody", err)
	}
	if _, err := telesign.SignCallback(customer, keyLax, nil); !errors.Is(err, telesign.ErrEmptyBody) {
		t.Errorf("signing nothing: %v, want ErrEmptyBody", err)
	}
}

func TestNewVerifier_RefusesEmptyCredentials(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ id, key string }{
		"no customer": {"", keyLax}, "no key": {customer, ""}, "no base64 in the key": {customer, "--"},
		"a colon in the customer": {"a:b", keyLax},
	} {
		if _, err := telesign.NewVerifier(tt.id, tt.key); err == nil {
			t.Errorf("%s: accepted", name)
		}
		if _, err := telesign.SignCallback(tt.id, tt.key, []byte("x")); err == nil {
			t.Errorf("%s: signed", name)
		}
	}
}
