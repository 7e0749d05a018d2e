// Package audit keeps who did what, when, from where and why: an append-only stream in
// Redis, and optionally a JSON line for each entry elsewhere.
//
// An act is written before it is done ([Begun]), and once more if it wasn't ([Refused],
// [Failed]): if the process dies in between, the trace says that it was begun. An act
// whose trace can't be written isn't done.
//
// Each entry has a number and the SHA-256 of the entry before, so that one that was
// changed or taken out shows ([Log.Verify]). Who may write to Redis can write the whole
// chain anew; the JSON lines, kept by another machine, show that.
//
// No entry has a phone number or a secret.
package audit

import (
	"cmp"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/internal/redisx"
	"github.com/handout-dev/handout/internal/web/access"
)

// Entry is a line of the trace.
type Entry struct {
	Number int64     `json:"number" doc:"counted from 1, without a gap"`
	At     time.Time `json:"at"`
	Who    string    `json:"who" example:"billing" doc:"a key, the system's user of a command, or handout"`
	As     string    `json:"as,omitempty" doc:"the name that the command's user has given for the record"`
	Via    string    `json:"via" enum:"key,session,local,command line,program,none" doc:"how they came in; none: they didn't"`
	By     string    `json:"by,omitempty" example:"https://id.example.com 00u1a2b3" doc:"issuer and subject, where an OpenID Connect provider says who"`
	From   string    `json:"from,omitempty" example:"203.0.113.7" doc:"the address"`
	Verb   string    `json:"verb" example:"pause"`
	Object string    `json:"object,omitempty" example:"campaign order-history-2026-11"`
	Result string    `json:"result" enum:"begun,refused,failed" doc:"begun: written before it was done; refused: nothing was done; failed: it may have been done in part"`
	Why    string    `json:"why,omitempty" doc:"the reason that was given, or why it wasn't done"`
	Count  int       `json:"count,omitempty" doc:"refusals alike in this minute, those included that have no entry"`
	Before string    `json:"before" doc:"the digest of the entry before"`
	Digest string    `json:"digest,omitempty" doc:"SHA-256 of this entry's stored form"`
}

// String is the entry on a line.
func (e Entry) String() string {
	words := []string{e.At.Format(time.RFC3339), e.Who}
	if e.As != "" {
		words = append(words, "as "+e.As)
	}
	words = append(words, "("+strings.Join(strings.Fields(e.Via+" "+e.From+" "+e.By), " ")+")", e.Verb)
	if e.Object != "" {
		words = append(words, e.Object)
	}
	if e.Result != Begun {
		words = append(words, e.Result)
	}
	line := strings.Join(words, " ")
	if e.Why != "" {
		line += ": " + e.Why
	}
	if e.Count > 0 {
		line += fmt.Sprintf(" (%d in this minute)", e.Count)
	}
	return line
}

// Results.
const (
	Begun   = "begun"
	Refused = "refused"
	Failed  = "failed"
)

// Of returns the entry of an act by the context's caller. as is the name given for the
// record, why the reason given.
func Of(ctx context.Context, verb, object, as, why string) Entry {
	e := Entry{Who: "handout", Via: "program", Verb: verb, Object: object, Result: Begun, Why: Hide(why)}
	if caller := access.Caller(ctx); caller != nil {
		e.Who, e.Via, e.From = caller.Name, caller.Via, caller.From
		e.By = strings.TrimSpace(caller.Issuer + " " + caller.Subject)
	}
	if as != e.Who {
		e.As = Hide(as)
	}
	return e
}

// number is what may be a phone number in a text that a person has written.
var number = regexp.MustCompile(`\+?[0-9](?:[ ().\-/]{0,3}[0-9]){6,}`)

// Hide returns a person's text without what may be phone numbers.
func Hide(text string) string { return number.ReplaceAllString(text, "[number]") }

// Options are how long the trace is kept, and where else it goes.
type Options struct {
	Length int           // entries that the stream keeps, about; 0: 100,000
	Age    time.Duration // how long, about; 0: 400 days
	// Lines gets a JSON line for each entry; nil: none. An entry that it doesn't take
	// is an error.
	Lines io.Writer
}

// Log is the trace in one Redis. It is safe for concurrent use.
type Log struct {
	o    Options
	rdb  redis.UniversalClient
	keys keys

	mu       sync.Mutex
	refusals refusals
}

// New returns the trace in rdb, which stays the caller's to close.
func New(rdb redis.UniversalClient, o Options) *Log {
	o.Length, o.Age = cmp.Or(o.Length, 100_000), cmp.Or(o.Age, 400*24*time.Hour)
	return &Log{o: o, rdb: rdb, keys: keys(redisx.Prefix(rdb))}
}

//go:embed append.lua
var appendLua string

var appendScript = redis.NewScript(appendLua)

// fields of an entry in the stream, and of the head.
const (
	fieldEntry  = "entry"
	fieldDigest = "digest"
	fieldNumber = "number"
)

func digest(entry string) string {
	sum := sha256.Sum256([]byte(entry))
	return hex.EncodeToString(sum[:])
}

// Write appends an entry; it sets its number, time and digests. The script appends only
// to the entry that the digest is of: two writers can't both follow one.
func (l *Log) Write(ctx context.Context, e Entry) error {
	e.At, e.Digest = time.Now().UTC().Truncate(time.Millisecond), ""
	// The lines stand in the order of their numbers, and this process doesn't race
	// against itself.
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		head, err := l.head(ctx)
		if err != nil {
			return fmt.Errorf("write the audit trail: %w", err)
		}
		e.Number, e.Before = head.number+1, head.digest
		entry, err := json.Marshal(e)
		if err != nil {
			return fmt.Errorf("write the audit trail: %w", err)
		}
		sum := digest(string(entry))
		done, err := appendScript.Run(ctx, l.rdb, []string{l.keys.stream(), l.keys.head()}, head.digest, entry, sum, e.Number,
			l.o.Length, e.At.Add(-l.o.Age).UnixMilli()).Int()
		if err != nil {
			return fmt.Errorf("write the audit trail: %w", err)
		}
		if done == 1 {
			e.Digest = sum
			return l.line(e)
		}
	}
}

func (l *Log) line(e Entry) error {
	if l.o.Lines == nil {
		return nil
	}
	line, err := json.Marshal(e)
	if err == nil {
		_, err = l.o.Lines.Write(append(line, '\n'))
	}
	if err != nil {
		return fmt.Errorf("write the audit trail's lines: %w", err)
	}
	return nil
}

type head struct {
	number int64
	digest string
}

func (l *Log) head(ctx context.Context) (h head, err error) {
	var stored struct {
		Number int64  `redis:"number"`
		Digest string `redis:"digest"`
	}
	err = l.rdb.HGetAll(ctx, l.keys.head()).Scan(&stored)
	return head{stored.Number, stored.Digest}, err
}
