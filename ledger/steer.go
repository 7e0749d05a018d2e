package ledger

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/handout-dev/handout/campaign"
)

// steering is a change of a campaign's phase.
type steering struct {
	from []campaign.Phase // in which it may be
	// field, if not empty, must have this value too; an empty one: not be there.
	field, value string
	set          []any          // fields and values of meta
	entry        campaign.Entry // for the history; without a verb: none
}

// steer makes the change, and returns the phase that the campaign was in and
// whether it was changed.
func (l *Ledger) steer(ctx context.Context, c campaign.ID, s steering) (was campaign.Phase, changed bool, err error) {
	from := make([]string, len(s.from))
	for i, p := range s.from {
		from[i] = string(p)
	}
	line := ""
	if s.entry.Verb != "" {
		line = s.entry.Encode()
	}
	args := append([]any{strings.Join(from, " "), s.field, s.value, line}, s.set...)
	answer, err := steerScript.Run(ctx, l.rdb, []string{l.keys.meta(c), l.keys.history(c), l.outbox.Key(c)}, args...).Slice()
	if err != nil || len(answer) != 2 {
		return "", false, fmt.Errorf("change campaign %s: %w", c, errors.Join(err, ctx.Err()))
	}
	state, _ := answer[0].(string)
	if state == "" {
		return "", false, fmt.Errorf("campaign %s: %w", c, ErrNotFound)
	}
	return campaign.Phase(state), answer[1] == int64(1), nil
}

// Pause stops new claims at once. Pausing a paused campaign changes nothing,
// except that it no longer starts by itself.
func (l *Ledger) Pause(ctx context.Context, c campaign.ID, a campaign.Actor, now time.Time) error {
	s := steering{
		from: []campaign.Phase{campaign.Running, campaign.Held}, entry: a.Entry(now, "paused", ""),
		set: []any{fieldState, string(campaign.Paused), fieldReason, a.Reason("paused"), fieldStartAt, ""},
	}
	was, changed, err := l.steer(ctx, c, s)
	switch {
	case err != nil || changed:
		return err
	case was != campaign.Paused:
		return &campaign.PhaseError{ID: c, Phase: was, Verb: "paused"}
	}
	start, err := l.startAt(ctx, c)
	if err != nil || start == "" {
		return err
	}
	s.from, s.field, s.value = []campaign.Phase{campaign.Paused}, fieldStartAt, start
	_, _, err = l.steer(ctx, c, s)
	return err
}

// startAt is the time that a campaign waits for, as it is stored.
func (l *Ledger) startAt(ctx context.Context, c campaign.ID) (string, error) {
	v, err := l.rdb.HMGet(ctx, l.keys.meta(c), fieldStartAt).Result()
	if err != nil {
		return "", fmt.Errorf("read campaign %s: %w", c, err)
	}
	start, _ := v[0].(string)
	return start, nil
}

// Hold is a pause by the machine. It changes nothing unless the campaign runs.
func (l *Ledger) Hold(ctx context.Context, c campaign.ID, reason string, now time.Time) error {
	_, _, err := l.steer(ctx, c, holding(reason, now))
	return err
}

func holding(reason string, now time.Time) steering {
	return steering{
		from: []campaign.Phase{campaign.Running}, set: []any{fieldState, string(campaign.Held), fieldReason, reason},
		entry: campaign.Machine(reason).Entry(now, "held", ""),
	}
}

// Resume lets a paused or held campaign run on. Resuming a running one changes
// nothing. A held one that was rescheduled meanwhile is paused until then.
func (l *Ledger) Resume(ctx context.Context, c campaign.ID, a campaign.Actor, now time.Time) error {
	start, err := l.startAt(ctx, c)
	if err != nil {
		return err
	}
	if ms, _ := strconv.ParseInt(start, 10, 64); ms > now.UnixMilli() {
		_, changed, err := l.steer(ctx, c, steering{
			from: []campaign.Phase{campaign.Held}, field: fieldStartAt, value: start, entry: a.Entry(now, "resumed", ""),
			set: []any{fieldState, string(campaign.Paused), fieldReason, startReason(time.UnixMilli(ms))},
		})
		if err != nil || changed {
			return err
		}
	}
	return l.resume(ctx, c, steering{entry: a.Entry(now, "resumed", "")}, now)
}

