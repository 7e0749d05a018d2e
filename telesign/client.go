package telesign

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// AuthMethod is how a request proves who sends it (docs: authentication).
type AuthMethod string

// The two methods that Telesign accepts.
const (
	// AuthBasic sends the customer ID and the API key themselves.
	AuthBasic AuthMethod = "basic"
	// AuthDigest signs every request with the API key.
	AuthDigest AuthMethod = "digest"
)

// Options are what [NewClient] needs; all but Transport and UserAgent are
// required.
type Options struct {
	// URL is the server, "https://rest-ww.telesign.com" for the accounts that
	// Messaging is sold to. Telesign takes HTTPS only; plain HTTP is for a
	// double of it.
	URL string
	// CustomerID and APIKey are the account's credentials.
	CustomerID string
	APIKey     string
	// Auth is AuthBasic or AuthDigest.
	Auth AuthMethod
	// Timeout bounds one whole exchange, from looking up the host to the last
	// byte of the answer. The context may end it earlier.
	Timeout time.Duration
	// Transport carries the requests; nil means [NewTransport].
	Transport http.RoundTripper
	// UserAgent is sent as it is; empty leaves Go's own.
	UserAgent string
}

// Client speaks to Telesign for one account. It may be used by many goroutines
// at once, keeps nothing between two calls, and never repeats one.
type Client struct {
	url       *url.URL // of POST /v1/omnichannel
	signer    signer
	timeout   time.Duration
	transport http.RoundTripper
	userAgent []string
}

// Accepted is Telesign's word that it took a message (HTTP 200, code 3001). It
// does not say that the number or the template is good: that comes as a
// [Receipt].
type Accepted struct {
	// Reference is Telesign's name for the message, as [NormalizeReference]
	// writes it; "" if the answer had none, and then only the external ID leads
	// from a receipt to the message.
	Reference string
	// Code is 3001.
	Code Code
}

// The names of the calls in [Error.Op].
const (
	opSend      = "send"
	opStatus    = "status"
	opTemplates = "templates"
	opTemplate  = "template"
)

// NewClient checks the options and returns a Client. It refuses a URL that is
// not plain http(s)://host[/prefix], an empty customer ID or key or one with
// spaces, a time-out that is not positive, an auth method that Telesign lacks
// and, for Digest, a key that does not decode. Its errors hold no key.
func NewClient(o Options) (*Client, error) {
	u, err := endpoint(o.URL)
	if err != nil {
		return nil, err
	}
	if err := checkCustomerID(o.CustomerID); err != nil {
		return nil, err
	}
	if o.APIKey == "" || strings.ContainsFunc(o.APIKey, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return nil, errors.New("telesign: api key is empty, or has a space or a character that is not ASCII")
	}
	if o.Timeout <= 0 {
		return nil, errors.New("telesign: timeout is not positive")
	}
	if strings.ContainsFunc(o.UserAgent, func(r rune) bool { return r < ' ' || r >= 0x7f }) {
		return nil, errors.New("telesign: user agent has a character that no header may have")
	}
	s, err := newSigner(o.Auth, o.CustomerID, o.APIKey)
	if err != nil {
		return nil, err
	}
	c := &Client{url: u, signer: s, timeout: o.Timeout, transport: o.Transport}
	if c.transport == nil {
		c.transport = NewTransport()
	}
	if o.UserAgent != "" {
		c.userAgent = []string{o.UserAgent}
	}
	return c, nil
}

// endpoint returns the URL of POST /v1/omnichannel under the server's URL.
func endpoint(server string) (*url.URL, error) {
	u, err := url.Parse(server)
	switch {
	case err != nil:
		return nil, errors.New("telesign: url cannot be read") // the cause would repeat it, with any password
	case u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		return nil, errors.New("telesign: url is not http(s)://host")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("telesign: url has a user, a query or a fragment")
	}
	if u.Path == "" {
		u.Path = "/" // JoinPath would make a relative path of it
	}
	return u.JoinPath("v1", "omnichannel"), nil
}

// Send makes one POST /v1/omnichannel and says what it knows
// (https://developer.telesign.com/enterprise/reference/sendadvancedmessage).
//
// Every error is an *[Error]; its Class says whether the message was sent, and
// only [Later] means certainly not. A context that ends before anything was
// written gives Later, one that ends after that gives [Unknown]; either way
// errors.Is finds the context's error.
func (c *Client) Send(ctx context.Context, m Message) (Accepted, error) {
	body, err := m.Encode()
	if err != nil {
		// The code is the one that Telesign would have answered with.
		return Accepted{}, &Error{Class: Refused, Op: opSend, Code: CodePayloadTooLarge, Err: err}
	}
	out := newOutgoing(body)
	a, err := c.exchange(ctx, http.MethodPost, c.url, out, maxAnswer)
	if err != nil {
		e := &Error{Class: Later, Op: opSend, Written: out.written(), Err: err}
		if e.Written {
			e.Class = Unknown
		}
		return Accepted{}, e
	}
	if a.ok() && a.code == CodeInProgress {
		return Accepted{Reference: a.reference, Code: a.code}, nil
	}
	return Accepted{}, judgeSend(a)
}

// Status asks what became of a message, GET /v1/omnichannel/{reference}
// (https://developer.telesign.com/enterprise/reference/getmessagingstatus).
// Telesign enables this on request only, forgets a message after 12 hours
// (-10004, Refused), and has no way to ask by external ID.
//
// Every error is an *[Error]: Later to ask again, Refused when that is no use.
func (c *Client) Status(ctx context.Context, reference string) (Receipt, error) {
	reference = NormalizeReference(reference)
	if !pathSafe(reference) {
		return Receipt{}, &Error{Class: Refused, Op: opStatus, Err: errors.New("no reference")}
	}
	a, err := c.exchange(ctx, http.MethodGet, c.url.JoinPath(reference), nil, maxAnswer)
	if err != nil {
		return Receipt{}, &Error{Class: Later, Op: opStatus, Err: err}
	}
	if !a.ok() {
		return Receipt{}, judgeQuery(opStatus, a)
	}
	if a.err != nil {
		return Receipt{}, &Error{Class: Later, Op: opStatus, HTTPStatus: a.status, Err: a.err}
	}
	r, err := ParseReceipt(a.body)
	if err != nil {
		return Receipt{}, &Error{Class: Later, Op: opStatus, HTTPStatus: a.status, Err: err}
	}
	return r, nil
}

// unusedReference is well-formed, and no message's: Telesign's begin with a time.
const unusedReference = "00000000000000000000000000000000"

// Ping asks for the status of a message that doesn't exist: a request that costs
// nothing and shows whether the account's credentials are taken. It returns what
// Telesign said, which is nil for the answer that it doesn't know the message
// (-10004), and the Date of the answer; the zero time when there was none.
func (c *Client) Ping(ctx context.Context) (time.Time, *Error) {
	a, err := c.exchange(ctx, http.MethodGet, c.url.JoinPath(unusedReference), nil, maxAnswer)
	switch {
	case err != nil:
		return time.Time{}, &Error{Class: Later, Op: opStatus, Err: err}
	case a.code == CodeReferenceExpired:
		return a.date, nil
	}
	return a.date, judgeQuery(opStatus, a)
}

// pathSafe reports whether a name can stand in a path as it is.
func pathSafe(name string) bool {
	return name != "" && strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == ""
}
