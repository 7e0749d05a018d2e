package console

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/web/access"
)

const (
	// silence is for how long a browser may take nothing of a stream.
	silence = time.Minute
	// beat is how often a quiet stream says that it lives, and asks whether the
	// visitor may still look.
	beat = 15 * time.Second
)

// watch streams what changes on a campaign's page: the event now with the
// numbers, actions with the buttons, balance with all people by state, and done as
// the last one.
func (c *Console) watch(w http.ResponseWriter, r *http.Request) {
	v, err := c.enter(w, r, access.Read)
	if err == nil {
		_, err = c.look(v)
	}
	if err != nil {
		c.fail(w, r, v, err)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	out := &stream{w: w, control: http.NewResponseController(w), last: map[string][]byte{}}
	out.comment("watching")
	ticker, alive := time.NewTicker(c.o.Every), time.NewTicker(beat)
	defer ticker.Stop()
	defer alive.Stop()
	for out.err == nil {
		if done := c.tell(v, out); done {
			return
		}
		select {
		case <-ticker.C:
		case <-alive.C:
			if _, err := c.o.Gate.Browser(r); errors.Is(err, access.ErrRefused) {
				return
			}
			out.comment("still here")
		case <-r.Context().Done():
			return
		case <-c.ctx.Done():
			return
		}
	}
}

// tell sends what has changed since the last time, and reports whether it was the last event.
func (c *Console) tell(v *visit, out *stream) (done bool) {
	s, err := c.look(v)
	if operations.KindOf(err) == operations.NotFound {
		return true
	}
	if err != nil {
		return false // Redis will be back
	}
	n, err := c.now(v, s)
	if err != nil {
		return false
	}
	for _, e := range []struct {
		name string
		data any
	}{{"now", n}, {"actions", actionsOf(v, s)}, {"balance", n}} {
		text, err := c.text(v, "campaign#"+e.name, e.data)
		if err != nil {
			c.o.Logger.Error("an event can't be made", "event", e.name, "error", err)
			return true
		}
		out.event(e.name, text)
	}
	if s.info.Phase == campaign.Done {
		out.event("done", []byte("done"))
		return true
	}
	return false
}

// stream is an answer of server-sent events.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	last    map[string][]byte // by event
	err     error
}

// event sends one, if it says anything new.
func (s *stream) event(name string, text []byte) {
	if bytes.Equal(text, s.last[name]) {
		return
	}
	s.last[name] = bytes.Clone(text)
	s.write("event: " + name + "\ndata: " + strings.ReplaceAll(strings.TrimSpace(string(text)), "\n", "\ndata: ") + "\n\n")
}

func (s *stream) comment(text string) { s.write(": " + text + "\n\n") }

func (s *stream) write(text string) {
	if s.err == nil {
		s.err = s.control.SetWriteDeadline(time.Now().Add(silence))
	}
	if s.err == nil {
		_, s.err = fmt.Fprint(s.w, text)
	}
	if s.err == nil {
		s.err = s.control.Flush()
	}
}
