package audit_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/internal/audit"
	"github.com/handout-dev/handout/internal/web/access"
	"github.com/handout-dev/handout/test/redistest"
)

const stream = "handout:audit:{trail}"

func write(t testing.TB, l *audit.Log, n int) {
	t.Helper()
	for i := range n {
		if err := l.Write(t.Context(), audit.Of(t.Context(), "pause", fmt.Sprint("campaign c", i), "", "")); err != nil {
			t.Fatal(err)
		}
	}
}

func verify(t testing.TB, l *audit.Log) *audit.Verdict {
	t.Helper()
	v, err := l.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestWrite_ManyWritersMakeOneChain(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	var all sync.WaitGroup
	for range 4 { // processes, each with a log of its own
		l := audit.New(server.Client(), audit.Options{})
		all.Go(func() { write(t, l, 50) })
	}
	all.Wait()
	v := verify(t, audit.New(server.Client(), audit.Options{}))
	if v.Gap != "" || v.Entries != 200 || v.First != 1 || v.Last != 200 {
		t.Errorf("%+v", v)
	}
}

func TestVerify_NamesTheFirstGap(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		do   func(ctx context.Context, rdb redis.UniversalClient, all []redis.XMessage) error
		want string // in the verdict; empty: whole
	}{
		{"nothing", func(context.Context, redis.UniversalClient, []redis.XMessage) error { return nil }, ""},
		{"one is taken out", func(ctx context.Context, rdb redis.UniversalClient, all []redis.XMessage) error {
			return rdb.XDel(ctx, stream, all[4].ID).Err()
		}, "after entry 4 comes 6"},
		{"the last is taken out", func(ctx context.Context, rdb redis.UniversalClient, all []redis.XMessage) error {
			return rdb.XDel(ctx, stream, all[9].ID).Err()
		}, "after entry 9 those up to 10 are gone"},
		{"all are taken out", func(ctx context.Context, rdb redis.UniversalClient, _ []redis.XMessage) error {
			return rdb.Del(ctx, stream).Err()
		}, "those up to 10 are gone"},
		{"the first are trimmed", func(ctx context.Context, rdb redis.UniversalClient, _ []redis.XMessage) error {
			return rdb.XTrimMaxLen(ctx, stream, 6).Err()
		}, ""},
		{"one is changed", rewrite(false), "entry 10 was changed"},
		{"one is changed with its digest", rewrite(true), "entry 10 isn't the one that was written last"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			rdb := redistest.Start(t).Client()
			l := audit.New(rdb, audit.Options{})
			write(t, l, 10)
			all, err := rdb.XRange(t.Context(), stream, "-", "+").Result()
			if err == nil {
				err = c.do(t.Context(), rdb, all)
			}
			if err != nil {
				t.Fatal(err)
			}
			if v := verify(t, l); !strings.Contains(v.Gap, c.want) || (v.Gap == "") != (c.want == "") {
				t.Errorf("%+v", v)
			}
		})
	}
}

// rewrite puts another last entry in the place of the one that was.
func rewrite(digested bool) func(context.Context, redis.UniversalClient, []redis.XMessage) error {
	return func(ctx context.Context, rdb redis.UniversalClient, all []redis.XMessage) error {
		last := all[len(all)-1]
		entry := strings.Replace(last.Values["entry"].(string), "pause", "cheer", 1)
		digest := last.Values["digest"]
		if digested {
			digest = fmt.Sprintf("%x", sha256.Sum256([]byte(entry)))
		}
		if err := rdb.XDel(ctx, stream, last.ID).Err(); err != nil {
			return err
		}
		return rdb.XAdd(ctx, &redis.XAddArgs{Stream: stream, Values: []any{"entry", entry, "digest", digest}}).Err()
	}
}

