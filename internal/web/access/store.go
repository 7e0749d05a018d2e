package access

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/internal/redisx"
)

// Keys are the keys in one Redis. It is safe for concurrent use.
type Keys struct {
	// Groups are those whose people may log in without a key.
	Groups Groups

	rdb  redis.UniversalClient
	keys keys
}

// NewKeys returns the keys in rdb, which stays the caller's to close.
func NewKeys(rdb redis.UniversalClient) *Keys { return &Keys{rdb: rdb, keys: keys(redisx.Prefix(rdb))} }

// stored is a key's form in Redis. Times are Unix seconds.
type stored struct {
	Hash      string   `json:"hash"` // SHA-256 of the secret, hex
	Before    string   `json:"before,omitempty"`
	Overlap   int64    `json:"overlap,omitempty"` // until when the secret Before is good
	Scopes    []Scope  `json:"scopes"`
	Created   int64    `json:"created"`
	Ends      int64    `json:"ends,omitempty"`
	Own       bool     `json:"own,omitempty"`
	Countries []string `json:"countries,omitempty"`
	Accounts  []string `json:"accounts,omitempty"`
	Daily     int      `json:"daily,omitempty"`
	Hourly    int      `json:"hourly,omitempty"`
	Test      bool     `json:"test,omitempty"`
}

// set puts in what a key may do.
func (s *stored) set(k *Key) {
	s.Scopes, s.Own, s.Countries, s.Accounts, s.Daily, s.Hourly = k.Scopes, k.Own, k.Countries, k.Accounts, k.Daily, k.Hourly
	s.Test = k.Test
	s.Ends = 0
	if !k.EndsAt.IsZero() {
		s.Ends = k.EndsAt.Unix()
	}
}

func (s *stored) key(name, used string) *Key {
	k := &Key{
		Name: name, Scopes: s.Scopes, Limits: Limits{s.Own, s.Countries, s.Accounts, s.Daily, s.Hourly, s.Test},
		CreatedAt: time.Unix(s.Created, 0).UTC(), Via: ViaKey,
	}
	if s.Ends > 0 {
		k.EndsAt = time.Unix(s.Ends, 0).UTC()
	}
	if s.Before != "" {
		k.Overlap = time.Unix(s.Overlap, 0).UTC()
	}
	if day, err := time.Parse(time.DateOnly, used); err == nil {
		k.LastUsed = day
	}
	return k
}

// good reports whether a secret of this hash opens the key, and until when it did.
func (s *stored) good(hash string, now time.Time) (ok bool, until int64) {
	until = s.Ends
	switch {
	case subtle.ConstantTimeCompare([]byte(hash), []byte(s.Hash)) == 1:
	case s.Before != "" && subtle.ConstantTimeCompare([]byte(hash), []byte(s.Before)) == 1:
		if until == 0 || s.Overlap < until {
			until = s.Overlap
		}
	default:
		return false, 0
	}
	return until == 0 || now.Unix() < until, until
}

const secretBytes = 32

