package producer

import (
	"context"
	"errors"
	"io"
	"runtime"
	"sync"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/listfile"
	"github.com/handout-dev/handout/internal/phone"
	"github.com/handout-dev/handout/internal/seen"
	"github.com/handout-dev/handout/ledger"
)

// run is one reading of a list.
type run struct {
	list     List
	file     *File
	o        runOptions
	source   source
	cascade  *campaign.Cascade
	book     *phone.Book
	listFile *listfile.File // nil for rows from Go
	zones    *zoneBook      // nil: the campaign has no hours by zone
	close    func()         // once all that reads has ended

	seen    *seen.Numbers
	names   *seen.Names
	faults  Faults
	summary Summary
	// duplicates are the lines of the first duplicates, as the campaign keeps them.
	duplicates []int
	bytes      int64
	shown      time.Time // when progress was last called
}

type runOptions struct {
	region    string
	setAside  bool
	maxFaults int
	progress  func(rows int, bytes int64)
	dry       bool
	allow     func(e164 string) error
}

// kept is how many faults are kept: as many as are asked for, and as lines of bad rows
// stay with the campaign.
func (o *runOptions) kept() int { return max(o.maxFaults, campaign.MaxLeftOutLines) }

// leftOut returns the rows that the campaign leaves out.
func (r *run) leftOut() campaign.LeftOut {
	l := campaign.LeftOut{BadRows: r.summary.BadRows, Duplicates: r.summary.Duplicates, DuplicateLines: r.duplicates}
	for _, f := range r.faults.List {
		if n := len(l.BadLines); n < campaign.MaxLeftOutLines && (n == 0 || l.BadLines[n-1] != f.Line) {
			l.BadLines = append(l.BadLines, f.Line)
		}
	}
	return l
}

