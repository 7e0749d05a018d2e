// Package proposal keeps campaign files that wait for their lists, each for a day.
// Nothing is sent, and the campaign doesn't exist yet.
package proposal

import (
	"cmp"
	"context"
	_ "embed" // the scripts
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/redisx"
)

// lifetime is how long a file waits for its list.
const lifetime = 24 * time.Hour

// maxListed is how many files [Store.List] reads at most.
const maxListed = 1000

var (
	// ErrNotFound means that no file waits under this ID.
	ErrNotFound = errors.New("no campaign file waits for its list under this id")
	// ErrOther means that another file waits under the same ID.
	ErrOther = errors.New("another campaign file waits for its list under this id")
)

// ForeignError means that the file that waits under an ID is another caller's.
type ForeignError struct {
	ID campaign.ID
	By string
}

func (e *ForeignError) Error() string {
	return fmt.Sprintf("campaign %s waits for the list of %s, whose campaign file it is", e.ID, cmp.Or(e.By, "someone without a key"))
}

// Proposal is a campaign file that waits for its list.
type Proposal struct {
	Spec *campaign.Spec
	By   string // whose it is
}

// Store keeps proposals in Redis.
type Store struct {
	rdb  redis.UniversalClient
	keys keys
}

// New is the store in rdb, which stays the caller's to close.
func New(rdb redis.UniversalClient) *Store {
	return &Store{rdb: rdb, keys: keys(redisx.Prefix(rdb))}
}

// Key is the key of a campaign's proposal, for the script that makes the campaign stand.
func (s *Store) Key(c campaign.ID) string { return s.keys.file(c) }

// Each script's file describes its keys, arguments and answers.
var (
	//go:embed lua/propose.lua
	proposeSource string
	//go:embed lua/withdraw.lua
	withdrawSource string

	proposeScript  = redis.NewScript(proposeSource)
	withdrawScript = redis.NewScript(withdrawSource)
)

// Propose keeps a file for a day as by's. The same file again only begins the day
// anew, and added is false. Another file is [ErrOther] unless replace is true; one of
// another caller is a [*ForeignError] unless others is.
func (s *Store) Propose(ctx context.Context, spec *campaign.Spec, by campaign.Actor, replace, others bool) (added bool, err error) {
	encoded, err := spec.Encode()
	if err != nil {
		return false, fmt.Errorf("propose campaign %s: %w", spec.ID, err)
	}
	now, set := time.Now(), map[bool]int{true: 1}
	// Listed first: if this dies here, a name without a file stays, which List passes
	// over.
	if err := s.list(ctx, spec.ID, now); err != nil {
		return false, fmt.Errorf("propose campaign %s: %w", spec.ID, err)
	}
	answer, err := proposeScript.Run(ctx, s.rdb, []string{s.keys.file(spec.ID)}, encoded, by.Name, by.Entry(now, "proposed", "").Encode(),
		by.Entry(now, "replaced", "the campaign file").Encode(), lifetime.Milliseconds(), set[replace], set[others]).StringSlice()
	switch {
	case err != nil:
		return false, fmt.Errorf("propose campaign %s: %w", spec.ID, err)
	case answer[0] == "foreign":
		return false, &ForeignError{spec.ID, answer[1]}
	case answer[0] == "other":
		return false, fmt.Errorf("campaign %s: %w", spec.ID, ErrOther)
	}
	return answer[0] == "added", nil
}

// list puts a campaign into the index, and takes out those whose files are gone.
func (s *Store) list(ctx context.Context, c campaign.ID, now time.Time) error {
	// A minute more than the file is kept: what is kept is listed.
	until := now.Add(lifetime + time.Minute).UnixMilli()
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.ZRemRangeByScore(ctx, s.keys.index(), "-inf", strconv.FormatInt(now.UnixMilli(), 10))
		p.ZAdd(ctx, s.keys.index(), redis.Z{Score: float64(until), Member: string(c)})
		return nil
	})
	return err
}

// Read reads the file that waits under an ID; [ErrNotFound].
func (s *Store) Read(ctx context.Context, c campaign.ID) (*Proposal, error) {
	v, err := s.rdb.HMGet(ctx, s.keys.file(c), "spec", "by").Result()
	if err != nil {
		return nil, fmt.Errorf("read the proposal of campaign %s: %w", c, err)
	}
	return decode(v)
}

// decode reads the fields spec and by.
func decode(v []any) (*Proposal, error) {
	text, ok := v[0].(string)
	if !ok {
		return nil, ErrNotFound
	}
	by, _ := v[1].(string)
	spec, err := campaign.DecodeSpec([]byte(text))
	return &Proposal{spec, by}, err
}

// List reads the files that wait, the latest first: the latest 1,000.
func (s *Store) List(ctx context.Context) ([]*Proposal, error) {
	names, err := s.rdb.ZRevRange(ctx, s.keys.index(), 0, maxListed-1).Result()
	if err != nil {
		return nil, fmt.Errorf("list proposals: %w", err)
	}
	reads := make([]*redis.SliceCmd, len(names))
	_, err = s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, id := range names {
			reads[i] = p.HMGet(ctx, s.keys.file(campaign.ID(id)), "spec", "by")
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list proposals: %w", err)
	}
	var all []*Proposal
	for _, read := range reads {
		p, err := decode(read.Val())
		if errors.Is(err, ErrNotFound) {
			continue // it expired, or its list came
		}
		if err != nil {
			return nil, fmt.Errorf("list proposals: %w", err)
		}
		all = append(all, p)
	}
	return all, nil
}

// Withdraw deletes a file; false if another one, or none, waits by now.
func (s *Store) Withdraw(ctx context.Context, spec *campaign.Spec) (bool, error) {
	encoded, err := spec.Encode()
	if err == nil {
		var n int
		n, err = withdrawScript.Run(ctx, s.rdb, []string{s.keys.file(spec.ID)}, encoded).Int()
		if err == nil {
			return n == 1, nil
		}
	}
	return false, fmt.Errorf("withdraw campaign %s: %w", spec.ID, err)
}
