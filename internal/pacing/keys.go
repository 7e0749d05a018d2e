package pacing

import (
	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/redisx"
)

// KeyAccount: hash, an account's limiter. Every key begins with the installation's
// prefix; that of the default account has no name.
func KeyAccount(rdb redis.UniversalClient, account string) string { return ofAccount(rdb, account, "") }

// KeyPolls: hash, the limiter of an account's status queries; fields in pace.go.
func KeyPolls(rdb redis.UniversalClient, account string) string {
	return ofAccount(rdb, account, ":poll")
}

func ofAccount(rdb redis.UniversalClient, account, what string) string {
	key := redisx.Prefix(rdb) + ":pace" + what
	if account != campaign.DefaultAccount {
		key += ":account:" + account
	}
	return key
}

// KeyFiles: hash, the limiter of looks at files.
func KeyFiles(rdb redis.UniversalClient) string { return redisx.Prefix(rdb) + ":pace:files" }

// KeyCampaign is the campaign's own limiter.
func KeyCampaign(rdb redis.UniversalClient, c campaign.ID) string {
	return redisx.Prefix(rdb) + ":{" + string(c) + "}:pace"
}
