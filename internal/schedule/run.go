package schedule

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/audit"
	"github.com/handout-dev/handout/internal/phone"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/producer"
)

const (
	// leaseTime is after how long another scheduler takes a killed one's tick over;
	// leaseKeep is how often a living one renews its lease.
	leaseTime = 15 * time.Second
	leaseKeep = 4 * time.Second
	// maxAttempts is how often a tick is begun, after schedulers that died or
	// couldn't reach Redis.
	maxAttempts = 10
	// recordTime bounds how long recording takes while the process stops.
	recordTime = 4 * time.Second
)

// Hand is a run that a person asks for.
type Hand struct {
	By          string
	Why         string
	AcceptDrift bool // accept a list of another size
	Beside      bool // run beside a predecessor
}

// ErrBusy means that another scheduler runs the tick.
var ErrBusy = errors.New("another scheduler runs this tick")

// OverlapError means that a tick's predecessor isn't done.
type OverlapError struct{ before string }

// Error names the predecessor.
func (e *OverlapError) Error() string { return e.before + " isn't done" }

var errLeaseLost = errors.New("another scheduler has taken the tick over")

// perform runs a waiting tick; with hand, one in any state that hasn't sent.
func (r *Runner) perform(ctx context.Context, s *Schedule, p Period, hand *Hand) (*Tick, error) {
	token := fmt.Sprintf("%s-%d", r.name, r.leases.Add(1))
	mine, err := r.store.lease(ctx, s.Name, p, token, leaseTime)
	if err != nil {
		return nil, err
	}
	if !mine {
		return nil, ErrBusy
	}
	defer func() {
		// If this fails, the lease runs out by itself.
		_, _ = r.store.lease(context.WithoutCancel(ctx), s.Name, p, token, 0)
	}()
	ctx, stop := r.keep(ctx, s, p, token)
	defer stop()
	t, err := r.claim(ctx, s, p, token, hand)
	if err != nil || t.State != Running || t.Campaign != "" {
		return t, err
	}
	r.log.Info("tick runs", "schedule", s.Name, "period", p, "attempt", t.Attempt)
	r.finish(ctx, s, t, r.open(ctx, s, t, hand))
	// The result is recorded also while the process stops.
	record, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTime)
	defer cancel()
	if errors.Is(context.Cause(ctx), errLeaseLost) {
		return t, errLeaseLost
	}
	return t, r.put(record, s, t)
}

// keep renews a lease until stop is called; when it is lost, ctx is done.
func (r *Runner) keep(ctx context.Context, s *Schedule, p Period, token string) (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	var renewing sync.WaitGroup
	renewing.Go(func() {
		for until := time.Now().Add(leaseTime); ; {
			select {
			case <-ctx.Done():
				return
			case <-time.After(leaseKeep):
			}
			mine, err := r.store.lease(ctx, s.Name, p, token, leaseTime)
			switch {
			case err == nil && mine:
				until = time.Now().Add(leaseTime)
			case err == nil || time.Now().After(until):
				cancel(errLeaseLost)
			}
		}
	})
	return ctx, func() { cancel(nil); renewing.Wait() }
}

