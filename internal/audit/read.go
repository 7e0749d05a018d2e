package audit

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/redis/go-redis/v9"
)

// parse reads a message of the stream.
func parse(m redis.XMessage) (e Entry, raw string, err error) {
	raw, _ = m.Values[fieldEntry].(string)
	d := json.NewDecoder(bytes.NewReader([]byte(raw)))
	if err := d.Decode(&e); err != nil {
		return Entry{}, raw, fmt.Errorf("read entry %s of the audit trail: %w", m.ID, err)
	}
	e.Digest, _ = m.Values[fieldDigest].(string)
	return e, raw, nil
}

// Place is where an entry stands in the stream; empty: before the first, or after the
// last.
type Place string

// at is the place of the first entry that was written at a time, or later.
func at(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return fmt.Sprint(t.UnixMilli())
}

const batch = 500

// Each calls f with all entries since a time, the oldest first, and returns the place of
// the last one.
func (l *Log) Each(ctx context.Context, since time.Time, f func(Entry) error) (Place, error) {
	return l.each(ctx, at(since), func(m redis.XMessage) error {
		e, _, err := parse(m)
		if err != nil {
			return err
		}
		return f(e)
	})
}

func (l *Log) each(ctx context.Context, from string, f func(redis.XMessage) error) (last Place, _ error) {
	for {
		messages, err := l.rdb.XRangeN(ctx, l.keys.stream(), from, "+", batch).Result()
		if err != nil {
			return last, fmt.Errorf("read the audit trail: %w", err)
		}
		for _, m := range messages {
			if err := f(m); err != nil {
				return last, err
			}
			last = Place(m.ID)
		}
		if len(messages) < batch {
			return last, nil
		}
		from = "(" + string(last)
	}
}

// Follow calls f with each entry after a place, as they come, until ctx is done.
func (l *Log) Follow(ctx context.Context, after Place, f func(Entry) error) error {
	last := cmp.Or(string(after), "0-0")
	for ctx.Err() == nil {
		streams, err := l.rdb.XRead(ctx, &redis.XReadArgs{Streams: []string{l.keys.stream(), last}, Count: batch, Block: 5 * time.Second}).Result()
		if err != nil && !errors.Is(err, redis.Nil) {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("read the audit trail: %w", err)
		}
		for _, s := range streams {
			for _, m := range s.Messages {
				e, _, err := parse(m)
				if err == nil {
					err = f(e)
				}
				if err != nil {
					return err
				}
				last = m.ID
			}
		}
	}
	return nil
}

// Latest returns up to n entries before a place, the latest first, and the place before
// which there are more; empty: there are none.
func (l *Log) Latest(ctx context.Context, before Place, n int) ([]Entry, Place, error) {
	to := "+"
	if before != "" {
		to = "(" + string(before)
	}
	messages, err := l.rdb.XRevRangeN(ctx, l.keys.stream(), to, "-", int64(n)).Result()
	if err != nil {
		return nil, "", fmt.Errorf("read the audit trail: %w", err)
	}
	entries, next := make([]Entry, 0, len(messages)), Place("")
	for _, m := range messages {
		e, _, err := parse(m)
		if err != nil {
			return nil, "", err
		}
		entries = append(entries, e)
		next = Place(m.ID)
	}
	if len(messages) < n {
		next = ""
	}
	return entries, next, nil
}

// placeForm is the ID of an entry of a stream.
var placeForm = regexp.MustCompile(`^[0-9]{1,19}-[0-9]{1,19}$`)

// ParsePlace reads a place as Latest has returned it.
func ParsePlace(s string) (Place, bool) { return Place(s), s == "" || placeForm.MatchString(s) }

// Verdict is what the chain of entries says.
type Verdict struct {
	Entries int64
	First   int64 // the number of the oldest one that is kept
	Last    int64
	Gap     string // where the chain breaks first; empty: nowhere
}

// errGap ends a walk.
var errGap = errors.New("the chain breaks")

// Verify walks over all entries that are kept. Those before the first have been let go
// by length or age, which is no gap.
func (l *Log) Verify(ctx context.Context) (*Verdict, error) {
	v, before := new(Verdict), ""
	gap := func(format string, args ...any) error {
		v.Gap = fmt.Sprintf(format, args...)
		return errGap
	}
	// The head first: what is written meanwhile comes after it.
	head, err := l.head(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the audit trail: %w", err)
	}
	_, err = l.each(ctx, "-", func(m redis.XMessage) error {
		e, raw, err := parse(m)
		sum := digest(raw)
		switch {
		case err != nil:
			return gap("entry %s can't be read", m.ID)
		case sum != e.Digest:
			return gap("entry %d was changed: its digest isn't that of its content", e.Number)
		case v.Entries > 0 && e.Number != v.Last+1:
			return gap("after entry %d comes %d: what was between is gone", v.Last, e.Number)
		case v.Entries > 0 && e.Before != before, e.Number == 1 && e.Before != "":
			return gap("entry %d doesn't follow the one before it", e.Number)
		case e.Number == head.number && sum != head.digest:
			return gap("entry %d isn't the one that was written last", e.Number)
		}
		if v.Entries == 0 {
			v.First = e.Number
		}
		v.Entries, v.Last, before = v.Entries+1, e.Number, sum
		return nil
	})
	if err != nil && !errors.Is(err, errGap) {
		return nil, err
	}
	if v.Gap == "" && v.Last < head.number {
		v.Gap = fmt.Sprintf("after entry %d those up to %d are gone", v.Last, head.number)
	}
	return v, nil
}

// String says it in a line.
func (v *Verdict) String() string {
	if v.Gap != "" {
		return v.Gap
	}
	if v.Entries == 0 {
		return "there are no entries"
	}
	return fmt.Sprintf("%s, from %d to %d, without a gap", campaign.Count(int(v.Entries), "entry"), v.First, v.Last)
}
