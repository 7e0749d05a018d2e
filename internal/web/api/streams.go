package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/report"
	"github.com/handout-dev/handout/internal/web/access"
)

func (a *API) registerStreams() {
	addStream(a, a.operation("export-campaign", "GET /campaigns/{id}/export", access.Read, "Export everyone",
		"A line for each recipient in the order of the list, as a stream. If it breaks off, the connection does too: a whole answer is a whole export. "+
			"CSV is exact, for programs: a cell may begin with `=`, which a spreadsheet takes for a formula. For people there is `xlsx`, and the console's CSV.",
		notFound, wrongState, invalid), "One line for everyone.", map[string]string{
		"text/csv":                strings.Join(report.Columns, ",") + "\n",
		"application/x-ndjson":    `{"recipient":"customer-1","phone":"+*********00","state":"planned"}` + "\n",
		report.Media[report.XLSX]: "an Excel workbook",
	}, a.export)
	addStream(a, a.operation("watch-campaign", "GET /campaigns/{id}/events", access.Read, "Watch a campaign",
		"Server-sent events, at most one a second: `progress` with the campaign whenever it has changed, `done` as the last one.",
		notFound, wrongState, invalid), "Events until it is done.", map[string]string{
		"text/event-stream": "event: progress\ndata: {\"campaign\":\"order-history-2026-11\",\"state\":\"running\"}\n\n",
	}, a.events)
}

type exportInput struct {
	CampaignPath
	Format string `query:"format" enum:"csv,ndjson,xlsx" default:"csv"`
}

func (a *API) export(ctx context.Context, in *exportInput) (func(huma.Context), error) {
	stands, err := a.standing(ctx, in.id())
	if err != nil {
		return nil, err
	}
	format, masked := report.Format(in.Format), !caller(ctx).May(access.People)
	return func(hc huma.Context) {
		working, cancel := context.WithCancel(hc.Context())
		defer cancel()
		defer context.AfterFunc(a.ctx, cancel)()
		hc.SetHeader("Content-Type", report.Media[format])
		if err := a.reports.Export(working, stands.Info, newSteady(exchangeOf(ctx).w, a.o.Silence), format, masked); err != nil {
			a.o.Logger.WarnContext(ctx, "an export broke off", "campaign", in.ID, "error", err)
			panic(http.ErrAbortHandler) // a cut connection can't be taken for the end of the list
		}
	}, nil
}

func (a *API) events(ctx context.Context, in *CampaignPath) (func(huma.Context), error) {
	_, err := a.standing(ctx, in.id())
	return func(hc huma.Context) { a.stream(hc, in.id()) }, err
}

func (a *API) stream(hc huma.Context, id campaign.ID) {
	e := exchangeOf(hc.Context())
	control := http.NewResponseController(e.w)
	hc.SetHeader("Content-Type", "text/event-stream")
	hc.SetHeader("X-Accel-Buffering", "no")
	events, leave := a.feeds.watch(a.ctx, a, id)
	defer leave()
	ticker := time.NewTicker(a.o.Heartbeat)
	defer ticker.Stop()
	out := newSteady(e.w, a.o.Silence)
	say := func(text string) bool {
		_, err := io.WriteString(out, text)
		return err == nil && control.Flush() == nil
	}
	for going := say(": watching\n\n"); going; {
		select {
		case event, more := <-events:
			if !more {
				return
			}
			going = say(string(event))
		case <-ticker.C:
			_, err := a.o.Gate.Bearer(e.r) // it may have been revoked since
			going = !errors.Is(err, access.ErrRefused) && say(": still here\n\n")
		case <-hc.Context().Done():
			return
		}
	}
}

type exchangeKey struct{}

// exchange is a request and where its answer goes, for handlers that stream.
type exchange struct {
	r *http.Request
	w http.ResponseWriter
}

func exchangeOf(ctx context.Context) exchange {
	e, _ := ctx.Value(exchangeKey{}).(exchange)
	return e
}

// extend gives an answer that takes its time so much more.
func extend(ctx context.Context, d time.Duration) {
	// Without a deadline there is nothing to move.
	_ = http.NewResponseController(exchangeOf(ctx).w).SetWriteDeadline(time.Now().Add(d))
}

// longTime bounds an answer for which a whole list has to be read.
const longTime = 10 * time.Minute

// body is the request's body as it comes: the client may take its time, but not
// fall silent.
func (a *API) body(ctx context.Context) io.Reader {
	e := exchangeOf(ctx)
	control := http.NewResponseController(e.w)
	return &patient{
		r: http.MaxBytesReader(e.w, e.r.Body, a.o.MaxList),
		before: func() {
			at := time.Now().Add(a.o.Silence)
			_ = control.SetReadDeadline(at)
			_ = control.SetWriteDeadline(at.Add(a.o.AnswerTime)) // the answer comes after the last byte
		},
	}
}

// lines is body for a list, and whether it is a single line. What is compressed, or a
// workbook, has ends somewhere.
func (a *API) lines(ctx context.Context) (io.Reader, *lineEnds) {
	ends := new(lineEnds)
	return io.TeeReader(a.body(ctx), ends), ends
}

// patient moves the deadline with each read.
type patient struct {
	r      io.Reader
	before func()
}

func (p *patient) Read(b []byte) (int, error) {
	p.before()
	return p.r.Read(b)
}

// drainMost is how much of a list that is refused early is read on: a client that
// is still sending would otherwise see a broken connection instead of the answer.
const drainMost = 64 << 20

func drain(body io.Reader) { _, _ = io.CopyN(io.Discard, body, drainMost) }

// steady moves the deadline with each write, and flushes.
type steady struct {
	w       http.ResponseWriter
	control *http.ResponseController
	silence time.Duration
}

func newSteady(w http.ResponseWriter, silence time.Duration) *steady {
	return &steady{w: w, control: http.NewResponseController(w), silence: silence}
}

func (s *steady) Write(b []byte) (int, error) {
	if err := s.control.SetWriteDeadline(time.Now().Add(s.silence)); err != nil {
		return 0, err
	}
	return s.w.Write(b)
}

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
	text, err := json.Marshal(newCampaign(info, b, info.Spec.AccountName()))
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
