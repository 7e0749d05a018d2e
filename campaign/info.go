package campaign

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
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
	// Zones and Partial are of a campaign whose list is in pages by zone: the
	// zones with the people in each, and the size of each page that isn't full.
	Zones   []ZoneCount
	Partial map[int]int

	Phase      Phase
	Canceled   bool   // for good, whatever the phase
	Reason     string // why it is paused, held or canceled
	Cursor     int    // so many recipients have been handed to the queue, in order but for pages by zone
	CreatedAt  time.Time
	StartedAt  time.Time // when it first ran
	FinishedAt time.Time // when it was done
	StartAt    time.Time // paused until then; zero: until a person resumes it
	Canary     string    // [CanaryPassed], [CanaryFailed], or empty: not decided
	PurgedAt   time.Time // when its people's data began to go; see [Info.Gone]
	EmptiedAt  time.Time // when all of it was gone
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
	fieldStartAt  = "start_at" // paused until then
	fieldCanary   = "canary"   // see canary.go
	fieldDoubts   = "doubts"   // how many in a row, see lua/apply.lua
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
	i := &Info{ID: c, Spec: spec, Digest: f[fieldDigest], Phase: Phase(f[fieldState]), Reason: f[fieldReason], Canary: f[fieldCanary], Canceled: f[fieldCanceled] != ""}
	if err := json.Unmarshal([]byte(f[fieldColumns]), &i.Columns); err != nil {
		return nil, fmt.Errorf("columns: %w", err)
	}
	if err := i.parseZones(f); err != nil {
		return nil, err
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
		fieldCreated: &i.CreatedAt, fieldStarted: &i.StartedAt, fieldFinished: &i.FinishedAt, fieldStartAt: &i.StartAt,
		fieldPurged: &i.PurgedAt, fieldEmptied: &i.EmptiedAt,
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
