package campaign

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// A standing campaign takes one-off sends: recipients are appended to it one by
// one, each with a message of its own. Its total grows; all else holds for it
// as for any campaign.

// MessageColumn is the one column of a standing campaign: the encoded [Spec] of
// the recipient's own message.
const MessageColumn = "message"

// standingRefBuckets is fixed, since the total isn't: up to 16,384 references
// Redis keeps them as listpacks.
const standingRefBuckets = 256

// StandingID is the standing campaign of a day in UTC, as in sends-2026-11-22.
func StandingID(day time.Time) ID { return ID("sends-" + day.UTC().Format(time.DateOnly)) }

// standingSpec is what a standing campaign is, its recipients' messages aside.
func standingSpec(id ID) *Spec {
	return &Spec{ID: id, Standing: true, Lane: LaneUrgent, OnDoubt: DoubtHold}
}

// ErrOtherContent means that the key was used before, for something else.
var ErrOtherContent = errors.New("this key was used before for another recipient or message")

// Append adds a recipient with a message of their own to the standing campaign
// of the day of now, once for each key: with a key that was used that day or
// the day before, the recipient of then is returned, and added is false.
//
// Errors: [ErrOtherContent], [ErrCanceled], [*PurgedError]; with any other the recipient may or
// may not have been added, and the same call again tells.
func (l *Ledger) Append(ctx context.Context, key string, r Recipient, message *Spec, now time.Time) (id ID, at Place, added bool, err error) {
	encoded, err := message.Encode()
	if err != nil {
		return "", Place{}, false, fmt.Errorf("append: %w", err)
	}
	r.Values = []string{string(encoded)}
	plain, err := AppendPage(nil, 1, []Recipient{r})
	if err != nil {
		return "", Place{}, false, fmt.Errorf("append: %w", err)
	}
	a := &addition{
		key: digest(key), content: digest(string(plain)),
		stored: append(binary.AppendUvarint(nil, uint64(len(plain))), plain...),
	}
	// A key is good for two days, so that midnight falls into nobody's retry.
	id = StandingID(now.AddDate(0, 0, -1))
	if at, err = l.known(ctx, id, a); err == nil || !errors.Is(err, ErrNotFound) {
		return id, at, false, err
	}
	id = StandingID(now)
	at, added, err = l.append(ctx, id, a, now)
	return id, at, added, err
}

// addition is a recipient to be appended.
type addition struct {
	key, content string // digests
	stored       []byte
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return string(sum[:12])
}

// known finds an earlier send with the key.
func (l *Ledger) known(ctx context.Context, id ID, a *addition) (Place, error) {
	v, err := l.rdb.HGet(ctx, keyKeys(id), a.key).Result()
	if errors.Is(err, redis.Nil) {
		return Place{}, ErrNotFound
	}
	if err != nil {
		return Place{}, fmt.Errorf("look a key up in campaign %s: %w", id, err)
	}
	position, content, ok := cutPosition(v)
	if !ok {
		return Place{}, fmt.Errorf("look a key up in campaign %s: %w", id, ErrBadRecord)
	}
	if content != a.content {
		return PlaceOf(position), ErrOtherContent
	}
	return PlaceOf(position), nil
}

func cutPosition(v string) (position int, rest string, ok bool) {
	for i := range len(v) {
		if v[i] == '.' {
			position, ok = parseNumber(v[:i])
			return position, v[i+1:], ok
		}
	}
	return 0, "", false
}

func (l *Ledger) append(ctx context.Context, id ID, a *addition, now time.Time) (Place, bool, error) {
	spec, err := standingSpec(id).Encode()
	if err != nil {
		return Place{}, false, err
	}
	// The names first: what is in Redis of a campaign can be found, and a name
	// too many among the active ones is taken out again.
	err = l.rdb.ZAddNX(ctx, keyCampaigns, redis.Z{Score: float64(now.UnixMilli()), Member: string(id)}).Err()
	if err == nil {
		err = l.reactivate(ctx, id)
	}
	if err != nil {
		return Place{}, false, fmt.Errorf("append to campaign %s: %w", id, err)
	}
	total, err := l.rdb.HGet(ctx, keyMeta(id), fieldTotal).Int()
	if err != nil && !errors.Is(err, redis.Nil) {
		return Place{}, false, fmt.Errorf("append to campaign %s: %w", id, err)
	}
	fields := []any{fieldSpec, spec, fieldColumns, `["` + MessageColumn + `"]`, fieldDigest, "standing",
		fieldCreated, now.UnixMilli(), fieldStarted, now.UnixMilli()}
	if total == 0 { // most likely the day's first
		told, err := l.toldFields(ctx, id)
		if err != nil {
			return Place{}, false, err
		}
		fields = append(fields, told...)
	}
	for {
		keys := []string{keyMeta(id), keyCounts(id), keyKeys(id), keyPage(id, PlaceOf(total).Page)}
		args := append([]any{a.key, a.content, total, a.stored, []byte{pageV2}, PageSize}, fields...)
		answer, err := appendScript.Run(ctx, l.rdb, keys, args...).Slice()
		if err != nil || len(answer) != 2 {
			return Place{}, false, fmt.Errorf("append to campaign %s: %w", id, errors.Join(err, ctx.Err()))
		}
		n, _ := answer[1].(int64)
		switch answer[0] {
		case "appended":
			return PlaceOf(int(n)), true, nil
		case "known":
			return PlaceOf(int(n)), false, nil
		case "other":
			return PlaceOf(int(n)), false, ErrOtherContent
		case "purged":
			return Place{}, false, &PurgedError{id, time.UnixMilli(n)}
		case "canceled":
			return Place{}, false, fmt.Errorf("campaign %s: %w", id, ErrCanceled)
		}
		total = int(n)
	}
}
