package report

import (
	"context"
	"sync"
	"time"

	"github.com/handout-dev/handout/campaign"
)

// senders are the campaigns that send at this moment, read at most once in sendersLife
// however many pages ask.
type senders struct {
	mu sync.Mutex
	at time.Time              // when they were read, by this machine's clock
	of map[campaign.ID]string // their accounts
}

const (
	sendersLife = 2 * time.Second
	// maxSenders is of how many running campaigns the samples are read.
	maxSenders = 200
)

// othersThan reads how many campaigns of the account beside this one have sent within
// measureTime. now is by Redis's clock.
func (q *Reader) othersThan(ctx context.Context, id campaign.ID, account string, now time.Time) (int, error) {
	s := &q.senders
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of == nil || time.Since(s.at) > sendersLife {
		of, err := q.readSenders(ctx, now)
		if err != nil {
			return 0, err
		}
		s.of, s.at = of, time.Now()
	}
	n := 0
	for other, its := range s.of {
		if other != id && its == account {
			n++
		}
	}
	return n, nil
}

func (q *Reader) readSenders(ctx context.Context, now time.Time) (map[campaign.ID]string, error) {
	sending := make(map[campaign.ID]string)
	active, err := q.ledger.Active(ctx)
	if err != nil {
		return nil, err
	}
	all, err := q.ledger.Summaries(ctx, active)
	if err != nil {
		return nil, err
	}
	read := 0
	for i := range all {
		c := &all[i]
		if c.Phase != campaign.Running || waiting(&c.Balance) == 0 || read == maxSenders {
			continue
		}
		read++
		samples, err := q.ledger.Samples(ctx, c.ID, now.Add(-measureTime))
		if err != nil {
			return nil, err
		}
		// A campaign that moves has a sample each 5 s.
		if len(samples) > 0 && sentTo(&c.Balance) > sentTo(&samples[0].Balance) {
			sending[c.ID] = c.Account
		}
	}
	return sending, nil
}
