// Package callbacks is the public HTTP endpoint for Telesign's receipts and for
// messages that recipients write.
//
// It caps the body, takes its raw bytes, verifies, parses, records, and only then
// answers 200: Telesign sends a receipt four times within a minute until it is
// answered so. When the ledger can't be reached the answer is 503.
// Nothing that a stranger sends changes a record or stops the listener, and
// each refusal is counted with its reason.
package callbacks
