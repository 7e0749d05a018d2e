package producer

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"runtime"
	"sync"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/ledger"
)

const (
	// batchPages is how many pages travel to Redis at once, about 200 KB.
	batchPages = 50

	// heartbeat is how often a draft is touched while the list is slow. The
	// ledger lets others take a draft that has been silent for 15 seconds.
	heartbeat = 4 * time.Second
)

// addPages writes pages to a draft; without pages it only renews the draft, so that
// no other submit takes it over.
type addPages func(ctx context.Context, first int, pages [][]byte) error

// pageWriter makes pages of recipients, digests them, and has them compressed
// and written in the background, in order.
type pageWriter struct {
	columns int
	digest  hash.Hash
	page    []campaign.Recipient
	content ledger.Content
	// zoned, if not nil, makes the pages: by zone. The digest stays one over the
	// list's own order, whatever the table of zones says.
	zoned *zonePages
	plain []byte // of what is only digested

	batch   *batch
	ctx     context.Context // of the one run that it belongs to
	cancel  context.CancelCauseFunc
	write   addPages // nil: only digest
	todo    chan *batch
	inOrder chan *batch
	free    sync.Pool
	wg      sync.WaitGroup
	stopped bool
}

// batch is pages on their way to Redis.
type batch struct {
	plain      []byte
	ends       []int // of each page in plain
	first      int
	stored     [][]byte
	compressed chan struct{} // closed when stored is complete
}

func newPageWriter(ctx context.Context, cancel context.CancelCauseFunc, s *campaign.Spec, columns []string, write addPages) (*pageWriter, error) {
	w := &pageWriter{
		columns: len(columns), digest: sha256.New(), page: make([]campaign.Recipient, 0, campaign.PageSize),
		batch: new(batch), ctx: ctx, cancel: cancel, write: write,
	}
	spec, err := s.Encode()
	if err != nil {
		return nil, fmt.Errorf("digest campaign %s: %w", s.ID, err)
	}
	// Everything with its length before it, so that no two contents give the
	// same bytes.
	w.hash(string(spec))
	w.digest.Write(binary.AppendUvarint(nil, uint64(len(columns))))
	for _, name := range columns {
		w.hash(name)
	}
	if write == nil {
		return w, nil
	}
	if s.ByZone() {
		w.zoned = newZonePages(s.Canary, w.put)
	}
	compressors := runtime.GOMAXPROCS(0)
	w.todo = make(chan *batch, 1)
	w.inOrder = make(chan *batch, compressors)
	for range compressors {
		w.wg.Go(w.compress)
	}
	w.wg.Go(w.upload)
	return w, nil
}

func (w *pageWriter) hash(text string) {
	w.digest.Write(binary.AppendUvarint(nil, uint64(len(text))))
	w.digest.Write([]byte(text))
}

func (w *pageWriter) add(r *campaign.Recipient) error {
	w.page = append(w.page, *r)
	if len(w.page) < campaign.PageSize {
		return nil
	}
	return w.flush()
}

// flush makes a page of the recipients collected, or only digests them.
func (w *pageWriter) flush() error {
	if len(w.page) == 0 {
		return nil
	}
	into, from := &w.batch.plain, len(w.batch.plain)
	if w.write == nil || w.zoned != nil {
		into, from = &w.plain, 0
		w.plain = w.plain[:0]
	}
	plain, err := campaign.AppendPage(*into, w.columns, w.page)
	if err != nil {
		return err
	}
	*into = plain
	w.digest.Write(plain[from:])
	w.content.Total += len(w.page)
	clear(w.page) // releases the texts
	w.page = w.page[:0]
	if into == &w.plain {
		return nil
	}
	return w.added()
}

// put makes a page that isn't digested.
func (w *pageWriter) put(people []campaign.Recipient) (err error) {
	if w.batch.plain, err = campaign.AppendPage(w.batch.plain, w.columns, people); err != nil {
		return err
	}
	return w.added()
}

// added counts the page at the end of the batch.
func (w *pageWriter) added() error {
	w.content.Pages++
	w.batch.ends = append(w.batch.ends, len(w.batch.plain))
	if len(w.batch.ends) < batchPages {
		return nil
	}
	return w.send()
}

// send passes the batch on to be compressed and written.
func (w *pageWriter) send() error {
	b := w.batch
	if len(b.ends) == 0 {
		return nil
	}
	b.first = w.content.Pages - len(b.ends)
	b.compressed = make(chan struct{})
	for _, to := range [...]chan *batch{w.todo, w.inOrder} {
		select {
		case to <- b:
		case <-w.ctx.Done():
			return context.Cause(w.ctx)
		}
	}
	next, _ := w.free.Get().(*batch)
	if next == nil {
		next = new(batch)
	}
	w.batch = next
	return nil
}

func (w *pageWriter) compress() {
	for b := range w.todo {
		from := 0
		for _, to := range b.ends {
			b.stored = append(b.stored, campaign.CompressPage(b.plain[from:to]))
			from = to
		}
		close(b.compressed)
	}
}

// upload writes the batches in order. After an error it skips the others.
func (w *pageWriter) upload() {
	written := 0
	alive := time.NewTicker(heartbeat)
	defer alive.Stop()
	for {
		select {
		case b, ok := <-w.inOrder:
			if !ok {
				return
			}
			<-b.compressed
			written = b.first + len(b.stored)
			w.do(b.first, b.stored)
			clear(b.stored)
			w.free.Put(&batch{plain: b.plain[:0], ends: b.ends[:0], stored: b.stored[:0]})
			alive.Reset(heartbeat)
		case <-alive.C:
			w.do(written, nil)
		}
	}
}

func (w *pageWriter) do(first int, pages [][]byte) {
	if w.ctx.Err() != nil {
		return
	}
	if err := w.write(w.ctx, first, pages); err != nil {
		w.cancel(err)
	}
}

// finish returns when everything is written.
func (w *pageWriter) finish() (ledger.Content, error) {
	if err := w.flush(); err != nil {
		return ledger.Content{}, err
	}
	if w.zoned != nil {
		if err := w.zoned.finish(&w.content); err != nil {
			return ledger.Content{}, err
		}
	}
	if w.write != nil {
		if err := w.send(); err != nil {
			return ledger.Content{}, err
		}
	}
	w.stop()
	if err := context.Cause(w.ctx); err != nil {
		return ledger.Content{}, err
	}
	w.content.Digest = hex.EncodeToString(w.digest.Sum(nil))
	return w.content, nil
}

// stop ends what runs in the background, once what it has is done.
func (w *pageWriter) stop() {
	if w.write == nil || w.stopped {
		return
	}
	w.stopped = true
	close(w.todo)
	close(w.inOrder)
	w.wg.Wait()
}
