package report

import (
	"context"
	"sync"

	"github.com/handout-dev/handout/campaign"
)

const sampleReaders = 8

// Sample reads the records of a campaign, of a larger one those of at most maxPeople
// people, in pages at even distances. yield is called for one record at a time.
// It returns of how many people it was, and how many could have a record.
func (q *Reader) Sample(ctx context.Context, info *campaign.Info, maxPeople int, yield func(*campaign.Record)) (read, of int, err error) {
	pages, of := sampledPages(info, maxPeople)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var mu sync.Mutex
	var group sync.WaitGroup
	for reader := range sampleReaders {
		group.Go(func() {
			for i := reader; i < len(pages) && ctx.Err() == nil; i += sampleReaders {
				records, err := q.ledger.Records(ctx, info.ID, pages[i])
				if err != nil {
					cancel(err)
					return
				}
				mu.Lock()
				read += info.Size(pages[i])
				for _, seen := range records {
					yield(&seen.Record)
				}
				mu.Unlock()
			}
		})
	}
	group.Wait()
	return read, of, context.Cause(ctx)
}

// sampledPages are the pages of at most maxPeople people, at even distances. of is how
// many people all pages have together that could have a record.
func sampledPages(info *campaign.Info, maxPeople int) (pages []int, of int) {
	last := info.Pages
	if !info.Spec.ByZone() { // fed in order: after the cursor there are no records
		last = min(last, (info.Cursor+campaign.PageSize-1)/campaign.PageSize)
	}
	n := min(last, maxPeople/campaign.PageSize)
	for i := range n {
		pages = append(pages, i*last/n)
	}
	for page := range last {
		of += info.Size(page)
	}
	return pages, of
}
