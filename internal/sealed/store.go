package sealed

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/installation"
	"github.com/handout-dev/handout/internal/redisx"
)

// ErrDestroyed means that the key of a page isn't in Redis: its campaign was purged.
var ErrDestroyed = errors.New("its key was destroyed")

// ErrOtherKey means that a page that grows is sealed otherwise than the process would.
var ErrOtherKey = errors.New("what stands there is encrypted by another key, or by none: have all processes the same HANDOUT_MASTER_KEY?")

const (
	// maxKeys bounds the campaigns' keys that a process keeps unwrapped.
	maxKeys = 256
	// keyTime is how long one is kept until it is looked up again: a purge elsewhere
	// holds here after it.
	keyTime = time.Minute
)

// Store is the keys of the campaigns in one Redis. It is safe for concurrent use.
type Store struct {
	rdb  redis.UniversalClient
	at   redis.UniversalClient // has the wrapped keys: rdb, or the ring's
	keys keys
	ring *Ring

	mu    sync.Mutex
	known map[life]kept
}

type life struct {
	campaign campaign.ID
	salt     string
}

type kept struct {
	key   *Key
	until time.Time
}

// New returns the store in rdb, which stays the caller's to close. Without a ring it
// encrypts nothing, and what is encrypted is an error.
func New(rdb redis.UniversalClient, ring *Ring) *Store {
	s := &Store{rdb: rdb, at: rdb, keys: keys(redisx.Prefix(rdb)), ring: ring, known: make(map[life]kept)}
	if ring != nil && ring.store != nil {
		s.at = ring.store
	}
	return s
}

// what is a campaign's key as the master key wraps it.
func (l life) what() string { return "the key of campaign " + string(l.campaign) + "." + l.salt }

// master returns the ID of the master key that wraps now; "" for none. It stands in the
// installation's stamp: while a key is being replaced, all processes use the same.
func (s *Store) master(ctx context.Context) (string, error) {
	stamp, _, err := installation.Read(ctx, s.rdb)
	if err == nil && stamp.MasterKey == "" && s.ring != nil {
		stamp, err = installation.EnterMasterKey(ctx, s.rdb, s.ring.IDs()) // a program that has only just got one
	}
	return stamp.MasterKey, err
}

// checkStore returns an error if the installation keeps the keys elsewhere.
func (s *Store) checkStore(ctx context.Context) error {
	stamp, _, err := installation.Read(ctx, s.rdb)
	if err != nil {
		return err
	}
	its := ""
	if s.at != s.rdb {
		there, _, err := installation.Read(ctx, s.at)
		if err != nil {
			return err
		}
		its = there.ID
	}
	return stamp.CheckKeyStore(redisx.Prefix(s.rdb), its)
}

// Create writes a key for a new life of a campaign, before anything is sealed by it; nil
// when there is no master key. If the process dies after it, the key stays, and opens
// nothing.
func (s *Store) Create(ctx context.Context, c campaign.ID, salt string) (*Key, error) {
	id, err := s.master(ctx)
	if err != nil || id == "" {
		return nil, err
	}
	if err := s.checkStore(ctx); err != nil {
		return nil, err
	}
	l := life{c, salt}
	raw, key, err := newKey(salt)
	if err != nil {
		return nil, err
	}
	wrapped, err := s.ring.Seal(id, l.what(), raw)
	if err != nil {
		return nil, err
	}
	if err := s.at.HSet(ctx, s.keys.key(c), salt, wrapped).Err(); err != nil {
		return nil, fmt.Errorf("write %s: %w", l.what(), err)
	}
	return key, nil
}

// Withdraw deletes a key by which nothing is sealed.
func (s *Store) Withdraw(ctx context.Context, c campaign.ID, key *Key) {
	if key != nil {
		_ = s.at.HDel(ctx, s.keys.key(c), key.salt).Err() // what stays opens nothing
	}
}

// Find returns the key of a campaign's life; nil when its pages aren't sealed, and for a
// process without a master key, which [Key.Appended] can't make add to a sealed page.
func (s *Store) Find(ctx context.Context, c campaign.ID, salt string) (*Key, error) {
	if s.ring == nil {
		return nil, nil
	}
	key, err := s.find(ctx, life{c, salt})
	if errors.Is(err, ErrDestroyed) {
		return nil, nil
	}
	return key, err
}

func (s *Store) find(ctx context.Context, l life) (*Key, error) {
	now := time.Now()
	s.mu.Lock()
	k, ok := s.known[l]
	s.mu.Unlock()
	if ok && now.Before(k.until) {
		return k.key, nil
	}
	wrapped, err := s.at.HGet(ctx, s.keys.key(l.campaign), l.salt).Bytes()
	if errors.Is(err, redis.Nil) && s.at != s.rdb { // from before there was another Redis for them
		wrapped, err = s.rdb.HGet(ctx, s.keys.key(l.campaign), l.salt).Bytes()
	}
	if errors.Is(err, redis.Nil) {
		if err := s.checkStore(ctx); err != nil {
			return nil, err
		}
		s.forget(l.campaign)
		return nil, ErrDestroyed
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", l.what(), err)
	}
	raw, err := s.ring.Open(l.what(), wrapped)
	if err != nil {
		return nil, err
	}
	if k.key, err = keyOf(l.salt, raw); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.known, func(_ life, k kept) bool { return !now.Before(k.until) })
	if len(s.known) >= maxKeys {
		clear(s.known)
	}
	s.known[l] = kept{k.key, now.Add(keyTime)}
	return k.key, nil
}

func (s *Store) forget(c campaign.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.known, func(l life, _ kept) bool { return l.campaign == c })
}

