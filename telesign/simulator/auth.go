package simulator

import (
	"bytes"
	"crypto/subtle"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/handout-dev/handout/telesign"
)

// dateTolerance is how far a signed request's date may be off. The vendor has
// such a limit and doesn't say which.
const dateTolerance = 15 * time.Minute

// guard checks who a request is from: Basic, or Digest with HMAC-SHA256 (docs:
// authentication). The vendor's samples know HMAC-SHA1 too; nothing of ours
// may use it.
type guard struct {
	customerID, apiKey string
	key                []byte

	mu sync.Mutex
	// A nonce is good for one request. A date is good for twice the tolerance,
	// so nonces are kept between one and two times that long.
	fresh, stale map[string]struct{}
	turned       time.Time
}

// check returns why a request isn't authorized, or "".
func (g *guard) check(r *http.Request, body []byte, now time.Time) string {
	scheme, rest, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	switch {
	case strings.EqualFold(scheme, "Basic"):
		id, key, ok := r.BasicAuth()
		if !ok || !equal(id, g.customerID) || !equal(key, g.apiKey) {
			return "the customer ID or the API key is wrong"
		}
		return ""
	case scheme == "TSA":
		return g.checkDigest(r, rest, body, now)
	case scheme == "":
		return "no Authorization header"
	}
	return "the Authorization header is neither Basic nor TSA"
}

func (g *guard) checkDigest(r *http.Request, credentials string, body []byte, now time.Time) string {
	id, signature, found := strings.Cut(credentials, ":")
	if !found || !equal(id, g.customerID) {
		return "the customer ID is wrong"
	}
	if method := r.Header.Get("X-Ts-Auth-Method"); method != "HMAC-SHA256" {
		return "x-ts-auth-method isn't HMAC-SHA256"
	}
	nonce := r.Header.Get("X-Ts-Nonce")
	if nonce == "" {
		return "no x-ts-nonce"
	}
	contentType := r.Header.Get("Content-Type")
	date := r.Header.Get("Date")
	signed := telesign.StringToSign(r.Method, contentType, date, nonce, body, r.URL.Path)
	if xdate := r.Header.Get("X-Ts-Date"); xdate != "" {
		// The Date line is then empty, and x-ts-date stands between the other two
		// (TeleSign/sample_code, python/rest/shared/ts_auth.py).
		date = xdate
		signed = bytes.Replace(telesign.StringToSign(r.Method, contentType, "", nonce, body, r.URL.Path),
			[]byte("x-ts-nonce:"), []byte("x-ts-date:"+xdate+"\nx-ts-nonce:"), 1)
	}
	at, err := http.ParseTime(date)
	if err != nil {
		return "the date is missing or malformed"
	}
	if d := now.Sub(at); d > dateTolerance || d < -dateTolerance {
		return "the date is more than 15 minutes off"
	}
	if !equal(signature, telesign.Sign(g.key, signed)) {
		return "the signature is wrong"
	}
	if !g.use(nonce, now) {
		return "the nonce was used before"
	}
	return ""
}

// use takes a nonce, once.
func (g *guard) use(nonce string, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.fresh == nil || now.Sub(g.turned) > 2*dateTolerance {
		g.stale, g.fresh, g.turned = g.fresh, map[string]struct{}{}, now
	}
	_, isFresh := g.fresh[nonce]
	_, isStale := g.stale[nonce]
	if isFresh || isStale {
		return false
	}
	g.fresh[nonce] = struct{}{}
	return true
}

func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
