package report

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/ledger"
)

// Sample is where a campaign stood at a moment.
type Sample = campaign.Sample

// absentError is a [ledger.ErrNotFound] in words for people.
type absentError struct{ text string }

func (e *absentError) Error() string { return e.text }
func (e *absentError) Unwrap() error { return ledger.ErrNotFound }

// Campaign reads a campaign, a draft too, and its balance.
func (q *Reader) Campaign(ctx context.Context, id campaign.ID) (*campaign.Info, *campaign.Balance, error) {
	info, err := q.info(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	b, err := q.ledger.Balance(ctx, id)
	return info, b, err
}

// Committed is Campaign for one whose list has come.
func (q *Reader) Committed(ctx context.Context, id campaign.ID) (*campaign.Info, *campaign.Balance, error) {
	info, b, err := q.Campaign(ctx, id)
	if err == nil && info.Phase == campaign.Draft {
		err = &absentError{fmt.Sprintf("campaign %s is a draft: its submit hasn't finished; run it again", id)}
	}
	return info, b, err
}

func (q *Reader) info(ctx context.Context, id campaign.ID) (*campaign.Info, error) {
	info, err := q.ledger.Info(ctx, id)
	return info, absent(id, err)
}

func absent(id campaign.ID, err error) error {
	if errors.Is(err, ledger.ErrNotFound) {
		return &absentError{fmt.Sprintf("there is no campaign %s", id)}
	}
	return err
}

// Proposed reads the spec of a campaign whose list hasn't come.
func (q *Reader) Proposed(ctx context.Context, id campaign.ID) (*campaign.Spec, error) {
	s, err := q.ledger.Proposed(ctx, id)
	return s, absent(id, err)
}

// History reads what was done to a campaign, the earliest first.
func (q *Reader) History(ctx context.Context, id campaign.ID) ([]campaign.Entry, error) {
	return q.ledger.History(ctx, id)
}

// Samples reads where a campaign with this balance has stood, the earliest first,
// and where it stands now if it moves.
func (q *Reader) Samples(ctx context.Context, info *campaign.Info, b *campaign.Balance) ([]Sample, error) {
	samples, err := q.ledger.Samples(ctx, info.ID, time.Time{})
	if err != nil {
		return nil, err
	}
	if info.Phase != campaign.Done && info.Phase != campaign.Draft && len(samples) > 0 {
		samples = append(samples, Sample{At: time.Now().UTC(), Balance: *b})
	}
	return samples, nil
}

// ZonesLeft reads who of a campaign is still to be sent to in which zones.
func (q *Reader) ZonesLeft(ctx context.Context, info *campaign.Info) ([]campaign.ZoneLeft, error) {
	return q.ledger.ZonesLeft(ctx, info)
}

// Verify recomputes a campaign's balance from its records, and returns what doesn't
// agree. progress, if not nil, is called with the number of pages read.
func (q *Reader) Verify(ctx context.Context, info *campaign.Info, progress func(pages int)) (*ledger.Verdict, error) {
	return q.ledger.Verify(ctx, info, progress)
}
