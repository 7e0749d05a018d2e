package operations

import (
	"context"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/listfile"
	"github.com/handout-dev/handout/internal/phone"
	"github.com/handout-dev/handout/internal/suppression"
	"github.com/handout-dev/handout/internal/web/access"
	"github.com/handout-dev/handout/producer"
)

// SuppressedNumber is a phone number on the suppression list.
type SuppressedNumber = suppression.Number

// Suppression is what the suppression list says of a phone number.
type Suppression struct {
	SuppressedNumber // without an entry unless it is listed
	Listed           bool
	// History is all that is known of how it came on the list and off it, the oldest
	// first.
	History []SuppressionEntry
}

// SuppressionEntry is when, why and by whom a number was put on the suppression list,
// or taken off.
type SuppressionEntry = suppression.Entry

// Suppression reads what the suppression list says of a phone number, which may be
// written as people do. Errors: Refused for what is no phone number.
func (o *Operations) Suppression(ctx context.Context, number string) (*Suppression, error) {
	normalize := func(s string) (string, error) { return phone.Normalize(s, o.o.Region) }
	e164, refused := suppression.Normalize(normalize, number)
	if refused != nil {
		// What stands on the list can be looked up and removed, whatever it is.
		if e164 = strings.TrimSpace(number); !suppression.IsPhone(e164) {
			return nil, refuse(Refused, "phone", refused)
		}
	}
	entry, listed, err := o.suppressions.Find(ctx, e164)
	if err != nil && !listed {
		return nil, err
	}
	history, err := o.suppressions.History(ctx, e164)
	if err != nil {
		return nil, err
	}
	if refused != nil && !listed && len(history) == 0 {
		return nil, refuse(Refused, "phone", refused)
	}
	return &Suppression{SuppressedNumber{Phone: e164, Entry: entry}, listed, history}, nil
}

// Seen reports whether a number's entry still is the one that a person was shown: the
// one made at this time. The error is Stale.
func (s *Suppression) Seen(at time.Time) error {
	if !s.Listed || s.At.Equal(at) {
		return nil
	}
	return refusef(Stale, "", "the number was put on the list anew in the meantime, at %s: %s; nothing was done, look again",
		s.At.Format(time.RFC3339), s.Reason())
}

// Suppress puts a number on the suppression list: nothing is sent to it any more. It
// returns what the list then says, and whether the number is new there; the first
// entry stays. Errors: Refused for a name or a reason that is too long.
func (o *Operations) Suppress(ctx context.Context, s *Suppression, by campaign.Actor) (*Suppression, bool, error) {
	entry, err := byHand(suppression.WhyHand, by)
	if err != nil {
		return nil, false, err
	}
	added := false
	err = o.traced(ctx, "suppress", phone.Mask(s.Phone), by, func() error {
		added, err = o.suppressions.Add(ctx, s.Phone, entry)
		return err
	})
	if err != nil {
		return nil, false, err
	}
	if !added {
		stands, err := o.Suppression(ctx, s.Phone)
		if err != nil || stands.Listed { // else it was taken off just now
			return stands, false, err
		}
	}
	return &Suppression{SuppressedNumber{Phone: s.Phone, Entry: entry}, true, append(s.History, entry)}, added, nil
}

func byHand(why suppression.Why, by campaign.Actor) (suppression.Entry, error) {
	entry := suppression.Entry{
		At: now().UTC().Truncate(time.Second), Why: why, By: by.Name, Note: strings.TrimSpace(by.Why),
	}
	err := entry.Check()
	if err == nil {
		return entry, nil
	}
	field := "why"
	if errors.Is(err, suppression.ErrBadBy) {
		field = "by"
	}
	return entry, refuse(Refused, field, err)
}

// UnsuppressRisk says what a person should know before a number is taken off the
// suppression list.
const UnsuppressRisk = "The person may have asked not to be written to, and every campaign may write to them again from now on. " +
	"The number's history keeps why it was on the list."

