package orderhistory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/orderhistory/sheet"
	"github.com/handout-dev/handout/internal/orderhistory/shop"
	"github.com/handout-dev/handout/internal/orderhistory/state"
	"github.com/handout-dev/handout/internal/orderhistory/store"
)

// maxFile is the largest document that WhatsApp takes, in bytes.
const maxFile = 100 << 20

// maxHeld is how many bytes of files a worker holds before it uploads them.
const maxHeld = 8 << 20

// write makes, uploads and checks every file of the plan that isn't there yet.
// Chunks of customers are dealt out to the workers in the plan's order.
func (r *run) write(ctx context.Context, e *state.Export) error {
	t, err := r.State.Totals(ctx, e.Period)
	if err != nil {
		return err
	}
	r.counter.begin(t.Ready+t.SetAside, t.Customers)
	chunks := make(chan []state.File)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(chunks)
		for chunk, err := range r.State.Chunks(ctx, e.Period, shop.MaxCustomers, state.Planned, state.Written) {
			if err != nil {
				return err
			}
			select {
			case chunks <- chunk:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	for range r.Workers {
		group.Go(func() error {
			for chunk := range chunks {
				if err := r.chunk(ctx, e, chunk); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// made is a file with its content, while it's held.
type made struct {
	state.File
	content []byte
}

// chunk does the work for some customers: adopt, query, write, upload, check.
func (r *run) chunk(ctx context.Context, e *state.Export, files []state.File) error {
	files, err := r.adopt(ctx, e, files)
	if err != nil || len(files) == 0 {
		return err
	}
	w := &chunkWriter{run: r, ctx: ctx, export: e, files: make(map[string]*state.File, len(files))}
	ids := make([]string, len(files))
	for i := range files {
		ids[i] = files[i].Customer
		w.files[ids[i]] = &files[i]
	}
	err = r.Shop.Orders(ctx, ids, e.Until, w.line)
	if err == nil {
		err = w.end()
	}
	w.abandon()
	switch no := (*Refusal)(nil); {
	case err == nil, ctx.Err() != nil, w.ours, errors.As(err, &no):
	default:
		err = refuse(Query, "%w", err)
	}
	return err
}

// adopt marks the files that an earlier run uploaded before it died, and returns
// those that are yet to be written.
func (r *run) adopt(ctx context.Context, e *state.Export, files []state.File) ([]state.File, error) {
	var there, rest []state.File
	for _, f := range files {
		if f.State == state.Written {
			has, err := r.Store.Stat(ctx, f.Object)
			if err != nil && !errors.Is(err, store.ErrMissing) {
				return nil, storeFault(ctx, Check, err)
			}
			if err == nil && same(&f, has) == nil {
				f.State = state.Uploaded
				there = append(there, f)
				continue
			}
		}
		rest = append(rest, f)
	}
	if err := r.State.Mark(ctx, e.Period, there); err != nil {
		return nil, err
	}
	r.counter.add(r.Progress, "writing", len(there))
	return rest, nil
}

// chunkWriter turns the lines of a chunk's orders into files, one after the
// other, and hands on what it holds when that gets large.
type chunkWriter struct {
	*run
	ctx    context.Context
	export *state.Export
	files  map[string]*state.File // those whose lines are yet to come

	current *state.File
	sheet   *sheet.Writer
	held    []made
	size    int
	ours    bool // the error isn't the query's
}

var errNotTogether = errors.New("the rows of a customer don't stand together, or are of a customer that wasn't asked for")

func (w *chunkWriter) line(l *shop.Line) error {
	if w.current == nil || l.Customer != w.current.Customer {
		if err := w.finish(); err != nil {
			return err
		}
		f, ok := w.files[l.Customer]
		if !ok {
			return refuse(Query, "query orders: %w: %w", shop.ErrContract, errNotTogether)
		}
		delete(w.files, l.Customer)
		s, err := sheet.New(w.Words, cmp.Or(l.Currency, w.Currency) != "")
		if err != nil {
			return w.fail(err)
		}
		w.current, w.sheet = f, s
	}
	err := w.sheet.Add(&sheet.Line{
		Order: l.Order, At: l.At.In(w.Zone), Item: l.Item, Quantity: l.Quantity, Price: l.Price, Currency: cmp.Or(l.Currency, w.Currency),
	})
	if errors.Is(err, sheet.ErrTooLong) || errors.Is(err, sheet.ErrTooLarge) {
		w.current.Reason = err.Error()
		return nil
	}
	return w.fail(err)
}

// fail marks an error as not the query's.
func (w *chunkWriter) fail(err error) error {
	w.ours = w.ours || err != nil
	return err
}

// finish ends the current file.
func (w *chunkWriter) finish() error {
	if w.current == nil {
		return nil
	}
	f, s := w.current, w.sheet
	w.current, w.sheet = nil, nil
	defer s.Close() // a temporary file may stay
	if s.Orders() < f.Orders && f.Reason == "" {
		return refuse(Incomplete, "customer %s: %s came, and the plan knows of %s", f.Customer, campaign.Count(s.Orders(), "order"), campaign.Number(f.Orders))
	}
	content, err := s.Finish(f.Name)
	if err != nil {
		return w.fail(err)
	}
	m := made{File: *f, content: content.Bytes()}
	switch {
	case f.Reason != "":
		m.State = state.SetAside
	case len(m.content) > maxFile:
		m.State, m.Reason = state.SetAside, "the file is over 100 MB"
	default:
		m.State, m.Size, m.SHA256 = state.Written, int64(len(m.content)), store.Sum(m.content)
	}
	w.held = append(w.held, m)
	if w.size += len(m.content); w.size >= maxHeld {
		return w.fail(w.deliver(w.ctx))
	}
	return nil
}

// end finishes the last file and sets aside the customers without a line.
func (w *chunkWriter) end() error {
	if err := w.finish(); err != nil {
		return err
	}
	for _, f := range w.files {
		m := made{File: *f}
		m.State, m.Reason = state.SetAside, "no orders came for the file"
		w.held = append(w.held, m)
	}
	return w.fail(w.deliver(w.ctx))
}

// abandon frees a file that was begun.
func (w *chunkWriter) abandon() {
	if w.sheet != nil {
		_ = w.sheet.Close()
	}
}

// deliver marks the held files as written, uploads and checks them, and marks them as
// uploaded. If the process dies between the marks, the next run knows what it finds
// in the store.
func (w *chunkWriter) deliver(ctx context.Context) error {
	if w.options.DryRun {
		w.held, w.size = nil, 0
		return nil
	}
	if err := w.mark(ctx); err != nil {
		return err
	}
	var group errgroup.Group
	group.SetLimit(w.Uploads)
	var stopped sync.Once
	var first error
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	for i := range w.held {
		m := &w.held[i]
		if m.State != state.Written {
			continue
		}
		group.Go(func() error {
			err := w.upload(inner, m)
			if err != nil {
				stopped.Do(func() { first = err; cancel() })
			}
			return err
		})
	}
	_ = group.Wait() // the first is kept
	if first != nil {
		return first
	}
	if err := w.mark(ctx); err != nil {
		return err
	}
	w.counter.add(w.Progress, "writing", len(w.held))
	w.held, w.size = nil, 0
	return nil
}

func (w *chunkWriter) mark(ctx context.Context) error {
	files := make([]state.File, len(w.held))
	for i := range w.held {
		files[i] = w.held[i].File
	}
	return w.State.Mark(ctx, w.export.Period, files)
}

// upload puts a file into the store, and asks the store what it has.
func (w *chunkWriter) upload(ctx context.Context, m *made) error {
	o := &store.Object{
		Name: m.Object, Size: m.Size, Type: sheet.ContentType, SHA256: m.SHA256,
		SaveAs: string(w.Campaign.ID) + "-" + w.period.id() + ".xlsx",
	}
	if err := w.Store.Put(ctx, o, m.content); err != nil {
		return storeFault(ctx, Upload, err)
	}
	has, err := w.Store.Stat(ctx, m.Object)
	if err != nil {
		return storeFault(ctx, Check, err)
	}
	if err := same(&m.File, has); err != nil {
		return refuse(Check, "customer %s: %w", m.Customer, err)
	}
	m.State, m.content = state.Uploaded, nil
	return nil
}

// same returns how the store's file differs from the one that was written; nil: it
// doesn't.
func same(f *state.File, has *store.Object) error {
	switch {
	case has.Size != f.Size:
		return fmt.Errorf("the store has %d bytes of a file of %d", has.Size, f.Size)
	case has.Type != sheet.ContentType:
		return fmt.Errorf("the store has the file as %q", has.Type)
	case has.SHA256 != f.SHA256:
		return errors.New("the store has another content of the same size")
	}
	return nil
}

// storeFault returns a refusal, unless the run was interrupted.
func storeFault(ctx context.Context, reason Reason, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return refuse(reason, "the store: %w", err)
}
