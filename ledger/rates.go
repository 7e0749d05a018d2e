package ledger

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
)

// Rates reads what persons have set, in one call.
func (l *Ledger) Rates(ctx context.Context) (campaign.Rates, error) {
	fields, err := l.rdb.HGetAll(ctx, l.keys.rates()).Result()
	if err != nil {
		return campaign.Rates{}, fmt.Errorf("read rates: %w", err)
	}
	accounts := make(map[string]*campaign.RateSet)
	campaigns := make(map[campaign.ID]*campaign.RateSet, len(fields))
	for field, text := range fields {
		s := new(campaign.RateSet)
		if err := json.Unmarshal([]byte(text), s); err != nil || !validRate(s.Rate) {
			return campaign.Rates{}, fmt.Errorf("read rates: that of %s is %q", field, text)
		}
		if name, ok := strings.CutPrefix(field, accountRate); ok {
			accounts[cmp.Or(name, campaign.DefaultAccount)] = s
		} else {
			campaigns[campaign.ID(field)] = s
		}
	}
	return campaign.NewRates(accounts, campaigns), nil
}

// rateChangeTime is how long a change of a campaign's rate may take.
const rateChangeTime = time.Minute

// SetRate sets a campaign's rate in messages per second, for all workers within
// a second, whatever its file says; 0 goes back to the file's. It stays under
// the account's. Errors: [ErrNotFound]; *PurgedError, and nothing is left.
func (l *Ledger) SetRate(ctx context.Context, c campaign.ID, rate float64, a campaign.Actor, now time.Time) error {
	// A cluster keeps the rates in another slot than the campaign, which may be
	// purged at any moment. So a change is announced beside the rates before the
	// campaign is read, and only an announced change is written; a purge marks the
	// campaign, then deletes announcements and rate. In whichever order these
	// happen, and wherever a process dies, no rate outlives the purge, and
	// announcements expire.
	token := rand.Text()
	_, err := l.rdb.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.HSet(ctx, l.keys.rateChanges(c), token, "")
		p.Expire(ctx, l.keys.rateChanges(c), rateChangeTime)
		return nil
	})
	if err != nil {
		return fmt.Errorf("set the rate of campaign %s: %w", c, err)
	}
	if err := l.unpurged(ctx, c); err != nil {
		return err
	}
	changed, err := l.setRate(ctx, string(c), rate, a, now, func(text []byte) error {
		n, err := rateScript.Run(ctx, l.rdb, []string{l.keys.rates(), l.keys.rateChanges(c)}, string(c), text, token).Int()
		if err == nil && n == 0 {
			if err = l.unpurged(ctx, c); err == nil {
				err = fmt.Errorf("it took over %s; try again", rateChangeTime)
			}
		}
		return err
	})
	if err != nil || !changed {
		return err
	}
	// A crash before this loses the line, not who set the rate: that stands with it.
	about := fmt.Sprintf("%g/s", rate)
	if rate == 0 {
		about = "back to the file's"
	}
	return l.Note(ctx, c, a, now, "rate set", about)
}

// unpurged returns why a campaign has no rate any more: [ErrNotFound] or
// *PurgedError.
func (l *Ledger) unpurged(ctx context.Context, c campaign.ID) error {
	v, err := l.rdb.HMGet(ctx, l.keys.meta(c), fieldState, fieldPurged).Result()
	switch {
	case err != nil:
		return fmt.Errorf("read campaign %s: %w", c, err)
	case v[0] == nil:
		return fmt.Errorf("campaign %s: %w", c, ErrNotFound)
	case v[1] != nil:
		return &campaign.PurgedError{ID: c, At: time.UnixMilli(number(v[1]))}
	}
	return nil
}

// SetAccountRate sets an account's rate in messages per second, for all workers
// within a second; 0 goes back to that of their environment.
func (l *Ledger) SetAccountRate(ctx context.Context, account string, rate float64, a campaign.Actor, now time.Time) error {
	field := accountRate + campaign.StoredAccount(account)
	_, err := l.setRate(ctx, field, rate, a, now, func(text []byte) error {
		return l.rdb.HSet(ctx, l.keys.rates(), field, text).Err()
	})
	return err
}

// setRate makes every change of a rate, with who and why, and reports whether
// anything has changed.
func (l *Ledger) setRate(ctx context.Context, field string, rate float64, a campaign.Actor, now time.Time, write func(text []byte) error) (bool, error) {
	if rate == 0 {
		n, err := l.rdb.HDel(ctx, l.keys.rates(), field).Result()
		if err != nil {
			return false, fmt.Errorf("reset a rate: %w", err)
		}
		return n > 0, nil
	}
	if !validRate(rate) {
		return false, fmt.Errorf("a rate of %v messages per second", rate)
	}
	all, err := l.Rates(ctx)
	if err != nil {
		return false, err
	}
	stands := all.SetFor(campaign.ID(field))
	if name, ok := strings.CutPrefix(field, accountRate); ok {
		stands = all.SetForAccount(cmp.Or(name, campaign.DefaultAccount))
	}
	if stands != nil && stands.Rate == rate {
		return false, nil // said twice
	}
	text, err := json.Marshal(campaign.RateSet{Rate: rate, By: campaign.Clip(a.Name, campaign.MaxActor), Why: campaign.Clip(a.Why, campaign.MaxWhy), At: now.UTC()})
	if err == nil {
		err = write(text)
	}
	if err != nil {
		return false, fmt.Errorf("set a rate: %w", err)
	}
	return true, nil
}

func validRate(rate float64) bool { return rate > 0 && !math.IsInf(rate, 0) }
