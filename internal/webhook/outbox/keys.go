package outbox

import "github.com/handout-dev/handout/campaign"

// Key: list, the campaign's entries, see lua/undelivered.lua.
func Key(c campaign.ID) string { return "handout:{" + string(c) + "}:outbox" }

// KeyProgress: hash, how far each endpoint is in them, see lua/undelivered.lua.
func KeyProgress(c campaign.ID) string { return "handout:{" + string(c) + "}:told" }

// Keys of the endpoints.
const (
	// keyEndpoints: hash, endpoints in JSON, see lua/endpoint.lua.
	keyEndpoints = "handout:webhooks"
	// keyEndpointsLease: string with an expiry, the worker that scans the outboxes.
	keyEndpointsLease = "handout:webhooks:lease"
	// keyFailing: hash, a failing endpoint to the Unix millisecond since when, see
	// internal/webhook.
	keyFailing = "handout:webhooks:failing"
	// keyDiscarded: hash, an endpoint to how many of its entries were discarded.
	keyDiscarded = "handout:webhooks:dropped"
)

// keyDeliveries: list, an endpoint's latest deliveries, a JSON object each, the
// latest first, see internal/webhook.
func keyDeliveries(endpoint string) string { return "handout:webhooks:log:" + endpoint }
