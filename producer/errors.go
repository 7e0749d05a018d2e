package producer

import (
	"errors"
	"fmt"

	"github.com/handout-dev/handout/campaign"
)

var (
	// ErrEmptyList means that the list has no rows, or only bad ones that were set
	// aside.
	ErrEmptyList = errors.New("the list has no recipients")

	// ErrUnknownFormat means that a list's format was neither given nor is known by
	// the ending of its name.
	ErrUnknownFormat = errors.New("the list's name must end in .csv, .tsv, .txt, .xlsx, .ndjson or .jsonl, or in one of these and .gz or .zst")

	// ErrNotRereadable means that a list had to be read a second time, but comes
	// from a reader that can't seek. Submit again with a fresh one.
	ErrNotRereadable = errors.New("the list can't be read a second time")
)

// OtherContentError means that a campaign with this ID stands already and has
// another content: other recipients, or another campaign file. It was refused
// and nothing has changed.
type OtherContentError struct {
	Info *campaign.Info // the campaign that stands
}

// Error names the campaign.
func (e *OtherContentError) Error() string {
	return fmt.Sprintf("campaign %s already stands with other content: choose another id", e.Info.ID)
}

// ReadError means that a list couldn't be read to its end.
type ReadError struct {
	List string
	Err  error
}

// Error names the list and the cause.
func (e *ReadError) Error() string {
	if e.List == "" {
		return "read the list: " + e.Err.Error()
	}
	return fmt.Sprintf("read %s: %v", e.List, e.Err)
}

// Unwrap is the cause.
func (e *ReadError) Unwrap() error { return e.Err }

// GateError means that the caller's own gate refused the list; see
// [SubmitOptions]. Nothing was kept.
type GateError struct{ Err error }

// Error is the gate's own.
func (e *GateError) Error() string { return e.Err.Error() }

// Unwrap is what the gate said.
func (e *GateError) Unwrap() error { return e.Err }
