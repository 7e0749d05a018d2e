// Package outbox keeps which endpoints receive events, what is pending for each, and
// the results of the deliveries.
//
// The ledger writes an entry into a campaign's outbox in the same step as the change
// that it records. Of a recipient an entry has the position alone: the outcome is
// read at the delivery, and is the one of then.
package outbox
