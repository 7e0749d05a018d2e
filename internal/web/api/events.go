package api

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"github.com/handout-dev/handout/campaign"
)

// feeds are the campaigns that are watched: one reader each, however many watch
// it. The zero feeds is ready to use.
type feeds struct {
	mu      sync.Mutex
	running map[campaign.ID]*feed
	ended   sync.WaitGroup
}

// feed is one campaign's.
type feed struct {
	watchers map[chan []byte]bool
	last     []byte // event
	stop     context.CancelFunc
}

// watch gives the events of a campaign, the latest at once; the channel is closed
// after the last one. A slow watcher misses events, but never the latest.
func (f *feeds) watch(ctx context.Context, a *API, id campaign.ID) (<-chan []byte, func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	one := f.running[id]
	if one == nil {
		reading, stop := context.WithCancel(ctx)
		one = &feed{watchers: map[chan []byte]bool{}, stop: stop}
		if f.running == nil {
			f.running = map[campaign.ID]*feed{}
		}
		f.running[id] = one
		f.ended.Go(func() { f.read(reading, a, id, one) })
	}
	events := make(chan []byte, 1)
	one.watchers[events] = true
	if one.last != nil {
		events <- one.last
	}
	return events, func() { f.leave(id, one, events) }
}

func (f *feeds) leave(id campaign.ID, one *feed, events chan []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(one.watchers, events)
	if len(one.watchers) == 0 {
		f.end(id, one)
	}
}

// end takes a feed out, f.mu being held; the next watcher gets a new one.
func (f *feeds) end(id campaign.ID, one *feed) {
	one.stop()
	if f.running[id] == one {
		delete(f.running, id)
	}
}

// wait returns when no feed runs any more.
func (f *feeds) wait() { f.ended.Wait() }

// eventEvery is how often a campaign is looked at.
const eventEvery = time.Second

// read looks at the campaign until it is done, or its last watcher has left.
func (f *feeds) read(ctx context.Context, a *API, id campaign.ID, one *feed) {
	ticker := time.NewTicker(eventEvery)
	defer ticker.Stop()
	for {
		done := a.look(ctx, id, func(event []byte) { f.tell(one, event) })
		if !done {
			select {
			case <-ticker.C:
				continue
			case <-ctx.Done():
			}
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		for events := range one.watchers {
			close(events)
		}
		clear(one.watchers)
		f.end(id, one)
		return
	}
}

// look makes the event of a campaign as it stands; true when it is the last.
func (a *API) look(ctx context.Context, id campaign.ID, tell func(event []byte)) (done bool) {
	info, b, err := a.reports.Campaign(ctx, id)
	if err != nil {
		a.o.Logger.DebugContext(ctx, "watch a campaign", slog.Any("error", err)) // Redis will be back
		return false
	}
	text, err := json.Marshal(newCampaign(info, b))
	if err != nil {
		return false
	}
	name := "progress"
	if info.Phase == campaign.Done {
		name = "done"
	}
	tell([]byte("event: " + name + "\ndata: " + string(text) + "\n\n"))
	return info.Phase == campaign.Done
}

// tell gives an event to all watchers if it says anything new.
func (f *feeds) tell(one *feed, event []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if bytes.Equal(event, one.last) {
		return
	}
	one.last = event
	for events := range one.watchers {
		select {
		case <-events: // what it has missed
		default:
		}
		events <- event
	}
}
