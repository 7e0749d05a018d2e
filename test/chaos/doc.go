// Package chaos kills what handout is made of, while it sends, and counts what
// became of everyone. The parts are real: the program itself, built once and run
// as processes that end by SIGKILL; a redis-server that is killed and comes back
// from its append-only file; the vendor's double over HTTP, which survives
// everything. What the vendor's double has taken is the only witness: the ledger
// is held against it, never the other way round.
//
//	handout work ──▶ proxy ──▶ vendor      the proxies stand in the tests: they
//	     │                       │         kill at a chosen moment, and nothing in
//	   proxy                  receipts     the program knows of them
//	     ▼                       ▼
//	redis-server ◀────────── handout listen
//
// Each scenario ends with the same questions. Sent twice: did the vendor take
// anything for one recipient more than once, all attempts together? Lost: does
// the ledger say of anyone what the vendor denies, or has it left anyone
// unsettled? In doubt: who, how many, and did a receipt settle them? Does the
// balance close, by the word of `handout verify`?
//
// There is nothing to import here. The tests run in make chaos-short with a few
// hundred recipients, and with thousands in make chaos, which prints the table
// of docs/promises.md.
package chaos