// Unsuppress takes a number off the suppression list, and reports whether it was
// there. People who were left out because of it stay left out.
// Errors: Refused for a name or a reason that is too long.
func (o *Operations) Unsuppress(ctx context.Context, s *Suppression, by campaign.Actor) (bool, error) {
	entry, err := byHand(suppression.WhyRemoved, by)
	if err != nil {
		return false, err
	}
	if err := everyones(ctx, "a number that is taken off the suppression list may be sent to by all"); err != nil {
		return false, err
	}
	removed := false
	err = o.traced(ctx, "unsuppress", phone.Mask(s.Phone), by, func() error {
		removed, err = o.suppressions.Remove(ctx, s.Phone, entry)
		return err
	})
	return removed, err
}

// CountSuppressed returns how many numbers are on the suppression list.
func (o *Operations) CountSuppressed(ctx context.Context) (int, error) {
	return o.suppressions.Count(ctx)
}

// EachSuppressed calls f with every number on the suppression list, in no order.
func (o *Operations) EachSuppressed(ctx context.Context, f func(SuppressedNumber) error) error {
	return o.traced(ctx, "read all", "suppression list", campaign.Actor{}, func() error { return o.suppressions.Each(ctx, f) })
}

// SuppressedPage returns about so many numbers of the suppression list, in no order,
// and the cursor of the next page. The first cursor is empty, and so is the one after
// the last page. Errors: Refused for a cursor that isn't one.
func (o *Operations) SuppressedPage(ctx context.Context, cursor string, about int) ([]SuppressedNumber, string, error) {
	at, err := strconv.ParseUint(cursor, 10, 64)
	if err != nil && cursor != "" {
		return nil, "", refusef(Refused, "cursor", "the cursor isn't one of a page before; begin anew")
	}
	if caller := access.Caller(ctx); caller != nil && caller.May(access.People) {
		if err := o.traced(ctx, "read", "suppression list", campaign.Actor{}, func() error { return nil }); err != nil {
			return nil, "", err
		}
	}
	for {
		numbers, next, err := o.suppressions.Page(ctx, at, about)
		switch {
		case err != nil:
			return nil, "", err
		case next == 0:
			return numbers, "", nil
		case len(numbers) > 0:
			return numbers, strconv.FormatUint(next, 10), nil
		}
		at = next // a step of the scan may find nothing before its end
	}
}

// Import is a file of phone numbers for the suppression list: CSV with a column phone
// and, optionally, columns why and since. Set either File or Stream.
type Import struct {
	File     io.ReadSeeker               // checked as a whole before any of its numbers is on the list
	Stream   io.Reader                   // can be read only once: its good rows are on the list as they come, also if there are bad ones
	Name     string                      // of the file, for faults; may be empty
	Column   string                      // that of the numbers; empty: phone
	Reason   string                      // deactivated, or empty for one by hand
	By       campaign.Actor              // Why is for rows without a reason of their own
	SetAside bool                        // leave bad rows out; otherwise they are an error
	Progress func(rows int, what string) // called for each batch; may be nil
}

// Imported is what an import came to.
type Imported struct {
	Rows   int              // all of them, bad ones included
	Bad    int              // of the rows
	Faults []producer.Fault // of the first maxFaults bad rows
	Added  int              // numbers that are new on the list
}

const maxFaults = 1000

// Listed is how many numbers were on the list already.
func (i *Imported) Listed() int { return i.Rows - i.Bad - i.Added }

// Partly says what an import that broke off has done.
func (i *Imported) Partly() string {
	return "added before that: " + campaign.Count(i.Added, "number") + "; the same file again adds the others"
}

