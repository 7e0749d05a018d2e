package ledger

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/sealed"
)

// draftSilence is how long a submit keeps its draft without writing: another
// one may take it over then.
const draftSilence = 15 * time.Second

// Errors of an opening.
var (
	// ErrBusy means that another submit is writing this campaign's draft.
	ErrBusy = errors.New("another submit is writing this campaign")
	// ErrTakenOver means that another submit has taken the draft, or has
	// committed it.
	ErrTakenOver = errors.New("another submit has taken this campaign over")
)

// StandsError means that the campaign has been committed already.
type StandsError struct{ Info *campaign.Info }

func (e *StandsError) Error() string { return fmt.Sprintf("campaign %s stands already", e.Info.ID) }

// newSalt returns the salt of a new campaign, see [campaign.Info.Salt].
func newSalt() string { return strings.ToLower(rand.Text()[:campaign.SaltLength]) }

// Opening is a campaign's draft while its list is written. Nothing of it is
// sent before Commit. One goroutine may use it at a time.
type Opening struct {
	l     *Ledger
	spec  *campaign.Spec
	token string
	key   *sealed.Key
}

// Open takes the draft of a campaign: a new one, or one that a submit has left
// behind. columns are those of the list, without recipient and phone.
// Errors: *StandsError, ErrBusy.
func (l *Ledger) Open(ctx context.Context, s *campaign.Spec, columns []string) (*Opening, error) {
	encoded, err := s.Encode()
	if err != nil {
		return nil, fmt.Errorf("open campaign %s: %w", s.ID, err)
	}
	if columns == nil {
		columns = []string{}
	}
	header, err := json.Marshal(columns)
	if err != nil {
		return nil, fmt.Errorf("open campaign %s: %w", s.ID, err)
	}
	now := time.Now()
	o := &Opening{l: l, spec: s, token: rand.Text()}
	// The name first: whatever is in Redis of a campaign can be found, and purged.
	err = l.rdb.ZAddNX(ctx, l.keys.campaigns(), redis.Z{Score: float64(now.UnixMilli()), Member: string(s.ID)}).Err()
	if err != nil {
		return nil, fmt.Errorf("open campaign %s: %w", s.ID, err)
	}
	salt := newSalt()
	if o.key, err = l.seals.Create(ctx, s.ID, salt); err != nil {
		return nil, fmt.Errorf("open campaign %s: %w", s.ID, err)
	}
	answer, err := draftScript.Run(ctx, l.rdb, []string{l.keys.meta(s.ID)}, o.token, now.UnixMilli(), draftSilence.Milliseconds(),
		fieldSalt, salt, fieldSpec, encoded, fieldColumns, header, fieldCreated, now.UnixMilli()).Text()
	if err == nil && answer != "taken" {
		l.seals.Withdraw(ctx, s.ID, o.key)
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("open campaign %s: %w", s.ID, err)
	case answer == "busy":
		return nil, fmt.Errorf("campaign %s: %w", s.ID, ErrBusy)
	case answer == "stands":
		info, err := l.Info(ctx, s.ID)
		if err != nil {
			return nil, err
		}
		return nil, &StandsError{Info: info}
	}
	return o, nil
}

// AddPages writes pages in their stored form, the first of them as page number
// first. Writing a page again replaces it. Some 50 pages at a time travel well.
func (o *Opening) AddPages(ctx context.Context, first int, pages [][]byte) error {
	keys := []string{o.l.keys.meta(o.spec.ID)}
	args := []any{o.token, time.Now().UnixMilli(), first + len(pages)}
	for i, p := range pages {
		keys = append(keys, o.l.keys.page(o.spec.ID, first+i))
		args = append(args, o.key.Page(o.spec.ID, first+i, p))
	}
	n, err := pagesScript.Run(ctx, o.l.rdb, keys, args...).Int()
	if err != nil {
		return fmt.Errorf("write pages of campaign %s: %w", o.spec.ID, err)
	}
	if n == 0 {
		return fmt.Errorf("campaign %s: %w", o.spec.ID, ErrTakenOver)
	}
	return nil
}

// Content is what a whole list came to.
type Content struct {
	Total  int // recipients
	Pages  int
	Digest string // of spec, header and recipients
	// LeftOut are the rows that became no recipient.
	LeftOut campaign.LeftOut
	// Zones, of a list in pages by zone, are the zones with their people, and
	// PageZones the place there of each page's. Partial is the size of each page
	// that isn't full.
	Zones     []campaign.ZoneCount
	PageZones []uint16
	Partial   map[int]int
}

// beginningFields are those of meta.
func beginningFields(b campaign.Beginning, now time.Time) []any {
	switch {
	case b.Hold:
		return []any{fieldState, string(campaign.Paused), fieldReason, "paused from the start"}
	case b.StartAt.After(now):
		start := b.StartAt.UTC().Truncate(time.Millisecond)
		return []any{fieldState, string(campaign.Paused), fieldReason, startReason(start), fieldStartAt, start.UnixMilli()}
	}
	return []any{fieldState, string(campaign.Running), fieldStarted, now.UnixMilli()}
}

