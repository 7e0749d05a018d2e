// Package installation keeps the stamp of an installation: whose the keys under a
// prefix are, and which programs can read them.
package installation

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/internal/redisx"
)

const (
	// Format is that of what this program writes. It grows with each change that an
	// older program can't read, or would take for something else.
	Format = 4
	// oldestReader is the format of the oldest program that can read what this one
	// writes: one version back, but see [EnterKeyStore].
	oldestReader = 3
)

// Stamp is written once, by the first program that opens a Redis under a prefix.
type Stamp struct {
	ID           string // random
	Format       int    // the newest that was written
	OldestReader int    // programs of an older format can't read it
	Since        time.Time
	Accounts     map[string]string // digests of the Telesign accounts, by their names
	MasterKey    string            // the ID of the master key that encrypts; empty: none does
	KeyStore     string            // the ID in the stamp of the Redis that has the campaigns' keys; empty: this one
}

const (
	fieldID     = "id"
	fieldFormat = "format"
	fieldOldest = "oldest_reader"
	fieldSince  = "since" // Unix seconds
	// fieldAccount begins the field of each account's digest.
	fieldAccount = "account:"
)

// FormatError means that newer programs have written what this one can't read.
type FormatError struct {
	Prefix string
	Stamp  Stamp
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("the installation %s in this Redis is of format %d, which programs of format %d and newer can read, and this program is of format %d: update it",
		e.Prefix, e.Stamp.Format, e.Stamp.OldestReader, Format)
}

// AccountError means that an account of this name was another one when the installation
// first spoke for it: receipts of what it has sent would not be verified, and what is to be
// sent would go through the wrong one.
type AccountError struct{ Prefix, Account string }

func (e *AccountError) Error() string {
	return fmt.Sprintf("the installation %s in this Redis has another Telesign account as %s: its customer ID isn't this one; correct it, or use another HANDOUT_PREFIX, or say with handout account replace %s that this one takes its place",
		e.Prefix, e.Account, e.Account)
}

// Check returns an [*AccountError] if an account of these digests, by name, is another
// than the stamp has under its name.
func (s *Stamp) Check(prefix string, accounts map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(accounts)) {
		if its, ok := s.Accounts[name]; ok && its != accounts[name] {
			return &AccountError{prefix, name}
		}
	}
	return nil
}

// Read returns the stamp of the client's installation; false when there is none yet.
// Errors: [*FormatError].
func Read(ctx context.Context, rdb redis.UniversalClient) (Stamp, bool, error) {
	return read(ctx, rdb, redisx.Prefix(rdb))
}

func read(ctx context.Context, rdb redis.HashCmdable, prefix string) (Stamp, bool, error) {
	v, err := rdb.HGetAll(ctx, key(prefix)).Result()
	if err != nil {
		return Stamp{}, false, fmt.Errorf("read the installation's stamp: %w", err)
	}
	if len(v) == 0 {
		return Stamp{}, false, nil
	}
	format, err1 := strconv.Atoi(v[fieldFormat])
	oldest, err2 := strconv.Atoi(v[fieldOldest])
	since, err3 := strconv.ParseInt(v[fieldSince], 10, 64)
	if err1 != nil || err2 != nil || err3 != nil || v[fieldID] == "" {
		return Stamp{}, false, fmt.Errorf("read the installation's stamp: %s isn't one: does another application use the prefix %s?", key(prefix), prefix)
	}
	s := Stamp{v[fieldID], format, oldest, time.Unix(since, 0).UTC(), make(map[string]string), v[fieldMaster], v[fieldKeyStore]}
	for field, digest := range v {
		if name, ok := strings.CutPrefix(field, fieldAccount); ok {
			s.Accounts[name] = digest
		}
	}
	if s.OldestReader > Format {
		return s, true, &FormatError{prefix, s}
	}
	return s, true, nil
}

// Enter reads the stamp, and writes it where there is none, or one of an older format, or
// one without an account of these digests, by name. Errors: [*FormatError], [*AccountError].
func Enter(ctx context.Context, rdb redis.UniversalClient, accounts map[string]string) (Stamp, error) {
	s, there, err := Read(ctx, rdb)
	if err == nil {
		err = s.Check(redisx.Prefix(rdb), accounts)
	}
	if err != nil || there && s.Format >= Format && s.has(accounts) {
		return s, err
	}
	// In one transaction, and what stands is kept: of two that begin at once both have
	// the same stamp.
	k := key(redisx.Prefix(rdb))
	_, err = rdb.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.HSetNX(ctx, k, fieldID, strings.ToLower(rand.Text()))
		p.HSetNX(ctx, k, fieldSince, time.Now().Unix())
		if !there || s.Format < Format {
			p.HSet(ctx, k, fieldFormat, Format, fieldOldest, oldestReader)
		}
		for name, digest := range accounts {
			p.HSetNX(ctx, k, fieldAccount+name, digest)
		}
		return nil
	})
	if err != nil {
		return Stamp{}, fmt.Errorf("write the installation's stamp: %w", err)
	}
	if s, _, err = Read(ctx, rdb); err == nil {
		err = s.Check(redisx.Prefix(rdb), accounts)
	}
	return s, err
}

// has reports whether the stamp has all these accounts.
func (s *Stamp) has(accounts map[string]string) bool {
	for name := range accounts {
		if s.Accounts[name] == "" {
			return false
		}
	}
	return true
}

// Replace writes an account's digest in the place of the one before.
func Replace(ctx context.Context, rdb redis.UniversalClient, account, digest string) error {
	if err := rdb.HSet(ctx, key(redisx.Prefix(rdb)), fieldAccount+account, digest).Err(); err != nil {
		return fmt.Errorf("write the installation's stamp: %w", err)
	}
	return nil
}
