package ledger

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/sealed"
)

// A standing campaign takes one-off sends: recipients are appended one by one, each
// with a message of their own. Its total grows; in all else it is a campaign like
// any other.

// standingRefBuckets is fixed, since the total grows: up to 16,384 references Redis
// keeps them as listpacks.
const standingRefBuckets = 256

// ErrOtherContent means that the key was used before, for something else.
var ErrOtherContent = errors.New("this key was used before for another recipient or message")

// Append adds a recipient with a message of their own to the standing campaign of
// the message's account of the day of now, once for each key of an owner, whose name has no NUL: for a key that
// was first used in the last two days it returns that recipient, and added is false.
//
// Errors: [ErrOtherContent], [campaign.ErrCanceled], [*campaign.PurgedError]; after
// any other the recipient may have been added, and the same call again is safe.
func (l *Ledger) Append(ctx context.Context, owner, key string, r campaign.Recipient, message *campaign.Spec, now time.Time) (id campaign.ID, at campaign.Place, added bool, err error) {
	encoded, err := message.Encode()
	if err != nil {
		return "", campaign.Place{}, false, fmt.Errorf("append: %w", err)
	}
	r.Values = []string{string(encoded)}
	if owner != "" {
		r.Values = append(r.Values, owner)
	}
	plain, err := campaign.AppendPage(nil, len(r.Values), []campaign.Recipient{r})
	if err != nil {
		return "", campaign.Place{}, false, fmt.Errorf("append: %w", err)
	}
	a := &addition{
		key: digest(owner + "\x00" + key), content: digest(string(plain)),
		plain: plain,
	}
	account := message.AccountName()
	if id, err = l.dayOf(ctx, a.key, account, now); err != nil {
		return "", at, false, err
	}
	if _, its, ok := campaign.StandingDay(id); !ok || its != account {
		return id, at, false, ErrOtherContent // the key was first used with another account
	}
	at, added, err = l.append(ctx, id, account, a, now)
	return id, at, added, err
}

// keyLife is for how long a key is known. A standing campaign keeps its keys longer,
// see [campaign.Info.KeysUntil].
const keyLife = 48 * time.Hour

// dayOf returns the standing campaign that a key belongs to. Its first use decides,
// in Redis: the clocks of those who use it again may say another day. If the process
// dies after it, the key's next use goes to the same day, and finds whether the
// recipient was appended.
func (l *Ledger) dayOf(ctx context.Context, key, account string, now time.Time) (campaign.ID, error) {
	var day *redis.StringCmd
	_, err := l.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.SetNX(ctx, l.keys.day(key), string(campaign.StandingID(now, account)), keyLife)
		day = p.Get(ctx, l.keys.day(key))
		return nil
	})
	if err != nil && day.Val() == "" {
		return "", fmt.Errorf("look a key up: %w", err)
	}
	return campaign.ID(day.Val()), nil
}

// addition is a recipient to be appended.
type addition struct {
	key, content string // digests
	plain        []byte
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return string(sum[:12])
}

func (l *Ledger) append(ctx context.Context, id campaign.ID, account string, a *addition, now time.Time) (campaign.Place, bool, error) {
	spec, err := campaign.StandingSpec(id, account).Encode()
	if err != nil {
		return campaign.Place{}, false, err
	}
	// The names first: if the process dies here, a name too many is taken out again;
	// the other way round the campaign could never be found.
	err = l.rdb.ZAddNX(ctx, l.keys.campaigns(), redis.Z{Score: float64(now.UnixMilli()), Member: string(id)}).Err()
	if err != nil {
		return campaign.Place{}, false, fmt.Errorf("append to campaign %s: %w", id, err)
	}
	done, err := l.announce(ctx, id)
	if err != nil {
		return campaign.Place{}, false, err
	}
	defer done()
	for {
		v, err := l.rdb.HMGet(ctx, l.keys.meta(id), fieldTotal, fieldSalt).Result()
		if err != nil {
			return campaign.Place{}, false, fmt.Errorf("append to campaign %s: %w", id, err)
		}
		total := int(number(v[0]))
		fields := []any{fieldSpec, spec, fieldColumns, `["` + campaign.MessageColumn + `"]`, fieldDigest, "standing",
			fieldCreated, now.UnixMilli(), fieldStarted, now.UnixMilli()}
		fields = append(fields, accountFields(campaign.StoredAccount(account))...)
		var key *sealed.Key
		if salt, ok := v[1].(string); ok {
			key, err = l.seals.Find(ctx, id, salt)
		} else { // probably the first of the day
			salt = newSalt()
			var told []any
			if told, err = l.outbox.Fields(ctx, id); err == nil {
				key, err = l.seals.Create(ctx, id, salt)
			}
			fields = append(append(fields, told...), fieldSalt, salt)
		}
		if err != nil {
			return campaign.Place{}, false, fmt.Errorf("append to campaign %s: %w", id, err)
		}
		place := campaign.PlaceOf(total)
		stored, begins := key.Appended(id, place, a.plain)
		keys := []string{l.keys.meta(id), l.keys.counts(id), l.keys.keys(id), l.keys.page(id, place.Page)}
		args := append([]any{a.key, a.content, total, stored, begins, campaign.PageSize}, fields...)
		answer, err := appendScript.Run(ctx, l.rdb, keys, args...).Slice()
		if err != nil || len(answer) != 2 {
			return campaign.Place{}, false, fmt.Errorf("append to campaign %s: %w", id, errors.Join(err, ctx.Err()))
		}
		n, _ := answer[1].(int64)
		switch answer[0] {
		case "appended":
			return campaign.PlaceOf(int(n)), true, nil
		case "known":
			return campaign.PlaceOf(int(n)), false, nil
		case "other":
			return campaign.PlaceOf(int(n)), false, ErrOtherContent
		case "purged":
			return campaign.Place{}, false, &campaign.PurgedError{ID: id, At: time.UnixMilli(n)}
		case "canceled":
			return campaign.Place{}, false, fmt.Errorf("campaign %s: %w", id, campaign.ErrCanceled)
		case "sealed":
			return campaign.Place{}, false, fmt.Errorf("append to campaign %s: %w", id, sealed.ErrOtherKey)
		}
	}
}
