package orderhistory

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/orderhistory/sheet"
	"github.com/handout-dev/handout/internal/orderhistory/state"
	"github.com/handout-dev/handout/producer"
)

// filesAtOnce is how many rows of the state are read or written at once.
const filesAtOnce = 1000

// link makes and stores a link for every file, and tries some of them. It returns
// when the first link expires.
func (r *run) link(ctx context.Context, e *state.Export) (time.Time, error) {
	expire := r.now().Add(r.LinkLife)
	tried, n := 0, 0
	for files, err := range r.State.Chunks(ctx, e.Period, filesAtOnce, state.Uploaded) {
		if err != nil {
			return expire, err
		}
		for i := range files {
			if files[i].Link, err = r.Store.Link(ctx, files[i].Object, r.LinkLife); err != nil {
				return expire, storeFault(ctx, Upload, err)
			}
			if tried < r.TryLinks {
				tried++
				if err := r.try(ctx, &files[i]); err != nil {
					return expire, err
				}
			}
		}
		if err := r.State.Mark(ctx, e.Period, files); err != nil {
			return expire, err
		}
		n += len(files)
		r.counter.report(r.Progress, "making links", n, 0)
	}
	return expire, nil
}

// tryTime is how long fetching a link may take.
const tryTime = 30 * time.Second

// try fetches a link as the vendor will, and checks that it brings the file. The
// links are of the store that the operator has set, so no guard stands before them.
func (r *run) try(ctx context.Context, f *state.File) error {
	ctx, cancel := context.WithTimeout(ctx, tryTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.Link, nil)
	if err != nil {
		return refuse(Check, "customer %s: the link isn't one", f.Customer) // the cause would quote it
	}
	resp, err := r.HTTP.Do(req)
	if at := (*url.Error)(nil); errors.As(err, &at) {
		err = at.Err
	}
	if err != nil {
		return storeFault(ctx, Check, fmt.Errorf("customer %s: the link can't be fetched: %w", f.Customer, err))
	}
	defer resp.Body.Close()
	sum := sha256.New()
	size, err := io.Copy(sum, io.LimitReader(resp.Body, f.Size+1))
	switch {
	case resp.StatusCode != http.StatusOK:
		return refuse(Check, "customer %s: the link answers with HTTP status %d", f.Customer, resp.StatusCode)
	case err != nil:
		return storeFault(ctx, Check, fmt.Errorf("customer %s: the link breaks off: %w", f.Customer, err))
	case resp.Header.Get("Content-Type") != sheet.ContentType:
		return refuse(Check, "customer %s: the link brings %q", f.Customer, resp.Header.Get("Content-Type"))
	case size != f.Size || hex.EncodeToString(sum.Sum(nil)) != f.SHA256:
		return refuse(Check, "customer %s: the link brings another file than was written", f.Customer)
	}
	return nil
}

// submit opens the campaign. The list comes from the state, the same each time.
func (r *run) submit(ctx context.Context, e *state.Export) error {
	file, err := r.campaignFile(e)
	if err != nil {
		return err
	}
	// Only numbers in international form are left, each once: what the producer
	// objects to now is our own fault.
	result, err := r.Producer.Submit(ctx, file, listOf(e, r.rows(ctx, e)), producer.SubmitOptions{
		Progress: func(rows int, _ int64) { r.counter.report(r.Progress, "submitting", rows, e.Files) },
	})
	if err != nil {
		return fmt.Errorf("submit campaign %s: %w", e.Campaign, err)
	}
	if result.Summary.Duplicates > 0 || result.Info.Total != e.Files {
		return fmt.Errorf("campaign %s has %s, and there are %s", e.Campaign, campaign.Count(result.Info.Total, "recipient"), campaign.Count(e.Files, "file"))
	}
	return nil
}

// campaignFile returns the campaign file of an export.
func (r *run) campaignFile(e *state.Export) (*producer.File, error) {
	spec := r.Campaign
	spec.ID = campaign.ID(e.Campaign)
	file, err := producer.NewFile(spec)
	if err != nil {
		return nil, fmt.Errorf("the campaign's file: %w", err)
	}
	return file, nil
}

// listOf returns the campaign's list: the link, the name, and the further columns.
func listOf(e *state.Export, rows iter.Seq2[producer.Row, error]) producer.List {
	return producer.ListRows(append([]string{"url", "name"}, e.Further...), rows)
}

// row returns a file's row of the list.
func row(f *state.File) producer.Row {
	return producer.Row{Recipient: f.Customer, Phone: f.Phone, Values: append([]string{f.Link, f.Name}, f.Further...)}
}

// rows returns the rows of the campaign's list, in the plan's order. It may be ranged over again.
func (r *run) rows(ctx context.Context, e *state.Export) iter.Seq2[producer.Row, error] {
	return func(yield func(producer.Row, error) bool) {
		for files, err := range r.State.Chunks(ctx, e.Period, filesAtOnce, state.Uploaded) {
			if err != nil {
				yield(producer.Row{}, err)
				return
			}
			for i := range files {
				if !yield(row(&files[i]), nil) {
					return
				}
			}
		}
	}
}
