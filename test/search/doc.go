// Package search walks at random over what people, the vendor, the queue and the
// machines can do to several campaigns at once, and asks after each step whether
// what is promised still holds: it looks for faults that no table of tests names.
//
//	operations ─▶ ┌────────┐      ┌──────────────┐ POST  ┌────────────────┐
//	              │ Redis, │ ◀──▶ │ worker, once │ ────▶ │ vendor: says   │
//	callbacks ──▶ │ a real │      │ or twice     │ ◀──── │ what the walk  │
//	    ▲         │ one    │      └──────────────┘       │ wants          │
//	    │         └────────┘                             └────────────────┘
//	    └──────────────── receipts, as the walk wants ───────────┘
//
// The house runs as a whole, by its outermost doors (worker.New and Start, the
// listener's handler, the verbs of operations), in a bubble of testing/synctest:
// its clock moves as soon as everything waits, so that a night takes milliseconds.
// Between the house and its redis-server lies a wire, which has Redis tell the
// bubble's time, stands still, and breaks; a worker is killed by having its end of
// the wire, and its way to the vendor, do nothing any more.
//
// A walk ends with calm: the faults stop, people resume what is stopped, the vendor
// says what became of each message, and within a bound everyone must be settled.
// pgregory.net/rapid draws the steps, and makes the story of a failure shorter.
//
// There is nothing to import here. The tests run for half a minute in
// go test ./..., with the same walks each time, and for ten minutes in make search,
// with others each time. See docs/decisions/0031-a-search-for-what-no-table-names.md.
package search
