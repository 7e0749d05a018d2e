package redisx

import (
	"cmp"
	"regexp"

	"github.com/redis/go-redis/v9"
)

// DefaultPrefix begins every key and queue name of an installation that has no prefix
// of its own.
const DefaultPrefix = "handout"

// Prefix returns what begins every key and queue name of the installation that a
// client is of. It is the client's name, too, which CLIENT LIST shows.
func Prefix(rdb redis.UniversalClient) string {
	name := ""
	switch c := rdb.(type) {
	case *redis.Client:
		name = c.Options().ClientName
	case *redis.ClusterClient:
		name = c.Options().ClientName
	}
	return cmp.Or(name, DefaultPrefix)
}

var prefixes = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,31}$`)

// ValidPrefix reports whether a prefix may begin keys and queue names: it has no
// characters that stand for something in them.
func ValidPrefix(prefix string) bool { return prefixes.MatchString(prefix) }
