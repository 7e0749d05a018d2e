package producer

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/installation"
	"github.com/handout-dev/handout/internal/sealed"
	"github.com/handout-dev/handout/internal/tracing"
	"github.com/handout-dev/handout/ledger"
)

// Client opens campaigns in one Redis. It is safe for concurrent use.
type Client struct {
	rdb    redis.UniversalClient
	ledger *ledger.Ledger
}

// New is a client of the ledger in rdb, which stays the caller's to close.
func New(rdb redis.UniversalClient) *Client {
	return &Client{rdb: rdb, ledger: ledger.New(rdb)}
}

// Seal has the client encrypt by these master keys, see [ledger.Ledger.Seal].
func (c *Client) Seal(keys *sealed.Ring) { c.ledger.Seal(keys) }

// UseMasterKey is for programs that open Redis themselves: current is HANDOUT_MASTER_KEY,
// previous HANDOUT_MASTER_KEY_PREVIOUS, or empty. Without it a submit to an installation
// that encrypts is refused. Call it before the first submit.
func (c *Client) UseMasterKey(current, previous string) error {
	return c.UseMasterKeyAndStore(current, previous, nil)
}

// UseMasterKeyAndStore is UseMasterKey for an installation that keeps the keys of its
// campaigns in a Redis of their own (HANDOUT_KEYS_URL), which keys is a client of.
func (c *Client) UseMasterKeyAndStore(current, previous string, keys redis.UniversalClient) error {
	ring, err := sealed.NewRing(current, previous)
	if err == nil {
		ring.KeepKeysIn(keys)
		c.Seal(ring)
	}
	return err
}

// SubmitOptions are the choices of a submit. The zero value is a good one.
type SubmitOptions struct {
	// Region is the country whose numbers may stand in the list in national
	// form: two letters of ISO 3166, such as US. Empty allows only numbers in
	// international form.
	Region string
	// SetAsideBadRows sends to the good rows and reports the bad ones. Without
	// it any bad row rejects the list.
	SetAsideBadRows bool
	// MaxFaults is how many bad rows are reported in full, if over
	// [MaxFaults]. Each takes some 100 bytes.
	MaxFaults int
	// Begin is how the campaign begins: at once by default.
	Begin campaign.Beginning
	// Allow, if not nil, says why a good row's number may not be sent to; nil: it may.
	// The row is bad then. It is called from several goroutines.
	Allow func(e164 string) error
	// Gate, if not nil, is called once the whole list has been read and found
	// good, before the campaign stands: its error ends the submit as a
	// [*GateError], and nothing is kept. It isn't called for a campaign that
	// stands already. It may be called more than once.
	Gate func(Summary) error
	// Progress is called with how far the list has been read, at most ten times
	// per second and once at the end, from the goroutine that called Submit.
	Progress func(rows int, bytes int64)
	// OnWait is called each second while another submit writes the same
	// campaign, from the goroutine that called Submit.
	OnWait func()
}

// Summary counts what stands in a list.
type Summary struct {
	Rows       int // in the list, bad ones and duplicates included
	Recipients int // to be sent to
	Duplicates int // rows left out because their phone number stood before
	BadRows    int
	// SameRecipients counts rows with the name of a recipient before and another
	// phone number, where the campaign has them noted: they are sent to.
	SameRecipients    int
	SameRecipientLine int // of the first
	// UnknownRanges counts good rows whose numbers are in no range known to us:
	// newer than the data, or in use by no one.
	UnknownRanges int
	// Read is how the list was read.
	Read Reading
	// Empty are the columns that a template uses and that have no value in some rows
	// to be sent to; of a dry run alone.
	Empty []EmptyColumn
	// DuplicateLines are the lines of the first MaxFaults duplicates.
	DuplicateLines []int
	// Faults are those of the bad rows, at most MaxFaults of them.
	Faults []Fault
}

// Result is what a submit has done.
type Result struct {
	Info *campaign.Info
	// Already means that the campaign stood before, with the same content, and
	// nothing has changed.
	Already bool
	Summary Summary
}

// waitBusy is how often a submit tries again while another one is under way.
const waitBusy = time.Second

