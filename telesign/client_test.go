package telesign_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/telesign"
)

func TestNewClient_RefusesBadOptions(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*telesign.Options){
		"no customer":                func(o *telesign.Options) { o.CustomerID = "" },
		"a line break in customer":   func(o *telesign.Options) { o.CustomerID += "\n" },
		"a colon in customer":        func(o *telesign.Options) { o.CustomerID = "a:b" },
		"no key":                     func(o *telesign.Options) { o.APIKey = "" },
		"a line break in key":        func(o *telesign.Options) { o.APIKey += "\n" },
		"a key that decodes to none": func(o *telesign.Options) { o.APIKey = "----" },
		"no timeout":                 func(o *telesign.Options) { o.Timeout = 0 },
		"a negative timeout":         func(o *telesign.Options) { o.Timeout = -time.Second },
		"no auth":                    func(o *telesign.Options) { o.Auth = "" },
		"unknown auth":               func(o *telesign.Options) { o.Auth = "oauth" },
		"no url":                     func(o *telesign.Options) { o.URL = "" },
		"a url without scheme":       func(o *telesign.Options) { o.URL = "rest-ww.telesign.com" },
		"a url without host":         func(o *telesign.Options) { o.URL = "https://" },
		"a url of another scheme":    func(o *telesign.Options) { o.URL = "ftp://rest-ww.telesign.com" },
		"a url with a user":          func(o *telesign.Options) { o.URL = "https://u:p@rest-ww.telesign.com" },
		"a url with a query":         func(o *telesign.Options) { o.URL = "https://rest-ww.telesign.com?a=b" },
		"a url that is none":         func(o *telesign.Options) { o.URL = "https://u:secret@host:port:\x7f" },
		"a line break in user agent": func(o *telesign.Options) { o.UserAgent = "a\r\nb: c" },
	} {
		o := options("https://rest-ww.telesign.com")
		spoil(&o)
		_, err := telesign.NewClient(o)
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		if strings.Contains(err.Error(), "secret") || o.APIKey != "" && strings.Contains(err.Error(), o.APIKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, method := range []telesign.AuthMethod{telesign.AuthBasic, telesign.AuthDigest} {
		o := options("https://rest-ww.telesign.com/")
		o.Auth, o.UserAgent = method, ""
		if _, err := telesign.NewClient(o); err != nil {
			t.Errorf("%s: %v", method, err)
		}
	}
}

func TestSend_PostsTheMessageOnce(t *testing.T) {
	t.Parallel()
	url, requests := recorder(t)
	m := message()
	got, err := client(t, options(url)).Send(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	want := telesign.Accepted{Reference: "35C8B5D509BC10689196FED2AD551B8A", Code: telesign.CodeInProgress}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("accepted (-want +got):\n%s", diff)
	}
	all := requests()
	if len(all) != 1 {
		t.Fatalf("%d requests, want 1", len(all))
	}
	r := all[0]
	if r.method != http.MethodPost || r.path != "/v1/omnichannel" || string(r.body) != string(encode(t, m)) {
		t.Errorf("%s %s %s", r.method, r.path, r.body)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/json", "User-Agent": "handout/test",
		"Idempotency-Key": "", "X-Idempotency-Key": "", "Accept-Encoding": "",
	} {
		if got := r.header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestSend_ReadsAnAcceptance(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		body string
		want telesign.Accepted
	}{
		"the guide's":        {`{"status":{"code":3001,"description":"Message in progress"},"reference_id":"35C8B5D509BC10689196FED2AD551B8A","external_id":null}`, telesign.Accepted{Reference: "35C8B5D509BC10689196FED2AD551B8A"}},
		"with an echo":       {`{"status":{"code":3001},"reference_id":"ab","external_id":"c.0.1.1"}`, telesign.Accepted{Reference: "AB"}},
		"null in quotes":     {`{"status":{"code":"3001"},"reference_id":"ab","external_id":"null"}`, telesign.Accepted{Reference: "AB"}},
		"without reference":  {`{"status":{"code":3001}}`, telesign.Accepted{}},
		"a reference of nil": {`{"status":{"code":3001},"reference_id":null}`, telesign.Accepted{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, _ := vendor(t, reply{status: 200, body: tt.body})
			got, err := client(t, options(url)).Send(t.Context(), message())
			if err != nil {
				t.Fatal(err)
			}
			tt.want.Code = telesign.CodeInProgress
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("accepted (-want +got):\n%s", diff)
			}
		})
	}
}

// verdict is what of an error the worker goes by.
type verdict struct {
	class              telesign.Class
	account, throttled bool
}

var (
	refused   = verdict{class: telesign.Refused}
	account   = verdict{class: telesign.Refused, account: true}
	later     = verdict{class: telesign.Later}
	throttled = verdict{class: telesign.Later, throttled: true}
	unknown   = verdict{class: telesign.Unknown}
	moved     = verdict{class: telesign.Unknown, account: true}
)

func TestSend_JudgesEveryAnswer(t *testing.T) {
	t.Parallel()
	type row struct {
		status int
		code   telesign.Code // 0: a body without a code
		want   verdict
	}
	rows := []row{
		// The answers that the reference lists.
		{401, 3400, account}, {429, 3203, account}, {429, 3204, throttled}, {429, 3206, account}, {503, 3500, later},
		// Documented elsewhere, or in other places.
		{429, 3205, throttled}, {429, 3207, account}, {400, 3006, account}, {403, 3058, account}, {402, 3073, account},
		{400, 3101, refused}, {400, 3112, refused}, {400, 3046, refused}, {429, 3101, refused}, {404, 3115, refused},
		{400, 9999, refused}, {409, 9999, refused}, {408, 3110, refused}, {401, -30000, account}, {403, 9999, account},
		{429, 9999, throttled}, {404, -10004, refused}, {401, 3401, account},
		// The code rules, not the HTTP status.
		{500, 3500, later}, {500, 3204, throttled}, {503, 3204, throttled}, {400, 3204, throttled}, {500, 3400, account},
		{500, 3102, refused}, {302, 3500, later},
		// May have been sent.
		{200, 3000, unknown}, {200, 3002, unknown}, {200, 3003, unknown}, {200, 3204, unknown}, {200, 3500, unknown},
		{200, 3400, unknown}, {200, 9999, unknown}, {200, 0, unknown}, {201, 0, unknown}, {204, 0, unknown}, {202, 3110, unknown},
		{500, 0, unknown}, {502, 0, unknown}, {503, 0, unknown}, {504, 0, unknown}, {500, 9999, unknown},
		{503, 3041, unknown}, {500, 3001, unknown}, {400, 3001, unknown}, {429, 3002, unknown}, {408, 0, unknown},
		{409, 0, unknown}, {418, 0, unknown}, {301, 0, moved}, {302, 0, moved}, {307, 0, moved}, {308, 0, moved}, {304, 0, moved},
		// No code, but a status that says "not processed".
		{400, 0, refused}, {413, 0, refused}, {414, 0, refused}, {422, 0, refused},
		{401, 0, account}, {402, 0, account}, {403, 0, account}, {404, 0, account}, {405, 0, account},
		{407, 0, account}, {415, 0, account}, {429, 0, throttled},
	}
	for _, code := range []telesign.Code{3102, 3103, 3104, 3105, 3106, 3110, 3113, 3116, 3300, 3301, 3302, 3303, 3304} {
		rows = append(rows, row{400, code, refused})
	}
	for code := telesign.Code(3400); code <= 3413; code++ {
		rows = append(rows, row{401, code, account})
	}
	for _, tt := range rows {
		t.Run(fmt.Sprintf("HTTP %d, code %d", tt.status, tt.code), func(t *testing.T) {
			t.Parallel()
			// The text echoes what Telesign's texts echo, and more.
			body := fmt.Sprintf(`{"status":{"code":%d,"description":"Invalid value for parameter phone_number: %s \"%s\" %s"},"external_id":"null"}`,
				tt.code, phone, words, keyLax)
			if tt.code == 0 {
				body = `<html>` + phone + words + `</html>`
			}
			url, requests := vendor(t, reply{tt.status, body, map[string]string{"Location": "/elsewhere", "Retry-After": "7"}})
			e := sendError(t, client(t, options(url)))
			if got := (verdict{e.Class, e.Account, e.Throttled}); got != tt.want {
				t.Errorf("%+v, want %+v", got, tt.want)
			}
			if e.HTTPStatus != tt.status || e.Code != tt.code || !e.Written || e.Op != "send" {
				t.Errorf("%+v", e)
			}
			want := time.Duration(0)
			if e.Class == telesign.Later {
				want = 7 * time.Second
			}
			if e.RetryAfter != want {
				t.Errorf("RetryAfter %v, want %v", e.RetryAfter, want)
			}
			if n := requests.Load(); n != 1 {
				t.Errorf("%d requests, want 1", n)
			}
		})
	}
}

func TestSend_UnreadableAcceptanceIsUnknown(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"nothing":        "",
		"HTML":           "<html>200</html>",
		"half a JSON":    `{"status":{"code":3001`,
		"a list":         `[{"status":{"code":3001}}]`,
		"no code":        `{"status":{"description":"Message in progress"},"reference_id":"AB"}`,
		"an endless one": `{"status":{"code":3001},"x":"` + strings.Repeat("x", 1<<20) + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, requests := vendor(t, reply{status: 200, body: body})
			e := sendError(t, client(t, options(url)))
			if e.Class != telesign.Unknown || e.Err == nil || requests.Load() != 1 {
				t.Errorf("%v after %d requests", e, requests.Load())
			}
		})
	}
}

