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
	rdb  redis.UniversalClient
	keys keys
}

// NewKeys returns the keys in rdb, which stays the caller's to close.
func NewKeys(rdb redis.UniversalClient) *Keys { return &Keys{rdb, keys(redisx.Prefix(rdb))} }

// stored is a key's form in Redis.
type stored struct {
	Hash    string  `json:"hash"` // SHA-256 of the secret, hex
	Scopes  []Scope `json:"scopes"`
	Created int64   `json:"created"` // Unix seconds
}

const secretBytes = 32

func hash(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// Create makes a key and returns its token, which can't be shown again.
// Errors: [ErrBadName], [ErrExists].
func (k *Keys) Create(ctx context.Context, name string, scopes []Scope, now time.Time) (token string, err error) {
	if !nameForm.MatchString(name) {
		return "", ErrBadName
	}
	b := make([]byte, secretBytes)
	rand.Read(b)
	secret := hex.EncodeToString(b)
	value, err := json.Marshal(stored{Hash: hash(secret), Scopes: scopes, Created: now.Unix()})
	if err != nil {
		return "", fmt.Errorf("create key %s: %w", name, err)
	}
	added, err := k.rdb.HSetNX(ctx, k.keys.keys(), name, value).Result()
	if err != nil {
		return "", fmt.Errorf("create key %s: %w", name, err)
	}
	if !added {
		return "", fmt.Errorf("key %s: %w", name, ErrExists)
	}
	return tokenPrefix + name + "_" + secret, nil
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
		key, _, err := decode(name, value, used[name])
		if err != nil {
			return nil, err
		}
		keys = append(keys, *key)
	}
	slices.SortFunc(keys, func(a, b Key) int { return strings.Compare(a.Name, b.Name) })
	return keys, nil
}

func decode(name, value, used string) (*Key, string, error) {
	var s stored
	if err := json.Unmarshal([]byte(value), &s); err != nil {
		return nil, "", fmt.Errorf("read key %s: %w", name, err)
	}
	key := &Key{Name: name, Scopes: s.Scopes, CreatedAt: time.Unix(s.Created, 0).UTC()}
	if day, err := time.Parse(time.DateOnly, used); err == nil {
		key.LastUsed = day
	}
	return key, s.Hash, nil
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
	key, err := k.find(ctx, name, hash(secret))
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

// find returns the key of this name if its secret has this hash. Errors:
// [ErrRefused], and those of Redis.
func (k *Keys) find(ctx context.Context, name, hash string) (*Key, error) {
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
	key, want, err := decode(name, value.Val(), used.Val())
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare([]byte(hash), []byte(want)) != 1 {
		return nil, ErrRefused
	}
	return key, nil
}

// SessionCookie is the name of the cookie with a session's value, to which [Site] adds
// a prefix.
const SessionCookie = "handout_session"

const (
	// SessionLife is how long a session lasts at most.
	SessionLife = 12 * time.Hour
	// SessionIdle is after how long without a request a session ends.
	SessionIdle = time.Hour
	// idleStep is how often a session's use is written at most.
	idleStep = time.Minute
)

// session is a session's form in Redis, under the digest of its value. It expires when
// it was idle.
type session struct {
	Name string `json:"name"` // of the key
	// Hash is the key's: it ends the session when a new key takes the name.
	Hash string `json:"hash"`
	// Until is the session's end in Unix seconds, however much it is used.
	Until int64 `json:"until"`
}

// Login makes a session for a token, which the browser then needn't keep. The value
// goes into a cookie; Redis has only its digest.
// Errors: [ErrRefused], and those of Redis.
func (k *Keys) Login(ctx context.Context, token string, now time.Time) (value string, err error) {
	if _, err = k.Check(ctx, token, now); err != nil {
		return "", err
	}
	name, secret := cutToken(token)
	stands, err := json.Marshal(session{Name: name, Hash: hash(secret), Until: now.Add(SessionLife).Unix()})
	if err != nil {
		return "", fmt.Errorf("log in: %w", err)
	}
	b := make([]byte, secretBytes)
	rand.Read(b)
	value = hex.EncodeToString(b)
	if err := k.rdb.Set(ctx, k.keys.session(hash(value)), stands, SessionIdle).Err(); err != nil {
		return "", fmt.Errorf("log in: %w", err)
	}
	return value, nil
}

// Session returns the key of a session, with the scopes that it has now. A session
// ends with its key, at its end, and when it was idle; used says that someone is there.
// Errors: [ErrRefused], and those of Redis.
func (k *Keys) Session(ctx context.Context, value string, used bool, now time.Time) (*Key, error) {
	if len(value) != 2*secretBytes {
		return nil, ErrRefused
	}
	at := k.keys.session(hash(value))
	var text *redis.StringCmd
	var left *redis.DurationCmd
	_, err := k.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		text, left = p.Get(ctx, at), p.PTTL(ctx, at)
		return nil
	})
	if errors.Is(err, redis.Nil) {
		return nil, ErrRefused
	}
	var s session
	if err == nil {
		err = json.Unmarshal([]byte(text.Val()), &s)
	}
	if err != nil {
		return nil, fmt.Errorf("check a session: %w", err)
	}
	end := time.Unix(s.Until, 0).Sub(now)
	if end <= 0 {
		return nil, ErrRefused
	}
	key, err := k.find(ctx, s.Name, s.Hash)
	// EXPIRE makes no session that has ended meanwhile. If it fails, the request goes on,
	// and the session ends a little early.
	if idle := min(SessionIdle, end); err == nil && used && left.Val() < idle-idleStep {
		_ = k.rdb.Expire(ctx, at, idle).Err()
	}
	return key, err
}

// Logout ends a session. A session that has already ended is no error.
func (k *Keys) Logout(ctx context.Context, value string) error {
	if err := k.rdb.Del(ctx, k.keys.session(hash(value))).Err(); err != nil {
		return fmt.Errorf("log out: %w", err)
	}
	return nil
}
