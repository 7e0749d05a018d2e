// Package webhook tells other apps what became of campaigns: it POSTs to their
// endpoints, signed per Standard Webhooks, when a campaign changes its state and,
// in batches, when recipients have their outcome.
//
//	the ledger's outbox ──▶ note in the queue ──▶ POST ──▶ cursor moved
//	(same step as the       (every 2 s while      (the same (after a 2xx alone)
//	 change itself)          something waits)      ID again)
//
// It promises that each endpoint is told everything at least once, each campaign's
// in order, and that no send waits for it. It never follows a redirect, never
// speaks to a private address unless it may, and never logs a secret or a URL.
package webhook