func TestSend_HonoursRetryAfter(t *testing.T) {
	t.Parallel()
	const date = "Wed, 14 Dec 2016 18:20:12 GMT"
	for value, want := range map[string]time.Duration{
		"":                              0,
		"0":                             0,
		"3":                             3 * time.Second,
		" 120 ":                         2 * time.Minute,
		"-5":                            0,
		"soon":                          0,
		"999999999":                     24 * time.Hour,
		"99999999999999999999":          0,
		"Wed, 14 Dec 2016 18:20:42 GMT": 30 * time.Second,
		"Wed, 14 Dec 2016 18:20:00 GMT": 0,
		"Wed, 14 Dec 2044 18:20:00 GMT": 24 * time.Hour,
	} {
		t.Run(value, func(t *testing.T) {
			t.Parallel()
			url, _ := vendor(t, reply{429, `{"status":{"code":3204}}`, map[string]string{"Retry-After": value, "Date": date}})
			if e := sendError(t, client(t, options(url))); e.RetryAfter != want {
				t.Errorf("%v, want %v", e.RetryAfter, want)
			}
		})
	}
}

func TestSend_TooLargeMessageIsRefusedUnsent(t *testing.T) {
	t.Parallel()
	url, requests := recorder(t)
	m := message()
	m.Content["sms"].Parameters["text"] = strings.Repeat("x", telesign.MaxPayload)
	_, err := client(t, options(url)).Send(t.Context(), m)
	e, ok := errors.AsType[*telesign.Error](err)
	if !ok || e.Class != telesign.Refused || e.Written || e.Account || !errors.Is(err, telesign.ErrTooLarge) {
		t.Errorf("%+v", err)
	}
	if n := len(requests()); n != 0 {
		t.Errorf("%d requests, want none", n)
	}
}

