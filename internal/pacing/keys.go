package pacing

import "github.com/handout-dev/handout/campaign"

const (
	// KeyPollPace: hash, the limiter of status queries; fields in pace.go.
	KeyPolls = "handout:pace:poll"
	// KeyFilesPace: hash, the limiter of looks at files.
	KeyFiles = "handout:pace:files"
	// KeyPace: hash, the account's limiter.
	KeyAccount = "handout:pace"
)

// KeyCampaignPace is the campaign's own limiter.
func KeyCampaign(c campaign.ID) string { return "handout:{" + string(c) + "}:pace" }
