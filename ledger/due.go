package ledger

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/redisx"
)

// A sorted set says when anything of a campaign wants a look: a window to refill, a
// page to settle, a start. A time may be too early, which costs a look; it must never
// be too late. So a change is announced before it is made: a second entry has the
// campaign looked at announceTime later, should the process die in between. After the
// change the campaign is due at once, and the announcement is taken back.

const (
	// announceTime is longer than a change takes between its announcement and its
	// last write.
	announceTime = 10 * time.Second
	// announceMark ends the name of an announcement; no campaign's ID has it.
	announceMark = "!"
	// noLook is the time of a campaign that wants no look, Unix milliseconds: in 2109.
	noLook = 1 << 42
)

// DueCampaign is a campaign that wants a look.
type DueCampaign struct {
	ID campaign.ID
	redisx.Timed
}

// DueCampaigns lists up to n campaigns that want a look by now, the longest due first.
func (l *Ledger) DueCampaigns(ctx context.Context, now time.Time, n int) ([]DueCampaign, error) {
	members, err := redisx.Due(ctx, l.rdb, l.keys.dueCampaigns(), now.UnixMilli(), n)
	if err != nil {
		return nil, fmt.Errorf("list due campaigns: %w", err)
	}
	due := make([]DueCampaign, len(members))
	for i, m := range members {
		due[i] = DueCampaign{campaign.ID(strings.TrimSuffix(m.Member, announceMark)), m}
	}
	return due, nil
}

// PutOff sets when a campaign that was due wants a look again; the zero time: not
// before something changes. A time that was set since it was read stays, if it is
// sooner. It returns the campaign as it is due now: a look before that time can put it
// off, too.
func (l *Ledger) PutOff(ctx context.Context, d DueCampaign, next time.Time) (DueCampaign, error) {
	at := cmp.Or(millis(next), noLook)
	due := DueCampaign{d.ID, redisx.Timed{Member: string(d.ID), At: float64(at)}}
	if strings.HasSuffix(d.Member, announceMark) {
		// First the campaign, then its announcement: a crash in between costs a look.
		if err := l.callAt(ctx, at, d.ID); err != nil {
			return due, err
		}
		at = 0
	}
	return due, l.setDue(ctx, d.Timed, at)
}

// Retire takes out a campaign that is done, or isn't there any more, unless it was
// called since it was read.
func (l *Ledger) Retire(ctx context.Context, d DueCampaign) error { return l.setDue(ctx, d.Timed, 0) }

func (l *Ledger) setDue(ctx context.Context, m redisx.Timed, at int64) error {
	if _, err := redisx.PutOff(ctx, l.rdb, l.keys.dueCampaigns(), m, at); err != nil {
		return fmt.Errorf("put off campaign %s: %w", m.Member, err)
	}
	return nil
}

// announce says that a campaign is about to change. Call done after the change: it
// has the campaign looked at, and takes the announcement back. It is no matter if
// that fails: the announcement stays.
func (l *Ledger) announce(ctx context.Context, c campaign.ID) (done func(), err error) {
	at := float64(time.Now().Add(announceTime).UnixMicro()) / 1000
	m := redisx.Timed{Member: string(c) + announceMark, At: at}
	if err := l.rdb.ZAdd(ctx, l.keys.dueCampaigns(), redis.Z{Score: at, Member: m.Member}).Err(); err != nil {
		return nil, fmt.Errorf("announce a change of campaign %s: %w", c, err)
	}
	return func() {
		ctx := context.WithoutCancel(ctx)
		if l.Call(ctx, c) == nil {
			_ = l.setDue(ctx, m, 0)
		}
	}, nil
}

// Call has campaigns looked at at once. A look that has begun can't put them off any
// more.
func (l *Ledger) Call(ctx context.Context, campaigns ...campaign.ID) error {
	return l.callAt(ctx, 0, campaigns...)
}

// callAt has campaigns looked at no later than at, Unix milliseconds.
func (l *Ledger) callAt(ctx context.Context, at int64, campaigns ...campaign.ID) error {
	var members []any
	for _, c := range campaigns {
		members = append(members, string(c))
	}
	if err := redisx.Call(ctx, l.rdb, l.keys.dueCampaigns(), at, members...); err != nil {
		return fmt.Errorf("call campaigns: %w", err)
	}
	return nil
}

// reactivate has a campaign looked at both before and after a recipient needs it.
func (l *Ledger) reactivate(ctx context.Context, c campaign.ID) error {
	if _, err := l.announce(ctx, c); err != nil {
		return err
	}
	return l.Call(ctx, c)
}

// Active lists the campaigns in which the machine may have work left: those that
// aren't done.
func (l *Ledger) Active(ctx context.Context) ([]campaign.ID, error) {
	names, err := l.rdb.ZRange(ctx, l.keys.dueCampaigns(), 0, -1).Result()
	if err != nil {
		return nil, fmt.Errorf("list active campaigns: %w", err)
	}
	for i := range names {
		names[i] = strings.TrimSuffix(names[i], announceMark)
	}
	slices.Sort(names)
	return toIDs(slices.Compact(names)), nil
}

// lookedTime is for how long it is known when a worker last looked.
const lookedTime = 24 * time.Hour

// LeaseLooks takes or keeps the lease of the worker that looks at what is due, or gives
// it back with a d of 0; false when another one has it. Nothing depends on it.
func (l *Ledger) LeaseLooks(ctx context.Context, worker string, d time.Duration) (bool, error) {
	mine, err := redisx.Lease(ctx, l.rdb, l.keys.dueLease(), worker, d)
	if err == nil && mine && d > 0 {
		err = l.rdb.Set(ctx, l.keys.dueLooked(), "", lookedTime).Err()
	}
	if err != nil {
		return false, fmt.Errorf("lease the looks: %w", err)
	}
	return mine, nil
}
