// Package worker takes tasks from the queue and sends: it is the only room that
// speaks to Telesign of its own accord.
//
//	sweep ──▶ feed ──▶ [queue] ──▶ send: decode, pace, claim, send, record
//	  └─────▶ settle ────▲  └ what is overdue, and tasks that got lost
//
// It promises that a claim stands in the ledger before a request is written,
// that no answer is taken for "not sent" that doesn't say so, and that all
// workers together keep the account's rate. Judge.go is the only switch on
// errors. Handlers return nil for every recorded outcome, so that nothing of a
// campaign gathers in asynq's archive.
package worker
