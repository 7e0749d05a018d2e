package orderhistory

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/orderhistory/sheet"
	"github.com/handout-dev/handout/internal/orderhistory/shop"
	"github.com/handout-dev/handout/internal/orderhistory/state"
	"github.com/handout-dev/handout/internal/orderhistory/store"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/producer"
)

// Store is where files are put: a bucket or a folder.
type Store interface {
	Put(ctx context.Context, o *store.Object, content []byte) error
	Stat(ctx context.Context, name string) (*store.Object, error)
	Link(ctx context.Context, name string, lifetime time.Duration) (string, error)
}

// Exporter is what a run works with. All fields are needed unless said.
type Exporter struct {
	Shop     *shop.Shop
	State    *state.State
	Store    Store
	Producer *producer.Client
	Ledger   *ledger.Ledger
	// Campaign is what is sent. Its ID is the beginning of the real one, which
	// ends with the period.
	Campaign campaign.Spec
	// HTTP fetches the links that are tried.
	HTTP *http.Client

	Region   string         // of numbers in national form; may be empty
	Zone     *time.Location // of the dates in the files
	Currency string         // of amounts for which the query names none; may be empty
	Words    sheet.Words    // in the files
	Prefix   string         // of the files' names in the store; may be empty

	LinkLife time.Duration // of the links
	Workers  int           // chunks of customers under way at once
	Uploads  int           // of one chunk, at once
	MaxDrift float64       // 0.5: at most 50 % more or less than last time
	MaxBad   float64       // 0.05: at most 5 % of the customers set aside
	Keep     time.Duration // how long the state keeps who had which file; 0: for ever
	TryLinks int           // how many links are fetched before the campaign opens; 0: none

	// Progress gets how far the run is, from several goroutines, but never
	// from two at once. It may be nil.
	Progress func(Progress)
}

// Progress is how far a run is.
type Progress struct {
	Doing string // in a word or two
	Done  int
	Of    int // 0 when it isn't known
}

// RunOptions are the choices of one run.
type RunOptions struct {
	Everybody bool // not only those with orders since their last file
	DryRun    bool // plan, judge and check; the state must be a rehearsal (state.Rehearse)
	// Force lets a drift pass, by a person's decision.
	Force *Force
}

// Force is a person's decision against the gate.
type Force struct{ By, Why string }

// Result is what a run came to.
type Result struct {
	Period   string      `json:"period"`
	Campaign campaign.ID `json:"campaign"`
	// Already means that the period was finished before and nothing has changed.
	Already   bool  `json:"already"`
	DryRun    bool  `json:"dry_run"`
	Customers int   `json:"customers"`
	Files     int   `json:"files"`
	Bytes     int64 `json:"bytes"`
	SetAside  int   `json:"set_aside"`
	// Aside are the first 1,000 of those set aside.
	Aside       []state.Aside `json:"aside"`
	LinksExpire *time.Time    `json:"links_expire"` // nil: there are none
	// Drifted is what Force has let pass, in words; empty for nothing.
	Drifted string `json:"drifted"`
}

// Run exports a period. It may be called again at any time, also after a crash,
// and does the same thing once.
//
// Errors: [*Refusal], [state.ErrBusy], [ErrLost], another plan, ctx's own, and those of the
// state and of Redis.
func (x *Exporter) Run(ctx context.Context, p Period, o RunOptions) (*Result, error) {
	if err := x.State.Lock(ctx); err != nil {
		return nil, err
	}
	r := &run{Exporter: x, period: p, options: o, now: time.Now}
	result, err := r.do(ctx)
	var no *Refusal
	if ctx.Err() != nil && !o.DryRun {
		return result, errors.Join(ctx.Err(), err)
	}
	if errors.As(err, &no) && !o.DryRun {
		err = errors.Join(err, r.refused(ctx, no))
	}
	return result, err
}

// run is one run.
type run struct {
	*Exporter
	period  Period
	options RunOptions
	now     func() time.Time
	last    *state.Export // the successful run before, of the same kind; nil when there is none
	drifted string
	counter counter
}

// ErrLost means that the period's campaign stands, but the state knows nothing
// of having submitted it.
var ErrLost = errors.New("the campaign of this period stands, and the state knows nothing of it. Is this its state (ORDERHISTORY_STATE)? " +
	"Two shops side by side need a state each, and a campaign file with an id of its own each (ORDERHISTORY_CAMPAIGN)")

// errOtherPlan means that the run of a period was begun with other options.
var errOtherPlan = errors.New("it was begun with or without --all, or under another campaign, and has to be finished in the same way")

