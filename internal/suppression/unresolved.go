package suppression

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/redis/go-redis/v9"
)

// Unresolved is a STOP of which it isn't known, or not fully, whose it is. It is kept
// until its number is found or a person settles it.
type Unresolved struct {
	ID string `json:"-"` // the message's reference, or a digest of it
	// At is when it was written, Heard when it came.
	At    time.Time `json:"at"`
	Heard time.Time `json:"heard"`
	// Original is Telesign's name for our message that it answers; "" when unknown.
	Original string `json:"original,omitempty"`
	// User is what stood in the place of the number; "" when nothing did.
	User string `json:"user,omitempty"`
	// Phone is the number that it came from, which is on the list: that of the
	// recipient, if it is another one, couldn't be looked up. "" when unknown.
	Phone string `json:"phone,omitempty"`
}

// maxUnresolved is how many are kept: over it, Telesign's callback is answered with an
// error.
const maxUnresolved = 10_000

var errUnresolved = fmt.Errorf("over %s STOPs wait to be settled", campaign.Number(maxUnresolved))

// Keep keeps a STOP. Twice, or after it was settled, it changes nothing.
func (l *List) Keep(ctx context.Context, u Unresolved) error {
	settled, err := l.heard(ctx, u.ID)
	if err != nil || settled {
		return explain("keep a STOP", err)
	}
	n, err := l.rdb.HLen(ctx, l.keys.unresolved()).Result()
	if err == nil && n >= maxUnresolved {
		err = errUnresolved
	}
	if err != nil {
		return explain("keep a STOP", err)
	}
	text, err := json.Marshal(u)
	if err == nil {
		err = l.rdb.HSetNX(ctx, l.keys.unresolved(), u.ID, text).Err()
	}
	return explain("keep a STOP", err)
}

// Unresolved returns all STOPs that are kept, the oldest first.
func (l *List) Unresolved(ctx context.Context) ([]Unresolved, error) {
	all, err := l.rdb.HGetAll(ctx, l.keys.unresolved()).Result()
	if err != nil {
		return nil, explain("read the STOPs that are kept", err)
	}
	list := make([]Unresolved, 0, len(all))
	for id, text := range all {
		u := Unresolved{ID: id}
		if err := json.Unmarshal([]byte(text), &u); err != nil {
			return nil, errors.New("read the STOPs that are kept: one of them can't be read")
		}
		list = append(list, u)
	}
	slices.SortFunc(list, func(a, b Unresolved) int {
		return cmp.Or(a.Heard.Compare(b.Heard), cmp.Compare(a.ID, b.ID))
	})
	return list, nil
}

// CountUnresolved returns how many STOPs wait for a person: those without a number.
func (l *List) CountUnresolved(ctx context.Context) (int, error) {
	list, err := l.Unresolved(ctx)
	n := 0
	for _, u := range list {
		if u.Phone == "" {
			n++
		}
	}
	return n, err
}

// Settle forgets a STOP whose number is on the list now, or that isn't acted on, and
// reports whether it was there. The same message again isn't kept.
func (l *List) Settle(ctx context.Context, id string) (bool, error) {
	var there *redis.IntCmd
	_, err := l.rdb.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.ZAdd(ctx, l.keys.heard(), redis.Z{Score: float64(time.Now().Unix()), Member: id})
		p.ZRemRangeByRank(ctx, l.keys.heard(), 0, -1-maxHeard)
		there = p.HDel(ctx, l.keys.unresolved(), id)
		return nil
	})
	if err != nil {
		return false, explain("settle a STOP", err)
	}
	return there.Val() == 1, nil
}
