package operations

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/suppression"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/producer"
)

// Options are what operations need beside Redis.
type Options struct {
	// Region is the country whose numbers may stand in national form: two letters
	// of ISO 3166; empty: none.
	Region string
	// AccountRate is the account's limit in messages per second where no person
	// has set it.
	AccountRate float64
}

// Operations does what operators ask for. It is safe for concurrent use.
type Operations struct {
	o            Options
	rdb          redis.UniversalClient
	ledger       *ledger.Ledger
	suppressions *suppression.List
	producer     *producer.Client
}

// New returns the operations on what stands in rdb, which stays the caller's to
// close.
func New(rdb redis.UniversalClient, o Options) *Operations {
	return &Operations{o: o, rdb: rdb, ledger: ledger.New(rdb), suppressions: suppression.New(rdb), producer: producer.New(rdb)}
}

// Standing is a campaign as it stood at a moment.
type Standing struct {
	Info    *campaign.Info
	Balance *campaign.Balance
	At      time.Time // by Redis's clock
}

// Standing reads how a campaign stands. Errors: NotFound, also for a draft.
func (o *Operations) Standing(ctx context.Context, id campaign.ID) (*Standing, error) {
	// The moment first: what comes later isn't meant.
	at, err := o.ledger.Now(ctx)
	if err != nil {
		return nil, about(id, err)
	}
	info, err := o.ledger.Info(ctx, id)
	if err == nil && info.Phase == campaign.Draft {
		err = ledger.ErrNotFound
	}
	if err != nil {
		return nil, about(id, err)
	}
	b, err := o.ledger.Balance(ctx, id)
	if err != nil {
		return nil, about(id, err)
	}
	return &Standing{Info: info, Balance: b, At: at}, nil
}

// Left is how many people are still to be sent to.
func (s *Standing) Left() int {
	return s.Balance.Of(campaign.Planned) + s.Balance.Of(campaign.Retrying)
}

// Seen reports whether a campaign still is as a person has seen it: in this
// phase, for this reason. The error is Stale.
func (s *Standing) Seen(phase campaign.Phase, reason string) error {
	if s.Info.Phase == phase && s.Info.Reason == reason {
		return nil
	}
	return refusef(Stale, "", "campaign %s has changed since: it is %s now; nothing was done, look again", s.Info.ID, s)
}

// String is the phase with its reason.
func (s *Standing) String() string {
	if s.Info.Reason == "" {
		return string(s.Info.Phase)
	}
	return string(s.Info.Phase) + " (" + s.Info.Reason + ")"
}

// now is the time that goes into histories.
func now() time.Time { return time.Now() }
