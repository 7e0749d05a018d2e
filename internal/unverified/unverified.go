// Package unverified keeps what listeners have refused because a signature doesn't
// hold, so that an operator hears of a wrong key at a listener: until it is mended,
// people stay accepted and no outcome arrives.
package unverified

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/internal/redisx"
)

// lifetime is how long a notice stands after the last receipt that was refused. After
// a day Telesign no longer answers status queries for what was sent before.
const lifetime = 24 * time.Hour

// Why says what is wrong with a receipt's signature.
type Why string

// What can be wrong; also results in handout_receipts_total.
const (
	WrongSignature Why = "wrong signature"
	WrongCustomer  Why = "wrong customer"
	Unsigned       Why = "unsigned"
)

// advice is what to do about each.
var advice = map[Why]string{
	WrongSignature: "their signature isn't made with the listener's key: correct TELESIGN_API_KEY of handout listen, and restart it",
	WrongCustomer:  "they are signed for another customer: correct TELESIGN_CUSTOMER_ID of handout listen, and restart it",
	Unsigned:       "they aren't signed: see that what stands before handout listen passes the header Authorization on",
}

// Notice is what was refused since a receipt was last verified after a refusal.
type Notice struct {
	Count       int
	Since, Last time.Time
	Why         Why // of the last
}

// String is the notice for people: what happens, and what to do.
func (n *Notice) String() string {
	times := "a receipt was refused"
	if n.Count != 1 {
		times = strconv.Itoa(n.Count) + " receipts were refused"
	}
	const layout = "2006-01-02 15:04:05 UTC"
	when := " at " + n.Last.UTC().Format(layout)
	if n.Count != 1 {
		when = " since " + n.Since.UTC().Format(layout) + ", the last" + when
	}
	return times + when + ": " + n.Why.Advice() + "; until then no outcome arrives"
}

// Advice says what is wrong, and what to do.
func (w Why) Advice() string { return advice[w] }

// Add adds n receipts that were refused by this moment. Called twice it counts them
// twice, which changes no outcome.
func Add(ctx context.Context, rdb redis.UniversalClient, n int, why Why, at time.Time) error {
	key := keys(redisx.Prefix(rdb)).refused()
	_, err := rdb.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.HIncrBy(ctx, key, "count", int64(n))
		p.HSetNX(ctx, key, "since", at.Unix())
		p.HSet(ctx, key, "last", at.Unix(), "why", string(why))
		p.Expire(ctx, key, lifetime)
		return nil
	})
	if err != nil {
		return fmt.Errorf("keep refused receipts: %w", err)
	}
	return nil
}

// Clear removes the notice: a receipt was verified.
func Clear(ctx context.Context, rdb redis.UniversalClient) error {
	if err := rdb.Del(ctx, keys(redisx.Prefix(rdb)).refused()).Err(); err != nil {
		return fmt.Errorf("clear refused receipts: %w", err)
	}
	return nil
}

// Read returns the notice, nil for none.
func Read(ctx context.Context, rdb redis.UniversalClient) (*Notice, error) {
	values, err := rdb.HGetAll(ctx, keys(redisx.Prefix(rdb)).refused()).Result()
	if err != nil || len(values) == 0 {
		return nil, err
	}
	n := &Notice{Why: Why(values["why"])}
	n.Count, _ = strconv.Atoi(values["count"])
	for field, t := range map[string]*time.Time{"since": &n.Since, "last": &n.Last} {
		seconds, err := strconv.ParseInt(values[field], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("read refused receipts: %s: %w", field, err)
		}
		*t = time.Unix(seconds, 0).UTC()
	}
	return n, nil
}
