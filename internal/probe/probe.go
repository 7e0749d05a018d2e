// Package probe finds out, before the first send, whether Telesign lets the account in
// and whether its receipts will arrive: by requests that cost nothing and reach no phone.
package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/handout-dev/handout/internal/outbound"
	"github.com/handout-dev/handout/telesign"
)

// Finding is one thing that was looked at.
type Finding struct {
	OK     bool   `json:"ok"`
	Fatal  bool   `json:"fatal"` // unless OK: a promise doesn't hold, or nothing can be sent
	Check  string `json:"check"`
	Found  string `json:"found"`
	Advice string `json:"advice,omitempty"`
}

const (
	// patience bounds each request.
	patience = 10 * time.Second
	// maxClockOffset is how far the vendor's clock may be from this machine's: it
	// refuses signed requests that are too far off, and doesn't say how far.
	maxClockOffset = 5 * time.Second
)

// Telesign asks Telesign for a message that doesn't exist, and for the templates.
func Telesign(ctx context.Context, client *telesign.Client) []Finding {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	before := time.Now()
	date, err := client.Ping(ctx)
	findings := []Finding{account(err)}
	if err != nil && err.HTTPStatus == 0 {
		return findings
	}
	findings = append(findings, clock(date, before, time.Now()))
	if err != nil && err.Account && err.Code != telesign.CodeProductDisabled {
		return findings // the templates would meet the same
	}
	return append(findings, templates(ctx, client))
}

func account(err *telesign.Error) Finding {
	f := Finding{Check: "Telesign"}
	if err == nil {
		f.OK, f.Found = true, "takes the credentials, and answers status queries"
		return f
	}
	f.Found = err.Error()
	switch {
	case err.HTTPStatus == 0:
		f.Fatal, f.Advice = true, "is TELESIGN_URL right, and may this machine reach it?"
	case err.Code == telesign.CodeProductDisabled:
		f.Advice = "status queries, or the whole product, are off: send one message to yourself; if it ends in 3206 too, have Telesign's support switch Messaging on. Without status queries, outcomes come by receipts alone"
	case err.Throttled || err.Code.Kind() == telesign.KindUnavailable || err.HTTPStatus >= 500:
		f.Advice = "ask again in a moment"
	case err.Account:
		f.Fatal, f.Advice = true, "compare TELESIGN_CUSTOMER_ID, TELESIGN_API_KEY and TELESIGN_URL with Telesign's portal; docs/telesign.md has the codes. With HANDOUT_TELESIGN_AUTH=digest a wrong clock is refused, too"
	case err.Code == 0:
		f.Fatal, f.Advice = true, "Telesign answers otherwise: is TELESIGN_URL its address?"
	default:
		f.Advice = "docs/telesign.md has Telesign's codes; its support knows what this one means here"
	}
	return f
}

// clock compares an answer's Date, in whole seconds, with the time of the request.
func clock(date, before, after time.Time) Finding {
	f := Finding{Check: "Telesign's clock", Advice: "synchronise this machine's clock with NTP"}
	if date.IsZero() {
		f.Found, f.Advice = "its answer has no Date", "compare this machine's clock yourself"
		return f
	}
	var offset time.Duration
	switch {
	case date.Before(before.Add(-time.Second)):
		offset = date.Sub(before)
	case date.After(after):
		offset = date.Sub(after)
	}
	f.OK, f.Found = offset.Abs() <= maxClockOffset, fmt.Sprintf("within %s of this machine's", time.Second)
	if offset != 0 {
		f.Found = fmt.Sprintf("%s from this machine's", offset.Round(time.Second))
	}
	return f
}

func templates(ctx context.Context, client *telesign.Client) Finding {
	f := Finding{Check: "templates"}
	all, err := client.Templates(ctx)
	var e *telesign.Error
	if errors.As(err, &e) && e.Throttled { // one request a second is taken, of all processes
		select {
		case <-time.After(max(e.RetryAfter, time.Second)):
			all, err = client.Templates(ctx)
		case <-ctx.Done():
		}
	}
	if err != nil {
		f.Found, f.Advice = err.Error(), "templates can't be checked before they are sent: send to yourself first. With 3818, Telesign's support switches the list on"
		return f
	}
	approved := 0
	for _, t := range all {
		if t.Approved() {
			approved++
		}
	}
	f.OK, f.Found = true, fmt.Sprintf("%d listed, %d approved; see handout template list", len(all), approved)
	return f
}

// body is a receipt of a message that isn't ours: a listener takes it, and keeps
// nothing of it.
const body = `{"external_id":"handout doctor","status":{"code":3001,"description":"a question of handout doctor"}}`

// Callback asks whether a listener of the account's takes receipts at an address: one
// without a signature is to be refused, one with it taken. What is seen from this
// machine isn't all that Telesign sees.
func Callback(ctx context.Context, route *outbound.Route, address, customerID string, key []byte) Finding {
	f := Finding{Check: "callback URL", Fatal: true}
	client := outbound.New(outbound.Options{Private: true, HTTP: true, Header: patience, Route: route})
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	unsigned, err := post(ctx, client, address, nil)
	if err != nil {
		f.Found = "can't be reached from this machine: " + err.Error()
		f.Advice = "its name, its certificate, and port 443 are to be reached from the internet; docs/telesign.md, \"The callback URL\""
		return f
	}
	signature := telesign.Sign(key, []byte(body))
	signed, err := post(ctx, client, address, http.Header{
		"Authorization": {"TSA " + customerID + ":" + signature}, "X-Ts-Authorization": {signature},
	})
	refuses := unsigned == http.StatusUnauthorized || unsigned == http.StatusForbidden
	switch {
	case err != nil:
		f.Found, f.Advice = "doesn't answer a signed receipt: "+err.Error(), "is handout listen running, and Redis with it?"
	case signed == http.StatusOK && refuses:
		f.OK, f.Found = true, "takes signed receipts, and refuses unsigned ones; seen from this machine"
	case signed == http.StatusOK && unsigned == http.StatusOK:
		f.Fatal, f.Found, f.Advice = false, "takes receipts without a signature", "set HANDOUT_REQUIRE_SIGNATURE=true, unless something else than handout listen answers there"
	case signed == http.StatusUnauthorized || signed == http.StatusForbidden:
		f.Found = fmt.Sprintf("refuses a receipt that is signed with this key: HTTP %d", signed)
		f.Advice = "has handout listen the same TELESIGN_CUSTOMER_ID and TELESIGN_API_KEY, and does the proxy pass on the headers and the body as they are?"
	default:
		f.Found = fmt.Sprintf("answers HTTP %d to an unsigned receipt and %d to a signed one", unsigned, signed)
		f.Advice = "let the proxy pass POST /callbacks/telesign to handout listen"
	}
	return f
}

// post returns the status of an answer.
func post(ctx context.Context, client *http.Client, address string, header http.Header) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader([]byte(body)))
	if err != nil {
		return 0, errors.New("it isn't a URL")
	}
	if header != nil {
		req.Header = header
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err // without the address, which may have a password
		}
		return 0, err
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10) // so that the connection serves for the next
	return resp.StatusCode, nil
}