func hash(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

func newSecret() string {
	b := make([]byte, secretBytes)
	rand.Read(b)
	return hex.EncodeToString(b)
}

// Create makes a key with the name, scopes, limits and end of k, and returns its token,
// which can't be shown again. Errors: [ErrBadName], [ErrExists].
func (k *Keys) Create(ctx context.Context, key Key, now time.Time) (token string, err error) {
	if !nameForm.MatchString(key.Name) {
		return "", ErrBadName
	}
	secret := newSecret()
	s := stored{Hash: hash(secret), Created: now.Unix()}
	s.set(&key)
	value, err := json.Marshal(s)
	if err != nil {
		return "", fmt.Errorf("create key %s: %w", key.Name, err)
	}
	added, err := k.rdb.HSetNX(ctx, k.keys.keys(), key.Name, value).Result()
	if err != nil {
		return "", fmt.Errorf("create key %s: %w", key.Name, err)
	}
	if !added {
		return "", fmt.Errorf("key %s: %w", key.Name, ErrExists)
	}
	return tokenPrefix + key.Name + "_" + secret, nil
}

// Rotate gives a key another secret, and returns the new token, which can't be shown
// again. The old one is good for overlap more, and one that is older still ends at once.
// Errors: [ErrNoKey].
func (k *Keys) Rotate(ctx context.Context, name string, overlap time.Duration, now time.Time) (token string, err error) {
	secret := newSecret()
	err = k.change(ctx, name, func(s *stored) {
		s.Before, s.Overlap, s.Hash = s.Hash, now.Add(overlap).Unix(), hash(secret)
	})
	return tokenPrefix + name + "_" + secret, err
}

// Limit sets what a key may do: the scopes, limits and end of key, and those alone.
// Errors: [ErrNoKey].
func (k *Keys) Limit(ctx context.Context, key Key) error {
	return k.change(ctx, key.Name, func(s *stored) { s.set(&key) })
}

// changeScript writes a key's form if it still is the one that was read: a key that was
// revoked meanwhile stays so.
//
// KEYS[1] -> handout:keys
// ARGV[1] -> the key's name
// ARGV[2] -> its form as it was read
// ARGV[3] -> the form to be
//
// Returns 1, or 0 when it is another by now.
var changeScript = redis.NewScript(`
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then
  return 0
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1`)

func (k *Keys) change(ctx context.Context, name string, change func(*stored)) error {
	for {
		before, err := k.rdb.HGet(ctx, k.keys.keys(), name).Result()
		if errors.Is(err, redis.Nil) {
			return fmt.Errorf("key %s: %w", name, ErrNoKey)
		}
		var s stored
		if err == nil {
			err = json.Unmarshal([]byte(before), &s)
		}
		if err != nil {
			return fmt.Errorf("change key %s: %w", name, err)
		}
		change(&s)
		after, err := json.Marshal(s)
		if err != nil {
			return fmt.Errorf("change key %s: %w", name, err)
		}
		done, err := changeScript.Run(ctx, k.rdb, []string{k.keys.keys()}, name, before, after).Int()
		if err != nil {
			return fmt.Errorf("change key %s: %w", name, err)
		}
		if done == 1 {
			return nil
		}
	}
}

// List returns all keys, sorted by name.
func (k *Keys) List(ctx context.Context) ([]Key, error) {
	all, err := k.rdb.HGetAll(ctx, k.keys.keys()).Result()
	if err != nil {
		return nil, fmt.Errorf("list keys: %w", err)
	}
	used, err := k.rdb.HGetAll(ctx, k.keys.used()).Result()
	if err != nil {
		return nil, fmt.Errorf("list keys: %w", err)
	}
	keys := make([]Key, 0, len(all))
	for name, value := range all {
		s, err := decode(name, value)
		if err != nil {
			return nil, err
		}
		keys = append(keys, *s.key(name, used[name]))
	}
	slices.SortFunc(keys, func(a, b Key) int { return strings.Compare(a.Name, b.Name) })
	return keys, nil
}

func decode(name, value string) (*stored, error) {
	s := new(stored)
	if err := json.Unmarshal([]byte(value), s); err != nil {
		return nil, fmt.Errorf("read key %s: %w", name, err)
	}
	return s, nil
}

// Revoke ends a key: the next request with it is refused. Errors: [ErrNoKey].
func (k *Keys) Revoke(ctx context.Context, name string) error {
	// The key first: a crash in between leaves only the day of its last use, which
	// belongs to no key then.
	n, err := k.rdb.HDel(ctx, k.keys.keys(), name).Result()
	if err == nil {
		err = k.rdb.HDel(ctx, k.keys.used(), name).Err()
	}
	if err != nil {
		return fmt.Errorf("revoke key %s: %w", name, err)
	}
	if n == 0 {
		return fmt.Errorf("key %s: %w", name, ErrNoKey)
	}
	return nil
}

// Check returns the key of a token. It reads Redis each time: a revoked key ends at
// once. Errors: [ErrRefused], and those of Redis.
func (k *Keys) Check(ctx context.Context, token string, now time.Time) (*Key, error) {
	name, secret := cutToken(token)
	if name == "" {
		return nil, ErrRefused
	}
	key, err := k.find(ctx, name, hash(secret), now)
	if err != nil {
		return nil, err
	}
	// One write a day, for people who look for unused keys. If it fails, the request
	// goes on.
	if today := now.UTC().Format(time.DateOnly); key.LastUsed.Format(time.DateOnly) != today {
		_ = k.rdb.HSet(ctx, k.keys.used(), name, today).Err()
	}
	return key, nil
}

// find returns the key of this name if a secret of this hash opens it. Errors:
// [ErrRefused], and those of Redis.
func (k *Keys) find(ctx context.Context, name, hash string, now time.Time) (*Key, error) {
	var value, used *redis.StringCmd
	_, err := k.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		value, used = p.HGet(ctx, k.keys.keys(), name), p.HGet(ctx, k.keys.used(), name)
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("check a key: %w", err)
	}
	if errors.Is(value.Err(), redis.Nil) {
		return nil, ErrRefused
	}
	s, err := decode(name, value.Val())
	if err != nil {
		return nil, err
	}
	switch ok, until := s.good(hash, now); {
	case ok:
		return s.key(name, used.Val()), nil
	case until > 0:
		return nil, &EndedError{name, time.Unix(until, 0)}
	}
	return nil, ErrRefused
}
