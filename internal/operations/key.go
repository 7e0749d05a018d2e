package operations

import (
	"context"
	"errors"
	"fmt"

	"github.com/handout-dev/handout/internal/web/access"
)

// Keys returns all keys, sorted by name.
func (o *Operations) Keys(ctx context.Context) ([]access.Key, error) {
	return access.NewKeys(o.rdb).List(ctx)
}

// Key returns a key by its name, without its secret. Errors: NotFound.
func (o *Operations) Key(ctx context.Context, name string) (*access.Key, error) {
	keys, err := o.Keys(ctx)
	if err != nil {
		return nil, err
	}
	for i := range keys {
		if keys[i].Name == name {
			return &keys[i], nil
		}
	}
	return nil, refuse(NotFound, "", fmt.Errorf("key %s: %w", name, access.ErrNoKey))
}

// CreateKey makes a key with these scopes, separated by commas, and returns its token,
// which can't be shown again. Errors: Refused, and OtherContent if the name is taken.
func (o *Operations) CreateKey(ctx context.Context, name, scopes string) (token string, err error) {
	parsed, err := access.ParseScopes(scopes)
	if err != nil {
		return "", refuse(Refused, "scopes", err)
	}
	token, err = access.NewKeys(o.rdb).Create(ctx, name, parsed, now())
	switch {
	case errors.Is(err, access.ErrBadName):
		err = refuse(Refused, "name", err)
	case errors.Is(err, access.ErrExists):
		err = refuse(OtherContent, "name", err)
	}
	return token, err
}

// RevokeKey ends a key: the next request with it is refused. Errors: NotFound.
func (o *Operations) RevokeKey(ctx context.Context, name string) error {
	err := access.NewKeys(o.rdb).Revoke(ctx, name)
	if errors.Is(err, access.ErrNoKey) {
		err = refuse(NotFound, "", err)
	}
	return err
}
