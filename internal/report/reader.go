package report

import (
	"context"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/internal/suppression"
	"github.com/handout-dev/handout/ledger"
)

// Reader answers questions about campaigns. It is safe for concurrent use.
type Reader struct {
	ledger       *ledger.Ledger
	suppressions *suppression.List
	accountRate  float64
}

// NewReader returns a reader of what stands in rdb, which stays the caller's to
// close. accountRate is the account's limit in messages per second where no person
// has set it.
func NewReader(rdb redis.UniversalClient, accountRate float64) *Reader {
	return &Reader{ledger: ledger.New(rdb), suppressions: suppression.New(rdb), accountRate: accountRate}
}

// UnresolvedOptOuts counts the STOPs whose number isn't known, which wait for a person.
func (q *Reader) UnresolvedOptOuts(ctx context.Context) (int, error) {
	return q.suppressions.CountUnresolved(ctx)
}
