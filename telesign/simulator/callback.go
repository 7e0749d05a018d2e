package simulator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/handout-dev/handout/telesign"
)

// maxAttempts is how often a callback is tried, and retryWaits how long after
// each failure it is tried again, in simulated time (docs:
// transaction-callback-service, for SMS and SMS Verify; whether Messaging has
// the same isn't documented).
const maxAttempts = 4

var retryWaits = [maxAttempts - 1]time.Duration{5 * time.Second, 10 * time.Second, 15 * time.Second}

// trip is a message on its way: what its callbacks need.
type trip struct {
	n          uint64
	ref        string
	externalID *string
	story      *Story
	plan       *plan
	url        string // the request's own, if it had one
	begun      time.Time
}

// receiptBody is a callback's body, in the order of the vendor's sample (docs:
// messaging-callback-service).
type receiptBody struct {
	ReferenceID string               `json:"reference_id"`
	ExternalID  json.RawMessage      `json:"external_id,omitempty"`
	Status      statusBody           `json:"status"`
	Channels    []map[string]legBody `json:"channel_status"`
}

type statusBody struct {
	Code        telesign.Code `json:"code"`
	Description string        `json:"description"`
	LastChannel string        `json:"last_channel"`
	UpdatedOn   string        `json:"updated_on"`
}

type legBody struct {
	Code        telesign.Code `json:"code"`
	Description string        `json:"description"`
	ReferenceID string        `json:"reference_id,omitempty"`
	UpdatedOn   string        `json:"updated_on"`
}

// callFirst makes a call before the POST's answer, and waits for the first
// attempt.
func (s *Simulator) callFirst(t *trip, i int) {
	done := make(chan struct{})
	s.agenda.add(&errand{due: time.Now(), trip: t, call: i, early: true, attempt: 1, done: done}, s.attempt)
	select {
	case <-done:
	case <-s.stopping.Done():
	}
}

// callNext puts the i-th call after the answer on the agenda. A message's calls
// are made one after the other: the next isn't due before the first attempt at
// the last one is over, so that a listener that answers hears them in order.
func (s *Simulator) callNext(t *trip, i int) {
	if i < len(t.plan.after) {
		s.agenda.add(&errand{due: t.begun.Add(s.scaled(t.plan.after[i].at)), trip: t, call: i, attempt: 1}, s.attempt)
	}
}

// attempt makes one attempt at a callback, and says when the next thing is due.
func (s *Simulator) attempt(e *errand) {
	err := s.post(s.stopping, e)
	if s.stopping.Err() != nil {
		return
	}
	givenUp := err != nil && e.attempt == maxAttempts
	s.tally.callback(err != nil, givenUp)
	if err != nil {
		s.log.Debug("callback failed", "reference", e.trip.ref, "attempt", e.attempt, "err", err)
	}
	if givenUp {
		s.log.Warn("callback given up", "reference", e.trip.ref, "last", !e.early && e.call == len(e.trip.plan.after)-1, "err", err)
	}
	if err != nil && !givenUp {
		wait := s.scaled(retryWaits[e.attempt-1])
		s.agenda.add(&errand{due: time.Now().Add(wait), trip: e.trip, call: e.call, early: e.early, attempt: e.attempt + 1}, s.attempt)
	}
	if e.attempt == 1 && !e.early {
		s.callNext(e.trip, e.call+1)
	}
	if err == nil || givenUp {
		s.agenda.settle()
	}
	if e.done != nil {
		close(e.done)
	}
}

// post makes one attempt.
func (s *Simulator) post(ctx context.Context, e *errand) error {
	url := e.trip.url
	if url == "" {
		url = *s.callbackURL.Load()
	}
	if url == "" {
		return errors.New("no callback URL")
	}
	calls := e.trip.plan.after
	if e.early {
		calls = e.trip.plan.before
	}
	body, err := s.receipt(e.trip, e.trip.plan.moments[calls[e.call].moment])
	if err != nil {
		return err
	}
	return s.call(ctx, url, body)
}

// call sends a signed body. Only an answer of exactly 200, in time, is success.
func (s *Simulator) call(ctx context.Context, url string, body []byte) error {
	header, err := telesign.SignCallback(s.o.CustomerID, s.o.APIKey, body)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.o.CallbackTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.GetBody = nil // one attempt is one request: net/http must not repeat it
	req.Header = header
	req.Header.Set("Content-Type", "application/json")
	resp, err := s.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10) // so that the connection can be used again
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the answer is %d, not 200", resp.StatusCode)
	}
	return nil
}

// receipt is the body of a callback about a moment.
func (s *Simulator) receipt(t *trip, m moment) ([]byte, error) {
	sc := &t.story.script
	body := receiptBody{
		ReferenceID: t.ref,
		Status: statusBody{
			Code: m.code, Description: m.code.Text(), LastChannel: m.last,
			UpdatedOn: sc.stamp.format(t.begun.Add(s.scaled(m.at))),
		},
		Channels: s.channelStatus(t.n, m, t.begun, sc.stamp),
	}
	switch sc.external {
	case null:
		body.ExternalID = json.RawMessage("null")
	case quotedNull:
		body.ExternalID = json.RawMessage(`"null"`)
	case absent:
	default:
		text, err := json.Marshal(t.externalID)
		if err != nil {
			return nil, err
		}
		body.ExternalID = text
	}
	return json.Marshal(body)
}

// channelStatus is one object with a single key for every channel tried. A
// channel in progress has no reference of its own yet.
func (s *Simulator) channelStatus(n uint64, m moment, begun time.Time, as stamp) []map[string]legBody {
	all := make([]map[string]legBody, len(m.legs))
	for i, l := range m.legs {
		leg := legBody{
			Code: l.code, Description: describe(l.code, l.channel),
			UpdatedOn: as.format(begun.Add(s.scaled(l.at))),
		}
		if l.code != telesign.CodeInProgress {
			leg.ReferenceID = s.refs.ofLeg(n, i)
		}
		all[i] = map[string]legBody{l.channel: leg}
	}
	return all
}

// stamp is how a callback writes its timestamps: all of these were seen in the
// vendor's own pages.
type stamp uint8

const (
	documentedStamp stamp = iota
	colonStamp
	zonelessStamp
	httpStamp
	month31Stamp
)

func (k stamp) format(t time.Time) string {
	t = t.UTC()
	switch k {
	case colonStamp:
		return t.Format("2006-01-02 15:04:05") + fmt.Sprintf(":%03d", t.Nanosecond()/1e6)
	case zonelessStamp:
		return t.Format("2006-01-02 15:04:05.000")
	case httpStamp:
		return t.Format(http.TimeFormat)
	case month31Stamp:
		// Day and month swapped, and always a 31st: on a day up to the 12th a
		// reader could take one for the other and notice nothing.
		return fmt.Sprintf("%04d-31-%02d", t.Year(), t.Month()) + t.Format("T15:04:05.000000Z")
	}
	return t.Format("2006-01-02T15:04:05.000000Z")
}
