package campaign

import "time"

// receipt applies what Telesign says of an attempt by rank, never by order of
// arrival or timestamp: the same receipts in any order, any of them twice, end
// in the same state.
func receipt(r Record, e Event) (Record, error) {
	if e.Attempt == 0 {
		e.Attempt = r.Attempt // found by its reference, which is the latest one's
		if r.Attempt > 0 && e.Reference != "" && e.Reference != r.Reference {
			return r, &TransitionError{r.State, e.Kind, "the reference isn't the latest attempt's"}
		}
	}
	if e.Attempt < 1 {
		return r, &TransitionError{r.State, e.Kind, "no attempt was made"}
	}
	old := e.Attempt < r.Attempt
	if !old && e.Attempt == r.Attempt && r.Reference != "" && e.Reference != "" && r.Reference != e.Reference {
		return r, &TransitionError{r.State, e.Kind, "the reference is another one's"}
	}
	replaced := e.Attempt == r.Attempt && r.replaced()
	if e.Attempt > r.Attempt {
		// Telesign answers for an attempt that the ledger has forgotten, as after
		// a Redis that lost its last second. It was made: believe it.
		claimed := e.At
		if !r.ClaimedAt.IsZero() {
			claimed = r.ClaimedAt
		}
		if r.State != Delivered {
			r = Record{State: Claimed, Reason: ReasonLostClaim, ClaimedAt: claimed}
		}
		r.Attempt, r.Reference = e.Attempt, ""
	}
	if !old && r.Reference == "" {
		r.Reference = e.Reference
	}
	for _, l := range e.Legs {
		l.At = e.At
		l.Leg = l.storable()
		if !old || l.Rank >= RankDelivered { // of an old attempt only a delivery counts
			r.mergeLeg(l)
		}
	}
	if !old || e.Status.Rank >= RankDelivered {
		if r.State == InDoubt || (r.State == Retrying && !replaced) {
			r.Status = Leg{} // the request's own code; from here on the transaction's
		}
		r.Status = r.Status.merge(e.Status)
	}
	switch {
	case r.delivered():
		if r.State != Delivered {
			r.settle(Delivered, NoReason, e.At)
		}
	case old, replaced:
	case e.Final && !r.State.Final(), e.Final && r.State == Unconfirmed:
		r.settle(Failed, ReasonUndelivered, e.At)
	case r.State == Planned, r.State == Claimed, r.State == Retrying, r.State == InDoubt:
		r.State = Accepted
		if r.Reason != ReasonLostClaim {
			r.Reason = NoReason
		}
		r.DueAt = e.DueAt
	}
	return r, nil
}

func (r *Record) settle(to State, why Reason, at time.Time) {
	r.State, r.Reason = to, why
	r.DueAt = time.Time{}
	r.SettledAt = at
}
