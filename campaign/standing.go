package campaign

import "time"

// MessageColumn is the column of a standing campaign: the encoded [Spec] of the
// recipient's own message. Recipients of a key have its name as a second value, see
// [Info.OwnerOf].
const MessageColumn = "message"

// StandingID returns the ID of the standing campaign of a day in UTC, as in sends-2026-11-22.
func StandingID(day time.Time) ID { return ID("sends-" + day.UTC().Format(time.DateOnly)) }

// StandingSpec returns the spec of a standing campaign; each recipient has a
// message of their own.
func StandingSpec(id ID) *Spec {
	return &Spec{ID: id, Standing: true, Lane: LaneUrgent, OnDoubt: DoubtHold}
}

// OwnerOf returns the key whose recipient it is; empty: none's.
func (i *Info) OwnerOf(r *Recipient) string {
	if i.Spec.Standing && len(r.Values) == 2 {
		return r.Values[1]
	}
	return i.Owner
}
