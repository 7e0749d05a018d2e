package schedule

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/handout-dev/handout/producer"
)

// PeriodError means that a schedule has no such tick, and why.
type PeriodError struct{ why string }

// Error says why.
func (e *PeriodError) Error() string { return e.why }

func noTick(format string, args ...any) error { return &PeriodError{fmt.Sprintf(format, args...)} }

// Period returns the tick that a person asks for: the latest one where text is empty,
// else one that the schedule has by now, or had when its clock was another. Errors: [*PeriodError] and those of Redis.
func (r *Runner) Period(ctx context.Context, s *Schedule, text string, now time.Time) (Period, error) {
	if text == "" {
		last := s.Clock.Last(now)
		if last.IsZero() {
			return "", noTick("schedule %s has had no tick yet", s.Name)
		}
		return PeriodOf(last), nil
	}
	p, err := ParsePeriod(s.Name, text)
	if err != nil {
		return "", &PeriodError{err.Error()}
	}
	if p.Time().After(now) {
		return "", noTick("%s is yet to come", p)
	}
	near := s.Clock.nearest(p.Time(), now)
	if near.Equal(p.Time()) {
		return p, nil
	}
	ticks, err := r.store.Ticks(ctx, s.Name)
	if err != nil {
		return "", err
	}
	if slices.ContainsFunc(ticks, func(t *Tick) bool { return t.Period == p }) {
		return p, nil
	}
	if near.IsZero() {
		return "", noTick("%s is no tick of %s, which has had none yet", p, s.Name)
	}
	return "", noTick("%s is no tick of %s; the nearest is %s", p, s.Name, PeriodOf(near))
}

// ByHand runs a tick that a person asks for, and returns it. One that was sent
// already stays as it is. Errors: [ErrBusy], [*OverlapError],
// ctx's own and those of Redis; a refusal is in the tick.
func (r *Runner) ByHand(ctx context.Context, s *Schedule, p Period, h Hand) (*Tick, error) {
	return r.perform(ctx, s, p, &h)
}

// DryRun reads and judges the list of a tick as a run would, and writes nothing.
// Errors: a refusal, ctx's own and those of Redis.
func (r *Runner) DryRun(ctx context.Context, s *Schedule, p Period, acceptDrift bool) (*producer.DryRun, error) {
	if len(s.Export) > 0 {
		return nil, errors.New("an export opens its campaign itself: ask it for a dry run of its own")
	}
	if s.suppresses() {
		return nil, errors.New("it opens no campaign, so it has no dry run: handout suppress import reads and judges a file")
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(s.Timeout))
	defer cancel()
	file, err := s.campaign(p)
	if err != nil {
		return nil, &refusal{refusedCampaign, firstFault(err)}
	}
	last, err := r.store.size(ctx, s.Name)
	if err != nil {
		return nil, err
	}
	if acceptDrift {
		last = 0
	}
	in := r.lists.open(ctx, s, p)
	defer in.close()
	list, err := in.list()
	if err != nil {
		return nil, refuse(err, in.bytes)
	}
	d, err := producer.Check(ctx, file, list, producer.CheckOptions{Region: s.Region, SetAsideBadRows: s.SetAside})
	if err != nil {
		return nil, refuse(err, in.bytes)
	}
	if d.Rejected {
		faults := &producer.Faults{List: d.Summary.Faults, Total: d.Summary.BadRows}
		return nil, &refusal{refusedRows, firstFault(faults)}
	}
	return d, judgeSize(d.Summary.Recipients, last, s.MaxDrift)
}
