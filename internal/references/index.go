package references

import (
	"context"
	_ "embed" // the scripts
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/redisx"
)

const (
	// buckets is in how many strings the entries of a period stand: a look reads one
	// of them, 8 KB at a million references.
	buckets = 1024
	// A reference is known for period to two of them after its accept.
	period = 30 * 24 * time.Hour
	// entrySize: 5 bytes of the reference's digest, 3 of the campaign's.
	entrySize = 8
	tagSize   = 3
)

var (
	//go:embed lua/add.lua
	addSource string
	addScript = redis.NewScript(addSource)
	//go:embed lua/keep.lua
	keepSource string
	keepScript = redis.NewScript(keepSource)
)

// Store is the index and the early receipts in one Redis. It is safe for concurrent
// use.
type Store struct {
	rdb  redis.UniversalClient
	keys keys
}

// New returns the store in rdb, which stays the caller's to close.
func New(rdb redis.UniversalClient) *Store { return &Store{rdb, keys(redisx.Prefix(rdb))} }

// Tag is a campaign's in the index. Few campaigns share one.
type Tag [tagSize]byte

// TagOf returns the campaign's tag.
func TagOf(c campaign.ID) Tag { return Tag([]byte(sum(string(c)))[:tagSize]) }

func sum(s string) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(s)) // it has no error
	return string(h.Sum(nil))
}

// place returns the bucket of a reference, and what its entry begins with.
func place(reference string) (bucket uint64, digest string) {
	s := sum(campaign.StorableReference(reference))
	return (uint64(s[0])<<8 | uint64(s[1])) % buckets, s[2 : 2+entrySize-tagSize]
}

// Entry is a reference of a campaign's.
type Entry struct {
	Reference string
	Campaign  campaign.ID
}

// Add adds entries. Adding one twice does no harm.
func (s *Store) Add(ctx context.Context, entries []Entry, now time.Time) error {
	keys, args := make([]string, len(entries)), make([]any, 1, 1+len(entries))
	args[0] = int64(2 * period / time.Second)
	for i, e := range entries {
		bucket, digest := place(e.Reference)
		tag := TagOf(e.Campaign)
		keys[i] = s.keys.bucket(number(now), bucket)
		args = append(args, digest+string(tag[:]))
	}
	if err := addScript.Run(ctx, s.rdb, keys, args...).Err(); err != nil {
		return fmt.Errorf("index references: %w", err)
	}
	return nil
}

func number(t time.Time) int64 { return t.Unix() / int64(period/time.Second) }

// Find returns the tags of the campaigns that may have a reference, each once. It
// takes one command.
func (s *Store) Find(ctx context.Context, reference string, now time.Time) ([]Tag, error) {
	bucket, digest := place(reference)
	read, err := s.rdb.MGet(ctx, s.keys.bucket(number(now), bucket), s.keys.bucket(number(now)-1, bucket)).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("look a reference up: %w", err)
	}
	var tags []Tag
	seen := make(map[Tag]bool)
	for _, v := range read {
		entries, _ := v.(string)
		for ; len(entries) >= entrySize; entries = entries[entrySize:] {
			if entries[:len(digest)] != digest {
				continue
			}
			if tag := Tag([]byte(entries[len(digest):entrySize])); !seen[tag] {
				seen[tag] = true
				tags = append(tags, tag)
			}
		}
	}
	return tags, nil
}