func TestWrite_KeepsSoManyAndAlsoALineOfEach(t *testing.T) {
	t.Parallel()
	rdb := redistest.Start(t).Client()
	var lines bytes.Buffer
	l := audit.New(rdb, audit.Options{Length: 200, Lines: &lines})
	write(t, l, 1000)
	if n := rdb.XLen(t.Context(), stream).Val(); n < 200 || n > 400 {
		t.Errorf("%d entries are kept", n)
	}
	if v := verify(t, l); v.Gap != "" || v.Last != 1000 || v.First == 1 {
		t.Errorf("%+v", v)
	}
	before := ""
	for i, line := range strings.Split(strings.TrimSpace(lines.String()), "\n") {
		var e audit.Entry
		if err := json.Unmarshal([]byte(line), &e); err != nil || e.Number != int64(i+1) || e.Before != before || len(e.Digest) != 64 {
			t.Fatalf("%s: %v", line, err)
		}
		before = e.Digest
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestWrite_FailsWhereALineCannotBeWritten(t *testing.T) {
	t.Parallel()
	l := audit.New(redistest.Start(t).Client(), audit.Options{Lines: full{}})
	if err := l.Write(t.Context(), audit.Entry{Verb: "pause"}); err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Error(err)
	}
}

func TestFollow_ShowsWhatComes(t *testing.T) {
	t.Parallel()
	rdb := redistest.Start(t).Client()
	l := audit.New(rdb, audit.Options{})
	write(t, l, 3)
	var seen []int64
	last, err := l.Each(t.Context(), time.Time{}, func(e audit.Entry) error { seen = append(seen, e.Number); return nil })
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	come := make(chan int64)
	done := make(chan error, 1)
	go func() {
		done <- l.Follow(ctx, last, func(e audit.Entry) error { come <- e.Number; return nil })
	}()
	write(t, l, 2)
	seen = append(seen, <-come, <-come)
	cancel()
	if err := <-done; err != nil || fmt.Sprint(seen) != "[1 2 3 4 5]" {
		t.Errorf("%v, %v", seen, err)
	}
	if _, err := l.Each(t.Context(), time.Now().Add(time.Hour), func(e audit.Entry) error { return errors.New("one of the past") }); err != nil {
		t.Error(err)
	}
}

func TestRefuse_ALoopDoesNotFillTheTrail(t *testing.T) {
	t.Parallel()
	l := audit.New(redistest.Start(t).Client(), audit.Options{})
	for range 1000 {
		if err := l.RefuseLogin(t.Context(), "203.0.113.7", "shop", access.ErrRefused); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 1000 { // many addresses
		if err := l.RefuseLogin(t.Context(), fmt.Sprintf("2001:db8::%x", i), "", access.ErrRefused); err != nil {
			t.Fatal(err)
		}
	}
	entries, counted := 0, 0
	_, err := l.Each(t.Context(), time.Time{}, func(e audit.Entry) error {
		entries++
		counted = max(counted, e.Count)
		if e.Result != audit.Refused || e.Verb != "log in" || e.Via != "none" {
			t.Errorf("%+v", e)
		}
		return nil
	})
	// A minute may end between them.
	if err != nil || entries > 300 || counted < 300 {
		t.Errorf("%d entries, of at most %d, %v", entries, counted, err)
	}
}

func TestOf_NamesTheCallerAndHidesNumbers(t *testing.T) {
	t.Parallel()
	ctx := access.With(t.Context(), &access.Key{Name: "shop", Via: access.ViaKey, From: "203.0.113.7"})
	e := audit.Of(ctx, "pause", "campaign c", "olga", "call +1 (201) 555-0100, 0041 44 668 18 00 or 12015550100; order 471")
	if e.Who != "shop" || e.As != "olga" || e.From != "203.0.113.7" || e.Why != "call [number], [number] or [number]; order 471" {
		t.Errorf("%+v", e)
	}
	if e := audit.Of(t.Context(), "pause", "", "", ""); e.Who != "handout" || e.Via != "program" {
		t.Errorf("%+v", e)
	}
}
