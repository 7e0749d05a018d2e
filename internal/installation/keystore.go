package installation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/internal/redisx"
)

// fieldKeyStore in the stamp is the ID in the stamp of the Redis that has the keys of
// campaigns. That stamp is written as any other is.
const (
	fieldKeyStore = "key_store"
	// keyStoreReader is the format of the oldest program that looks for keys there. To
	// others, campaigns would seem purged.
	keyStoreReader = 4
)

// KeyStoreError means that the process looks for the keys of campaigns in another Redis
// than they are kept in.
type KeyStoreError struct{ prefix, want, has string }

func (e *KeyStoreError) Error() string {
	if e.has == "" {
		return fmt.Sprintf("the installation %s keeps the keys of its campaigns in a Redis of their own, %s: set HANDOUT_KEYS_URL", e.prefix, e.want)
	}
	return fmt.Sprintf("the installation %s keeps the keys of its campaigns in the Redis %s, and HANDOUT_KEYS_URL is %s: correct it", e.prefix, e.want, e.has)
}

// CheckKeyStore returns a [*KeyStoreError] unless id is the ID of the Redis that has the
// keys of campaigns; empty: the process has no other than the installation's.
func (s *Stamp) CheckKeyStore(prefix, id string) error {
	if s.KeyStore != id && s.KeyStore != "" {
		return &KeyStoreError{prefix, s.KeyStore, id}
	}
	return nil
}

// OpenKeyStore opens the Redis that keeps the keys of campaigns for the installation in
// rdb, and enters both in each other; nil with an empty URL. It is guarded as the
// installation's own. Errors: [*KeyStoreError].
func OpenKeyStore(ctx context.Context, rdb redis.UniversalClient, rawURL string, tls redisx.TLS, log *slog.Logger) (redis.UniversalClient, error) {
	prefix := redisx.Prefix(rdb)
	if rawURL == "" {
		stamp, _, err := Read(ctx, rdb)
		if err == nil {
			err = stamp.CheckKeyStore(prefix, "")
		}
		return nil, err
	}
	guard := NewGuard(prefix, log)
	keys, err := redisx.OpenGuarded(rawURL, prefix, guard.Admit, redisx.WithTLS(tls))
	if err != nil {
		return nil, fmt.Errorf("HANDOUT_KEYS_URL: %w", err)
	}
	if err := guard.Enter(ctx, keys, nil); err != nil {
		_ = keys.Close()
		return nil, fmt.Errorf("can't use the Redis of the keys at %s: %w; is it running, and is HANDOUT_KEYS_URL right?", redisx.Describe(rawURL), err)
	}
	if err := EnterKeyStore(ctx, rdb, keys); err != nil {
		_ = keys.Close()
		return nil, err
	}
	return keys, nil
}

// EnterKeyStore has the installation in rdb keep the keys of its campaigns in keys, which
// has a stamp, from now on; programs that don't know of that can't read it any more. If the
// process dies in it, it has happened or not. Errors: [*KeyStoreError].
func EnterKeyStore(ctx context.Context, rdb, keys redis.UniversalClient) error {
	prefix := redisx.Prefix(rdb)
	its, there, err := Read(ctx, keys)
	if err != nil || !there {
		return errors.Join(err, errors.New("the Redis of the keys has no stamp"))
	}
	stamp, _, err := Read(ctx, rdb)
	switch {
	case err != nil:
		return err
	case its.ID == stamp.ID:
		return errors.New("HANDOUT_KEYS_URL is the Redis that REDIS_URL is: name another, which isn't in its backups")
	case stamp.KeyStore == "":
		_, err := rdb.TxPipelined(ctx, func(p redis.Pipeliner) error {
			p.HSetNX(ctx, key(prefix), fieldKeyStore, its.ID) // of two that begin at once both have the same
			p.HSet(ctx, key(prefix), fieldFormat, Format, fieldOldest, keyStoreReader)
			return nil
		})
		if err == nil {
			stamp, _, err = Read(ctx, rdb)
		}
		if err != nil {
			return fmt.Errorf("write the installation's stamp: %w", err)
		}
	}
	return stamp.CheckKeyStore(prefix, its.ID)
}