func (r *run) do(ctx context.Context) (*Result, error) {
	id, err := campaign.ParseID(string(r.Campaign.ID) + "-" + r.period.id())
	if err != nil {
		return nil, fmt.Errorf("the campaign's id with the period: %w", err)
	}
	e, err := r.State.Export(ctx, r.period.Key)
	if err != nil {
		return nil, err
	}
	if e != nil && e.Phase == state.Done {
		return r.result(ctx, e, true)
	}
	if e != nil && (e.Campaign != string(id) || e.Everybody != r.options.Everybody) {
		return nil, fmt.Errorf("period %s: %w", e.Period, errOtherPlan)
	}
	stands, err := r.stands(ctx, id)
	if err != nil {
		return nil, err
	}
	if stands && (e == nil || e.Phase != state.Sending) {
		return nil, fmt.Errorf("campaign %s: %w", id, ErrLost)
	}
	if r.options.DryRun {
		return r.dryRun(ctx, id)
	}
	if e, err = r.renew(ctx, e, stands); err != nil {
		return nil, err
	}
	if e == nil {
		// Before a plan: a fault of it is one of a run that hasn't begun.
		if r.Keep > 0 {
			if err := r.State.Prune(ctx, r.now().Add(-r.Keep)); err != nil {
				return nil, err
			}
		}
		if e, err = r.plan(ctx, id); err != nil {
			return nil, err
		}
	}
	if e.Phase == state.Writing {
		if err := r.prepare(ctx, e); err != nil {
			return nil, err
		}
		if e, err = r.State.Export(ctx, e.Period); err != nil {
			return nil, err
		}
	}
	if err := r.submit(ctx, e); err != nil {
		return nil, err
	}
	if err := r.State.Finish(ctx, e.Period, r.now()); err != nil {
		return nil, err
	}
	return r.result(ctx, e, false)
}

// prepare brings an export from its plan to the point where only the campaign
// is missing.
func (r *run) prepare(ctx context.Context, e *state.Export) error {
	var err error
	if r.last, err = r.State.LastDone(ctx, e.Whole()); err != nil {
		return err
	}
	if err := r.check(ctx, e); err != nil {
		return err
	}
	if err := r.write(ctx, e); err != nil {
		return err
	}
	t, err := r.State.Totals(ctx, e.Period)
	if err != nil {
		return err
	}
	if err := r.judge(t, t.Ready, t.Bytes); err != nil {
		return err
	}
	if err := r.noteForce(ctx); err != nil {
		return err
	}
	expire, err := r.link(ctx, e)
	if err != nil {
		return err
	}
	if err := r.outlive(ctx, e, expire); err != nil {
		return err
	}
	// From here on the list is fixed, also for the next run.
	return r.State.Send(ctx, e.Period, t.Ready, t.Bytes, expire)
}

// renew takes an export whose links have lost half of their life before its
// campaign stood, or what the campaign needs of it, back to writing for new ones.
func (r *run) renew(ctx context.Context, e *state.Export, stands bool) (*state.Export, error) {
	if e == nil || e.Phase != state.Sending || stands {
		return e, nil
	}
	if left := e.LinksExpire.Sub(r.now()); left >= r.LinkLife/2 {
		needed, err := r.needed(ctx, e, r.rows(ctx, e))
		if err != nil || needed >= 0 && left >= needed {
			return e, err
		}
	}
	if err := r.State.Reopen(ctx, e.Period); err != nil {
		return nil, err
	}
	return r.State.Export(ctx, e.Period)
}

// stands says whether the campaign does: from then on it may be sent.
func (r *run) stands(ctx context.Context, id campaign.ID) (bool, error) {
	info, err := r.Ledger.Info(ctx, id)
	if errors.Is(err, ledger.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for campaign %s: %w", id, err)
	}
	return info.Phase != campaign.Draft, nil
}

// refused records a refusal, and drops a plan whose content was at fault.
func (r *run) refused(ctx context.Context, no *Refusal) error {
	err := r.State.NoteRefusal(ctx, state.Refusal{Period: r.period.Key, At: r.now(), Reason: string(no.Reason), Detail: no.Err.Error()})
	if no.content() {
		err = errors.Join(err, r.State.Forget(ctx, r.period.Key))
	}
	return err
}

// noteForce keeps what a person has let pass.
func (r *run) noteForce(ctx context.Context) error {
	if r.drifted == "" {
		return nil
	}
	return r.State.NoteDecision(ctx, state.Decision{
		Period: r.period.Key, At: r.now(), By: r.options.Force.By, What: "let pass: " + r.drifted, Why: r.options.Force.Why,
	})
}

func (r *run) result(ctx context.Context, e *state.Export, already bool) (*Result, error) {
	t, err := r.State.Totals(ctx, e.Period)
	if err != nil {
		return nil, err
	}
	aside, err := r.State.Aside(ctx, e.Period)
	if err != nil {
		return nil, err
	}
	e, err = r.State.Export(ctx, e.Period)
	if err != nil {
		return nil, err
	}
	result := &Result{
		Period: e.Period, Campaign: campaign.ID(e.Campaign), Already: already,
		Customers: t.Customers, Files: t.Ready, SetAside: t.SetAside, Bytes: t.Bytes, Aside: aside, Drifted: r.drifted,
	}
	if !e.LinksExpire.IsZero() {
		result.LinksExpire = &e.LinksExpire
	}
	return result, nil
}
