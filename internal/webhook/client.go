package webhook

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/handout-dev/handout/internal/outbound"
	"github.com/handout-dev/handout/internal/webhook/outbox"
)

const (
	// postTime bounds a delivery from the look-up of the name to the answer's end.
	postTime = 10 * time.Second
	// maxAnswer is how much of an answer is read, in bytes, to use its connection
	// again; what it says doesn't matter.
	maxAnswer = 64 << 10
)

// Client makes deliveries. It is safe for concurrent use.
type Client struct {
	http    *http.Client
	private bool
	route   *outbound.Route
}

// NewClient returns a client; private allows private addresses and http.
func NewClient(private bool, route *outbound.Route) *Client {
	c := outbound.New(outbound.Options{Private: private, HTTP: private, Header: postTime, Route: route})
	c.Timeout = postTime
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{http: c, private: private, route: route}
}

// Close ends idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// answer is the result of a delivery.
type answer struct {
	status int // HTTP; 0: none
	err    error
	took   time.Duration
}

// The results of a delivery, as metrics count them.
const (
	resultTaken       = "taken"       // 2xx
	resultRefused     = "refused"     // another HTTP status
	resultUnreachable = "unreachable" // no answer
	resultGone        = "gone"        // 410: the endpoint wants no more deliveries
)

var results = []string{resultTaken, resultRefused, resultUnreachable, resultGone}

func (a answer) result() string {
	switch {
	case a.status == http.StatusGone:
		return resultGone
	case a.status >= 200 && a.status < 300:
		return resultTaken
	case a.status != 0:
		return resultRefused
	}
	return resultUnreachable
}

// fault returns in words why a delivery failed, without the endpoint's URL.
func (a answer) fault() string {
	switch {
	case a.err != nil:
		return a.err.Error()
	case a.result() != resultTaken:
		return "HTTP " + strconv.Itoa(a.status)
	}
	return ""
}

// post makes one delivery. Once the request is written, only the answer says whether
// it was taken.
func (c *Client) post(ctx context.Context, to *outbox.Endpoint, message string, body []byte) answer {
	started := time.Now()
	status, err := c.do(ctx, to, message, body, started)
	return answer{status, err, time.Since(started)}
}

func (c *Client) do(ctx context.Context, to *outbox.Endpoint, message string, body []byte, now time.Time) (int, error) {
	if err := CheckURL(to.URL, c.private); err != nil { // it was added where more was allowed
		return 0, err
	}
	var signatures []string // one for each secret: a receiver takes any that it knows
	for _, s := range to.Secrets(now) {
		signer, err := standardwebhooks.NewWebhook(s.Reveal())
		if err != nil {
			return 0, errors.New("its secret can't be read") // without the cause, which might show it
		}
		signature, err := signer.Sign(message, now, body)
		if err != nil {
			return 0, errors.New("it can't be signed")
		}
		signatures = append(signatures, signature)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.URL, bytes.NewReader(body))
	if err != nil {
		return 0, ErrBadURL
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "handout")
	req.Header.Set(standardwebhooks.HeaderWebhookID, message)
	req.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	req.Header.Set(standardwebhooks.HeaderWebhookSignature, strings.Join(signatures, " "))
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, outbound.Reason(err)
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, maxAnswer) // the status says it all
	return resp.StatusCode, nil
}

// Test sends an empty event to an endpoint, once, and logs the delivery.
func Test(ctx context.Context, box *outbox.Store, c *Client, to *outbox.Endpoint, now time.Time) (outbox.Delivery, error) {
	message := newMessage()
	a := c.post(ctx, to, message, event{typeTest, now.UTC().Truncate(time.Second), struct{}{}}.encode())
	d := outbox.Delivery{At: now.UTC(), Message: message, Type: typeTest, Status: a.status, Error: a.fault(), TookMS: a.took.Milliseconds(), Attempt: 1}
	return d, box.LogDelivery(ctx, to.ID, d)
}

// reachTime bounds the look whether an address answers.
const reachTime = 3 * time.Second

// ErrPrivate means that a URL leads to an address outside the public internet.
var ErrPrivate = outbound.ErrPrivate

// Reach connects to the server of an endpoint's URL, and sends nothing. The error is
// [ErrPrivate], or says why there is no connection now.
func (c *Client) Reach(ctx context.Context, address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return ErrBadURL
	}
	port := cmp.Or(u.Port(), map[string]string{"http": "80"}[u.Scheme], "443")
	ctx, cancel := context.WithTimeout(ctx, reachTime)
	defer cancel()
	conn, err := outbound.Transport(outbound.Options{Private: c.private, Route: c.route}).DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return outbound.Reason(err)
	}
	return conn.Close()
}
