package pacing

import "time"

// At returns the slot's time.
func (s Slot) At() time.Time { return s.at }

// Shift returns the slot as if it were later by so much.
func (s Slot) Shift(by time.Duration) Slot {
	s.at = s.at.Add(by)
	return s
}
