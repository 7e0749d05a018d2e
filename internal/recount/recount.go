// Package recount counts all campaigns again, one after the other, at a low rate, and
// says where the balance doesn't close; and looks whether the suppression list and the
// references are whole.
//
// One worker at a time does it. What it knows stands in its memory alone: when it dies,
// another one begins anew. A campaign that moves can't be held against its counts, and
// another look at one that seems off must find the same: only what doesn't close twice
// in a row, a minute apart, is reported.
package recount

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"math"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"golang.org/x/time/rate"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/references"
	"github.com/handout-dev/handout/internal/sealed"
	"github.com/handout-dev/handout/internal/suppression"
	"github.com/handout-dev/handout/ledger"
)

// Options are what a recount needs; all but MasterKeys are required.
type Options struct {
	Redis      redis.UniversalClient
	MasterKeys *sealed.Ring // of the installation; nil: none
	Logger     *slog.Logger
	Metrics    prometheus.Registerer
}

const (
	// commandRate is how many commands a second it makes at most, and burst how many at
	// a time. A page of 100 takes three, so 10 million recipients take three hours.
	commandRate = 30
	burst       = references.CheckStep
	// lease is how long nothing is counted once the worker that does it was killed.
	lease     = time.Minute
	leaseKeep = 15 * time.Second
	// againAfter is when to look again at what seems off.
	againAfter = time.Minute
	// roundTime is how long a round takes at least: few campaigns change without a move.
	roundTime = 10 * time.Minute
	errorWait = 15 * time.Second
	// maxFaults is how many faults of a campaign a line of the log has.
	maxFaults = 5
)

// What is recounted; labels of handout_balance_closes.
const (
	campaigns   = "campaigns"
	suppressed  = "suppression"
	referencing = "references"
)

// subject is one campaign, or a list.
type subject struct {
	of string
	id campaign.ID // of campaigns
}

// suspicion is what is known of a subject that was off when it was looked at last.
type suspicion struct {
	times int
	at    time.Time
}

type counter struct {
	ledger       *ledger.Ledger
	suppressions *suppression.List
	references   *references.Store
	log          *slog.Logger
	closes       *prometheus.GaugeVec
	recounted    prometheus.Counter

	commands *rate.Limiter
	// again, round and wait are againAfter, roundTime and errorWait.
	again, round, wait time.Duration
	token              string
	leased             time.Time // when the lease was taken last; zero: it isn't this worker's
	suspects           map[subject]suspicion
}

// Start counts until ctx is done, or stop is called, which waits for its end.
func Start(ctx context.Context, o Options) (stop func()) {
	return newCounter(o).start(ctx)
}

func (c *counter) start(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.run(ctx)
	}()
	return func() { cancel(); <-ended }
}

func newCounter(o Options) *counter {
	c := &counter{
		ledger: ledger.New(o.Redis), suppressions: suppression.New(o.Redis), references: references.New(o.Redis), log: o.Logger,
		closes: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "handout_balance_closes",
			Help: "0 if records and counts, or what is kept otherwise, were found off twice in a row; only of the worker that recounts.",
		}, []string{"of"}),
		recounted: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "handout_recounted_total", Help: "Campaigns that this worker has recounted.",
		}),
		commands: rate.NewLimiter(commandRate, burst), again: againAfter, round: roundTime, wait: errorWait, token: rand.Text(),
	}
	c.ledger.Seal(o.MasterKeys)
	o.Metrics.MustRegister(c.closes, c.recounted)
	return c
}

// errNotMine ends a round whose lease another worker has.
var errNotMine = errors.New("another worker recounts")

func (c *counter) run(ctx context.Context) {
	defer func() { // the next worker needn't wait; if this fails, the lease runs out by itself
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_, _ = c.ledger.Lease(ctx, "", "recount", c.token, 0)
	}()
	for ctx.Err() == nil {
		began := time.Now()
		err := c.countAll(ctx)
		wait := c.wait
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, errNotMine):
			c.forget()
		case err != nil:
			c.log.Warn("recount", "error", err)
		default:
			wait = time.Until(began.Add(c.round))
		}
		if err := c.rest(ctx, wait); err != nil && !errors.Is(err, errNotMine) && ctx.Err() == nil {
			c.log.Warn("recount", "error", err)
		}
	}
}

// forget drops what was known while the lease was this worker's.
func (c *counter) forget() {
	c.leased, c.suspects = time.Time{}, nil
	c.closes.Reset()
}

