package telesign_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/handout-dev/handout/telesign"
)

func TestSign_AgreesWithTheTestsOfTelesignsSDKs(t *testing.T) {
	t.Parallel()
	const (
		date1, nonce1 = "Wed, 14 Dec 2016 18:20:12 GMT", "A1592C6F-E384-4CDB-BC42-C3AB970369E9"
		date2, nonce2 = "Mon, 27 Jan 2017 23:59:59 GMT", "5ffb243e-8e2a-4a7b-bf22-2b3925b3d6ef"
		form          = "application/x-www-form-urlencoded"
	)
	tests := []struct {
		name                                 string
		key, method, contentType, date, once string
		body, want                           string
	}{
		{"python, java and ruby: ASCII body", keyLax, "POST", form, date1, nonce1, "test=param", "2xVlmbrxLjYrrPun3G3WMNG6Jon4yKcTeOoK9DjXJ/Q="},
		{"python, java and ruby: UTF-8 body", keyLax, "POST", form, date1, nonce1, "test=%CF%BF", "h8d4I0RTxErbxYXuzCOtNqb/f0w3Ck8e5SEkGNj01+8="},
		{"python, java and ruby: no body", keyLax, "GET", "", date1, nonce1, "", "aUm7I+9GKl3ww7PNeeJntCT0iS7b+EmRKEE4LnRzChQ="},
		{"node: ASCII body", keyStrict, "POST", form, date1, nonce1, "test=param", "vXw/XzywdhgfEG2/zWLaFp7oXmjLB8iJDMndvDbZMjk="},
		{"node: UTF-8 body", keyStrict, "POST", form, date1, nonce1, "test=%CF%BF", "lPpGXw4jTRdaEp2obzYAD5rR+2aWDInJ8ThLbq0nTGU="},
		{"node: no body", keyStrict, "GET", "", date1, nonce1, "", "wscyrZZtA7kdXu0i4D5KXyDmBcwH52JF1feiEKp+ir0="},
		{"php: ASCII body", keyLax, "POST", form, date2, nonce2, "test=param", "smUGWEeXtN+WT1s/y1Ssp4Q2Acm/ultPxkgl/GjqSsA="},
		{"no content type leaves the body out", keyLax, "GET", "", date1, nonce1, "ignored", "aUm7I+9GKl3ww7PNeeJntCT0iS7b+EmRKEE4LnRzChQ="},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			key, err := telesign.DecodeKey(tt.key)
			if err != nil {
				t.Fatal(err)
			}
			data := telesign.StringToSign(tt.method, tt.contentType, tt.date, tt.once, []byte(tt.body), "/v1/resource")
			if got := telesign.Sign(key, data); got != tt.want {
				t.Errorf("signature %s, want %s", got, tt.want)
			}
		})
	}
}

func TestDecodeKey_IsAsLenientAsTheSDKs(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		key string
		len int
	}{
		"the SDK's key with dashes": {keyLax, 61},
		"strict base64":             {keyStrict, 8},
		"without its padding":       {strings.TrimRight(keyStrict, "="), 8},
		"with a line break":         {keyStrict + "\n", 8},
	} {
		if key, err := telesign.DecodeKey(tt.key); err != nil || len(key) != tt.len {
			t.Errorf("%s: %d bytes, %v; want %d bytes", name, len(key), err, tt.len)
		}
	}
	for name, key := range map[string]string{"empty": "", "nothing but padding": "====", "one character": "A", "spaces": " \n"} {
		if _, err := telesign.DecodeKey(key); !errors.Is(err, telesign.ErrBadKey) {
			t.Errorf("%s: %v, want ErrBadKey", name, err)
		}
	}
}

// seen is what a server saw of a request.
type seen struct {
	method, path string
	header       http.Header
	body         []byte
}

// recorder answers every POST with 3001 and every GET with a receipt.
func recorder(t *testing.T) (string, func() []seen) {
	t.Helper()
	var mu sync.Mutex
	var all []seen
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		all = append(all, seen{r.Method, r.URL.EscapedPath(), r.Header.Clone(), body})
		mu.Unlock()
		io.WriteString(w, `{"status":{"code":3001,"description":"Message in progress"},"reference_id":"35C8B5D509BC10689196FED2AD551B8A","external_id":null}`)
	}))
	t.Cleanup(s.Close)
	return s.URL, func() []seen { mu.Lock(); defer mu.Unlock(); return all }
}

func TestBasic_AgreesWithTheTestsOfTelesignsSDKs(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ id, key, want string }{
		"python":             {customer, keyLax, "Basic RkZGRkZGRkYtRUVFRS1ERERELTEyMzQtQUIxMjM0NTY3ODkwOkVYQU1QTEUtLS0tVEU4c1RnZzQ1eXVzdW1vTjZCWXNCVmtoK3lSSjVjemdzbkNlaFphT1lsZFBKZG1GaDZOZVg4a3VuWjJ6VTFZV2FVdy8wd1Y2eGZ3PT0="},
		"node":               {customer, keyStrict, "Basic RkZGRkZGRkYtRUVFRS1ERERELTEyMzQtQUIxMjM0NTY3ODkwOlZHVnpkQ0JMWlhrPQ=="},
		"node, placeholders": {"yourCustomerId", "yourApiKey", "Basic eW91ckN1c3RvbWVySWQ6eW91ckFwaUtleQ=="},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, requests := recorder(t)
			o := options(url)
			o.Auth, o.CustomerID, o.APIKey = telesign.AuthBasic, tt.id, tt.key
			c := client(t, o)
			if _, err := c.Send(t.Context(), message()); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Status(t.Context(), "35C8B5D509BC10689196FED2AD551B8A"); err != nil {
				t.Fatal(err)
			}
			for _, r := range requests() {
				if got := r.header.Get("Authorization"); got != tt.want {
					t.Errorf("%s: Authorization %q, want %q", r.method, got, tt.want)
				}
			}
		})
	}
}

func TestDigest_SignsWhatIsSentWithAFreshNonceAndDate(t *testing.T) {
	t.Parallel()
	url, requests := recorder(t)
	c := client(t, options(url+"/behind/a%20proxy/"))
	for range 3 {
		if _, err := c.Send(t.Context(), message()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Status(t.Context(), " 35c8b5d509bc10689196fed2ad551b8a"); err != nil {
		t.Fatal(err)
	}

	key, err := telesign.DecodeKey(keyLax)
	if err != nil {
		t.Fatal(err)
	}
	uuid4 := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	nonces := map[string]bool{}
	for _, r := range requests() {
		nonce, date := r.header.Get("X-Ts-Nonce"), r.header.Get("Date")
		if nonces[nonce] || !uuid4.MatchString(nonce) {
			t.Errorf("%s: nonce %q is no fresh UUID", r.method, nonce)
		}
		nonces[nonce] = true
		if at, err := http.ParseTime(date); err != nil || time.Since(at).Abs() > time.Minute {
			t.Errorf("%s: date %q: %v", r.method, date, err)
		}
		if got := r.header.Get("X-Ts-Auth-Method"); got != "HMAC-SHA256" {
			t.Errorf("%s: x-ts-auth-method %q", r.method, got)
		}
		want := "TSA " + customer + ":" + telesign.Sign(key,
			telesign.StringToSign(r.method, r.header.Get("Content-Type"), date, nonce, r.body, r.path))
		if got := r.header.Get("Authorization"); got != want {
			t.Errorf("%s: Authorization %q, want %q", r.method, got, want)
		}
	}
	if len(nonces) != 4 {
		t.Errorf("%d requests arrived, want 4", len(nonces))
	}
}
