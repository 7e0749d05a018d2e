package sealed

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"
)

const (
	masterBytes = 32
	// idBytes is the length of a master key's ID, which says nothing of the key.
	idBytes = 8
)

// Ring is the master keys that a process has: the one that it is to use, and the one
// before while that is being replaced. A nil Ring has none.
type Ring struct {
	keys  []master
	store redis.UniversalClient // of the campaigns' keys, see KeepKeysIn
}

type master struct {
	id   string // idBytes
	aead cipher.AEAD
}

// newAEAD returns AES-256-GCM with a random nonce of its own for each text, 12 bytes
// before it, and 16 of proof behind: 2^32 texts by one key are safe.
func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// NewMasterKey returns a new master key, as HANDOUT_MASTER_KEY has it.
func NewMasterKey() string {
	key := make([]byte, masterBytes)
	rand.Read(key)
	return base64.StdEncoding.EncodeToString(key)
}

// NewRing returns the ring of the current master key and the one before; nil without a
// current one.
func NewRing(current, previous string) (*Ring, error) {
	if current == "" {
		if previous != "" {
			return nil, errors.New("there is a previous master key and no current one")
		}
		return nil, nil
	}
	r := new(Ring)
	for _, text := range []string{current, previous} {
		if text == "" {
			continue
		}
		m, err := newMaster(text)
		if err != nil {
			return nil, err
		}
		r.keys = append(r.keys, m)
	}
	return r, nil
}

func newMaster(text string) (master, error) {
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(key) != masterBytes {
		return master{}, errors.New("a master key is 32 random bytes in base64: handout master-key create makes one") // without the cause, which shows some of it
	}
	// Two keys of one, so that the ID, which stands in Redis, says nothing of what wraps.
	id, err1 := hkdf.Key(sha256.New, key, nil, "handout master key: ID", idBytes)
	wrap, err2 := hkdf.Key(sha256.New, key, nil, "handout master key: wrap", masterBytes)
	if err := errors.Join(err1, err2); err != nil {
		return master{}, err
	}
	aead, err := newAEAD(wrap)
	return master{string(id), aead}, err
}

// KeepKeysIn has the keys of campaigns kept in a Redis of their own, whose stamp is
// entered in the installation's; with nil, beside the campaigns. Without backups of that
// Redis, a campaign that is purged can't be read from any backup of the others. Call it
// before the ring is used.
func (r *Ring) KeepKeysIn(store redis.UniversalClient) {
	if r != nil {
		r.store = store
	}
}

// IDs returns the IDs of the keys, the current one's first.
func (r *Ring) IDs() []string {
	var ids []string
	if r != nil {
		for _, m := range r.keys {
			ids = append(ids, hex.EncodeToString([]byte(m.id)))
		}
	}
	return ids
}

// KeyError means that something is wrapped by a master key that the process hasn't.
type KeyError struct{ what, id string }

func (e *KeyError) Error() string {
	return fmt.Sprintf("%s is encrypted by the master key %s, which isn't here: set HANDOUT_MASTER_KEY, or HANDOUT_MASTER_KEY_PREVIOUS, to it", e.what, e.id)
}

// Seal encrypts a text by the master key with this ID. what is what the text is and
// whose: it opens as that alone.
func (r *Ring) Seal(id, what string, plain []byte) ([]byte, error) {
	i := slices.Index(r.IDs(), id)
	if i < 0 {
		return nil, &KeyError{what, id}
	}
	return r.keys[i].aead.Seal([]byte(r.keys[i].id), nil, plain, []byte(what)), nil
}

// Open decrypts what Seal has encrypted. Errors: [*KeyError]; any other means that it
// isn't what it was written as.
func (r *Ring) Open(what string, b []byte) ([]byte, error) {
	if len(b) < idBytes {
		return nil, fmt.Errorf("decrypt %s: it is cut off", what)
	}
	if r != nil {
		for _, m := range r.keys {
			if bytes.HasPrefix(b, []byte(m.id)) {
				plain, err := m.aead.Open(nil, nil, b[idBytes:], []byte(what))
				if err != nil {
					return nil, fmt.Errorf("decrypt %s: it isn't what was written", what)
				}
				return plain, nil
			}
		}
	}
	return nil, &KeyError{what, hex.EncodeToString(b[:idBytes])}
}

// Rewrap returns b sealed by the master key with this ID; nil when it is already.
func (r *Ring) Rewrap(id, what string, b []byte) ([]byte, error) {
	if len(b) >= idBytes && hex.EncodeToString(b[:idBytes]) == id {
		return nil, nil
	}
	plain, err := r.Open(what, b)
	if err != nil {
		return nil, err
	}
	return r.Seal(id, what, plain)
}
