package outbox

import (
	"context"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/redisx"
	"github.com/handout-dev/handout/internal/sealed"
)

// Store is the endpoints and outboxes in one Redis. It is safe for concurrent
// use.
type Store struct {
	rdb       redis.UniversalClient
	keys      keys
	seals     *sealed.Store // of the endpoints' secrets
	meta      func(campaign.ID) string
	campaigns func(context.Context) ([]campaign.ID, error)
}

// New returns the store in rdb, which stays the caller's to close. meta returns the
// key of a campaign's hash in the ledger, whose field outbox says which events to
// record; campaigns lists all campaigns.
func New(rdb redis.UniversalClient, seals *sealed.Store, meta func(campaign.ID) string, campaigns func(context.Context) ([]campaign.ID, error)) *Store {
	return &Store{keys: keys(redisx.Prefix(rdb)), rdb: rdb, seals: seals, meta: meta, campaigns: campaigns}
}

// number reads a value of a hash; 0 when there is none.
func number(v any) int64 {
	s, _ := v.(string)
	n, _ := strconv.ParseInt(s, 10, 64)
	return n
}