// Submit makes a campaign of a campaign file and a list. Until it returns
// without an error nothing of it is sent. It may be called again at any time,
// also after a crash, and does the same thing once.
//
// Errors: [*Faults] (nothing was kept; also of a list with more phone numbers
// than duplicates can be found among, which ten million fit in), [*GateError],
// [*OtherContentError], [ErrEmptyList], [*ReadError], [ErrNotRereadable],
// [ErrUnknownFormat], [phone.ErrUnknownRegion], ctx's own, and those of Redis.
// After ctx is done, and after an error of Redis, a draft may stay behind; the
// next Submit of the same ID replaces it.
func (c *Client) Submit(ctx context.Context, f *File, l List, o SubmitOptions) (*Result, error) {
	for from := time.Now(); ; {
		result, err := c.try(ctx, f, l, o)
		if errors.Is(err, ledger.ErrTakenOver) {
			continue // the other submit stands, or is to be waited for
		}
		if err == nil && !result.Already {
			tracing.Submitted(ctx, from, result.Info)
		}
		return result, err
	}
}

func (c *Client) try(ctx context.Context, f *File, l List, o SubmitOptions) (*Result, error) {
	run, err := newRun(f, l, runOptions{region: o.Region, setAside: o.SetAsideBadRows, maxFaults: o.MaxFaults, progress: o.Progress, allow: o.Allow})
	if err != nil {
		return nil, err
	}
	defer run.close()
	return c.submit(ctx, run, f, o)
}

func (c *Client) submit(ctx context.Context, run *run, f *File, o SubmitOptions) (*Result, error) {
	opening, err := c.open(ctx, f.Spec, run.columns(), o.OnWait)
	var stands *ledger.StandsError
	if errors.As(err, &stands) {
		return c.compare(ctx, run, f, stands.Info)
	}
	if err != nil {
		return nil, err
	}
	info, err := c.fill(ctx, run, opening, o)
	if err != nil {
		return nil, errors.Join(err, abandon(ctx, opening, err))
	}
	return &Result{Info: info, Summary: run.summary}, nil
}

// open takes the draft. While another submit is writing it, open waits.
func (c *Client) open(ctx context.Context, s *campaign.Spec, columns []string, onWait func()) (*ledger.Opening, error) {
	for {
		opening, err := c.ledger.Open(ctx, s, columns)
		if !errors.Is(err, ledger.ErrBusy) {
			return opening, err
		}
		if onWait != nil {
			onWait()
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(waitBusy):
		}
	}
}

func (c *Client) fill(ctx context.Context, run *run, opening *ledger.Opening, o SubmitOptions) (*campaign.Info, error) {
	content, err := run.write(ctx, opening.AddPages)
	if err != nil {
		return nil, err
	}
	if o.Gate != nil {
		if err := o.Gate(run.summary); err != nil {
			return nil, &GateError{err}
		}
	}
	restore, err := installation.ReadRestore(ctx, c.rdb)
	if err != nil {
		return nil, err
	}
	if restore == nil {
		return opening.Commit(ctx, content, o.Begin)
	}
	// Redis was put back, and may have forgotten that the same was submitted since, and
	// sent. If the process dies before the hold, the campaign stays paused.
	o.Begin.Hold = true
	info, err := opening.Commit(ctx, content, o.Begin)
	if err != nil {
		return nil, err
	}
	if err := c.ledger.HoldRestored(ctx, info.ID, campaign.RestoredReason(restore.From, restore.Before), time.Now()); err != nil {
		return nil, err
	}
	return c.ledger.Info(ctx, info.ID)
}

// abandon deletes the draft after an error by which this content will never stand.
// After any other it leaves the draft to the next submit: Redis may be away, and an
// interrupted submit is to be run again.
func abandon(ctx context.Context, opening *ledger.Opening, because error) error {
	var faults *Faults
	var read *ReadError
	var gate *GateError
	if errors.As(because, &faults) || errors.As(because, &gate) || errors.As(because, &read) || errors.Is(because, ErrEmptyList) {
		return opening.Abandon(ctx)
	}
	if ctx.Err() != nil { // interrupted: spare the next one the wait
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTime)
		defer cancel()
		_ = opening.Release(ctx) // else the draft gets stale by itself
	}
	return nil
}

// releaseTime bounds how long an interrupted submit takes to release its draft.
const releaseTime = 2 * time.Second

// compare reports whether the campaign that stands has the content submitted, as a
// result or an [*OtherContentError].
func (c *Client) compare(ctx context.Context, run *run, f *File, info *campaign.Info) (*Result, error) {
	if !f.Spec.Equal(info.Spec) || !slices.Equal(run.columns(), info.Columns) {
		return nil, &OtherContentError{Info: info}
	}
	content, err := run.write(ctx, nil)
	if err != nil {
		return nil, err
	}
	if content.Digest != info.Digest {
		return nil, &OtherContentError{Info: info}
	}
	return &Result{Info: info, Already: true, Summary: run.summary}, nil
}
