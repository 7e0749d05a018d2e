package sealed

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/internal/redisx"
)

// Redis's append-only file has what was deleted until it is written anew, which may be
// weeks later by itself. A worker has it done after a purge, once for all of a minute.

// Erased notes that a campaign was purged. Call it once its data is deleted; if the
// process dies before, the purge is finished again, and calls it.
func (s *Store) Erased(ctx context.Context) error {
	if err := s.rdb.Incr(ctx, s.keys.erased()).Err(); err != nil {
		return fmt.Errorf("note a purge: %w", err)
	}
	return nil
}

// RewriteFiles has Redis write its append-only file anew, if campaigns were purged since
// it did so last; it returns how many. While another rewrite runs it does nothing, and is
// to be called again. If the process dies in it, the file is written once more. An error
// means that Redis doesn't allow it: it isn't asked again for these.
func (s *Store) RewriteFiles(ctx context.Context) (int64, error) {
	n, err := s.rdb.Get(ctx, s.keys.erased()).Int64()
	if errors.Is(err, redis.Nil) || err == nil && n == 0 {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read how many were purged: %w", err)
	}
	refused := redisx.RewriteAppendOnly(ctx, s.rdb)
	if s.at != s.rdb && !errors.Is(refused, redisx.ErrRewriting) {
		refused = errors.Join(refused, redisx.RewriteAppendOnly(ctx, s.at))
	}
	if errors.Is(refused, redisx.ErrRewriting) {
		return 0, nil
	}
	if err := s.rdb.DecrBy(ctx, s.keys.erased(), n).Err(); err != nil {
		return 0, errors.Join(refused, fmt.Errorf("note the rewrite: %w", err))
	}
	return n, refused
}