// claim makes a tick Running, with the lease's token. If it returns another state,
// there is nothing to do.
func (r *Runner) claim(ctx context.Context, s *Schedule, p Period, token string, hand *Hand) (*Tick, error) {
	ticks, err := r.store.Ticks(ctx, s.Name)
	if err != nil {
		return nil, err
	}
	states := map[Period]State{}
	var t *Tick
	for _, other := range ticks {
		if states[other.Period] = other.State; other.Period == p {
			t = other
		}
	}
	switch {
	case t == nil && hand == nil:
		return &Tick{Period: p, State: Missed}, nil // it has been trimmed since
	case t == nil:
		t = &Tick{Period: p, Attempt: 1}
	case t.State == Waiting:
	case hand == nil || t.State == Done || t.State == Running && t.Campaign != "":
		return t, nil
	default: // refused, missed, skipped, or running in a process that has died
		t.Attempt++
	}
	if hand == nil || !hand.Beside {
		move, before := decide(p, states, s.Overlap)
		if move != moveRun && hand != nil {
			return nil, &OverlapError{s.Key(before)}
		}
		if move == moveSkip {
			t.State, t.Reason, t.At = Skipped, s.Key(before)+" isn't done", time.Now().UTC()
		}
		if move != moveRun {
			return t, r.put(ctx, s, t)
		}
	}
	*t = Tick{Period: p, State: Running, Attempt: t.Attempt, Owner: token, At: time.Now().UTC(), By: t.By, Note: t.Note, raw: t.raw}
	if hand != nil {
		t.By = hand.By
	}
	return t, r.store.put(ctx, s.Name, t, 0)
}

// opened is the result of opening a tick's campaign.
type opened struct {
	info    *campaign.Info
	numbers int // that went on the suppression list, instead of a campaign
	note    string
	err     error
}

// open opens the campaign of a tick. It is written into the audit trail first, and once
// more if it wasn't done: a process that dies in between has begun it, and who takes the
// tick over writes that it begins.
func (r *Runner) open(ctx context.Context, s *Schedule, t *Tick, hand *Hand) opened {
	e := audit.Of(ctx, "run a schedule", "schedule "+s.Name+", campaign "+string(s.ID(t.Period)), "", "")
	if hand != nil {
		e.As, e.Why = audit.Hide(hand.By), audit.Hide(hand.Why)
	} else {
		e.Who, e.Via = "schedule "+s.Name, "program"
	}
	if err := r.audit.Write(ctx, e); err != nil {
		return opened{err: err}
	}
	o := r.begin(ctx, s, t, hand)
	if o.err != nil {
		var refusal *refusal
		e.Result, e.Why = audit.Failed, audit.Hide(o.err.Error())
		if errors.As(o.err, &refusal) {
			e.Result = audit.Refused
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if err := r.audit.Write(ctx, e); err != nil {
			r.log.Warn("a tick's end isn't in the audit trail", "schedule", s.Name, "error", err)
		}
	}
	return o
}

// begin does what a tick is for.
func (r *Runner) begin(ctx context.Context, s *Schedule, t *Tick, hand *Hand) opened {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(s.Timeout))
	defer cancel()
	if len(s.Export) > 0 {
		id, err := r.lists.export(ctx, s, t.Period)
		if err != nil {
			return opened{err: err}
		}
		info, err := r.ledger.Info(ctx, id)
		if errors.Is(err, ledger.ErrNotFound) || err == nil && info.Phase == campaign.Draft {
			err = &refusal{refusedExport, "the export names a campaign that isn't there: " + string(id)}
		}
		return opened{info: info, err: err}
	}
	last, err := r.store.size(ctx, s.Name)
	if err != nil {
		return opened{err: err}
	}
	if hand != nil && hand.AcceptDrift {
		last = 0
	}
	if s.suppresses() {
		return r.suppress(ctx, s, t, last)
	}
	file, err := s.campaign(t.Period)
	if err != nil {
		return opened{err: &refusal{refusedCampaign, firstFault(err)}}
	}
	most := s.MaxDrift
	actor := campaign.Actor{Name: "schedule " + s.Name, Why: "period " + string(t.Period)}
	if hand != nil {
		actor = campaign.Actor{Name: hand.By, Why: hand.Why}
	}
	in := r.lists.open(ctx, s, t.Period)
	defer in.close()
	list, err := in.list()
	if err != nil {
		return r.standing(ctx, s, t, refuse(err, in.bytes))
	}
	result, err := r.producer.Submit(ctx, file, list, producer.SubmitOptions{
		Region: s.Region, SetAsideBadRows: s.SetAside, Begin: campaign.Beginning{By: actor, Hold: s.Hold},
		Gate: func(sum producer.Summary) error { return judgeSize(sum.Recipients, last, most) },
	})
	if err != nil {
		return r.standing(ctx, s, t, refuse(err, in.bytes))
	}
	o := opened{info: result.Info}
	if bad := result.Summary.BadRows; bad > 0 {
		o.note = campaign.Count(bad, "bad row") + " set aside"
	}
	return o
}

