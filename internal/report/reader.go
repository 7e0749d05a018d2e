package report

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/audit"
	"github.com/handout-dev/handout/internal/proposal"
	"github.com/handout-dev/handout/internal/sealed"
	"github.com/handout-dev/handout/internal/suppression"
	"github.com/handout-dev/handout/internal/unverified"
	"github.com/handout-dev/handout/internal/web/access"
	"github.com/handout-dev/handout/ledger"
)

// Reader answers questions about campaigns. It is safe for concurrent use.
type Reader struct {
	rdb          redis.UniversalClient
	ledger       *ledger.Ledger
	suppressions *suppression.List
	rates        map[string]float64 // of each account, by its name
	senders      senders
	audit        *audit.Log
}

// NewReader returns a reader of what stands in rdb, which stays the caller's to
// close. accountRate is the default account's limit in messages per second where no
// person has set it.
func NewReader(rdb redis.UniversalClient, accountRate float64) *Reader {
	return &Reader{
		rdb: rdb, ledger: ledger.New(rdb), suppressions: suppression.New(rdb), rates: map[string]float64{campaign.DefaultAccount: accountRate}, audit: audit.New(rdb, audit.Options{}),
	}
}

// OfAccounts adds the limits of other accounts, by their names. Call it before the first
// read.
func (q *Reader) OfAccounts(rates map[string]float64) *Reader {
	maps.Copy(q.rates, rates)
	return q
}

// Accounts returns the accounts' names, the default first; there may be campaigns of
// others.
func (q *Reader) Accounts() []string {
	names := slices.Sorted(maps.Keys(q.rates))
	at := slices.Index(names, campaign.DefaultAccount)
	return append([]string{campaign.DefaultAccount}, slices.Delete(names, at, at+1)...)
}

// Sealed has the reader read what is encrypted. Call it before the first read.
func (q *Reader) Sealed(keys *sealed.Ring) *Reader {
	q.ledger.Seal(keys)
	return q
}

// Traced has the reader trace in log who reads many people. Call it before the first read.
func (q *Reader) Traced(log *audit.Log) *Reader {
	q.audit = log
	return q
}

// UnresolvedOptOuts counts the STOPs whose number isn't known, which wait for a person.
func (q *Reader) UnresolvedOptOuts(ctx context.Context) (int, error) {
	return q.suppressions.CountUnresolved(ctx)
}

// Warnings reads what keeps outcomes from arriving, for a campaign with this balance: a
// listener that refuses receipts, while people wait for theirs.
func (q *Reader) Warnings(ctx context.Context, b *campaign.Balance) ([]string, error) {
	if b.Of(campaign.Accepted)+b.Of(campaign.Claimed)+b.Of(campaign.InDoubt) == 0 {
		return nil, nil
	}
	n, err := unverified.Read(ctx, q.rdb)
	if err != nil || n == nil {
		return nil, err
	}
	return []string{n.String()}, nil
}

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
	if err == nil {
		err = access.Caller(ctx).See(string(id), info.Owner, info.Spec.AccountName())
	}
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
	p, err := q.ledger.Proposals().Read(ctx, id)
	if errors.Is(err, proposal.ErrNotFound) {
		err = ledger.ErrNotFound
	}
	if err == nil {
		err = access.Caller(ctx).See(string(id), p.By, p.Spec.AccountName())
	}
	if err != nil {
		return nil, absent(id, err)
	}
	return p.Spec, nil
}

