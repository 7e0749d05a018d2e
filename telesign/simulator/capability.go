package simulator

import (
	"net/http"
	"time"

	"github.com/handout-dev/handout/telesign"
)

// capability is GET /capability/{channel}/{phone_number}: numbers whose story ends with
// a delivery can take RCS. The answer's form beside its codes isn't documented.
func (s *Simulator) capability(w http.ResponseWriter, r *http.Request) {
	channel, number := r.PathValue("channel"), r.PathValue("number")
	if why := s.guard.check(r, nil, time.Now()); why != "" {
		s.refuseStatus(w, http.StatusUnauthorized, telesign.CodeNotAuthorized, "", why)
		return
	}
	switch story := StoryOf(number); {
	case channel != telesign.ChannelRCS:
		s.refuseStatus(w, http.StatusBadRequest, codeUnknownChannel, channel, "only rcs can be asked for")
	case story.Name == badNumber.Name:
		s.refuseStatus(w, http.StatusBadRequest, codeBadPhone, number, "not a phone number")
	case story.ExpectedState == "delivered":
		writeJSON(w, http.StatusOK, statusRefusal{sendStatus{telesign.CodeCapable, telesign.CodeCapable.Text()}})
	default:
		writeJSON(w, http.StatusOK, statusRefusal{sendStatus{telesign.CodeIncapable, telesign.CodeIncapable.Text()}})
	}
}