func TestStatus_ReadsAReceipt(t *testing.T) {
	t.Parallel()
	url, requests := vendor(t, reply{status: 200, body: queryReceipt})
	got, err := client(t, options(url)).Status(t.Context(), "364c81f5f3d0020c91e7a731de93a777")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(parse(t, queryReceipt), got); diff != "" {
		t.Errorf("receipt (-want +got):\n%s", diff)
	}
	if n := requests.Load(); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

func TestStatus_JudgesEveryAnswer(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		status int
		code   telesign.Code
		want   verdict
	}{
		{400, 3311, refused}, {401, 3206, account}, {401, 3400, account}, {401, 3411, account}, {401, 3412, account},
		{404, -10004, refused}, {429, 3204, throttled}, {503, 3041, later}, {503, 3500, later},
		{401, 0, account}, {403, 0, account}, {404, 0, refused}, {408, 0, later}, {429, 0, throttled},
		{500, 0, later}, {502, 0, later}, {302, 0, later}, {200, 0, later},
	} {
		t.Run(fmt.Sprintf("HTTP %d, code %d", tt.status, tt.code), func(t *testing.T) {
			t.Parallel()
			body := fmt.Sprintf(`{"status":{"code":%d,"description":"x"}}`, tt.code)
			if tt.code == 0 {
				body = "<html>"
			}
			url, requests := vendor(t, reply{status: tt.status, body: body})
			_, err := client(t, options(url)).Status(t.Context(), "364C81F5F3D0020C91E7A731DE93A777")
			e, ok := errors.AsType[*telesign.Error](err)
			if !ok {
				t.Fatalf("%v is no *Error", err)
			}
			if got := (verdict{e.Class, e.Account, e.Throttled}); got != tt.want || e.Code != tt.code || e.Op != "status" {
				t.Errorf("%+v (%v), want %+v", got, e, tt.want)
			}
			if n := requests.Load(); n != 1 {
				t.Errorf("%d requests, want 1", n)
			}
		})
	}
}

func TestStatus_AsksNothingWithoutAReference(t *testing.T) {
	t.Parallel()
	url, requests := vendor(t, reply{status: 200, body: queryReceipt})
	c := client(t, options(url))
	for _, reference := range []string{"", " ", "null", "../accounts", "a/b", "a?b", "a%2fb", "é", strings.Repeat("A", 129)} {
		_, err := c.Status(t.Context(), reference)
		if e, ok := errors.AsType[*telesign.Error](err); !ok || e.Class != telesign.Refused {
			t.Errorf("%q: %v, want Refused", reference, err)
		}
	}
	if n := requests.Load(); n != 0 {
		t.Errorf("%d requests, want none", n)
	}
}

// sendError sends the message, which must fail, and holds the error's text to
// what every such text must be.
func sendError(t testing.TB, c *telesign.Client) *telesign.Error {
	t.Helper()
	return sendErrorContext(t, t.Context(), c)
}

func sendErrorContext(t testing.TB, ctx context.Context, c *telesign.Client) *telesign.Error {
	t.Helper()
	accepted, err := c.Send(ctx, message())
	e, ok := errors.AsType[*telesign.Error](err)
	if !ok {
		t.Fatalf("%+v, %v: no *Error", accepted, err)
	}
	if diff := cmp.Diff(telesign.Accepted{}, accepted); diff != "" {
		t.Errorf("an error and an acceptance:\n%s", diff)
	}
	for _, text := range []string{err.Error(), e.Description} {
		for _, secret := range []string{phone, words, keyLax, customer, "TSA ", "Basic ", "\n"} {
			if strings.Contains(text, secret) {
				t.Errorf("%q shows %q", text, secret)
			}
		}
	}
	return e
}
