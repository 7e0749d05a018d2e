package operations

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/backup"
	"github.com/handout-dev/handout/internal/installation"
	"github.com/handout-dev/handout/ledger"
)

// Backup is [backup.Make]: dir gets a copy of the whole Redis, with who is in campaigns.
func (o *Operations) Backup(ctx context.Context, dir string, campaigns []backup.Campaign, by campaign.Actor, progress func(done, all int64)) (m *backup.Manifest, err error) {
	if err := everyones(ctx, "a backup has everyone's campaigns"); err != nil {
		return nil, err
	}
	err = o.traced(ctx, "back up", "Redis", by, func() error {
		m, err = backup.Make(ctx, o.rdb, dir, campaigns, progress)
		return err
	})
	return m, err
}

// Recovery is what a restore of Redis has left open.
type Recovery struct {
	Restore *installation.Restore // nil: none is open
	Held    []Affected            // campaigns that are held for it, the newest first
	// Drafts are campaigns without their list: it may have been submitted since the
	// copy, and sent.
	Drafts []campaign.ID
}

// Affected is a campaign that is held since Redis was put back.
type Affected struct {
	Info    *campaign.Info
	Balance campaign.Balance
	// Since counts recipients of whom a receipt has said since then that they were sent
	// to, although the ledger didn't know it.
	Since int
}

// Open is how many people would be sent to by a resume, and may have been already.
func (a *Affected) Open() int {
	return a.Balance.Of(campaign.Planned) + a.Balance.Of(campaign.Retrying)
}

// Recovery reads what a restore of Redis has left open. It reads the records of all
// campaigns that are held for it.
func (o *Operations) Recovery(ctx context.Context) (*Recovery, error) {
	restore, err := installation.ReadRestore(ctx, o.rdb)
	if err != nil {
		return nil, err
	}
	r := &Recovery{Restore: restore}
	ids, err := o.ledger.Campaigns(ctx, math.MaxInt)
	if err != nil {
		return nil, err
	}
	all, err := o.ledger.Summaries(ctx, ids)
	if err != nil {
		return nil, err
	}
	for i := range all {
		s := &all[i]
		switch {
		case s.Phase == campaign.Draft && restore != nil:
			r.Drafts = append(r.Drafts, s.ID)
		case heldForRestore(&s.Info):
			a := Affected{Balance: s.Balance}
			if a.Info, err = o.ledger.Info(ctx, s.ID); err != nil {
				return nil, about(s.ID, err)
			}
			if a.Since, err = o.heardSince(ctx, a.Info, restore); err != nil {
				return nil, about(s.ID, err)
			}
			r.Held = append(r.Held, a)
		}
	}
	return r, nil
}

func heldForRestore(c *campaign.Info) bool {
	return c.Phase == campaign.Held && campaign.IsRestored(c.Reason)
}

// heardSince counts those whose claim was written after Redis was put back: while a
// campaign is held, only a receipt does that.
func (o *Operations) heardSince(ctx context.Context, c *campaign.Info, r *installation.Restore) (n int, err error) {
	if r == nil {
		return 0, nil
	}
	for page := range c.Pages {
		records, err := o.ledger.Records(ctx, c.ID, page)
		if err != nil {
			return n, err
		}
		for _, seen := range records {
			if !seen.Record.ClaimedAt.Before(r.Noticed) {
				n++
			}
		}
	}
	return n, nil
}

// NoteRestore has every campaign that might send held, as workers do when they notice by
// themselves that Redis was put back: for a copy that handout backup didn't make, and that
// no running worker has seen. from is when the copy was taken.
func (o *Operations) NoteRestore(ctx context.Context, from time.Time, by campaign.Actor) error {
	if err := everyones(ctx, "a restore holds everyone's campaigns"); err != nil {
		return err
	}
	at, err := o.ledger.Now(ctx)
	if err != nil {
		return err
	}
	r := &installation.Restore{From: from, Noticed: at}
	if from.IsZero() {
		if r, err = installation.ReadRestore(ctx, o.rdb); err != nil {
			return err
		}
		if r == nil {
			return refusef(Refused, "from", "when was the copy taken? This Redis doesn't say that it is one")
		}
	}
	if r.From.After(at) {
		return refusef(Refused, "from", "%s is in the future", r.From.Format(time.RFC3339))
	}
	return o.traced(ctx, "note a restore", "of "+r.From.UTC().Format(time.RFC3339), by, func() error { return o.holdRestored(ctx, r) })
}

// holdRestored is what a worker does: the note comes before, and is completed after. If
// the process dies in between, a worker holds the rest.
func (o *Operations) holdRestored(ctx context.Context, r *installation.Restore) error {
	if err := installation.NoteRestore(ctx, o.rdb, r); err != nil {
		return err
	}
	ids, err := o.ledger.Active(ctx)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := o.ledger.HoldRestored(ctx, id, campaign.RestoredReason(r.From, r.Before), now()); err != nil && !errors.Is(err, ledger.ErrNotFound) {
			return about(id, err)
		}
	}
	r.Held = true
	return installation.NoteRestore(ctx, o.rdb, r)
}

// CloseRecovery ends a recovery: what is submitted from now on isn't held any more.
// WrongPhase while campaigns are held for the restore.
func (o *Operations) CloseRecovery(ctx context.Context, by campaign.Actor) error {
	if err := everyones(ctx, "a restore is of everyone's campaigns"); err != nil {
		return err
	}
	r, err := o.Recovery(ctx)
	if err != nil {
		return err
	}
	if r.Restore == nil {
		return refusef(WrongPhase, "", "no recovery is open")
	}
	if !r.Restore.Held {
		return refusef(WrongPhase, "", "campaigns aren't held yet, and would be sent from as if nothing were lost: start a worker, or run handout recover hold")
	}
	if len(r.Held) > 0 {
		ids := make([]string, len(r.Held))
		for i, a := range r.Held {
			ids[i] = string(a.Info.ID)
		}
		slices.Sort(ids)
		return refusef(WrongPhase, "", "still held since Redis was put back: %s; settle them by Telesign's report, then resume or cancel them", strings.Join(ids, ", "))
	}
	return o.traced(ctx, "close recovery", fmt.Sprintf("from the state of %s", r.Restore.From.Format(time.RFC3339)), by, func() error {
		return installation.CloseRestore(ctx, o.rdb)
	})
}
