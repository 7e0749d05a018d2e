package schedule

import (
	"cmp"
	"context"
	_ "embed" // the scripts
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/redisx"
)

// maxTicks is how many ticks of a schedule are kept.
const maxTicks = 100

// Tick is one tick of a schedule as it is stored.
type Tick struct {
	Period   Period      `json:"period"`
	State    State       `json:"state"`
	Reason   string      `json:"reason,omitempty"`   // why it waits, was refused, missed or skipped
	Kind     string      `json:"kind,omitempty"`     // of a refusal
	Note     string      `json:"note,omitempty"`     // what else a person should know
	Campaign campaign.ID `json:"campaign,omitempty"` // once it stands
	Total    int         `json:"total,omitempty"`    // recipients of it
	// Outcome counts the campaign's recipients by state, once it is done.
	Outcome map[string]int `json:"outcome,omitempty"`
	// Canceled means that the campaign was canceled.
	Canceled bool      `json:"canceled,omitempty"`
	By       string    `json:"by,omitempty"` // who asked for it by hand
	Attempt  int       `json:"attempt"`      // from 1
	Owner    string    `json:"owner,omitempty"`
	At       time.Time `json:"at"` // of this state

	raw string // as stored in Redis; empty: it isn't
}

// Store keeps ticks in Redis.
type Store struct {
	rdb  redis.UniversalClient
	keys keys
}

// NewStore returns a store in rdb, which stays the caller's to close.
func NewStore(rdb redis.UniversalClient) *Store { return &Store{rdb, keys(redisx.Prefix(rdb))} }

var (
	//go:embed lua/tick.lua
	tickSource string
	//go:embed lua/seen.lua
	seenSource string

	tickScript = redis.NewScript(tickSource)
	seenScript = redis.NewScript(seenSource)
)

// errChanged means that another process has changed a tick since it was read.
var errChanged = errors.New("another process has changed the tick")

// seen returns up to when a schedule's ticks have been judged; zero: it is new.
func (s *Store) seen(ctx context.Context, name string) (time.Time, error) {
	n, err := s.number(ctx, name, "seen")
	if err != nil || n == 0 {
		return time.Time{}, err
	}
	return time.Unix(n, 0).UTC(), nil
}

// See records that everything up to t has been judged.
func (s *Store) See(ctx context.Context, name string, t time.Time) error {
	if err := seenScript.Run(ctx, s.rdb, []string{s.keys.schedule(name)}, t.Unix()).Err(); err != nil {
		return fmt.Errorf("schedule %s: %w", name, err)
	}
	return nil
}

// size returns how long the last list was that was sent; 0: none was.
func (s *Store) size(ctx context.Context, name string) (int, error) {
	n, err := s.number(ctx, name, "size")
	return int(n), err
}

func (s *Store) number(ctx context.Context, name, field string) (int64, error) {
	n, err := s.rdb.HGet(ctx, s.keys.schedule(name), field).Int64()
	if err != nil && !errors.Is(err, redis.Nil) {
		return 0, fmt.Errorf("schedule %s: %w", name, err)
	}
	return n, nil
}

// Ticks returns the last ticks of a schedule, the oldest first.
func (s *Store) Ticks(ctx context.Context, name string) ([]*Tick, error) {
	all, err := s.rdb.HGetAll(ctx, s.keys.ticks(name)).Result()
	if err != nil {
		return nil, fmt.Errorf("ticks of schedule %s: %w", name, err)
	}
	ticks := make([]*Tick, 0, len(all))
	for period, raw := range all {
		t, err := decodeTick(raw)
		if err != nil {
			return nil, fmt.Errorf("tick %s of schedule %s: %w", period, name, err)
		}
		ticks = append(ticks, t)
	}
	slices.SortFunc(ticks, func(a, b *Tick) int {
		return cmp.Or(a.Period.Time().Compare(b.Period.Time()), cmp.Compare(a.Period, b.Period))
	})
	return ticks, nil
}

func decodeTick(raw string) (*Tick, error) {
	t := &Tick{raw: raw}
	return t, json.Unmarshal([]byte(raw), t)
}

// put compares and sets a tick: errChanged if another process was first. sent is the
// length of a list that was sent; 0: none was.
func (s *Store) put(ctx context.Context, name string, t *Tick, sent int) error {
	b, err := json.Marshal(t)
	if err != nil {
		return err
	}
	size := ""
	if sent > 0 {
		size = strconv.Itoa(sent)
	}
	// go-redis may repeat the call after a time-out: the script takes it twice.
	n, err := tickScript.Run(ctx, s.rdb, []string{s.keys.ticks(name), s.keys.schedule(name)},
		string(t.Period), t.raw, string(b), maxTicks, size).Int()
	if err != nil {
		return fmt.Errorf("tick %s of schedule %s: %w", t.Period, name, err)
	}
	if n == 0 {
		return errChanged
	}
	t.raw = string(b)
	return nil
}

// lease takes or renews a tick for a time d; false if another process has it. A d of
// 0 gives it back.
func (s *Store) lease(ctx context.Context, name string, p Period, token string, d time.Duration) (bool, error) {
	mine, err := redisx.Lease(ctx, s.rdb, s.keys.lease(name, string(p)), token, d)
	if err != nil {
		return false, fmt.Errorf("lease of tick %s of schedule %s: %w", p, name, err)
	}
	return mine, nil
}

// leased reports whether a process has a tick.
func (s *Store) leased(ctx context.Context, name string, p Period) (bool, error) {
	n, err := s.rdb.Exists(ctx, s.keys.lease(name, string(p))).Result()
	if err != nil {
		return false, fmt.Errorf("lease of tick %s of schedule %s: %w", p, name, err)
	}
	return n == 1, nil
}
