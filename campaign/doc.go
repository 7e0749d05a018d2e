// Package campaign is the ledger: what a campaign is, what became of everyone
// in it, and the only code that writes either to Redis.
//
// The pure part needs no Redis: [Spec] and its templates, [Recipient] and its
// pages, [Record] with its encoding, and [Next], the one state machine. The
// part that talks is [Ledger]: every change of a record is a compare-and-set of
// record and counts together, so that a rule lives once, in Go, counts can't
// drift from records, and any call may be made twice.
//
//	planned ──claim──▶ claimed ──accept──▶ accepted ──receipt──▶ delivered
//	   ▲                │ │  │                 │  └────receipt──▶ failed
//	   │                │ │  └─refuse─▶ refused└─────overdue───▶ unconfirmed
//	   │                │ └─doubt / overdue─▶ in_doubt ──receipt─▶ …
//	retrying ◀──defer───┘                        └──resend (a person's)─▶ retrying
//
// It promises that a recipient has exactly one state at every moment, that the
// balance closes, and that nothing here ever sends. It never starts a
// goroutine, logs, reads configuration or imports another room.
package campaign
