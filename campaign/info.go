package campaign

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// Phase is the state of a whole campaign.
type Phase string

// The phases. A person pauses, the machine holds (with a reason); a campaign
// settles when everyone is sent and outcomes are still to come, and is done
// when nothing is left that the machine may do by itself.
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
	ID      ID
	Spec    *Spec
	Columns []string // of the list, without recipient and phone
	Digest  string   // of the content: two submits with the same are the same
	Total   int      // recipients
	Pages   int

	Phase      Phase
	Canceled   bool   // for good, whatever the phase
	Reason     string // why it is paused, held or canceled
	Cursor     int    // recipients before this position have been handed to the queue
	CreatedAt  time.Time
	StartedAt  time.Time // when it first ran
	FinishedAt time.Time // when it was done
}

// Fields of the meta hash.
const (
	fieldState    = "state"
	fieldReason   = "reason"
	fieldSpec     = "spec"
	fieldColumns  = "columns"
	fieldDigest   = "digest"
	fieldTotal    = "total"
	fieldPages    = "pages"
	fieldCursor   = "cursor"
	fieldCreated  = "created"
	fieldStarted  = "started"
	fieldFinished = "finished"
	fieldCanceled = "canceled" // for good: it never runs again
)

// Info reads a campaign; ErrNotFound when there is none.
func (l *Ledger) Info(ctx context.Context, c ID) (*Info, error) {
	fields, err := l.rdb.HGetAll(ctx, keyMeta(c)).Result()
	if err != nil {
		return nil, fmt.Errorf("read campaign %s: %w", c, err)
	}
	if len(fields) == 0 {
		return nil, fmt.Errorf("campaign %s: %w", c, ErrNotFound)
	}
	info, err := parseInfo(c, fields)
	if err != nil {
		return nil, fmt.Errorf("read campaign %s: %w", c, err)
	}
	return info, nil
}

func parseInfo(c ID, f map[string]string) (*Info, error) {
	spec, err := DecodeSpec([]byte(f[fieldSpec]))
	if err != nil {
		return nil, err
	}
	i := &Info{ID: c, Spec: spec, Digest: f[fieldDigest], Phase: Phase(f[fieldState]), Reason: f[fieldReason], Canceled: f[fieldCanceled] != ""}
	if err := json.Unmarshal([]byte(f[fieldColumns]), &i.Columns); err != nil {
		return nil, fmt.Errorf("columns: %w", err)
	}
	for field, n := range map[string]*int{fieldTotal: &i.Total, fieldPages: &i.Pages, fieldCursor: &i.Cursor} {
		if f[field] == "" {
			continue
		}
		if *n, err = strconv.Atoi(f[field]); err != nil {
			return nil, fmt.Errorf("%s: not a number", field)
		}
	}
	for field, t := range map[string]*time.Time{
		fieldCreated: &i.CreatedAt, fieldStarted: &i.StartedAt, fieldFinished: &i.FinishedAt,
	} {
		if f[field] == "" {
			continue
		}
		ms, err := strconv.ParseInt(f[field], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%s: not a time", field)
		}
		*t = time.UnixMilli(ms).UTC()
	}
	return i, nil
}

// Phase reads only the phase and its reason, with the feed's cursor.
func (l *Ledger) Phase(ctx context.Context, c ID) (p Phase, reason string, cursor int, err error) {
	v, err := l.rdb.HMGet(ctx, keyMeta(c), fieldState, fieldReason, fieldCursor).Result()
	if err != nil {
		return "", "", 0, fmt.Errorf("read campaign %s: %w", c, err)
	}
	state, ok := v[0].(string)
	if !ok {
		return "", "", 0, fmt.Errorf("campaign %s: %w", c, ErrNotFound)
	}
	reason, _ = v[1].(string)
	if s, ok := v[2].(string); ok {
		if cursor, err = strconv.Atoi(s); err != nil {
			return "", "", 0, fmt.Errorf("campaign %s: cursor: not a number", c)
		}
	}
	return Phase(state), reason, cursor, nil
}

// Campaigns lists campaigns, the newest first.
func (l *Ledger) Campaigns(ctx context.Context, most int) ([]ID, error) {
	names, err := l.rdb.ZRevRange(ctx, keyCampaigns, 0, int64(most)-1).Result()
	if err != nil {
		return nil, fmt.Errorf("list campaigns: %w", err)
	}
	return toIDs(names), nil
}

// Active lists the campaigns in which the machine may have work left.
func (l *Ledger) Active(ctx context.Context) ([]ID, error) {
	names, err := l.rdb.SMembers(ctx, keyActive).Result()
	if err != nil {
		return nil, fmt.Errorf("list active campaigns: %w", err)
	}
	return toIDs(names), nil
}

func toIDs(names []string) []ID {
	ids := make([]ID, 0, len(names))
	for _, n := range names {
		if id, err := ParseID(n); err == nil {
			ids = append(ids, id)
		}
	}
	return ids
}

// steer moves a campaign from one of the phases named to another, and returns
// the phase that it was in.
func (l *Ledger) steer(ctx context.Context, c ID, from string, fields ...any) (Phase, error) {
	was, err := steerScript.Run(ctx, l.rdb, []string{keyMeta(c)}, append([]any{from}, fields...)...).Text()
	if err != nil && !errors.Is(err, redis.Nil) {
		return "", fmt.Errorf("change campaign %s: %w", c, err)
	}
	if was == "" {
		return "", fmt.Errorf("campaign %s: %w", c, ErrNotFound)
	}
	return Phase(was), nil
}

