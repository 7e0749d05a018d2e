package cache

import (
	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/internal/redisx"
)

// keyTemplates: string, what Telesign last listed as an account's templates, in JSON.
func keyTemplates(rdb redis.UniversalClient, account string) string {
	return redisx.Prefix(rdb) + ":templates:" + account
}
