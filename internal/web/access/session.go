package access

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

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
	Name string `json:"name,omitempty"` // of the key
	// Hash is that of the key's secret: the session ends with it.
	Hash string `json:"hash,omitempty"`
	// Person has logged in without a key. What they may do is what their groups may do
	// at each request; which groups they are in is as of the login.
	Person *Person `json:"person,omitempty"`
	// Begun is when, in Unix milliseconds.
	Begun int64 `json:"begun"`
	// Until is the session's end in Unix seconds, however much it is used.
	Until int64 `json:"until"`
}

// Login makes a session for a token, which the browser then needn't keep, and returns
// its key. The value goes into a cookie; Redis has only its digest.
// Errors: [ErrRefused], and those of Redis.
func (k *Keys) Login(ctx context.Context, token string, now time.Time) (key *Key, value string, err error) {
	if key, err = k.Check(ctx, token, now); err != nil {
		return nil, "", err
	}
	name, secret := cutToken(token)
	value, err = k.begin(ctx, session{Name: name, Hash: hash(secret)}, now)
	key.Via = ViaSession
	return key, value, err
}

// begin keeps a session, and returns its value.
func (k *Keys) begin(ctx context.Context, s session, now time.Time) (value string, err error) {
	s.Begun, s.Until = now.UnixMilli(), now.Add(SessionLife).Unix()
	stands, err := json.Marshal(s)
	if err != nil {
		return "", fmt.Errorf("log in: %w", err)
	}
	value = newSecret()
	if err := k.rdb.Set(ctx, k.keys.session(hash(value)), stands, SessionIdle).Err(); err != nil {
		return "", fmt.Errorf("log in: %w", err)
	}
	return value, nil
}

// Session returns the key of a session, with the scopes that it has now. A session
// ends with its key, at its end, when it was idle, and by [Keys.EndSessions]; used says
// that someone is there.
// Errors: [ErrRefused], and those of Redis.
func (k *Keys) Session(ctx context.Context, value string, used bool, now time.Time) (*Key, error) {
	if len(value) != 2*secretBytes {
		return nil, ErrRefused
	}
	at := k.keys.session(hash(value))
	var text, ended *redis.StringCmd
	var left *redis.DurationCmd
	_, err := k.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		text, left, ended = p.Get(ctx, at), p.PTTL(ctx, at), p.Get(ctx, k.keys.sessionsEnded())
		return nil
	})
	if errors.Is(text.Err(), redis.Nil) {
		return nil, ErrRefused
	}
	var s session
	if err == nil || errors.Is(err, redis.Nil) { // none were ended
		err = json.Unmarshal([]byte(text.Val()), &s)
	}
	if err != nil {
		return nil, fmt.Errorf("check a session: %w", err)
	}
	end := time.Unix(s.Until, 0).Sub(now)
	if before, _ := ended.Int64(); end <= 0 || s.Begun <= before {
		return nil, ErrRefused
	}
	var key *Key
	if s.Person != nil {
		key, err = k.Groups.key(s.Person)
	} else if key, err = k.find(ctx, s.Name, s.Hash, now); err == nil {
		key.Via = ViaSession
	}
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

// EndSessions ends all sessions that began before now.
func (k *Keys) EndSessions(ctx context.Context, now time.Time) error {
	if err := k.rdb.Set(ctx, k.keys.sessionsEnded(), now.UnixMilli(), SessionLife).Err(); err != nil {
		return fmt.Errorf("end the sessions: %w", err)
	}
	return nil
}