// PhaseError means that a campaign can't be steered so in its phase.
type PhaseError struct {
	ID    ID
	Phase Phase
	Verb  string
}

func (e *PhaseError) Error() string {
	return fmt.Sprintf("campaign %s is %s and can't be %s", e.ID, e.Phase, e.Verb)
}

// Pause stops new claims at once. Pausing a paused campaign changes nothing.
func (l *Ledger) Pause(ctx context.Context, c ID, reason string) error {
	was, err := l.steer(ctx, c, "running held", fieldState, string(Paused), fieldReason, reason)
	if err != nil || was == Running || was == Held || was == Paused {
		return err
	}
	return &PhaseError{c, was, "paused"}
}

// Hold is a pause by the machine. It changes nothing unless the campaign runs.
func (l *Ledger) Hold(ctx context.Context, c ID, reason string) error {
	_, err := l.steer(ctx, c, "running", fieldState, string(Held), fieldReason, reason)
	return err
}

// Resume lets a paused or held campaign run on.
func (l *Ledger) Resume(ctx context.Context, c ID, now time.Time) error {
	// First the set: a crash in between leaves a name too many there, which is
	// taken out again, and never one too few.
	if err := l.rdb.SAdd(ctx, keyActive, string(c)).Err(); err != nil {
		return fmt.Errorf("resume campaign %s: %w", c, err)
	}
	was, err := l.steer(ctx, c, "paused held", fieldState, string(Running), fieldReason, "")
	if err != nil {
		return err
	}
	if was != Running && was != Held && was != Paused {
		return &PhaseError{c, was, "resumed"}
	}
	if err := l.rdb.HSetNX(ctx, keyMeta(c), fieldStarted, now.UnixMilli()).Err(); err != nil {
		return fmt.Errorf("resume campaign %s: %w", c, err)
	}
	return l.callWindow(ctx, c, now)
}

// MaxWindow is the most recipients of one campaign that may stand in the queue.
const MaxWindow = 10_000

// callWindow has settle look at everyone who may have stood in the queue when
// the campaign stopped: their notes came to nothing.
func (l *Ledger) callWindow(ctx context.Context, c ID, now time.Time) error {
	_, _, cursor, err := l.Phase(ctx, c)
	if err != nil || cursor == 0 {
		return err
	}
	var pages []int
	for p := PlaceOf(max(0, cursor-MaxWindow)).Page; p <= PlaceOf(cursor-1).Page; p++ {
		pages = append(pages, p)
	}
	return l.CallDue(ctx, c, now, pages...)
}

// Cancel ends a campaign for everyone who isn't claimed yet; what is under way
// is still settled.
func (l *Ledger) Cancel(ctx context.Context, c ID, reason string, now time.Time) error {
	was, err := l.steer(ctx, c, "running paused held", fieldState, string(Ended), fieldReason, reason, fieldCanceled, 1)
	if err != nil {
		return err
	}
	if was != Running && was != Held && was != Paused && was != Ended {
		return &PhaseError{c, was, "canceled"}
	}
	return l.callWindow(ctx, c, now)
}

// Reopen makes a campaign run again when somebody in it is to be sent to after
// all; one that was canceled goes on canceling.
func (l *Ledger) Reopen(ctx context.Context, c ID) error {
	if err := l.rdb.SAdd(ctx, keyActive, string(c)).Err(); err != nil {
		return fmt.Errorf("reopen campaign %s: %w", c, err)
	}
	// A cancel is for good, so that what is read here still holds below.
	canceled, err := l.rdb.HExists(ctx, keyMeta(c), fieldCanceled).Result()
	if err != nil {
		return fmt.Errorf("reopen campaign %s: %w", c, err)
	}
	to, reason := Running, ""
	if canceled {
		to, reason = Ended, "canceled"
	}
	_, err = l.steer(ctx, c, "settling done", fieldState, string(to), fieldReason, reason, fieldFinished, "")
	if err != nil {
		return err
	}
	// And again: a Finish at the same moment may have taken it out in between.
	if err := l.rdb.SAdd(ctx, keyActive, string(c)).Err(); err != nil {
		return fmt.Errorf("reopen campaign %s: %w", c, err)
	}
	return nil
}

// Settle notes that everyone has been sent to, or dropped: only outcomes are
// still to come.
func (l *Ledger) Settle(ctx context.Context, c ID) error {
	_, err := l.steer(ctx, c, "running canceled", fieldState, string(Settling))
	return err
}

// Finish notes that the machine has nothing left to do in the campaign.
func (l *Ledger) Finish(ctx context.Context, c ID, now time.Time) error {
	was, err := l.steer(ctx, c, "settling", fieldState, string(Done), fieldFinished, now.UnixMilli())
	if err != nil || (was != Settling && was != Done) {
		return err
	}
	return l.Retire(ctx, c)
}

// Retire takes a campaign out of the active ones if it is done, or purged. A
// done campaign that is still there (a crash, or a resend that came to nothing)
// loses nothing by it.
func (l *Ledger) Retire(ctx context.Context, c ID) error {
	if err := l.rdb.SRem(ctx, keyActive, string(c)).Err(); err != nil {
		return fmt.Errorf("retire campaign %s: %w", c, err)
	}
	// The look comes after: who makes the campaign run meanwhile is seen here, or
	// adds the name later than it was taken out.
	phase, _, _, err := l.Phase(ctx, c)
	if errors.Is(err, ErrNotFound) || (err == nil && phase == Done) {
		return nil
	}
	return errors.Join(err, l.rdb.SAdd(ctx, keyActive, string(c)).Err())
}
