package sealed

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"strconv"

	"github.com/handout-dev/handout/campaign"
)

// The first byte of what is sealed; that of any other page is smaller.
const (
	pageSealed    = 0x80 | 1 // the salt, and a sealed page
	growingSealed = 0x80 | 2 // the salt, then for each recipient uvarint(length) and what is sealed of them
)

// keyBytes is the length of a campaign's key, for AES-256.
const keyBytes = 32

// Key is that of one life of a campaign. It is safe for concurrent use. A nil Key leaves
// everything as it is.
type Key struct {
	salt string
	aead cipher.AEAD
}

func newKey(salt string) (raw []byte, _ *Key, err error) {
	raw = make([]byte, keyBytes)
	rand.Read(raw)
	k, err := keyOf(salt, raw)
	return raw, k, err
}

func keyOf(salt string, raw []byte) (*Key, error) {
	aead, err := newAEAD(raw)
	if err != nil {
		return nil, fmt.Errorf("the key of a campaign: %w", err)
	}
	return &Key{salt, aead}, nil
}

// place is what a sealed thing is bound to beside its campaign's life, whose key it is.
func place(c campaign.ID, salt, at string) []byte {
	return []byte(string(c) + "." + salt + "." + at)
}

// header begins what is sealed: the salt says which key opens it.
func (k *Key) header(sort byte, size int) []byte {
	return append(append(make([]byte, 0, 1+len(k.salt)+size), sort), k.salt...)
}

// Page seals a page in its stored form.
func (k *Key) Page(c campaign.ID, page int, stored []byte) []byte {
	if k == nil {
		return stored
	}
	return k.aead.Seal(k.header(pageSealed, len(stored)+k.aead.Overhead()), nil, stored, place(c, k.salt, strconv.Itoa(page)))
}

// Appended returns what is appended to a page that grows for a recipient, and what an
// empty one begins with.
func (k *Key) Appended(c campaign.ID, at campaign.Place, plain []byte) (stored, begins []byte) {
	begins = []byte{campaign.PageV2}
	if k != nil {
		begins = k.header(growingSealed, 0)
		plain = k.aead.Seal(nil, nil, plain, place(c, k.salt, at.String()))
	}
	return append(binary.AppendUvarint(nil, uint64(len(plain))), plain...), begins
}

// saltOf returns whose key opens a stored page; "" for one that isn't sealed.
func saltOf(b []byte) string {
	if len(b) > campaign.SaltLength && (b[0] == pageSealed || b[0] == growingSealed) {
		return string(b[1 : 1+campaign.SaltLength])
	}
	return ""
}

// open returns the stored form of a sealed page.
func (k *Key) open(c campaign.ID, page int, b []byte) ([]byte, error) {
	sort, b := b[0], b[1+campaign.SaltLength:]
	if sort == pageSealed {
		stored, err := k.aead.Open(nil, nil, b, place(c, k.salt, strconv.Itoa(page)))
		if err != nil {
			return nil, fmt.Errorf("decrypt page %d of campaign %s: it isn't what was written there", page, c)
		}
		return stored, nil
	}
	stored := append(make([]byte, 0, 1+len(b)), campaign.PageV2)
	for index := 0; len(b) > 0; index++ {
		at := campaign.Place{Page: page, Index: index}
		n, width := binary.Uvarint(b)
		if width <= 0 || n > uint64(len(b)-width) {
			return nil, fmt.Errorf("decrypt recipient %s of campaign %s: it is cut off", at, c)
		}
		plain, err := k.aead.Open(nil, nil, b[width:][:n], place(c, k.salt, at.String()))
		if err != nil {
			return nil, fmt.Errorf("decrypt recipient %s of campaign %s: it isn't what was written there", at, c)
		}
		stored = append(binary.AppendUvarint(stored, uint64(len(plain))), plain...)
		b = b[width+int(n):]
	}
	return stored, nil
}