// rest waits, and looks again at what seems off.
func (c *counter) rest(ctx context.Context, wait time.Duration) error {
	for end := time.Now().Add(wait); time.Now().Before(end); {
		if err := sleep(ctx, min(time.Until(end), c.again/4)); err != nil {
			return err
		}
		if c.leased.IsZero() {
			continue
		}
		if err := c.turn(ctx, 1); err != nil {
			return err
		}
		if err := c.lookAgain(ctx); err != nil {
			return err
		}
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// turn waits until so many commands may be made, and keeps the lease meanwhile.
func (c *counter) turn(ctx context.Context, commands int) error {
	if time.Since(c.leased) >= leaseKeep {
		mine, err := c.ledger.Lease(ctx, "", "recount", c.token, lease)
		if err != nil {
			return err
		}
		if !mine {
			return errNotMine
		}
		if c.leased.IsZero() {
			c.suspects = make(map[subject]suspicion)
			for _, of := range []string{campaigns, suppressed, referencing} {
				c.closes.WithLabelValues(of).Set(1)
			}
		}
		c.leased = time.Now()
	}
	return c.commands.WaitN(ctx, commands)
}

// countAll is one round.
func (c *counter) countAll(ctx context.Context) error {
	if err := c.turn(ctx, 1); err != nil {
		return err
	}
	ids, err := c.ledger.Campaigns(ctx, math.MaxInt)
	if err != nil {
		return err
	}
	subjects := []subject{{of: suppressed}, {of: referencing}}
	standing := make(map[campaign.ID]bool, len(ids))
	for _, id := range ids {
		standing[id] = true
		subjects = append(subjects, subject{campaigns, id})
	}
	for s := range c.suspects {
		if s.of == campaigns && !standing[s.id] {
			c.note(s, nil) // it is gone
		}
	}
	for _, s := range subjects {
		if err := c.count(ctx, s); err != nil {
			return err
		}
		if err := c.lookAgain(ctx); err != nil {
			return err
		}
	}
	return nil
}

// lookAgain looks at what was off a while ago.
func (c *counter) lookAgain(ctx context.Context) error {
	for s, known := range c.suspects {
		if time.Since(known.at) < c.again {
			continue
		}
		if err := c.count(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// count looks at one subject. One that can't be read while Redis answers is off as well.
func (c *counter) count(ctx context.Context, s subject) error {
	if known, ok := c.suspects[s]; ok && time.Since(known.at) < c.again {
		return nil // two looks are so long apart
	}
	var faults []string
	var err error
	turn := func(ctx context.Context) error { return c.turn(ctx, burst) }
	switch s.of {
	case suppressed:
		faults, err = c.suppressions.Check(ctx, turn)
	case referencing:
		faults, err = c.references.Check(ctx, time.Now(), turn)
	default:
		if faults, err = c.campaign(ctx, s.id); err == nil {
			c.recounted.Inc()
		}
	}
	if err != nil && ctx.Err() == nil && !errors.Is(err, errNotMine) {
		if _, away := c.ledger.Campaigns(ctx, 1); away == nil {
			faults, err = append(faults, err.Error()), nil
		}
	}
	if err == nil {
		c.note(s, faults)
	}
	return err
}

// campaign returns what is off with a campaign.
func (c *counter) campaign(ctx context.Context, id campaign.ID) ([]string, error) {
	info, err := c.info(ctx, id)
	if info == nil || err != nil {
		return nil, err
	}
	if err := c.turn(ctx, 4); err != nil { // the counts before and after, and what is read again
		return nil, err
	}
	var faults []string
	if info.PurgedAt.IsZero() {
		var v *ledger.Verdict
		var astray []string
		v, err = c.ledger.Recount(ctx, info, func(p *ledger.Page) error {
			if err := c.turn(ctx, 3); err != nil { // its list, its records, and a reference
				return err
			}
			fault, err := c.reference(ctx, info, p)
			if fault != "" {
				astray = append(astray, fault)
			}
			return err
		})
		if v != nil {
			faults = append(v.Faults, astray...)
		}
	} else { // there are no records; the counts stay
		var b *campaign.Balance
		if b, err = c.ledger.Balance(ctx, id); err == nil && b.Total() != info.Total {
			faults = append(faults, "the counts add up to "+campaign.Number(b.Total())+", the campaign had "+campaign.Count(info.Total, "recipient"))
		}
	}
	if err == nil && len(faults) == 0 || errors.Is(err, errNotMine) {
		return nil, err
	}
	// It may have been purged meanwhile, or have grown, or be another one by now.
	after, lookErr := c.info(ctx, id)
	switch {
	case lookErr != nil:
		return nil, lookErr
	case after == nil || after.Salt != info.Salt || after.Total != info.Total || after.PurgedAt != info.PurgedAt:
		return nil, nil
	case errors.Is(err, campaign.ErrNewer):
		return nil, nil // a newer program's
	}
	return faults, err
}

// info reads a campaign; nil for a draft, or one that isn't there.
func (c *counter) info(ctx context.Context, id campaign.ID) (*campaign.Info, error) {
	if err := c.turn(ctx, 1); err != nil {
		return nil, err
	}
	info, err := c.ledger.Info(ctx, id)
	switch {
	case errors.Is(err, ledger.ErrNotFound), errors.Is(err, campaign.ErrNewer):
		return nil, nil
	case err != nil:
		return nil, err
	case info.Phase == campaign.Draft:
		return nil, nil
	}
	return info, nil
}

// reference looks whether one reference of a page, any, leads back to its recipient, and
// returns what is off.
func (c *counter) reference(ctx context.Context, info *campaign.Info, p *ledger.Page) (string, error) {
	for i, seen := range p.Records {
		if seen.Record.Reference == "" {
			continue
		}
		at := campaign.Place{Page: p.Number, Index: i}
		found, _, err := c.ledger.FindReference(ctx, info, seen.Record.Reference)
		if errors.Is(err, ledger.ErrNotFound) || err == nil && found != at {
			return "the reference of recipient " + at.String() + " doesn't lead to it", nil
		}
		return "", err
	}
	return "", nil
}

// note keeps what a look at a subject has found, and tells it the second time.
func (c *counter) note(s subject, faults []string) {
	known := c.suspects[s]
	about := []any{"of", s.of}
	if s.id != "" {
		about = []any{"campaign", s.id}
	}
	switch {
	case len(faults) == 0 && known.times > 1:
		c.log.Info("the balance closes again", about...)
		fallthrough
	case len(faults) == 0:
		delete(c.suspects, s)
	default:
		if known.times++; known.times == 2 {
			shown := faults[:min(len(faults), maxFaults)]
			c.log.Error("the balance doesn't close", append(about, "faults", len(faults), "error", strings.Join(shown, "; "))...)
		}
		known.at = time.Now()
		c.suspects[s] = known
	}
	closes := 1.0
	for other, known := range c.suspects {
		if other.of == s.of && known.times > 1 {
			closes = 0
		}
	}
	c.closes.WithLabelValues(s.of).Set(closes)
}
