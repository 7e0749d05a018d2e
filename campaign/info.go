package campaign

import (
	"errors"
	"fmt"
	"time"
)

// ErrNotRunning means that the campaign isn't running, and no recipient of it may
// be claimed.
var ErrNotRunning = errors.New("the campaign isn't running")

// ErrCanceled means that the campaign was canceled, which is for good.
var ErrCanceled = errors.New("the campaign was canceled")

// Resendable returns why the campaign's recipients can't be sent to again
// ([ErrCanceled], *PurgedError), nil if they can.
func (i *Info) Resendable() error {
	if i.Canceled {
		return fmt.Errorf("campaign %s: %w", i.ID, ErrCanceled)
	}
	return i.Gone()
}

// Phases returns all phases, in the order of a campaign's life.
func Phases() []Phase { return []Phase{Draft, Running, Paused, Held, Ended, Settling, Done} }

// Phase is the state of a whole campaign.
type Phase string

// The phases. A person pauses, the machine holds (with a reason); a campaign
// settles when everyone has been sent to and outcomes are still to come, and is
// done when the machine has nothing left to do.
const (
	Draft    Phase = "draft"
	Running  Phase = "running"
	Paused   Phase = "paused"
	Held     Phase = "held"
	Ended    Phase = "canceled"
	Settling Phase = "settling"
	Done     Phase = "done"
)

// Info is what a campaign is. All but Phase, Reason, Cursor and the times never
// changes once the campaign stands.
type Info struct {
	ID ID
	// Salt is random and the campaign's from its birth: another installation's
	// campaign of this ID, or one before a purge or a restore, has another.
	Salt    string
	Spec    *Spec
	Columns []string // of the list, without recipient and phone
	Owner   string   // the key whose campaign it is; empty: none's
	Digest  string   // of the content: two submits with the same are the same
	Total   int      // recipients
	Pages   int
	LeftOut LeftOut // of the list
	// Zones are the zones with the people in each: one, unless the list is in
	// pages by zone. Partial is the size of each page of such a list that isn't full.
	Zones   []ZoneCount
	Partial map[int]int

	Phase      Phase
	Canceled   bool   // for good, whatever the phase
	Reason     string // why it is paused, held or canceled
	Cursor     int    // so many recipients have been handed to the queue, of each zone the first
	CreatedAt  time.Time
	StartedAt  time.Time // when it first ran
	FinishedAt time.Time // when it was done
	StartAt    time.Time // paused until then; zero: until a person resumes it
	Canary     string    // [CanaryPassed], [CanaryFailed], or empty: not decided
	PurgedAt   time.Time // when its people's data began to go; see [Info.Gone]
	EmptiedAt  time.Time // when all of it was gone
}

// Attempt is the attempt of this number at the recipient at p.
func (i *Info) Attempt(p Place, number int) Attempt { return Attempt{i.ID, i.Salt, p, number} }

// ExternalID is that of an attempt at a recipient, see [Attempt.ExternalID].
func (i *Info) ExternalID(p Place, attempt int) string { return i.Attempt(p, attempt).ExternalID() }

// ErrReplaced means that the campaign is gone: after a restore of Redis there is none
// of its ID, or another one.
var ErrReplaced = errors.New("the campaign was replaced by another, or is gone")

// PurgedError means that a campaign was purged: its recipients and their outcomes
// are deleted. It is an [ErrNotRunning] too.
type PurgedError struct {
	ID ID
	At time.Time
}

func (e *PurgedError) Error() string {
	return fmt.Sprintf("campaign %s was purged on %s; its people's data is gone", e.ID, e.At.UTC().Format(time.DateOnly))
}

// Is makes a PurgedError an [ErrPurged] and an [ErrNotRunning].
func (e *PurgedError) Is(target error) bool { return target == ErrPurged || target == ErrNotRunning }

// ErrPurged is every [PurgedError].
var ErrPurged = errors.New("the campaign was purged")

// Gone returns a *PurgedError if the campaign's recipients are deleted, or about
// to be.
func (i *Info) Gone() error {
	if i.PurgedAt.IsZero() {
		return nil
	}
	return &PurgedError{i.ID, i.PurgedAt}
}

// KeysUntil returns until when a standing campaign must be kept, since its keys
// are what makes a repeated one-off send harmless: two days from the beginning of
// its day, and a third for clocks that are wrong. The zero time for any other
// campaign.
func (i *Info) KeysUntil() time.Time {
	day, _, ok := StandingDay(i.ID)
	if !i.Spec.Standing || !ok {
		return time.Time{}
	}
	return day.AddDate(0, 0, 3)
}

// PhaseError means that the phase of a campaign doesn't allow what was asked for.
type PhaseError struct {
	ID    ID
	Phase Phase
	Verb  string
}

func (e *PhaseError) Error() string {
	return fmt.Sprintf("campaign %s is %s and can't be %s", e.ID, e.Phase, e.Verb)
}
