package schedule

import (
	"context"
	"errors"

	"github.com/handout-dev/handout/producer"
)

// ByHand does a tick that a person asks for, and returns what stands of it. One
// that was sent already is left as it is. Errors: [ErrBusy], [*OverlapError],
// ctx's own and those of Redis; a refusal is in the tick.
func (r *Runner) ByHand(ctx context.Context, s *Schedule, p Period, h Hand) (*Tick, error) {
	return r.perform(ctx, s, p, &h)
}

// DryRun reads the list of a tick, and judges it as a run would; nothing is
// written. Errors: [*Refusal], ctx's own and those of Redis.
func (r *Runner) DryRun(ctx context.Context, s *Schedule, p Period, acceptDrift bool) (*producer.DryRun, error) {
	if len(s.Export) > 0 {
		return nil, errors.New("an export opens its campaign itself: ask it for a dry run of its own")
	}
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	file, err := s.campaign(p)
	if err != nil {
		return nil, &Refusal{RefusedCampaign, firstFault(err)}
	}
	last, err := r.store.Size(ctx, s.Name)
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
		return nil, &Refusal{RefusedRows, firstFault(faults)}
	}
	return d, judgeSize(d.Summary.Recipients, last, s.MaxDrift)
}
