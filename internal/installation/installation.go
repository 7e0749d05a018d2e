// Package installation keeps the stamp of an installation: whose the keys under a
// prefix are, and which programs can read them.
package installation

import (
	"context"
	"crypto/rand"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/internal/redisx"
)

const (
	// Format is that of what this program writes. It grows with each change that an
	// older program can't read, or would take for something else.
	Format = 2
	// oldestReader is the format of the oldest program that can read what this one
	// writes: one version back, once there is one that was released.
	oldestReader = 2
)

// Stamp is written once, by the first program that opens a Redis under a prefix.
type Stamp struct {
	ID           string // random
	Format       int    // the newest that was written
	OldestReader int    // programs of an older format can't read it
	Since        time.Time
}

const (
	fieldID     = "id"
	fieldFormat = "format"
	fieldOldest = "oldest_reader"
	fieldSince  = "since" // Unix seconds
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

// Read returns the stamp of the client's installation; false when there is none yet.
// Errors: [*FormatError].
func Read(ctx context.Context, rdb redis.UniversalClient) (Stamp, bool, error) {
	v, err := rdb.HGetAll(ctx, key(rdb)).Result()
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
		return Stamp{}, false, fmt.Errorf("read the installation's stamp: %s isn't one: does another application use the prefix %s?", key(rdb), redisx.Prefix(rdb))
	}
	s := Stamp{v[fieldID], format, oldest, time.Unix(since, 0).UTC()}
	if s.OldestReader > Format {
		return s, true, &FormatError{redisx.Prefix(rdb), s}
	}
	return s, true, nil
}

// Enter reads the stamp, and writes it where there is none, or one of an older format.
// Errors: [*FormatError].
func Enter(ctx context.Context, rdb redis.UniversalClient) (Stamp, error) {
	s, there, err := Read(ctx, rdb)
	if err != nil || there && s.Format >= Format {
		return s, err
	}
	// In one transaction, and what stands is kept: of two that begin at once both have
	// the same stamp.
	_, err = rdb.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.HSetNX(ctx, key(rdb), fieldID, strings.ToLower(rand.Text()))
		p.HSetNX(ctx, key(rdb), fieldSince, time.Now().Unix())
		p.HSet(ctx, key(rdb), fieldFormat, Format, fieldOldest, oldestReader)
		return nil
	})
	if err != nil {
		return Stamp{}, fmt.Errorf("write the installation's stamp: %w", err)
	}
	s, _, err = Read(ctx, rdb)
	return s, err
}
