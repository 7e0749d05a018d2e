package pacing

import (
	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/redisx"
)

// KeyAccount: hash, the account's limiter. Every key begins with the installation's
// prefix.
func KeyAccount(rdb redis.UniversalClient) string { return redisx.Prefix(rdb) + ":pace" }

// KeyPolls: hash, the limiter of status queries; fields in pace.go.
func KeyPolls(rdb redis.UniversalClient) string { return redisx.Prefix(rdb) + ":pace:poll" }

// KeyFiles: hash, the limiter of looks at files.
func KeyFiles(rdb redis.UniversalClient) string { return redisx.Prefix(rdb) + ":pace:files" }

// KeyCampaign is the campaign's own limiter.
func KeyCampaign(rdb redis.UniversalClient, c campaign.ID) string {
	return redisx.Prefix(rdb) + ":{" + string(c) + "}:pace"
}
