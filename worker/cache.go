package worker

import (
	"context"
	"fmt"
	"maps"
	"sync"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/ledger"
)

// subject is a campaign as a worker needs it: what never changes of it.
type subject struct {
	*campaign.Info
	account *account // nil: this worker doesn't have it
	cascade *campaign.Cascade
	zones   *zones
}

// cache keeps campaigns and pages that tasks need again and again: the tasks
// of a page stand in the queue side by side. Neither ever changes, but that the
// standing campaign of one-off sends grows at its end.
type cache struct {
	load     func(context.Context, campaign.ID) (*subject, error)
	loadPage func(context.Context, campaign.ID, int) ([]campaign.Recipient, error)

	mu       sync.Mutex
	subjects map[campaign.ID]*entry[*subject]
	pages    map[pageKey]*entry[[]campaign.Recipient]
	order    []pageKey // of pages, the oldest first
}

type pageKey struct {
	campaign campaign.ID
	salt     string
	page     int
}

// entry is loaded once, by the first caller.
type entry[T any] struct {
	once  sync.Once
	value T
	err   error
}

// maxPages bounds the pages kept: 64 of 100 recipients are a few megabytes.
const maxPages = 64

// maxSubjects bounds the campaigns kept, which take some 10 KB each.
const maxSubjects = 2048

func (c *cache) subject(ctx context.Context, id campaign.ID) (*subject, error) {
	c.mu.Lock()
	e, ok := c.subjects[id]
	if !ok {
		if len(c.subjects) >= maxSubjects {
			clear(c.subjects)
		}
		e = new(entry[*subject])
		c.subjects[id] = e
	}
	c.mu.Unlock()
	e.once.Do(func() { e.value, e.err = c.load(context.WithoutCancel(ctx), id) }) // others wait for it too
	if e.err != nil {
		c.mu.Lock()
		if c.subjects[id] == e {
			delete(c.subjects, id)
		}
		c.mu.Unlock()
	}
	return e.value, e.err
}

// current is the campaign with this salt and so many recipients: one that has grown,
// or is another by now, is read again.
func (c *cache) current(ctx context.Context, id campaign.ID, salt string, total int) (*subject, error) {
	s, err := c.subject(ctx, id)
	if err != nil || s.Salt == salt && s.Total >= total {
		return s, err
	}
	c.forget(s)
	return c.subject(ctx, id)
}

// forget has the campaign read again; also one that was read anew meanwhile.
func (c *cache) forget(s *subject) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.subjects, s.ID)
	maps.DeleteFunc(c.pages, func(k pageKey, _ *entry[[]campaign.Recipient]) bool { return k.campaign == s.ID })
}

func (c *cache) page(ctx context.Context, s *subject, page int) ([]campaign.Recipient, error) {
	key := pageKey{s.ID, s.Salt, page}
	c.mu.Lock()
	e, ok := c.pages[key]
	if !ok {
		e = new(entry[[]campaign.Recipient])
		c.pages[key] = e
		if c.order = append(c.order, key); len(c.order) > maxPages {
			delete(c.pages, c.order[0])
			c.order = c.order[1:]
		}
	}
	c.mu.Unlock()
	e.once.Do(func() { e.value, e.err = c.loadPage(context.WithoutCancel(ctx), s.ID, page) })
	if e.err != nil {
		c.mu.Lock()
		if c.pages[key] == e {
			delete(c.pages, key) // its place in the order goes in its time
		}
		c.mu.Unlock()
	}
	return e.value, e.err
}

// recipient returns the one at a place.
func (c *cache) recipient(ctx context.Context, s *subject, p campaign.Place) (*campaign.Recipient, error) {
	page, err := c.page(ctx, s, p.Page)
	if err != nil {
		return nil, err
	}
	if p.Index >= len(page) { // a page that grows may have been read too soon
		c.mu.Lock()
		delete(c.pages, pageKey{s.ID, s.Salt, p.Page})
		c.mu.Unlock()
		if page, err = c.page(ctx, s, p.Page); err != nil {
			return nil, err
		}
	}
	if p.Index >= len(page) {
		return nil, fmt.Errorf("recipient %s of campaign %s: %w", p, s.ID, ledger.ErrNotFound)
	}
	return &page[p.Index], nil
}
