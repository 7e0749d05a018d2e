package operations

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/phone"
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
	if i := slices.IndexFunc(keys, func(k access.Key) bool { return k.Name == name }); i >= 0 {
		return &keys[i], nil
	}
	return nil, fmt.Errorf("key %s: %w", name, access.ErrNoKey)
}

// KeyChange is what a key is to be, as a person has written it. A field that is nil
// stays, or is a new key's default.
type KeyChange struct {
	Scopes    *string    // separated by commas
	Campaigns *string    // own or all; by default own, unless the key has all scopes
	Accounts  *string    // names separated by commas, or any, as by default
	Countries *string    // separated by commas, or any; by default the region's
	Daily     *int       // recipients a day; 0: no limit, as by default
	Hourly    *int       // one-off sends to one number an hour; 0: no limit; by default [HourlyDefault]
	Test      bool       // of a new key: it starts nothing where messages go to Telesign
	Ends      *time.Time // zero: when it is revoked, as by default
}

// HourlyDefault is how often a new key may send to one number in an hour. A person who
// asks for another one-time password does so a few times.
const HourlyDefault = 10

// KeyWords returns what a key's limits are, one by one.
func KeyWords(k *access.Key) []string {
	words := []string{"all campaigns"}
	if k.Own {
		words[0] = "its own campaigns"
	}
	if len(k.Accounts) > 0 {
		words = append(words, "through "+strings.Join(k.Accounts, ", "))
	}
	if len(k.Countries) > 0 {
		words = append(words, "to "+strings.Join(k.Countries, ", "))
	}
	if k.Daily > 0 {
		words = append(words, campaign.Count(k.Daily, "recipient")+" a day")
	}
	if k.Hourly > 0 {
		words = append(words, campaign.Number(k.Hourly)+" an hour to one number")
	}
	if k.Test {
		words = append(words, "to a simulator only")
	}
	return words
}

func (c *KeyChange) apply(k *access.Key) (err error) {
	if c.Scopes != nil {
		if k.Scopes, err = access.ParseScopes(*c.Scopes); err != nil {
			return refuse(Refused, "scopes", err)
		}
	}
	if c.Campaigns != nil {
		if *c.Campaigns != "own" && *c.Campaigns != "all" {
			return refusef(Refused, "campaigns", "campaigns are own or all")
		}
		k.Own = *c.Campaigns == "own"
	}
	if c.Accounts != nil {
		if k.Accounts, err = parseAccounts(*c.Accounts); err != nil {
			return err
		}
	}
	if c.Countries != nil {
		if k.Countries, err = parseCountries(*c.Countries); err != nil {
			return err
		}
	}
	if c.Daily != nil {
		k.Daily = *c.Daily
	}
	if c.Hourly != nil {
		k.Hourly = *c.Hourly
	}
	switch {
	case k.Daily < 0:
		return refusef(Refused, "daily", "must be 0, for no limit, or more")
	case k.Hourly < 0:
		return refusef(Refused, "hourly", "must be 0, for no limit, or more")
	}
	if c.Ends != nil {
		if !c.Ends.IsZero() && !c.Ends.After(now()) {
			return refusef(Refused, "ends", "%s is past", c.Ends.Format(time.RFC3339))
		}
		k.EndsAt = *c.Ends
	}
	return nil
}

func parseAccounts(text string) ([]string, error) {
	if text == "any" {
		return nil, nil
	}
	var all []string
	for one := range strings.SplitSeq(text, ",") {
		one = strings.TrimSpace(one)
		if !campaign.ValidAccount(one) {
			return nil, refusef(Refused, "accounts", "%q can't be an account's name, which %s; or say any", one, campaign.AccountForm)
		}
		if !slices.Contains(all, one) {
			all = append(all, one)
		}
	}
	return all, nil
}

