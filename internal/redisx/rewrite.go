package redisx

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"
)

// ErrRewriting means that Redis is writing its append-only file anew already, which may
// have begun before the latest deletions.
var ErrRewriting = errors.New("the append-only file is being written anew already")

// RewriteAppendOnly asks Redis, in a cluster every master, to write its append-only file
// anew, without what was deleted: it does so in the background.
// Errors: [ErrRewriting]; with any other Redis doesn't allow it, or wasn't reached.
func RewriteAppendOnly(ctx context.Context, rdb redis.UniversalClient) error {
	rewrite := func(ctx context.Context, c *redis.Client) error {
		if state, err := c.Info(ctx, "persistence").Result(); err == nil && strings.Contains(state, "aof_enabled:0") {
			return nil // there is none
		}
		err := c.BgRewriteAOF(ctx).Err()
		switch {
		case err == nil, strings.Contains(err.Error(), "scheduled"): // as soon as a snapshot is written
			return nil
		case strings.Contains(err.Error(), "in progress"):
			return ErrRewriting
		}
		return fmt.Errorf("have the append-only file written anew: %w", err)
	}
	switch c := rdb.(type) {
	case *redis.Client:
		return rewrite(ctx, c)
	case *redis.ClusterClient:
		return c.ForEachMaster(ctx, rewrite)
	}
	return nil
}
