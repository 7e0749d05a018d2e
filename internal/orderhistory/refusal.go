package orderhistory

import (
	"errors"
	"fmt"
)

// Reason is why a run was refused, in one word.
type Reason string

// The reasons.
const (
	Empty      Reason = "empty"      // no customer to send to
	Drift      Reason = "drift"      // far more or less than last time
	BadRows    Reason = "bad_rows"   // too many customers set aside
	Query      Reason = "query"      // the database gave an error, maybe half-way
	Incomplete Reason = "incomplete" // a file lacks orders that the plan knows of
	Upload     Reason = "upload"     // the store didn't take a file
	Check      Reason = "check"      // what can be fetched isn't what was written
	Campaign   Reason = "campaign"   // the campaign file doesn't fit the list
)

// Reasons are all of them.
func Reasons() []Reason {
	return []Reason{Empty, Drift, BadRows, Query, Incomplete, Upload, Check, Campaign}
}

// Refusal is a run that was refused before anything was sent.
type Refusal struct {
	Reason Reason
	Err    error // why, in a line, without a number, a name or a link
}

// Error is the reason and why.
func (r *Refusal) Error() string { return "refused, nothing was sent: " + r.Err.Error() }

// Unwrap is the error behind it.
func (r *Refusal) Unwrap() error { return r.Err }

func refuse(reason Reason, format string, args ...any) error {
	return &Refusal{reason, fmt.Errorf(format, args...)}
}

// content says whether it's what the export holds that is wrong: then the next
// run plans anew, from what the shop's database says by then. Otherwise it goes
// on where this one was.
func (r *Refusal) content() bool {
	switch r.Reason {
	case Empty, Drift, BadRows, Incomplete, Campaign:
		return true
	}
	return errors.Is(r.Err, errNotTogether)
}
