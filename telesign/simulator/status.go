package simulator

import (
	"cmp"
	"fmt"
	"net/http"
	"time"

	"github.com/handout-dev/handout/telesign"
)

// referenceLife is how long the status of a message can be asked for, in real time,
// as documented; then the answer is 404/-10004.
const referenceLife = 12 * time.Hour

// statusAnswer is the body of a status query's answer, with the places of the
// vendor's sample (reference: getmessagingstatus): price and currency at the
// top, against its own schema.
type statusAnswer struct {
	Status         statusBody           `json:"status"`
	ReferenceID    string               `json:"reference_id"`
	ExternalID     *string              `json:"external_id"`
	Currency       string               `json:"currency"`
	Price          string               `json:"price"`
	AdditionalInfo additionalInfo       `json:"additional_info"`
	Channels       []map[string]legBody `json:"channel_status"`
}

type additionalInfo struct {
	MCC string `json:"mcc"`
	MNC string `json:"mnc"`
}

// statusRefusal is the body when there is nothing to say.
type statusRefusal struct {
	Status sendStatus `json:"status"`
}

// status is GET /v1/omnichannel/{reference_id}. It knows the truth of a story
// at once, also when its callbacks come late, doubled or never.
func (s *Simulator) status(w http.ResponseWriter, r *http.Request) {
	ref := r.PathValue("reference")
	if why := s.guard.check(r, nil, time.Now()); why != "" {
		s.refuseStatus(w, http.StatusUnauthorized, telesign.CodeNotAuthorized, "", why)
		return
	}
	if s.stopping.Err() != nil {
		s.refuseStatus(w, http.StatusServiceUnavailable, codePollUnavailable, "", "the simulator is closed")
		return
	}
	if !s.o.Polling {
		s.refuseStatus(w, http.StatusUnauthorized, telesign.CodeProductDisabled, "", "the status query isn't enabled")
		return
	}
	if !s.tally.poll(time.Since(s.start), s.o.Rate) {
		s.refuseStatus(w, http.StatusTooManyRequests, telesign.CodeRateLimited, "", "more requests in a second than the account has")
		return
	}
	if !wellFormed(ref) {
		s.refuseStatus(w, http.StatusBadRequest, codeBadReference, ref, "a reference is 32 hexadecimal digits")
		return
	}
	n, known := s.refs.number(ref)
	var e entry
	if known {
		e, known = s.journal.get(n)
	}
	if !known || time.Since(e.accepted) > referenceLife || storyAt(e.story).script.unpollable {
		// The vendor has one answer for old and for unknown.
		s.refuseStatus(w, http.StatusNotFound, telesign.CodeReferenceExpired, "", "the reference is unknown or expired")
		return
	}
	p := s.plan(e.story, e.cascade, jitterOf(cmp.Or(e.phone, e.email)))
	m, begun := p.moments[0], e.accepted
	if !e.begun.IsZero() {
		begun = e.begun
		m = p.at(s.simulated(time.Since(begun)))
	}
	s.tally.polled("200/" + fmt.Sprint(int(m.code)))
	writeJSON(w, http.StatusOK, statusAnswer{
		Status: statusBody{
			Code: m.code, Description: m.code.Text(), LastChannel: m.last,
			UpdatedOn: documentedStamp.format(begun.Add(s.scaled(m.at))),
		},
		ReferenceID:    s.refs.of(n),
		ExternalID:     e.externalID,
		Currency:       "USD",
		Price:          "0.0050",
		AdditionalInfo: additionalInfo{MCC: "310", MNC: "012"},
		Channels:       s.channelStatus(n, m, begun, documentedStamp),
	})
}

func (s *Simulator) refuseStatus(w http.ResponseWriter, status int, code telesign.Code, value, why string) {
	s.tally.polled(fmt.Sprintf("%d/%d", status, code))
	s.log.Debug("status query refused", "http", status, "code", int(code), "why", why)
	w.Header().Set("X-Simulator-Reason", why)
	text := describe(code, value)
	if code == codePollUnavailable {
		text = "System unavailable" // here alone; elsewhere it is a carrier's code
	}
	writeJSON(w, status, statusRefusal{sendStatus{code, text}})
}