// Open returns the stored form of a page, which may be sealed. Errors: [ErrDestroyed],
// [*KeyError].
func (s *Store) Open(ctx context.Context, c campaign.ID, page int, b []byte) ([]byte, error) {
	salt := saltOf(b)
	if salt == "" {
		return b, nil
	}
	key, err := s.find(ctx, life{c, salt})
	if err != nil {
		return nil, fmt.Errorf("page %d of campaign %s: %w", page, c, err)
	}
	return key.open(c, page, b)
}

// Destroy deletes a campaign's keys: whatever is sealed by them can't be opened any more.
func (s *Store) Destroy(ctx context.Context, c campaign.ID) error {
	s.forget(c)
	if err := s.checkStore(ctx); err != nil {
		return err
	}
	for _, rdb := range []redis.UniversalClient{s.at, s.rdb} {
		if err := rdb.Unlink(ctx, s.keys.key(c)).Err(); err != nil {
			return fmt.Errorf("destroy the key of campaign %s: %w", c, err)
		}
	}
	return nil
}

// swapScript replaces a wrapped key, unless it has changed or was destroyed.
//
// KEYS[1] -> handout:{c}:key
// ARGV[1] -> the salt
// ARGV[2] -> the wrapped key that must stand there
// ARGV[3] -> the one that shall
//
// Returns 1, or 0 when another one stands there, or none.
var swapScript = redis.NewScript(`
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then
  return 0
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1`)

// Rewrap has all processes wrap by the ring's current master key from now on, which all
// must have by then, wraps the keys of all campaigns anew that aren't wrapped by it, and
// moves those that stand beside their campaigns to the Redis of their own, if there is
// one. It returns how many. It may be interrupted anywhere, and called again. purged
// reports whether a campaign was purged, which is so before its keys are destroyed.
func (s *Store) Rewrap(ctx context.Context, campaigns func(context.Context) ([]campaign.ID, error), purged func(context.Context, campaign.ID) (bool, error)) (int, error) {
	if s.ring == nil {
		return 0, errors.New("there is no master key: set HANDOUT_MASTER_KEY")
	}
	if err := installation.SetMasterKey(ctx, s.rdb, s.ring.IDs()[0]); err != nil {
		return 0, err
	}
	for all := 0; ; {
		ids, err := campaigns(ctx)
		if err != nil {
			return all, err
		}
		before := all
		for _, c := range ids {
			n, err := s.rewrap(ctx, c, purged)
			if all += n; err != nil {
				return all, err
			}
		}
		if all == before { // else once more: a submit may have begun before the switch
			return all, nil
		}
	}
}

func (s *Store) rewrap(ctx context.Context, c campaign.ID, purged func(context.Context, campaign.ID) (bool, error)) (changed int, err error) {
	if s.at != s.rdb {
		if changed, err = s.move(ctx, c, purged); err != nil {
			return changed, fmt.Errorf("move the key of campaign %s: %w", c, err)
		}
	}
	all, err := s.at.HGetAll(ctx, s.keys.key(c)).Result()
	if err != nil {
		return changed, fmt.Errorf("read the key of campaign %s: %w", c, err)
	}
	for salt, wrapped := range all {
		again, err := s.ring.Rewrap(s.ring.IDs()[0], life{c, salt}.what(), []byte(wrapped))
		if err != nil {
			return changed, err
		}
		if again == nil {
			continue
		}
		n, err := swapScript.Run(ctx, s.at, []string{s.keys.key(c)}, salt, wrapped, again).Int()
		if err != nil {
			return changed, fmt.Errorf("wrap the key of campaign %s: %w", c, err)
		}
		changed += n
	}
	return changed, nil
}

// move moves the keys of a campaign to the Redis of their own. If the process dies
// between two writes, a key stands in both, and is moved again.
func (s *Store) move(ctx context.Context, c campaign.ID, purged func(context.Context, campaign.ID) (bool, error)) (moved int, err error) {
	all, err := s.rdb.HGetAll(ctx, s.keys.key(c)).Result()
	if err != nil {
		return 0, err
	}
	for salt, wrapped := range all {
		if err := s.at.HSetNX(ctx, s.keys.key(c), salt, wrapped).Err(); err != nil {
			return moved, err
		}
	}
	// A purge may have destroyed them between the read and the write. One that begins after
	// this destroys them where they stand now.
	if gone, err := purged(ctx, c); err != nil {
		return 0, err
	} else if gone {
		return 0, s.Destroy(ctx, c)
	}
	for salt := range all {
		if err := s.rdb.HDel(ctx, s.keys.key(c), salt).Err(); err != nil {
			return moved, err
		}
		moved++
	}
	if moved > 0 {
		err = s.Erased(ctx) // from the append-only file, too
	}
	return moved, err
}

// sealedText begins a text that is sealed, in base64.
const sealedText = "sealed:"

// Text seals a secret that belongs to no campaign; as it is when there is no master key.
func (s *Store) Text(ctx context.Context, what, text string) (string, error) {
	id, err := s.master(ctx)
	if err != nil || id == "" {
		return text, err
	}
	b, err := s.ring.Seal(id, what, []byte(text))
	return sealedText + base64.StdEncoding.EncodeToString(b), err
}

// OpenText returns what Text was given. Errors: [*KeyError].
func (s *Store) OpenText(what, text string) (string, error) {
	encoded, ok := strings.CutPrefix(text, sealedText)
	if !ok {
		return text, nil
	}
	b, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return "", fmt.Errorf("decrypt %s: it isn't what was written", what)
	}
	plain, err := s.ring.Open(what, b)
	return string(plain), err
}
