package telesign

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
)

// ErrBadKey reports an API key that is empty or no base64.
var ErrBadKey = errors.New("telesign: api key is empty or not base64")

const (
	contentType = "application/json"
	// hmacMethod is the value of x-ts-auth-method. Telesign's samples also
	// know HMAC-SHA1; this package does not.
	hmacMethod = "HMAC-SHA256"
)

// DecodeKey decodes an API key as Telesign's SDKs do: characters outside the
// base64 alphabet are dropped and the padding is put right, since the key of
// the SDKs' own tests ("EXAMPLE----TE8sTgg45yus…") is not strict base64. It
// fails with [ErrBadKey].
func DecodeKey(apiKey string) ([]byte, error) {
	kept := strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' || 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '+' || r == '/' {
			return r
		}
		return -1
	}, apiKey)
	key, err := base64.RawStdEncoding.DecodeString(kept)
	if err != nil || len(key) == 0 {
		return nil, ErrBadKey // the cause would name a byte of the key
	}
	return key, nil
}

// StringToSign returns what a Digest request signs (docs: authentication; the
// same in all of Telesign's SDKs). contentType is empty for GET and DELETE, and
// then the body is left out; date is the value of the Date header; path has
// neither host nor query.
func StringToSign(method, contentType, date, nonce string, body []byte, path string) []byte {
	b := make([]byte, 0, len(method)+len(contentType)+len(date)+len(nonce)+len(body)+len(path)+64)
	b = append(append(b, method...), '\n')
	b = append(append(b, contentType...), '\n')
	b = append(append(b, date...), '\n')
	b = append(b, "x-ts-auth-method:"+hmacMethod+"\n"...)
	b = append(append(append(b, "x-ts-nonce:"...), nonce...), '\n')
	if contentType != "" && len(body) > 0 {
		b = append(append(b, body...), '\n')
	}
	return append(b, path...)
}

// Sign returns the base64 of the HMAC-SHA256 of data under a decoded key.
func Sign(key, data []byte) string {
	mac := hmac.New(sha256.New, key)
	mac.Write(data)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// signer puts the authorization into a request's headers.
type signer struct {
	customerID string
	key        []byte   // decoded; nil for Basic
	basic      []string // the whole Authorization header; nil for Digest
}

func newSigner(method AuthMethod, customerID, apiKey string) (signer, error) {
	switch method {
	case AuthBasic:
		token := base64.StdEncoding.EncodeToString([]byte(customerID + ":" + apiKey))
		return signer{basic: []string{"Basic " + token}}, nil
	case AuthDigest:
		key, err := DecodeKey(apiKey)
		if err != nil {
			return signer{}, err
		}
		return signer{customerID: customerID, key: key}, nil
	}
	return signer{}, errors.New(`telesign: auth is neither "basic" nor "digest"`)
}

// sign adds the authorization to h, with a nonce and a date of this moment:
// Telesign refuses a nonce that it has seen.
func (s signer) sign(h http.Header, method, contentType string, body []byte, path string) {
	if s.basic != nil {
		h["Authorization"] = s.basic
		return
	}
	date, nonce := time.Now().UTC().Format(http.TimeFormat), uuid.NewString() // as the SDKs send
	signature := Sign(s.key, StringToSign(method, contentType, date, nonce, body, path))
	h["Authorization"] = []string{"TSA " + s.customerID + ":" + signature}
	h["Date"] = []string{date}
	h["X-Ts-Auth-Method"] = []string{hmacMethod}
	h["X-Ts-Nonce"] = []string{nonce}
}