// Start resumes a campaign whose start has come. It changes nothing if a person
// has steered it meanwhile.
func (l *Ledger) Start(ctx context.Context, c *campaign.Info, now time.Time) error {
	if c.StartAt.IsZero() || c.StartAt.After(now) || c.Phase == campaign.Held { // a hold is lifted by a person alone
		return nil
	}
	return l.resume(ctx, c.ID, steering{
		from:  []campaign.Phase{campaign.Paused},
		field: fieldStartAt, value: strconv.FormatInt(c.StartAt.UnixMilli(), 10),
		entry: campaign.Machine("its time has come").Entry(now, "started", ""),
	}, now)
}

func (l *Ledger) resume(ctx context.Context, c campaign.ID, s steering, now time.Time) error {
	done, err := l.announce(ctx, c)
	if err != nil {
		return err
	}
	defer done()
	if err := l.startAnew(ctx, c); err != nil {
		return err
	}
	// A person who resumes after a failed canary, or a failed check, has decided to
	// send all the same. One that fails at the same moment isn't overruled: it is
	// looked at again.
	failed, err := l.rdb.HMGet(ctx, l.keys.meta(c), fieldCanary, fieldCheck).Result()
	if err != nil {
		return fmt.Errorf("resume campaign %s: %w", c, err)
	}
	var overruled []any
	if failed[0] == campaign.CanaryFailed {
		overruled = append(overruled, fieldCanary, campaign.CanaryPassed)
	}
	if failed[1] == FilesFailed {
		overruled = append(overruled, fieldCheck, FilesPassed)
	}
	if s.from == nil {
		s.from = []campaign.Phase{campaign.Paused, campaign.Held}
	}
	s.set = append([]any{fieldState, string(campaign.Running), fieldReason, "", fieldStartAt, "", fieldRecall, rand.Text(), fieldResumed, now.UnixMilli()}, overruled...)
	was, _, err := l.steer(ctx, c, s)
	if err != nil {
		return err
	}
	if was != campaign.Running && was != campaign.Held && was != campaign.Paused {
		return &campaign.PhaseError{ID: c, Phase: was, Verb: "resumed"}
	}
	if err := l.rdb.HSetNX(ctx, l.keys.meta(c), fieldStarted, now.UnixMilli()).Err(); err != nil {
		return fmt.Errorf("resume campaign %s: %w", c, err)
	}
	return nil
}

// Reschedule pauses a campaign until a time, at which it goes on by itself. A
// hold is lifted by it only if a person has seen the hold; else the campaign stays
// held, and waits for the time once a person has resumed it.
func (l *Ledger) Reschedule(ctx context.Context, c campaign.ID, start time.Time, seen bool, a campaign.Actor, now time.Time) error {
	start = start.UTC().Truncate(time.Millisecond)
	stamp := start.Format(time.RFC3339)
	stands, err := l.startAt(ctx, c)
	if err != nil {
		return err
	}
	s := steering{
		from: []campaign.Phase{campaign.Running, campaign.Held, campaign.Paused}, field: fieldStartAt, value: stands, entry: a.Entry(now, "rescheduled", stamp),
		set: []any{fieldState, string(campaign.Paused), fieldReason, startReason(start), fieldStartAt, start.UnixMilli()},
	}
	phase, _, _, err := l.Phase(ctx, c)
	if err != nil {
		return err
	}
	if stands == strconv.FormatInt(start.UnixMilli(), 10) && !(seen && phase == campaign.Held) {
		return nil // said twice
	}
	if !seen {
		// A hold stays until a person has seen it: it waits for the time from then on.
		held := s
		held.from, held.set = []campaign.Phase{campaign.Held}, []any{fieldStartAt, start.UnixMilli()}
		if _, changed, err := l.steer(ctx, c, held); err != nil || changed {
			return err
		}
		s.from = []campaign.Phase{campaign.Running, campaign.Paused}
	}
	done, err := l.announce(ctx, c)
	if err != nil {
		return err
	}
	defer done()
	was, changed, err := l.steer(ctx, c, s)
	switch {
	case err != nil || changed:
		return err
	case was == campaign.Running || was == campaign.Held || was == campaign.Paused:
		return fmt.Errorf("campaign %s: %w", c, ErrSteered)
	}
	return &campaign.PhaseError{ID: c, Phase: was, Verb: "rescheduled"}
}

