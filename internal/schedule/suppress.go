package schedule

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/phone"
	"github.com/handout-dev/handout/internal/suppression"
)

// suppresses reports whether the list's numbers go on the suppression list, instead of
// into a campaign.
func (s *Schedule) suppresses() bool { return s.Suppress != "" }

// suppress puts the numbers of a tick's list on the suppression list, as of the tick's
// period. The list is read to its end and judged before any of its numbers is on the
// list. If the process dies in between, some are, and the tick is begun again: the same
// file adds the others.
func (r *Runner) suppress(ctx context.Context, s *Schedule, t *Tick, last int) opened {
	normalize, err := phone.Normalizer(s.Region)
	if err != nil {
		return opened{err: &refusal{refusedCampaign, err.Error()}}
	}
	in := r.lists.open(ctx, s, t.Period)
	defer in.close()
	entry := suppression.Entry{At: t.Period.Time(), Why: suppression.WhyDeactivated, By: "schedule " + s.Name}
	rows, bad := 0, 0
	read := func(take func([]suppression.Number) error) error {
		var first *refusal
		reader := &suppression.Reader{Normalize: normalize, Column: s.Column, Entry: entry, Bad: func(line int, reason string) {
			if first == nil {
				first = &refusal{refusedRows, fmt.Sprintf("%s:%d: %s", in.name, line, reason)}
			}
		}}
		err := reader.Each(ctx, in, take)
		rows, bad = reader.Rows, reader.BadRows
		switch {
		case err != nil:
			return refuseFile(in, err)
		case bad > 0 && !s.SetAside:
			return first
		}
		return judgeSize(rows-bad, last, s.MaxDrift)
	}
	if err := read(func([]suppression.Number) error { return nil }); err != nil {
		return opened{err: err}
	}
	if _, err := in.Seek(0, io.SeekStart); err != nil {
		return opened{err: err}
	}
	added := 0
	err = read(func(numbers []suppression.Number) error {
		n, err := r.suppressions.AddAll(ctx, numbers)
		added += n
		return err
	})
	note := fmt.Sprintf("%s, %s of them new on the suppression list", campaign.Count(rows-bad, "number"), campaign.Number(added))
	if bad > 0 {
		note += "; " + campaign.Count(bad, "bad row") + " set aside"
	}
	return opened{numbers: rows - bad, note: note, err: err}
}

// refuseFile returns a refusal for an error that is the file's fault, and any other error
// as it is.
func refuseFile(in *reader, err error) error {
	var file *suppression.FileError
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), !errors.As(err, &file):
		return err
	case file.Read != nil:
		return &refusal{refusedSource, fmt.Sprintf("read %s: %v", in.name, file.Read)}
	case in.bytes == 0:
		return &refusal{refusedEmpty, "the list has no numbers"}
	}
	return &refusal{refusedRows, fmt.Sprintf("%s:%d: %s", in.name, file.Line, file.Text)}
}