// accountFields are those of meta.
func accountFields(stored string) []any {
	if stored == "" {
		return nil
	}
	return []any{fieldAccount, stored}
}

// Commit makes the campaign stand. It may be called again after an error.
func (o *Opening) Commit(ctx context.Context, content Content, begin campaign.Beginning) (*campaign.Info, error) {
	c := o.spec.ID
	if content.Total < 1 {
		return nil, fmt.Errorf("campaign %s has no recipients", c)
	}
	if err := o.trim(ctx, content.Pages); err != nil {
		return nil, err
	}
	zones, err := o.writeZones(ctx, content)
	if err != nil {
		return nil, err
	}
	events, err := o.l.outbox.Fields(ctx, c)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	if err := o.l.rdb.ZAddNX(ctx, o.l.keys.campaigns(), redis.Z{Score: float64(now.UnixMilli()), Member: string(c)}).Err(); err != nil {
		return nil, fmt.Errorf("commit campaign %s: %w", c, err)
	}
	done, err := o.l.announce(ctx, c)
	if err != nil {
		return nil, err
	}
	defer done()
	args := []any{o.token, content.Total, begin.By.Entry(now, "submitted", content.LeftOut.Beside(content.Total)).Encode(),
		fieldTotal, content.Total, fieldPages, content.Pages, fieldDigest, content.Digest, fieldOwner, begin.Owner, fieldCursor, 0, fieldLeftOut, content.LeftOut.Encode()}
	args = append(append(append(args, beginningFields(begin, now)...), zones...), events...)
	args = append(args, accountFields(o.spec.Account)...)
	n, err := commitScript.Run(ctx, o.l.rdb, []string{o.l.keys.meta(c), o.l.keys.counts(c), o.l.keys.history(c), o.l.outbox.Key(c), o.l.proposals.Key(c)}, args...).Int()
	if err != nil {
		return nil, fmt.Errorf("commit campaign %s: %w", c, err)
	}
	info, err := o.l.Info(ctx, c)
	if err != nil {
		return nil, err
	}
	if n == 0 && (info.Phase == campaign.Draft || info.Digest != content.Digest) {
		return nil, fmt.Errorf("campaign %s: %w", c, ErrTakenOver)
	}
	return info, nil
}

// trim deletes pages that a longer draft before this one has left.
func (o *Opening) trim(ctx context.Context, pages int) error {
	written, err := o.l.rdb.HGet(ctx, o.l.keys.meta(o.spec.ID), "draft_pages").Int()
	if err != nil && !errors.Is(err, redis.Nil) {
		return fmt.Errorf("trim campaign %s: %w", o.spec.ID, err)
	}
	_, err = o.deletePages(ctx, pages, written)
	return err
}

// Release leaves the draft, with what has been written, to the next submit, which
// needn't wait for it to get stale.
func (o *Opening) Release(ctx context.Context) error {
	c := o.spec.ID
	if err := pagesScript.Run(ctx, o.l.rdb, []string{o.l.keys.meta(c)}, o.token, 0, 0).Err(); err != nil {
		return fmt.Errorf("release campaign %s: %w", c, err)
	}
	return nil
}

// Abandon deletes the draft and its pages, unless another submit has taken it.
func (o *Opening) Abandon(ctx context.Context) error {
	c := o.spec.ID
	v, err := o.l.rdb.HMGet(ctx, o.l.keys.meta(c), "draft_token", "draft_pages").Result()
	if err != nil {
		return fmt.Errorf("abandon campaign %s: %w", c, err)
	}
	if v[0] != o.token {
		return nil
	}
	written := 0
	if s, ok := v[1].(string); ok {
		if written, err = strconv.Atoi(s); err != nil {
			return fmt.Errorf("abandon campaign %s: %w", c, err)
		}
	}
	mine, err := o.deletePages(ctx, 0, written)
	if err != nil || !mine {
		return err
	}
	// The name before the draft: a submit that finds no draft gives it again.
	if err := o.l.rdb.ZRem(ctx, o.l.keys.campaigns(), string(c)).Err(); err != nil {
		return fmt.Errorf("abandon campaign %s: %w", c, err)
	}
	if err := trimScript.Run(ctx, o.l.rdb, []string{o.l.keys.meta(c), o.l.keys.zones(c)}, o.token, "").Err(); err != nil {
		return fmt.Errorf("abandon campaign %s: %w", c, err)
	}
	o.l.seals.Withdraw(ctx, c, o.key)
	return nil
}

// deletePages deletes pages of the draft from the end; false when the draft is
// another submit's by now, whose pages stay.
func (o *Opening) deletePages(ctx context.Context, from, to int) (mine bool, _ error) {
	c := o.spec.ID
	for from < to {
		first := max(from, to-500)
		keys := []string{o.l.keys.meta(c)}
		for page := first; page < to; page++ {
			keys = append(keys, o.l.keys.page(c, page))
		}
		n, err := trimScript.Run(ctx, o.l.rdb, keys, o.token, first).Int()
		if err != nil {
			return false, fmt.Errorf("delete pages of campaign %s: %w", c, err)
		}
		if n == 0 {
			return false, nil
		}
		to = first
	}
	return true, nil
}
