package access

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// SessionCookie is the name of the cookie with a session's value.
const SessionCookie = "handout_session"

// SessionLife is how long a session lasts.
const SessionLife = 12 * time.Hour

// session is a session's form in Redis, under the digest of its value.
type session struct {
	Name string `json:"name"` // of the key
	// Hash is the key's: it ends the session when a new key takes the name.
	Hash string `json:"hash"`
}

// Login makes a session for a token, which the browser then needn't keep. The value
// goes into a cookie; Redis has only its digest.
// Errors: [ErrRefused], and those of Redis.
func (k *Keys) Login(ctx context.Context, token string, now time.Time) (value string, key *Key, err error) {
	if key, err = k.Check(ctx, token, now); err != nil {
		return "", nil, err
	}
	name, secret := cutToken(token)
	stands, err := json.Marshal(session{Name: name, Hash: hash(secret)})
	if err != nil {
		return "", nil, fmt.Errorf("log in: %w", err)
	}
	b := make([]byte, secretBytes)
	rand.Read(b)
	value = hex.EncodeToString(b)
	if err := k.rdb.Set(ctx, keySession(hash(value)), stands, SessionLife).Err(); err != nil {
		return "", nil, fmt.Errorf("log in: %w", err)
	}
	return value, key, nil
}

// Session returns the key of a session, with the scopes that it has now. A session
// ends with its key. Errors: [ErrRefused], and those of Redis.
func (k *Keys) Session(ctx context.Context, value string) (*Key, error) {
	if len(value) != 2*secretBytes {
		return nil, ErrRefused
	}
	text, err := k.rdb.Get(ctx, keySession(hash(value))).Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, ErrRefused
	}
	var s session
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err != nil {
		return nil, fmt.Errorf("check a session: %w", err)
	}
	return k.find(ctx, s.Name, s.Hash)
}

// Logout ends a session. A session that has already ended is no error.
func (k *Keys) Logout(ctx context.Context, value string) error {
	if err := k.rdb.Del(ctx, keySession(hash(value))).Err(); err != nil {
		return fmt.Errorf("log out: %w", err)
	}
	return nil
}
