package campaign

import "time"

// MessageColumn is the one column of a standing campaign: the encoded [Spec] of
// the recipient's own message.
const MessageColumn = "message"

// StandingID is the standing campaign of a day in UTC, as in sends-2026-11-22.
func StandingID(day time.Time) ID { return ID("sends-" + day.UTC().Format(time.DateOnly)) }

// StandingSpec is what a standing campaign is, its recipients' messages aside.
func StandingSpec(id ID) *Spec {
	return &Spec{ID: id, Standing: true, Lane: LaneUrgent, OnDoubt: DoubtHold}
}
