package outbox

import "github.com/handout-dev/handout/campaign"

// Key: list, what is to be told of the campaign, see lua/outbox.lua.
func Key(c campaign.ID) string { return "handout:{" + string(c) + "}:outbox" }

// KeyProgress: hash, how much of that each endpoint was told, see lua/outbox.lua.
func KeyProgress(c campaign.ID) string { return "handout:{" + string(c) + "}:told" }

// Keys of those who are told what became of campaigns.
const (
	// keyEndpoints: hash, endpoints in JSON, see lua/endpoint.lua.
	keyEndpoints = "handout:webhooks"
	// keyEndpointsLease: string with an expiry, which worker looks who is to be told.
	keyEndpointsLease = "handout:webhooks:lease"
	// keyFailing: hash, an endpoint that takes nothing any more to the Unix
	// millisecond since when, see internal/webhook.
	keyFailing = "handout:webhooks:failing"
	// keyDiscarded: hash, an endpoint to how much it was never told.
	keyDiscarded = "handout:webhooks:dropped"
)

// keyDeliveries: list, an endpoint's latest deliveries, a JSON object each, the
// latest first, see internal/webhook.
func keyDeliveries(endpoint string) string { return "handout:webhooks:log:" + endpoint }