// ErrSteered means that the campaign was paused, resumed or changed by another
// command at the same moment; nothing was changed.
var ErrSteered = errors.New("another command changed the campaign at the same moment; read its state, and try again")

func startReason(start time.Time) string { return "starts at " + start.UTC().Format(time.RFC3339) }

// Cancel ends a campaign for all recipients who aren't claimed yet; what is under
// way is still settled. Canceling a canceled one changes nothing.
func (l *Ledger) Cancel(ctx context.Context, c campaign.ID, a campaign.Actor, now time.Time) error {
	done, err := l.announce(ctx, c)
	if err != nil {
		return err
	}
	defer done()
	was, _, err := l.steer(ctx, c, steering{
		from: []campaign.Phase{campaign.Running, campaign.Paused, campaign.Held}, entry: a.Entry(now, "canceled", ""),
		set: []any{fieldState, string(campaign.Ended), fieldReason, a.Reason("canceled"), fieldCanceled, 1, fieldStartAt, "", fieldRecall, rand.Text()},
	})
	if err != nil {
		return err
	}
	if was != campaign.Running && was != campaign.Held && was != campaign.Paused && was != campaign.Ended {
		return &campaign.PhaseError{ID: c, Phase: was, Verb: "canceled"}
	}
	return nil
}

// Reopen makes a campaign run again when one of its recipients is to be sent to
// after all; one that was canceled goes on canceling.
func (l *Ledger) Reopen(ctx context.Context, c campaign.ID) error {
	done, err := l.announce(ctx, c)
	if err != nil {
		return err
	}
	defer done()
	if err := l.forgetOutcomes(ctx, c); err != nil {
		return err
	}
	// A cancel is for good, so that what is read here still holds below.
	canceled, err := l.rdb.HExists(ctx, l.keys.meta(c), fieldCanceled).Result()
	if err != nil {
		return fmt.Errorf("reopen campaign %s: %w", c, err)
	}
	to, reason := campaign.Running, ""
	if canceled {
		to, reason = campaign.Ended, "canceled"
	}
	_, _, err = l.steer(ctx, c, steering{
		from: []campaign.Phase{campaign.Settling, campaign.Done}, set: []any{fieldState, string(to), fieldReason, reason, fieldFinished, ""},
		field: fieldPurged, value: "", // a purged one has no recipients left
	})
	if err != nil {
		return err
	}
	return nil
}

// Settle records that all recipients have been sent to, or dropped: only outcomes
// are still to come.
func (l *Ledger) Settle(ctx context.Context, c campaign.ID) error {
	_, _, err := l.steer(ctx, c, steering{from: []campaign.Phase{campaign.Running, campaign.Ended}, set: []any{fieldState, string(campaign.Settling)}})
	return err
}

// Finish records that the machine has nothing left to do in the campaign.
func (l *Ledger) Finish(ctx context.Context, c campaign.ID, now time.Time) error {
	// Before it is done: a crash in between leaves one look too many, which finds
	// nothing.
	if err := l.scheduleRetention(ctx, c, now); err != nil {
		return err
	}
	_, _, err := l.steer(ctx, c, steering{
		from: []campaign.Phase{campaign.Settling}, set: []any{fieldState, string(campaign.Done), fieldFinished, now.UnixMilli()},
		entry: campaign.Machine("").Entry(now, "done", ""),
	})
	return err
}
