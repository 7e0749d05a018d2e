// Package callbacks hears what Telesign says of its own accord: the public HTTP
// endpoint for receipts.
//
// Cap the body, take its raw bytes, verify, parse, record, and only then answer
// 200: Telesign forgets a receipt that was answered so, and tries others four
// times within a minute. When the ledger can't be reached the answer is 503.
// Nothing that a stranger sends changes a record or stops the listener, and
// each refusal is counted with its reason.
package callbacks
