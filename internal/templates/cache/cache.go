// Package cache keeps what Telesign last listed as an account's templates, with the
// time, in Redis: Telesign takes one request for the list a second, and there are
// several processes that need it.
//
// Nothing depends on it: a list that was lost, or couldn't be kept, is asked for again.
package cache

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/telesign"
)

// maxList bounds what is kept, in bytes; as the answer that it is made of.
const maxList = 4 << 20

// Listed is what Telesign listed at a moment.
type Listed struct {
	At        time.Time           `json:"at"`
	Templates []telesign.Template `json:"templates"`
}

// Read returns an account's list; the zero Listed when none is kept.
func Read(ctx context.Context, rdb redis.UniversalClient, account string) (Listed, error) {
	var l Listed
	raw, err := rdb.Get(ctx, keyTemplates(rdb, account)).Bytes()
	if errors.Is(err, redis.Nil) {
		return l, nil
	}
	if err == nil {
		err = json.Unmarshal(raw, &l)
	}
	if err != nil {
		return Listed{}, fmt.Errorf("read the kept templates: %w", err)
	}
	return l, nil
}

// Write keeps an account's list in place of the one before.
func Write(ctx context.Context, rdb redis.UniversalClient, account string, l Listed) error {
	raw, err := json.Marshal(l)
	if err == nil && len(raw) > maxList {
		err = fmt.Errorf("the list has over %d MB", maxList>>20)
	}
	if err == nil {
		err = rdb.Set(ctx, keyTemplates(rdb, account), raw, 0).Err()
	}
	if err != nil {
		return fmt.Errorf("keep the templates: %w", err)
	}
	return nil
}
