package telesign

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"
)

const (
	// maxAnswer bounds an answer's body, in bytes; a real one has under 2 KB.
	maxAnswer = 64 << 10
	// maxDrain is how much more is read so that the connection can be used
	// again; beyond that a new connection is cheaper.
	maxDrain = 256 << 10
)

var (
	errAnswerTooLarge = errors.New("answer is too large")
	errAnswerUnread   = errors.New("answer is not the documented JSON")
)

// NewTransport returns the transport that a [Client] uses by default.
func NewTransport() *http.Transport {
	t := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:   10 * time.Second,
		ExpectContinueTimeout: time.Second,
		// One host gets everything: with net/http's default of 2, all but two
		// of the sends in flight would open a connection each.
		MaxIdleConns:        256,
		MaxIdleConnsPerHost: 256,
		// Under the 60 s after which servers and balancers commonly hang up: a
		// request that meets a closing connection is one in doubt.
		IdleConnTimeout:    30 * time.Second,
		DisableCompression: true,
		Protocols:          new(http.Protocols),
	}
	// HTTP/1.1 only: there a broken connection puts one message in doubt, with
	// HTTP/2 all that are in flight.
	t.Protocols.SetHTTP1(true)
	return t
}

// outgoing is a request's body that remembers whether it was read. Unless it was,
// or a header was written, nothing can have been sent.
type outgoing struct {
	data    []byte
	reader  bytes.Reader
	touched atomic.Bool // net/http writes from a goroutine of its own
}

func newOutgoing(data []byte) *outgoing {
	o := &outgoing{data: data}
	o.reader.Reset(data)
	return o
}

// Read hands out the body.
func (o *outgoing) Read(p []byte) (int, error) {
	o.touched.Store(true)
	return o.reader.Read(p)
}

// Close does nothing.
func (o *outgoing) Close() error { return nil }

// written reports whether some of the request may have left this machine.
// Bytes may wait in a buffer that was never flushed; that counts as written.
func (o *outgoing) written() bool { return o.touched.Load() }

// trace watches the headers, which go out before the body.
func (o *outgoing) trace(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteHeaders: func() { o.touched.Store(true) },
	})
}

// answer is what came back, as far as it could be read.
type answer struct {
	status      int
	retryAfter  time.Duration
	date        time.Time // of its header Date; zero when there is none
	body        []byte    // complete, or nil
	reference   string
	code        Code // 0 when there is none
	description string
	err         error // why body is no object
}

// ok reports whether the HTTP status is 2xx.
func (a answer) ok() bool { return a.status/100 == 2 }

// exchange makes one request and reads its answer. It goes to the transport
// itself: an http.Client would follow redirects. out is nil for a GET; limit bounds
// the answer's body, in bytes. The error means that there was no answer at all.
func (c *Client) exchange(ctx context.Context, method string, to *url.URL, out *outgoing, limit int64) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()

	h := make(http.Header, 8)
	req := &http.Request{
		Method: method, URL: to, Host: to.Host, Header: h,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	if c.userAgent != nil {
		h["User-Agent"] = c.userAgent
	}
	h["Accept"] = []string{contentType}
	if out == nil {
		c.signer.sign(h, method, "", nil, to.EscapedPath())
		req = req.WithContext(ctx)
	} else {
		h["Content-Type"] = []string{contentType}
		c.signer.sign(h, method, contentType, out.data, to.EscapedPath())
		// GetBody stays nil and no Idempotency-Key is set: either would allow
		// net/http to send the request again by itself.
		req.Body, req.ContentLength = out, int64(len(out.data))
		req = req.WithContext(out.trace(ctx))
	}

	resp, err := c.transport.RoundTrip(req)
	if err != nil {
		if over := ctx.Err(); over != nil && !errors.Is(err, over) {
			err = fmt.Errorf("%w: %w", over, err)
		}
		return answer{}, err
	}
	return readAnswer(resp, limit), nil
}

// readAnswer reads what it can and closes the body.
func readAnswer(resp *http.Response, limit int64) answer {
	defer resp.Body.Close()
	a := answer{status: resp.StatusCode, retryAfter: retryAfter(resp.Header)}
	a.date, _ = http.ParseTime(resp.Header.Get("Date"))
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	switch {
	case err != nil:
		a.err = fmt.Errorf("read answer: %w", err)
		return a
	case int64(len(body)) > limit:
		a.err = errAnswerTooLarge
		io.CopyN(io.Discard, resp.Body, maxDrain) // only for the connection's sake
		return a
	}
	a.body = body
	o, ok := object(body)
	if !ok {
		a.err = errAnswerUnread
		return a
	}
	status := o.Get("status")
	a.reference = NormalizeReference(text(o.Get("reference_id")))
	a.code, a.description = codeOf(status.Get("code")), text(status.Get("description"))
	return a
}

// retryAfter reads Retry-After, in seconds or as a date. Telesign does not
// document it, but a proxy may set it; a day is the longest that makes sense.
func retryAfter(h http.Header) time.Duration {
	const longest = 24 * time.Hour
	value := h.Get("Retry-After")
	if value == "" {
		return 0
	}
	if seconds, ok := integer(value); ok {
		return min(max(time.Duration(seconds), 0), longest/time.Second) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	now, err := http.ParseTime(h.Get("Date")) // their clock, when they show it
	if err != nil {
		now = time.Now()
	}
	return min(max(at.Sub(now), 0), longest)
}
