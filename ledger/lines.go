package ledger

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/redisx"
)

// Line is a sorted set of a campaign's pages, by when something in them is to be
// done. There is one for each kind of work, so that none waits for another.
type Line int

const (
	// Watched pages have claims that may be lost, receipts that are to come, or
	// tasks that may be lost.
	Watched Line = iota
	// Unsent pages have recipients for whom tasks are to be written.
	Unsent
	// Overdue pages have receipts to ask for.
	Overdue
	lines
)

var lineNames = [lines]string{"due", "unsent", "overdue"}

// DuePage is a page of a line that must be looked at.
type DuePage struct {
	Line Line
	Page int
	At   time.Time
}

// Due lists up to limit pages of a line that must be looked at by now, the longest
// due first; -1 is no limit.
func (l *Ledger) Due(ctx context.Context, c campaign.ID, line Line, now time.Time, limit int) ([]DuePage, error) {
	members, err := redisx.Due(ctx, l.rdb, l.keys.line(c, line), now.UnixMilli(), limit)
	if err != nil {
		return nil, fmt.Errorf("list due pages of campaign %s: %w", c, err)
	}
	pages := make([]DuePage, len(members))
	for i, m := range members {
		page, err := strconv.Atoi(m.Member)
		if err != nil {
			return nil, fmt.Errorf("list due pages of campaign %s: %q isn't a page", c, m.Member)
		}
		pages[i] = DuePage{Line: line, Page: page, At: time.UnixMilli(int64(m.At))}
	}
	return pages, nil
}

// SetDue puts off a page that was due; the zero time: nothing is left to do in it.
// It returns false when the page's time isn't d.At any more: it has been called
// since.
func (l *Ledger) SetDue(ctx context.Context, c campaign.ID, d DuePage, next time.Time) (bool, error) {
	ok, err := redisx.PutOff(ctx, l.rdb, l.keys.line(c, d.Line), redisx.Timed{Member: strconv.Itoa(d.Page), At: float64(d.At.UnixMilli())}, millis(next))
	if err != nil {
		return false, fmt.Errorf("put off page %d of campaign %s: %w", d.Page, c, err)
	}
	return ok, nil
}

// CallDue has pages of a line looked at no later than at. A look that has read a page
// before the call can't put it off by SetDue any more.
func (l *Ledger) CallDue(ctx context.Context, c campaign.ID, line Line, at time.Time, pages ...int) error {
	// The campaign first: if the process dies in between, it is looked at in vain.
	if err := l.callAt(ctx, at.UnixMilli(), c); err != nil {
		return err
	}
	return l.Enlist(ctx, c, line, at, pages...)
}

// millis is a time in Unix milliseconds, 0 for the zero time, which is long before.
func millis(t time.Time) int64 { return max(0, t.UnixMilli()) }

// Enlist is CallDue for a worker that looks at the campaign just now.
func (l *Ledger) Enlist(ctx context.Context, c campaign.ID, line Line, at time.Time, pages ...int) error {
	if len(pages) == 0 {
		return nil
	}
	var members []any
	for _, p := range pages {
		members = append(members, p)
	}
	if err := redisx.Call(ctx, l.rdb, l.keys.line(c, line), at.UnixMilli(), members...); err != nil {
		return fmt.Errorf("call pages of campaign %s: %w", c, err)
	}
	return nil
}

// Waits is the time of a page whose people wait until the campaign runs again.
func Waits() time.Time { return time.UnixMilli(noLook) }

// soon is over the time that a page is put off whose tasks have just been written
// (30 seconds), and over that of a visit (1 minute).
const soon = 2 * time.Minute

// Recall makes pages due whose tasks came to nothing while the campaign was stopped;
// of a canceled one all pages. A resume or a cancel asks for it in the same step.
func (l *Ledger) Recall(ctx context.Context, c campaign.ID, s *State, now time.Time) error {
	until := strconv.FormatInt(now.Add(soon).UnixMilli(), 10)
	if s.Phase == campaign.Ended {
		until = "+inf"
	}
	err := recallScript.Run(ctx, l.rdb, []string{l.keys.meta(c), l.keys.line(c, Watched), l.keys.line(c, Unsent)}, s.Recall, now.UnixMilli(), until, noLook).Err()
	if err != nil {
		return fmt.Errorf("recall pages of campaign %s: %w", c, err)
	}
	return nil
}

// State is where a campaign stands, as a look needs it.
type State struct {
	Salt    string // see [campaign.Info.Salt]
	Phase   campaign.Phase
	StartAt time.Time // paused until then; zero: until a person resumes it
	Total   int       // of a standing campaign it grows
	Canary  string    // see [campaign.Info.Canary]
	Recall  string    // if not empty: pages are to be recalled
	Balance *campaign.Balance
	// Next is when a page of each line must be looked at next; the zero time: none.
	Next [lines]time.Time
	// Unsent is how many pages have recipients for whom tasks may be written now.
	Unsent int

	feed []any
}

// State reads where a campaign stands at now; [ErrNotFound] for a draft, too.
func (l *Ledger) State(ctx context.Context, c campaign.ID, now time.Time) (*State, error) {
	var meta, counts *redis.SliceCmd
	var next [lines]*redis.ZSliceCmd
	var unsent *redis.IntCmd
	_, err := l.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		meta = p.HMGet(ctx, l.keys.meta(c), append([]string{fieldStartAt, fieldTotal, fieldCanary, fieldRecall, fieldSalt}, feedFields...)...)
		counts = p.HMGet(ctx, l.keys.counts(c), campaign.CounterNames[:]...)
		for line := range next {
			next[line] = p.ZRangeWithScores(ctx, l.keys.line(c, Line(line)), 0, 0)
		}
		unsent = p.ZCount(ctx, l.keys.line(c, Unsent), "-inf", strconv.FormatInt(now.UnixMilli(), 10))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look at campaign %s: %w", c, err)
	}
	v := meta.Val()
	s := &State{StartAt: moment(v[0]), Total: int(number(v[1])), Unsent: int(unsent.Val()), feed: v[5:]}
	for line := range next {
		if z := next[line].Val(); len(z) > 0 {
			s.Next[line] = time.UnixMilli(int64(z[0].Score))
		}
	}
	s.Canary, _ = v[2].(string)
	s.Recall, _ = v[3].(string)
	s.Salt, _ = v[4].(string)
	phase, _ := v[5].(string)
	if s.Phase = campaign.Phase(phase); phase == "" || s.Phase == campaign.Draft {
		return nil, fmt.Errorf("campaign %s: %w", c, ErrNotFound)
	}
	if s.Balance, err = campaign.ParseBalance(counts.Val()); err != nil {
		return nil, fmt.Errorf("read counts of campaign %s: %w", c, err)
	}
	return s, nil
}

// Feed returns how far the campaign has been fed.
func (s *State) Feed(c *campaign.Info) (*Feed, error) { return parseFeed(c, s.feed) }
