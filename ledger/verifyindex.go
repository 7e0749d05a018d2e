package ledger

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
)

// checkIndexed finds records of a page whose reference doesn't lead back to
// them. The records were read before the index: what comes in between can only
// be there too soon.
func (l *Ledger) checkIndexed(ctx context.Context, c *campaign.Info, p *Page, v *Verdict) error {
	found := make(map[int]*redis.StringCmd)
	_, err := l.rdb.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i, s := range p.Records {
			if s.Record.Reference != "" {
				field, bucket := referenceField(s.Record.Reference, refBuckets(c))
				found[i] = pipe.HGet(ctx, l.keys.references(c.ID, bucket), field)
			}
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return fmt.Errorf("read references of campaign %s: %w", c.ID, err)
	}
	for i, cmd := range found {
		at := campaign.Place{Page: p.Number, Index: i}
		if to, _, ok := campaign.ParseReferenceValue(cmd.Val()); !ok || to != at {
			v.fault("recipient %s is %s and its reference doesn't lead to it", at, p.Records[i].Record.State)
		}
	}
	return nil
}

// indexEntry is one entry of the index.
type indexEntry struct {
	reference string
	place     campaign.Place
	attempt   int
	record    *redis.StringCmd
}

// checkIndex finds references that lead to no record, or to one that never had
// them.
func (l *Ledger) checkIndex(ctx context.Context, c *campaign.Info, v *Verdict) error {
	buckets := refBuckets(c)
	for first := 0; first < buckets; first += scanPages {
		n := min(scanPages, buckets-first)
		read := make([]*redis.MapStringStringCmd, n)
		_, err := l.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i := range n {
				read[i] = p.HGetAll(ctx, l.keys.references(c.ID, first+i))
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("read references of campaign %s: %w", c.ID, err)
		}
		var entries []indexEntry
		for _, cmd := range read {
			for field, value := range cmd.Val() {
				e := indexEntry{reference: referenceOf(field)}
				var ok bool
				if e.place, e.attempt, ok = campaign.ParseReferenceValue(value); !ok || !c.Has(e.place) {
					v.fault("reference %s leads to no recipient in the list", e.reference)
					continue
				}
				entries = append(entries, e)
			}
		}
		if err := l.checkEntries(ctx, c, entries, v); err != nil {
			return err
		}
	}
	return nil
}

func (l *Ledger) checkEntries(ctx context.Context, c *campaign.Info, entries []indexEntry, v *Verdict) error {
	if len(entries) == 0 {
		return nil
	}
	_, err := l.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i := range entries {
			e := &entries[i]
			e.record = p.HGet(ctx, l.keys.records(c.ID, e.place.Page), strconv.Itoa(e.place.Index))
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return fmt.Errorf("read records of campaign %s: %w", c.ID, err)
	}
	for i := range entries {
		e := &entries[i]
		s, err := decodeSeen(e.record.Val())
		switch r := s.Record; {
		case err != nil:
			v.fault("recipient %s can't be read", e.place)
		case r.Attempt < e.attempt, r.Attempt == e.attempt && r.Reference != e.reference:
			v.fault("reference %s is of attempt %d of recipient %s, which is %s at attempt %d", e.reference, e.attempt, e.place, r.State, r.Attempt)
		}
	}
	return nil
}

// referenceOf is a reference from its field in the index.
func referenceOf(field string) string {
	if len(field) == campaign.PackedRefSize {
		return strings.ToUpper(hex.EncodeToString([]byte(field)))
	}
	return field
}

// checkStray finds records of pages that the list hasn't.
func (l *Ledger) checkStray(ctx context.Context, c *campaign.Info, v *Verdict) error {
	prefix := strings.TrimSuffix(l.keys.records(c.ID, 0), "0")
	var mu sync.Mutex // a cluster's masters are asked side by side
	check := func(ctx context.Context, rdb redis.Cmdable) error {
		keys := rdb.Scan(ctx, 0, prefix+"*", scanKeys).Iterator()
		for keys.Next(ctx) {
			page, ok := campaign.ParseNumber(strings.TrimPrefix(keys.Val(), prefix))
			if !ok || page >= c.Pages {
				mu.Lock()
				v.fault("%s holds records and is no page of the list", keys.Val())
				mu.Unlock()
			}
		}
		if err := keys.Err(); err != nil {
			return fmt.Errorf("look for records of campaign %s: %w", c.ID, err)
		}
		return nil
	}
	if cluster, ok := l.rdb.(*redis.ClusterClient); ok {
		return cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error { return check(ctx, node) })
	}
	return check(ctx, l.rdb)
}

// scanKeys is how many keys one step of a scan looks at.
const scanKeys = 2000

// ErrMoving means that counts can't be put right while they change.
var ErrMoving = errors.New("the campaign is moving; pause it, wait for a moment and try again")

// Repair sets the counts of a campaign to what its records say, and returns a
// line for each count that it has changed. It changes nothing but counts.
func (l *Ledger) Repair(ctx context.Context, c *campaign.Info, v *Verdict) ([]string, error) {
	if v.Moving {
		return nil, ErrMoving
	}
	var done []string
	args := make([]any, 0, 3*campaign.CounterCount)
	for i, name := range campaign.CounterNames {
		was, is := v.counted.Counter(i), v.Balance.Counter(i)
		args = append(args, name, was, is)
		if was != is {
			done = append(done, fmt.Sprintf("%s: was counted %d, is %d now", name, was, is))
		}
	}
	if len(done) == 0 {
		return nil, nil
	}
	n, err := repairScript.Run(ctx, l.rdb, []string{l.keys.counts(c.ID)}, args...).Int()
	if err != nil {
		return nil, fmt.Errorf("repair campaign %s: %w", c.ID, err)
	}
	if n == 0 {
		return nil, ErrMoving
	}
	return done, nil
}
