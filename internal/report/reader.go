package report

import (
	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/ledger"
)

// Reader answers questions about campaigns. It is safe for concurrent use.
type Reader struct {
	ledger      *ledger.Ledger
	accountRate float64
}

// NewReader returns a reader of what stands in rdb, which stays the caller's to
// close. accountRate is the account's limit in messages per second where no person
// has set it.
func NewReader(rdb redis.UniversalClient, accountRate float64) *Reader {
	return &Reader{ledger: ledger.New(rdb), accountRate: accountRate}
}
