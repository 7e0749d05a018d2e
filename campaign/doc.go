// Package campaign says what a campaign is, and what can become of a recipient:
// [Spec] and its templates, [Recipient] and the encoding of pages, [Record] and
// its encoding, [Hours], [Balance], and [Next], the state machine.
//
//	planned ──claim──▶ claimed ──accept──▶ accepted ──receipt──▶ delivered
//	   ▲                │ │  │                 │  └────receipt──▶ failed
//	   │                │ │  └─refuse─▶ refused└─────overdue───▶ unconfirmed
//	   │                │ └─doubt / overdue─▶ in_doubt ──receipt─▶ …
//	retrying ◀──defer───┘                        └──resend (a person's)─▶ retrying
//
// It promises that a recipient has exactly one state at every moment. It is
// pure: values in, values out. It knows no Redis, no network, no clock of its
// own, starts no goroutine, and imports no other room.
package campaign