// ImportSuppressed puts a file's numbers on the suppression list, a batch at a time: if
// the process dies in between, some batches are on the list, and the same file again
// adds the others. Errors: Refused for bad rows that aren't set aside, with the result;
// *producer.Faults for a file without a header; *producer.ReadError.
func (o *Operations) ImportSuppressed(ctx context.Context, in Import) (*Imported, error) {
	why := suppression.WhyHand
	switch in.Reason {
	case "":
	case suppression.WhyDeactivated.String():
		why = suppression.WhyDeactivated
	default:
		return nil, refusef(Refused, "reason", "a reason is deactivated, or none")
	}
	entry, err := byHand(why, in.By)
	if err != nil {
		return nil, err
	}
	normalize, err := phone.Normalizer(o.o.Region)
	if err != nil {
		return nil, err
	}
	var done *Imported
	read := func(file io.Reader, what string, take func([]suppression.Number) error) error {
		done = new(Imported)
		r := &suppression.Reader{Normalize: normalize, Column: in.Column, Entry: entry, Bad: func(line int, reason string) {
			if len(done.Faults) < maxFaults {
				done.Faults = append(done.Faults, producer.Fault{File: in.Name, Line: line, Message: reason})
			}
		}}
		err := r.Each(ctx, file, func(numbers []suppression.Number) error {
			err := take(numbers)
			if in.Progress != nil {
				in.Progress(r.Rows, what)
			}
			return err
		})
		done.Rows, done.Bad = r.Rows, r.BadRows
		return fileError(in.Name, err)
	}
	// A stream isn't looked at before it is read: what has come is on the list at once.
	file := in.Stream
	if in.File != nil {
		check, err := openNumbers(in.File)
		if err == nil {
			err = read(check, "checked", func([]suppression.Number) error { return nil })
			check.Close()
		}
		if err != nil {
			return done, fileError(in.Name, err)
		}
		if done.Bad > 0 && !in.SetAside {
			return done, refusef(Refused, "", "nothing was imported; bad: %s of %s; correct them, or set bad rows aside", campaign.Number(done.Bad), campaign.Count(done.Rows, "row"))
		}
		if _, err := in.File.Seek(0, io.SeekStart); err != nil {
			return done, &producer.ReadError{List: in.Name, Err: err}
		}
		again, err := openNumbers(in.File)
		if err != nil {
			return done, fileError(in.Name, err)
		}
		defer again.Close()
		file = again
	}
	err = o.traced(ctx, "import", "suppression list", in.By, func() error {
		return read(file, "imported", func(numbers []suppression.Number) error {
			n, err := o.suppressions.AddAll(ctx, numbers)
			done.Added += n
			return err
		})
	})
	switch {
	case err != nil && done.Added > 0:
		err = &Error{Kind: KindOf(err), Text: err.Error() + "; " + done.Partly(), Err: err}
	case err == nil && done.Bad > 0 && !in.SetAside:
		err = refusef(Refused, "", "bad: %s of %s; the numbers of all others are on the list, %s of them new", campaign.Number(done.Bad), campaign.Count(done.Rows, "row"), campaign.Number(done.Added))
	}
	return done, err
}

// openNumbers opens a file as those of campaigns' lists: in any usual encoding, also
// compressed.
func openNumbers(file io.Reader) (*listfile.File, error) {
	text, err := listfile.Open(file)
	var wrong listfile.FileError
	switch {
	case errors.As(err, &wrong):
		return nil, &suppression.FileError{Text: wrong.Error()}
	case err != nil:
		return nil, &suppression.FileError{Read: err}
	case text.Kind == listfile.Workbook:
		text.Close()
		return nil, &suppression.FileError{Text: "a workbook: save its sheet as CSV"}
	}
	return text, nil
}

// fileError returns an error of the reader as one of any list's.
func fileError(name string, err error) error {
	var file *suppression.FileError
	switch {
	case !errors.As(err, &file):
		return err
	case file.Read != nil:
		return &producer.ReadError{List: name, Err: file.Read}
	}
	return &producer.Faults{List: []producer.Fault{{File: name, Line: file.Line, Message: file.Text}}, Total: 1}
}