// Waiting reads the campaign files that wait for their lists and that the caller may
// see, the latest first; o's text must stand in their IDs, and its account be theirs. A
// campaign that stands under the same ID hides one.
func (q *Reader) Waiting(ctx context.Context, o ListQuery) ([]*campaign.Spec, error) {
	all, err := q.ledger.Proposals().List(ctx)
	if err != nil {
		return nil, err
	}
	key, waiting, ids := access.Caller(ctx), []*campaign.Spec(nil), []campaign.ID(nil)
	for _, p := range all {
		account := p.Spec.AccountName()
		if key.Owns(p.By, account) && (o.Account == "" || o.Account == account) && strings.Contains(string(p.Spec.ID), o.Text) {
			waiting, ids = append(waiting, p.Spec), append(ids, p.Spec.ID)
		}
	}
	standing, err := q.ledger.Summaries(ctx, ids)
	return slices.DeleteFunc(waiting, func(s *campaign.Spec) bool {
		return slices.ContainsFunc(standing, func(one Summary) bool { return one.ID == s.ID && one.Phase != campaign.Draft })
	}), err
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

const maxRestored = 1000

// Restored returns a campaign that is held since Redis came back with an older state,
// and the reason of the hold. The ID is empty if there is none.
func (r *Reader) Restored(ctx context.Context) (campaign.ID, string, error) {
	ids, err := r.ledger.Active(ctx)
	if err != nil {
		return "", "", err
	}
	for _, id := range ids[:min(len(ids), maxRestored)] {
		phase, reason, _, err := r.ledger.Phase(ctx, id)
		if err == nil && phase == campaign.Held && campaign.IsRestored(reason) {
			return id, reason, nil
		}
	}
	return "", "", nil
}

// Dark is [ledger.Ledger.Dark].
func (q *Reader) Dark(ctx context.Context) ([]campaign.ID, error) { return q.ledger.Dark(ctx) }

// Rate is a rate with where it comes from, in messages per second. Its JSON form
// is a contract.
type Rate struct {
	Campaign string            `json:"campaign,omitempty" example:"order-history-2026-11" doc:"left out: the account's"`
	Of       string            `json:"of,omitempty" example:"us" doc:"the account's name; left out: default"`
	Rate     float64           `json:"rate" minimum:"0" doc:"in force"`
	Set      *campaign.RateSet `json:"set,omitempty" doc:"by a person; left out: none is set"`
	Own      float64           `json:"own,omitempty" doc:"of the campaign's file, or HANDOUT_RATE of the console; left out: none"`
	Account  float64           `json:"account" minimum:"0" doc:"in force for the account"`
	Granted  float64           `json:"granted,omitempty" doc:"what Telesign grants of the account's, as measured; left out: all of it"`
	// A pointer, since a zero time isn't left out.
	GrantedSince *time.Time `json:"granted_since,omitempty" doc:"since when Telesign grants less than the account's rate"`
}

// Rate reads the rate of a campaign.
func (q *Reader) Rate(ctx context.Context, id campaign.ID) (*Rate, error) {
	info, err := q.info(ctx, id)
	if err != nil {
		return nil, err
	}
	r, rates, err := q.accountRate(ctx, info.Spec.AccountName())
	if err != nil {
		return nil, err
	}
	r.Campaign, r.Set, r.Own = string(id), rates.SetFor(id), info.Spec.Rate
	if own := rates.Campaign(info); own > 0 {
		r.Rate = min(own, r.Account)
	}
	return r, nil
}

// AccountRate reads the rate of an account. ErrNotFound when there is none of this name.
func (q *Reader) AccountRate(ctx context.Context, account string) (*Rate, error) {
	if _, ok := q.rates[account]; !ok {
		return nil, &absentError{fmt.Sprintf("there is no account %s here", account)}
	}
	if err := access.Caller(ctx).See("this rate", access.Caller(ctx).Principal(), account); err != nil {
		return nil, err
	}
	r, _, err := q.accountRate(ctx, account)
	return r, err
}

func (q *Reader) accountRate(ctx context.Context, name string) (*Rate, campaign.Rates, error) {
	rates, err := q.ledger.Rates(ctx)
	if err != nil {
		return nil, rates, err
	}
	pace, err := q.ledger.Pace(ctx, name)
	if err != nil {
		return nil, rates, err
	}
	set := rates.Account(name, q.rates[name])
	account := pace.Of(set)
	r := &Rate{Of: campaign.StoredAccount(name), Rate: account, Set: rates.SetForAccount(name), Own: q.rates[name], Account: account}
	if account < set {
		r.Granted, r.GrantedSince = pace.Granted, &pace.GrantedSince
	}
	return r, rates, nil
}

// Undelivered is what webhooks haven't taken.
type Undelivered struct {
	Waiting   int            // outcomes and changes
	Failing   int            // webhooks that have taken nothing for three days
	Discarded map[string]int // what was dropped, by webhook; each has an entry
}

// Undelivered reads what webhooks haven't taken, of these campaigns.
func (q *Reader) Undelivered(ctx context.Context, campaigns []campaign.ID) (*Undelivered, error) {
	outbox := q.ledger.Outbox()
	endpoints, err := outbox.Endpoints(ctx)
	if err != nil || len(endpoints.All) == 0 {
		return new(Undelivered), err
	}
	u := &Undelivered{Discarded: make(map[string]int, len(endpoints.All))}
	if u.Waiting, err = outbox.Length(ctx, campaigns); err != nil {
		return nil, err
	}
	if u.Failing, err = outbox.CountFailing(ctx); err != nil {
		return nil, err
	}
	dropped, err := outbox.CountDiscarded(ctx)
	for _, e := range endpoints.All {
		u.Discarded[e.ID] = dropped[e.ID]
	}
	return u, err
}
