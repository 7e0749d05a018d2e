package installation

import (
	"context"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/internal/redisx"
)

// fieldMaster in the stamp is the ID of the master key that encrypts.
const fieldMaster = "master_key"

// MasterKeyError means that the process hasn't the master key of the installation.
type MasterKeyError struct {
	prefix, want string
	has          []string
}

func (e *MasterKeyError) Error() string {
	if len(e.has) == 0 {
		return fmt.Sprintf("the installation %s is encrypted by the master key %s: set HANDOUT_MASTER_KEY", e.prefix, e.want)
	}
	return fmt.Sprintf("the installation %s is encrypted by the master key %s, and HANDOUT_MASTER_KEY is %s: it is another installation's, or was replaced; HANDOUT_MASTER_KEY_PREVIOUS is for the one before",
		e.prefix, e.want, e.has[0])
}

// EnterMasterKey returns the stamp. masterKeys are the IDs of the process's master keys,
// the current one's first: where there is none yet, it becomes the installation's.
// Errors: [*FormatError], [*MasterKeyError].
func EnterMasterKey(ctx context.Context, rdb redis.UniversalClient, masterKeys []string) (Stamp, error) {
	s, there, err := Read(ctx, rdb)
	if err == nil && !there && len(masterKeys) > 0 {
		s, err = Enter(ctx, rdb, nil)
	}
	if err == nil && s.MasterKey == "" && len(masterKeys) > 0 {
		// Of two that begin at once both have the same.
		if err = rdb.HSetNX(ctx, key(redisx.Prefix(rdb)), fieldMaster, masterKeys[0]).Err(); err == nil {
			s, _, err = Read(ctx, rdb)
		}
	}
	if err != nil {
		return s, fmt.Errorf("the installation's master key: %w", err)
	}
	return s, s.checkMasterKey(rdb, masterKeys)
}

// LookMasterKey is EnterMasterKey for programs that leave it to others to write the stamp.
func LookMasterKey(ctx context.Context, rdb redis.UniversalClient, masterKeys []string) error {
	s, _, err := Read(ctx, rdb)
	if err != nil {
		return err
	}
	return s.checkMasterKey(rdb, masterKeys)
}

func (s *Stamp) checkMasterKey(rdb redis.UniversalClient, masterKeys []string) error {
	if s.MasterKey != "" && !slices.Contains(masterKeys, s.MasterKey) {
		return &MasterKeyError{redisx.Prefix(rdb), s.MasterKey, masterKeys}
	}
	return nil
}

// SetMasterKey has all processes of the installation encrypt by another master key from
// now on. Processes that haven't it fail at what is new, so all must have it before.
func SetMasterKey(ctx context.Context, rdb redis.UniversalClient, id string) error {
	if err := rdb.HSet(ctx, key(redisx.Prefix(rdb)), fieldMaster, id).Err(); err != nil {
		return fmt.Errorf("write the installation's stamp: %w", err)
	}
	return nil
}
