package pacing

import "github.com/handout-dev/handout/campaign"

const (
	// KeyPolls: hash, the limiter of status queries; fields in pace.go.
	KeyPolls = "handout:pace:poll"
	// KeyFiles: hash, the limiter of looks at files.
	KeyFiles = "handout:pace:files"
	// KeyAccount: hash, the account's limiter.
	KeyAccount = "handout:pace"
)

// KeyCampaign is the campaign's own limiter.
func KeyCampaign(c campaign.ID) string { return "handout:{" + string(c) + "}:pace" }