func parseCountries(text string) ([]string, error) {
	if text == "any" {
		return nil, nil
	}
	var all []string
	for one := range strings.SplitSeq(text, ",") {
		one = strings.ToUpper(strings.TrimSpace(one))
		if !phone.IsCountry(one) {
			return nil, refusef(Refused, "countries", "%q isn't a country's two letters, as in US; or say any", one)
		}
		if !slices.Contains(all, one) {
			all = append(all, one)
		}
	}
	return all, nil
}

// CreateKey makes a key and returns its token, which can't be shown again. Errors:
// Refused, and OtherContent if the name is taken.
func (o *Operations) CreateKey(ctx context.Context, name string, c KeyChange) (token string, err error) {
	k := access.Key{Name: name, Limits: access.Limits{Test: c.Test}}
	if c.Scopes == nil {
		return "", refusef(Refused, "scopes", "a key needs scopes: %s", access.Join(access.Scopes(), ", "))
	}
	if err := c.apply(&k); err != nil {
		return "", err
	}
	// A key that may make keys could make one without limits: on such a key they would
	// hold nothing.
	if every := len(k.Scopes) == len(access.Scopes()); !every {
		if c.Campaigns == nil {
			k.Own = true
		}
		if c.Countries == nil && o.o.Region != "" {
			k.Countries = []string{o.o.Region}
		}
		if c.Hourly == nil {
			k.Hourly = HourlyDefault
		}
	}
	err = o.traced(ctx, "create", "key "+campaign.Clip(name, campaign.MaxActor)+keyTrace(&k), campaign.Actor{}, func() error {
		token, err = access.NewKeys(o.rdb).Create(ctx, k, now())
		if errors.Is(err, access.ErrBadName) {
			err = refuse(Refused, "name", err)
		}
		return err
	})
	return token, err
}

// keyTrace is what a key may do, for the trace.
func keyTrace(k *access.Key) string {
	text := ": " + access.Join(k.Scopes, ", ") + "; " + strings.Join(KeyWords(k), ", ")
	if !k.EndsAt.IsZero() {
		text += "; until " + k.EndsAt.UTC().Format(time.RFC3339)
	}
	return text
}

// LimitKey changes what a key may do from the next request on, and returns what it may
// then. Errors: NotFound, Refused.
func (o *Operations) LimitKey(ctx context.Context, name string, c KeyChange) (*access.Key, error) {
	k, err := o.Key(ctx, name)
	if err == nil {
		err = c.apply(k)
	}
	if err != nil {
		return nil, err
	}
	return k, o.traced(ctx, "limit", "key "+name+keyTrace(k), campaign.Actor{}, func() error {
		return access.NewKeys(o.rdb).Limit(ctx, *k)
	})
}

// MaxOverlap is how long the secret before a rotation may be good at most.
const MaxOverlap = 30 * 24 * time.Hour

// RotateKey gives a key another secret, and returns the new token, which can't be shown
// again. The old one is good for overlap more. Errors: NotFound, Refused.
func (o *Operations) RotateKey(ctx context.Context, name string, overlap time.Duration) (token string, err error) {
	if overlap < 0 || overlap > MaxOverlap {
		return "", refusef(Refused, "overlap", "must be 0s to %s", campaign.FormatDuration(MaxOverlap))
	}
	err = o.traced(ctx, "rotate", "key "+name+", overlap "+campaign.FormatDuration(overlap), campaign.Actor{}, func() error {
		token, err = access.NewKeys(o.rdb).Rotate(ctx, name, overlap, now())
		return err
	})
	return token, err
}

// RevokeKey ends a key: the next request with it is refused. Errors: NotFound.
func (o *Operations) RevokeKey(ctx context.Context, name string) error {
	return o.traced(ctx, "revoke", "key "+name, campaign.Actor{}, func() error { return access.NewKeys(o.rdb).Revoke(ctx, name) })
}

// EndSessions ends all sessions of the console: a person whose group was taken away, or
// whose cookie was, logs in anew or not at all.
func (o *Operations) EndSessions(ctx context.Context) error {
	return o.traced(ctx, "end sessions", "", campaign.Actor{}, func() error { return access.NewKeys(o.rdb).EndSessions(ctx, now()) })
}
