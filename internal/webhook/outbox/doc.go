// Package outbox keeps who is told what becomes of campaigns, what each endpoint
// is yet to be told, and what came of the deliveries.
//
// The ledger writes an entry into a campaign's outbox in the same step as the
// change that it tells of. An entry names a recipient by position only: what
// became of them is read when it is delivered, and is the truth of then.
package outbox
