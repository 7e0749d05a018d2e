package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/handout-dev/handout/campaign"
)

// Fields of the meta hash.
const (
	fieldSalt     = "salt" // [campaign.Info.Salt]
	fieldState    = "state"
	fieldReason   = "reason"
	fieldSpec     = "spec"
	fieldColumns  = "columns"
	fieldDigest   = "digest"
	fieldTotal    = "total"
	fieldLeftOut  = "left_out" // JSON; empty: no row was
	fieldPages    = "pages"
	fieldCursor   = "cursor"
	fieldFed      = "fed" // JSON, the cursor by zone; absent: there is one zone
	fieldCreated  = "created"
	fieldStarted  = "started"
	fieldResumed  = "resumed" // by a person, the latest time
	fieldFinished = "finished"
	fieldCanceled = "canceled" // for good: it never runs again
	fieldStartAt  = "start_at" // paused until then
	fieldRecall   = "recall"   // random: its pages are yet to be recalled, see Recall
	fieldCanary   = "canary"   // see gates.go
	fieldOwner    = "owner"    // [campaign.Info.Owner]
	fieldAccount  = "account"  // the spec's, for who doesn't read that; absent: the default
	fieldDoubts   = "doubts"   // how many in a row, see lua/apply.lua
)

// Info reads a campaign; ErrNotFound when there is none.
func (l *Ledger) Info(ctx context.Context, c campaign.ID) (*campaign.Info, error) {
	fields, err := l.rdb.HGetAll(ctx, l.keys.meta(c)).Result()
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

func parseInfo(c campaign.ID, f map[string]string) (*campaign.Info, error) {
	spec, err := campaign.DecodeSpec([]byte(f[fieldSpec]))
	if err != nil {
		return nil, err
	}
	i := &campaign.Info{ID: c, Salt: f[fieldSalt], Spec: spec, Owner: f[fieldOwner], Digest: f[fieldDigest], Phase: campaign.Phase(f[fieldState]), Reason: f[fieldReason], Canary: f[fieldCanary], Canceled: f[fieldCanceled] != ""}
	if err := json.Unmarshal([]byte(f[fieldColumns]), &i.Columns); err != nil {
		return nil, fmt.Errorf("columns: %w", err)
	}
	if i.LeftOut, err = campaign.DecodeLeftOut(f[fieldLeftOut]); err != nil {
		return nil, fmt.Errorf("left out: %w", err)
	}
	for field, n := range map[string]*int{fieldTotal: &i.Total, fieldPages: &i.Pages, fieldCursor: &i.Cursor} {
		if f[field] == "" {
			continue
		}
		if *n, err = strconv.Atoi(f[field]); err != nil {
			return nil, fmt.Errorf("%s: not a number", field)
		}
	}
	if err := parseZones(i, f); err != nil {
		return nil, err
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
func (l *Ledger) Phase(ctx context.Context, c campaign.ID) (p campaign.Phase, reason string, cursor int, err error) {
	v, err := l.rdb.HMGet(ctx, l.keys.meta(c), fieldState, fieldReason, fieldCursor).Result()
	if err != nil {
		return "", "", 0, fmt.Errorf("read campaign %s: %w", c, err)
	}
	state, ok := v[0].(string)
	if !ok {
		return "", "", 0, fmt.Errorf("campaign %s: %w", c, ErrNotFound)
	}
	reason, _ = v[1].(string)
	return campaign.Phase(state), reason, int(number(v[2])), nil
}

// Campaigns lists up to limit campaigns, the newest first.
func (l *Ledger) Campaigns(ctx context.Context, limit int) ([]campaign.ID, error) {
	names, err := l.rdb.ZRevRange(ctx, l.keys.campaigns(), 0, int64(limit)-1).Result()
	if err != nil {
		return nil, fmt.Errorf("list campaigns: %w", err)
	}
	return toIDs(names), nil
}

// named lists every campaign, the oldest first.
func (l *Ledger) named(ctx context.Context) ([]campaign.ID, error) {
	names, err := l.rdb.ZRange(ctx, l.keys.campaigns(), 0, -1).Result()
	if err != nil {
		return nil, fmt.Errorf("list campaigns: %w", err)
	}
	return toIDs(names), nil
}

func toIDs(names []string) []campaign.ID {
	ids := make([]campaign.ID, 0, len(names))
	for _, n := range names {
		if id, err := campaign.ParseID(n); err == nil {
			ids = append(ids, id)
		}
	}
	return ids
}
