package suppression

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
)

// checkStep is how many numbers one step of Check reads.
const checkStep = 100

// Check returns what can't be on the list, one line for each kind: entries that can't be
// read, and numbers that are off the list though no word took them off, who would be
// sent to. It calls turn before each of its steps. It names no number.
func (l *List) Check(ctx context.Context, turn func(context.Context) error) (faults []string, err error) {
	unread, lost := 0, 0
	err = l.each(ctx, l.keys.suppressed(), turn, func(fields map[string]string) error {
		for field, raw := range fields {
			if _, err := decodeListed(raw); err != nil || !isAddress(field) && !isAddress("+"+field) {
				unread++
			}
		}
		return nil
	})
	if err == nil {
		err = l.each(ctx, l.keys.past(), turn, func(fields map[string]string) error {
			var suspects []string
			for field, raw := range fields {
				whole, removed := lastWord(raw)
				if !whole {
					unread++
				} else if !removed {
					suspects = append(suspects, field)
				}
			}
			n, err := l.countLost(ctx, suspects)
			lost += n
			return err
		})
	}
	if unread > 0 {
		faults = append(faults, fmt.Sprintf("%s can't be read", campaign.Count(unread, "entry")))
	}
	if lost > 0 {
		faults = append(faults, fmt.Sprintf("%s off the list, and no word took them off", campaign.Count(lost, "number")))
	}
	return faults, explain("check the suppression list", err)
}

// each calls do with all fields of a hash, some at a time.
func (l *List) each(ctx context.Context, key string, turn func(context.Context) error, do func(map[string]string) error) error {
	for cursor := uint64(0); ; {
		if err := turn(ctx); err != nil {
			return err
		}
		pairs, next, err := l.rdb.HScan(ctx, key, cursor, "", checkStep).Result()
		if err != nil {
			return err
		}
		fields := make(map[string]string, len(pairs)/2)
		for i := 0; i+1 < len(pairs); i += 2 {
			fields[pairs[i]] = pairs[i+1]
		}
		if err := do(fields); err != nil {
			return err
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}

// lastWord reports whether all entries that no longer hold can be read, and whether the
// last of them took the number off the list.
func lastWord(raw string) (whole, removed bool) {
	b := []byte(raw)
	for len(b) > 0 {
		length, n := binary.Uvarint(b)
		if n <= 0 || length > uint64(len(b)-n) {
			return false, false
		}
		e, err := decodeEntry(string(b[n : n+int(length)]))
		if err != nil {
			return false, false
		}
		removed, b = e.Why.Removes(), b[n+int(length):]
	}
	return raw != "", removed
}

// countLost returns how many of these fields are off the list, and weren't taken off
// since: what is kept of a number changes in one step.
func (l *List) countLost(ctx context.Context, fields []string) (lost int, err error) {
	if len(fields) == 0 {
		return 0, nil
	}
	pipe := l.rdb.TxPipeline()
	entries, pasts := pipe.HMGet(ctx, l.keys.suppressed(), fields...), pipe.HMGet(ctx, l.keys.past(), fields...)
	if _, err := pipe.Exec(ctx); err != nil && err != redis.Nil {
		return 0, err
	}
	for i := range fields {
		past, ok := pasts.Val()[i].(string)
		if _, removed := lastWord(past); ok && !removed && entries.Val()[i] == nil {
			lost++
		}
	}
	return lost, nil
}
