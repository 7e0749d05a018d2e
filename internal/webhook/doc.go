// Package webhook delivers events to other apps: it POSTs to their endpoints, signed
// per Standard Webhooks, when a campaign changes its state and, in batches, when
// recipients have their outcome.
//
//	the ledger's outbox ──▶ task in the queue ──▶ POST ──▶ cursor moved
//	(same step as the       (every 2 s while      (the same (after a 2xx alone)
//	 change itself)          entries are pending)  ID again)
//
// It promises that each endpoint gets every event at least once, those of one
// campaign in order, and that no send waits for a delivery. It follows no redirect,
// reaches no private address unless that is allowed, and logs no secret and no URL.
package webhook