// standing returns the campaign that an earlier run of the tick opened, if there is
// one: a rerun that is refused doesn't undo it.
func (r *Runner) standing(ctx context.Context, s *Schedule, t *Tick, err error) opened {
	var refusal *refusal
	if !errors.As(err, &refusal) {
		return opened{err: err}
	}
	info, found := r.ledger.Info(context.WithoutCancel(ctx), s.ID(t.Period))
	if found != nil || info.Phase == campaign.Draft {
		if found != nil && !errors.Is(found, ledger.ErrNotFound) {
			err = found
		}
		return opened{err: err}
	}
	return opened{info: info, note: "the campaign was there already, and stays as it is; read again: " + refusal.Reason}
}

// refuse returns a refusal for an error that is the list's fault, and any other error
// as it is.
func refuse(err error, bytes int64) error {
	var faults *producer.Faults
	var read *producer.ReadError
	var gate *producer.GateError
	var other *producer.OtherContentError
	switch {
	case errors.As(err, &gate):
		return gate.Err
	case errors.As(err, &other):
		return &refusal{refusedRows, "the list, or the campaign file, has other content"}
	case errors.Is(err, producer.ErrEmptyList), errors.As(err, &faults) && bytes == 0:
		return &refusal{refusedEmpty, "the list has no recipients"}
	case errors.As(err, &faults):
		return &refusal{refusedRows, firstFault(err)}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &read):
		return &refusal{refusedSource, read.Error()}
	case errors.Is(err, producer.ErrUnknownFormat):
		return &refusal{refusedSource, "the list's format is unknown: say format: csv or ndjson"}
	case errors.Is(err, phone.ErrUnknownRegion):
		return &refusal{refusedCampaign, err.Error()}
	}
	return err
}

func firstFault(err error) string {
	var faults *producer.Faults
	if !errors.As(err, &faults) || len(faults.List) == 0 {
		return err.Error()
	}
	if faults.Total == 1 {
		return faults.List[0].String()
	}
	return fmt.Sprintf("%s, the first: %s", campaign.Count(faults.Total, "fault"), faults.List[0].String())
}

// finish writes the result of opening its campaign into a tick.
func (r *Runner) finish(ctx context.Context, s *Schedule, t *Tick, o opened) {
	t.At, t.Owner = time.Now().UTC(), ""
	var refusal *refusal
	kind := refusedSource
	if len(s.Export) > 0 {
		kind = refusedExport
	}
	switch {
	case o.err == nil:
		if s.suppresses() {
			t.State, t.Total = Done, o.numbers
		} else {
			t.Campaign, t.Total = o.info.ID, o.info.Total
		}
		if t.Note != "" && o.note != "" {
			t.Note += "; "
		}
		t.Note += o.note
	case ctx.Err() != nil: // before a deadline's error: the process stops
		t.State, t.Reason = Waiting, "interrupted, and begun again soon"
	case errors.Is(o.err, context.DeadlineExceeded):
		t.State, t.Kind, t.Reason = Refused, kind, "not done within "+campaign.FormatDuration(time.Duration(s.Timeout))
	case errors.As(o.err, &refusal):
		t.State, t.Kind, t.Reason = Refused, refusal.Kind, refusal.Reason
	case t.Attempt >= maxAttempts:
		t.State, t.Kind, t.Reason = Refused, kind, fmt.Sprintf("tried %d times: %v", t.Attempt, o.err)
	default:
		t.Attempt++
		t.State, t.Reason = Waiting, "is tried again: "+o.err.Error()
	}
}
