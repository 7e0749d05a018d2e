package outbox

import "github.com/handout-dev/handout/campaign"

// keys is the installation's prefix, with which every key begins, see
// [redisx.Prefix].
type keys string

// outbox: list, the campaign's entries, see lua/undelivered.lua.
func (k keys) outbox(c campaign.ID) string { return string(k) + ":{" + string(c) + "}:outbox" }

// progress: hash, how far each endpoint is in them, see lua/undelivered.lua.
func (k keys) progress(c campaign.ID) string { return string(k) + ":{" + string(c) + "}:told" }

// Keys of the endpoints.
// endpoints: hash, endpoints in JSON, see lua/endpoint.lua.
func (k keys) endpoints() string { return string(k) + ":webhooks" }

// endpointsLease: string with an expiry, the worker that scans the outboxes.
func (k keys) endpointsLease() string { return string(k) + ":webhooks:lease" }

// failing: hash, a failing endpoint to the Unix millisecond since when, see
// internal/webhook.
func (k keys) failing() string { return string(k) + ":webhooks:failing" }

// discarded: hash, an endpoint to how many of its entries were discarded.
func (k keys) discarded() string { return string(k) + ":webhooks:dropped" }

// deliveries: list, an endpoint's latest deliveries, a JSON object each, the
// latest first, see internal/webhook.
func (k keys) deliveries(endpoint string) string { return string(k) + ":webhooks:log:" + endpoint }

// Key is that of a campaign's entries, which the ledger writes together with its
// records.
func (l *Store) Key(c campaign.ID) string { return l.keys.outbox(c) }

// KeyProgress is that of how far each endpoint is in a campaign's entries.
func (l *Store) KeyProgress(c campaign.ID) string { return l.keys.progress(c) }
