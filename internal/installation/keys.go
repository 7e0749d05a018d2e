package installation

import (
	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/internal/redisx"
)

// key: hash, the stamp.
func key(rdb redis.UniversalClient) string { return redisx.Prefix(rdb) + ":installation" }
