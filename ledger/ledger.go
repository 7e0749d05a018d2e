package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/batch"
	"github.com/handout-dev/handout/internal/proposal"
	"github.com/handout-dev/handout/internal/redisx"
	"github.com/handout-dev/handout/internal/references"
	"github.com/handout-dev/handout/internal/sealed"
	"github.com/handout-dev/handout/internal/webhook/outbox"
)

// Ledger is the campaigns in one Redis. It is safe for concurrent use; the
// changes that concurrent callers make travel to Redis together.
type Ledger struct {
	rdb        redis.UniversalClient
	keys       keys
	outbox     *outbox.Store
	references *references.Store
	proposals  *proposal.Store
	seals      *sealed.Store
	changes    *batch.Batcher[*change]
	replicas   int // that must have a claim
}

// New is the ledger in rdb, which stays the caller's to close.
func New(rdb redis.UniversalClient) *Ledger {
	l := &Ledger{rdb: rdb, keys: keys(redisx.Prefix(rdb)), references: references.New(rdb), proposals: proposal.New(rdb)}
	l.Seal(nil)
	l.changes = batch.New(maxChanges, applyTimeout, l.makeChanges)
	return l
}

// Seal has the ledger encrypt who is in new campaigns, and read what is encrypted. Call
// it before any other method.
func (l *Ledger) Seal(ring *sealed.Ring) {
	l.seals = sealed.New(l.rdb, ring)
	l.outbox = outbox.New(l.rdb, l.seals, l.keys.meta, l.named)
}

// Outbox returns the webhooks' endpoints, and the events that are yet to be
// delivered.
func (l *Ledger) Outbox() *outbox.Store { return l.outbox }

// Proposals returns the campaign files that wait for their lists.
func (l *Ledger) Proposals() *proposal.Store { return l.proposals }

// ErrNotFound means that there is no such campaign, or no such recipient.
var ErrNotFound = errors.New("not found")

// Recipients reads a page of the list; *PurgedError, or [ErrNotFound].
func (l *Ledger) Recipients(ctx context.Context, c campaign.ID, page int) ([]campaign.Recipient, error) {
	b, err := l.rdb.Get(ctx, l.keys.page(c, page)).Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, l.missing(ctx, c, page)
	}
	if err != nil {
		return nil, fmt.Errorf("read page %d of campaign %s: %w", page, c, err)
	}
	return l.decode(ctx, c, page, b)
}

func (l *Ledger) decode(ctx context.Context, c campaign.ID, page int, b []byte) (all []campaign.Recipient, err error) {
	if b, err = l.unseal(ctx, c, page, b); err == nil {
		all, err = campaign.DecodePage(b)
	}
	if err != nil {
		return nil, fmt.Errorf("page %d of campaign %s: %w", page, c, err)
	}
	return all, nil
}

// unseal returns a page's stored form; *PurgedError when its key was destroyed.
func (l *Ledger) unseal(ctx context.Context, c campaign.ID, page int, b []byte) ([]byte, error) {
	b, err := l.seals.Open(ctx, c, page, b)
	if errors.Is(err, sealed.ErrDestroyed) {
		var purged *campaign.PurgedError
		if gone := l.missing(ctx, c, page); errors.As(gone, &purged) {
			return nil, gone
		}
	}
	return b, err
}

// Seen is a record as it stood in the ledger when it was read or written.
type Seen struct {
	Record campaign.Record
	raw    string
}

func decodeSeen(raw string) (Seen, error) {
	r, err := campaign.DecodeRecord([]byte(raw))
	return Seen{Record: r, raw: raw}, err
}

// Records reads a page's records by index; planned recipients are absent.
func (l *Ledger) Records(ctx context.Context, c campaign.ID, page int) (map[int]Seen, error) {
	fields, err := l.rdb.HGetAll(ctx, l.keys.records(c, page)).Result()
	if err != nil {
		return nil, fmt.Errorf("read records of page %d of campaign %s: %w", page, c, err)
	}
	return decodeRecords(c, page, fields)
}

func decodeRecords(c campaign.ID, page int, fields map[string]string) (map[int]Seen, error) {
	seen := make(map[int]Seen, len(fields))
	for f, raw := range fields {
		i, ok := campaign.ParseNumber(f)
		s, err := decodeSeen(raw)
		if !ok || i >= campaign.PageSize || err != nil {
			return nil, fmt.Errorf("record %s of page %d of campaign %s: %w", f, page, c, campaign.ErrBadRecord)
		}
		seen[i] = s
	}
	return seen, nil
}

// FindReference finds the recipient and the attempt that Telesign has given
// this reference; ErrNotFound when this campaign has none such.
func (l *Ledger) FindReference(ctx context.Context, c *campaign.Info, reference string) (campaign.Place, int, error) {
	field, bucket := referenceField(campaign.StorableReference(reference), refBuckets(c))
	v, err := l.rdb.HGet(ctx, l.keys.references(c.ID, bucket), field).Result()
	if errors.Is(err, redis.Nil) {
		return campaign.Place{}, 0, ErrNotFound
	}
	if err != nil {
		return campaign.Place{}, 0, fmt.Errorf("find a reference in campaign %s: %w", c.ID, err)
	}
	p, attempt, ok := campaign.ParseReferenceValue(v)
	if !ok {
		return campaign.Place{}, 0, fmt.Errorf("find a reference in campaign %s: %q isn't a recipient", c.ID, v)
	}
	return p, attempt, nil
}

// Balance reads the counts.
func (l *Ledger) Balance(ctx context.Context, c campaign.ID) (*campaign.Balance, error) {
	values, err := l.rdb.HMGet(ctx, l.keys.counts(c), campaign.CounterNames[:]...).Result()
	if err != nil {
		return nil, fmt.Errorf("read counts of campaign %s: %w", c, err)
	}
	return campaign.ParseBalance(values)
}

// Lease takes or keeps the named work on a campaign (all of them: "") for as long as d, or gives it back
// with a d of 0; false when someone else has it. The token is the taker's own random
// text. A lease saves double work; nothing depends on it for its truth.
func (l *Ledger) Lease(ctx context.Context, c campaign.ID, work, token string, d time.Duration) (bool, error) {
	mine, err := redisx.Lease(ctx, l.rdb, l.keys.lease(c, work), token, d)
	if err != nil {
		return false, fmt.Errorf("lease %s of campaign %s: %w", work, c, err)
	}
	return mine, nil
}
