// Package ledger keeps campaigns in Redis, and what became of each recipient. It
// is the only code that writes either.
//
// Every change of a record is a compare-and-set of record and counts together,
// in one script: Go reads, computes [campaign.Next], and sets; on conflict it
// reads again. So each rule stands once, in Go, counts can't drift from records,
// and any call may be made twice.
//
// It never sends, starts no goroutine, doesn't log and reads no configuration.
package ledger