// newRun opens the list, reads its header, and holds the templates against it.
func newRun(f *File, l List, o runOptions) (*run, error) {
	if l.err != nil {
		return nil, l.err
	}
	book, err := phone.NewBook(o.region)
	if err != nil {
		return nil, err
	}
	r := &run{
		list: l, file: f, o: o, book: book, close: func() {},
		seen: seen.NewNumbers(seen.MaxBytes), names: seen.NewNames(), faults: Faults{Keep: o.kept()},
	}
	if f.Spec.ByZone() {
		r.zones = newZoneBook()
	}
	if err := r.open(); err != nil {
		r.close()
		return nil, err
	}
	r.summary.Read.Columns = r.source.header().others
	if r.cascade, err = f.Cascade(r.columns()); err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

func (r *run) open() (err error) {
	w, read := wantedBy(r.file.Spec, r.list.options), &r.summary.Read
	if r.list.rows != nil {
		s, err := newRows(r.list.columns, r.list.rows, &wanted{used: w.used})
		if err != nil {
			return err
		}
		r.source, r.close = s, s.stop
		return nil
	}
	if r.list.open == nil {
		return errors.New("a List must be made by ListFile, ListReader or ListRows")
	}
	in, err := r.list.open()
	if err != nil {
		return r.list.readError(err)
	}
	r.close = func() { _ = in.Close() } // nothing was written
	file, err := listfile.Open(in)
	if err != nil {
		return r.asFault(err)
	}
	r.listFile = file
	r.close = func() { file.Close(); _ = in.Close() }
	read.Compression, read.Encoding, read.OldMac, read.Format = file.Compression, file.Encoding, file.CR, r.list.format
	switch {
	case file.Kind == listfile.Workbook:
		read.Format = XLSX
		sheet, err := file.Sheet(r.list.options.Sheet)
		if err != nil {
			return r.asFault(err)
		}
		r.close = func() { sheet.Close(); file.Close(); _ = in.Close() }
		read.Sheet = sheet.Name
		r.source, err = newSheet(r.list.name, sheet, w, read)
		return r.asFault(err)
	case r.list.format == NDJSON, r.list.format == ByContent && file.Begins('{'):
		read.Format = NDJSON
		r.source, err = newNDJSON(r.list.name, file, w)
	default:
		read.Format = CSV
		r.source, err = newCSV(r.list.name, file, w, read)
	}
	return r.asFault(err)
}

// asFault returns an error of reading as [*Faults] where the list itself is wrong.
func (r *run) asFault(err error) error {
	var faults *Faults
	switch {
	case err == nil, errors.As(err, &faults):
		return err
	case errors.As(err, new(listfile.FileError)), errors.Is(err, errNoBytes):
		faults = &Faults{}
		faults.Add(Fault{File: r.list.name, Message: err.Error()})
		return faults
	}
	return r.list.readError(err)
}

// columns are the list's, without recipient and phone.
func (r *run) columns() []string { return r.source.header().values }

// blocks reads the list and gives each block, checked, to collect: in order,
// and in the caller's goroutine. It returns when everything that it started
// has ended.
func (r *run) blocks(ctx context.Context, collect func(*block) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	workers := runtime.GOMAXPROCS(0)
	// Twice the workers: one block each at work, and one each waiting.
	todo := make(chan *block, workers)
	inOrder := make(chan *block, 2*workers)
	var readErr error // once inOrder is closed
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel(nil)
	for range workers {
		wg.Go(func() {
			c := newRowChecker(r.list.name, r.source.header(), r.cascade, r.book, r.o.dry)
			c.allow = r.o.allow
			c.zones = r.zones
			for b := range todo {
				r.source.check(b, c)
				b.text, b.spans, b.rows, b.cells, b.ends = "", nil, nil, nil, nil
				close(b.checked)
			}
		})
	}
	wg.Go(func() {
		defer close(inOrder)
		defer close(todo)
		readErr = r.read(ctx, inOrder, todo)
	})
	for b := range inOrder {
		<-b.checked // workers never wait for anything
		if err := collect(b); err != nil {
			return err
		}
		if ctx.Err() != nil {
			break
		}
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if readErr != nil {
		return r.asFault(readErr)
	}
	return nil
}

// read passes every block to a worker and then to the collector: a worker always
// has the block that the collector waits for.
func (r *run) read(ctx context.Context, inOrder, todo chan<- *block) error {
	for ctx.Err() == nil {
		b := &block{checked: make(chan struct{}), faults: Faults{Keep: r.o.kept()}}
		err := r.source.fill(b)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, to := range [...]chan<- *block{todo, inOrder} {
			select {
			case to <- b:
			case <-ctx.Done():
				return nil
			}
		}
	}
	return nil
}

// scan reads the whole list and calls keep for each recipient to be sent to, in
// order and without duplicates. The block is valid during the call; the texts in it
// for as long as they are held.
func (r *run) scan(ctx context.Context, keep func(b *block, i int) error) error {
	err := r.blocks(ctx, func(b *block) error {
		r.count(b)
		if r.faults.Total > 0 && !r.o.setAside && !r.o.dry {
			return nil // rejected: the rest is read for its faults only
		}
		for i := range b.recipients {
			same := r.names.Has(b.recipients[i].ID)
			if same && r.file.Spec.SameRecipient == campaign.SameRefuse && !r.seen.Has(b.numbers[i]) {
				r.summary.BadRows++
				r.faults.Add(Fault{File: r.list.name, Line: int(b.lines[i]), Message: reasonSameRecipient})
				continue
			}
			fresh, err := r.seen.Add(b.numbers[i])
			if err == nil && fresh {
				err = r.names.Add(b.recipients[i].ID)
			}
			if err != nil {
				full := &Faults{}
				full.Add(Fault{File: r.list.name, Line: int(b.lines[i]), Message: err.Error()})
				return full
			}
			if !fresh {
				r.summary.Duplicates++
				if len(r.duplicates) < campaign.MaxLeftOutLines {
					r.duplicates = append(r.duplicates, int(b.lines[i]))
				}
				continue
			}
			if same {
				if r.summary.SameRecipients++; r.summary.SameRecipients == 1 {
					r.summary.SameRecipientLine = int(b.lines[i])
				}
			}
			r.summary.Recipients++
			if err := keep(b, i); err != nil {
				return err
			}
		}
		return nil
	})
	r.showProgress(true)
	r.faults.Sort()
	r.summary.Faults = r.faults.First(r.o.maxFaults)
	r.summary.DuplicateLines = r.duplicates[:min(len(r.duplicates), MaxFaults)]
	if r.listFile != nil {
		r.summary.Read.Encoding = r.listFile.Encoding // certain at the end
	}
	return err
}

func (r *run) count(b *block) {
	r.summary.Rows += b.read
	r.summary.BadRows += b.bad
	r.summary.Read.BlankRows += b.blank
	r.summary.UnknownRanges += b.unknown
	r.bytes = max(r.bytes, b.bytes)
	for _, f := range b.faults.List {
		r.faults.Add(f)
	}
	r.faults.Total += b.faults.Total - len(b.faults.List)
	r.showProgress(false)
}

// progressEvery is how often progress is called.
const progressEvery = 100 * time.Millisecond

func (r *run) showProgress(last bool) {
	if r.o.progress == nil {
		return
	}
	if now := time.Now(); last || now.Sub(r.shown) >= progressEvery {
		r.shown = now
		r.o.progress(r.summary.Rows, r.bytes)
	}
}

// write reads the list and writes its pages with addPages; nil only digests.
func (r *run) write(ctx context.Context, addPages func(ctx context.Context, first int, pages [][]byte) error) (ledger.Content, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	w, err := newPageWriter(ctx, cancel, r.file.Spec, r.columns(), addPages)
	if err != nil {
		return ledger.Content{}, err
	}
	defer w.stop()
	err = r.scan(ctx, func(b *block, i int) error {
		if w.zoned != nil {
			if err := w.zoned.add(b.zones[i], &b.recipients[i]); err != nil {
				return err
			}
		}
		return w.add(&b.recipients[i])
	})
	switch {
	case err != nil:
		return ledger.Content{}, err
	case r.faults.Total > 0 && !r.o.setAside:
		r.faults.List = r.summary.Faults
		r.faults.Good = r.summary.Rows - r.summary.BadRows
		return ledger.Content{}, &r.faults
	case r.summary.Recipients == 0:
		return ledger.Content{}, ErrEmptyList
	}
	w.content.LeftOut = r.leftOut()
	return w.finish()
}
