package redisx

import (
	"context"
	_ "embed" // the script
	"time"

	"github.com/redis/go-redis/v9"
)

var (
	//go:embed lua/lease.lua
	leaseSource string
	leaseScript = redis.NewScript(leaseSource)
)

// Lease takes or keeps the lease under a key for as long as d, or gives it back
// with a d of 0; false when someone else has it. The token is the taker's own
// random text. A lease saves double work; nothing may depend on it for its truth.
func Lease(ctx context.Context, rdb redis.Scripter, key, token string, d time.Duration) (bool, error) {
	n, err := leaseScript.Run(ctx, rdb, []string{key}, token, d.Milliseconds()).Int()
	return n == 1, err
}
