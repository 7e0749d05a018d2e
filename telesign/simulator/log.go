package simulator

import (
	"bufio"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Accepted is one message that was taken. A message that was sent twice is
// there twice: the vendor doesn't look whether it knows an external ID.
type Accepted struct {
	N           uint64    `json:"n"` // 1 for the first
	Reference   string    `json:"reference_id"`
	ExternalID  string    `json:"external_id"` // empty for none
	PhoneNumber string    `json:"phone_number"`
	Email       string    `json:"email,omitempty"`
	Story       string    `json:"story"`
	At          time.Time `json:"at"`
	Channels    []string  `json:"channels"`
}

// journal is every message that was taken, in order. An entry costs about 200 bytes
// with its texts.
type journal struct {
	mu       sync.Mutex
	entries  []entry
	cascades map[string]*cascade
}

// cascade is what many requests have in common.
type cascade struct {
	legs     []leg
	channels []string
}

type entry struct {
	externalID *string // nil for none
	phone      string
	email      string
	cascade    *cascade
	accepted   time.Time
	begun      time.Time // when the POST was over; zero while it isn't
	story      uint8
}

// add returns the message's place in the journal, and its cascade.
func (j *journal) add(req request, story uint8, at time.Time) (uint64, *cascade) {
	var key []byte
	for _, l := range req.legs {
		key = fmt.Appendf(key, "%s %d %d\x00", l.channel, l.fallback, l.fault)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	c, ok := j.cascades[string(key)]
	if !ok {
		c = &cascade{legs: req.legs}
		for _, l := range req.legs {
			c.channels = append(c.channels, l.channel)
		}
		j.cascades[string(key)] = c
	}
	j.entries = append(j.entries, entry{externalID: req.externalID, phone: req.phone, email: req.email, cascade: c, accepted: at, story: story})
	return uint64(len(j.entries) - 1), c
}

func (j *journal) begin(n uint64, at time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries[n].begun = at
}

func (j *journal) get(n uint64) (entry, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if n >= uint64(len(j.entries)) {
		return entry{}, false
	}
	return j.entries[n], true
}

// from walks over the entries from the n-th on to the last one that there was
// at the start. It locks for each, never over the caller's work.
func (j *journal) from(n uint64) iter.Seq2[uint64, entry] {
	return func(yield func(uint64, entry) bool) {
		j.mu.Lock()
		end := uint64(len(j.entries))
		j.mu.Unlock()
		for ; n < end; n++ {
			if e, _ := j.get(n); !yield(n, e) {
				return
			}
		}
	}
}

func (s *Simulator) acceptedFrom(n uint64) iter.Seq[Accepted] {
	return func(yield func(Accepted) bool) {
		for n, e := range s.journal.from(n) {
			a := Accepted{
				N: n + 1, Reference: s.refs.of(n), PhoneNumber: e.phone, Email: e.email,
				Story: storyAt(e.story).Name, At: e.accepted.UTC(), Channels: e.cascade.channels,
			}
			if e.externalID != nil {
				a.ExternalID = *e.externalID
			}
			if !yield(a) {
				return
			}
		}
	}
}

// Accepted is every message that was taken, in order.
func (s *Simulator) Accepted() []Accepted {
	var all []Accepted
	for a := range s.acceptedFrom(0) {
		all = append(all, a)
	}
	return all
}

// serveLog is GET /simulator/log?after=N: the messages after the N-th, one JSON
// object a line.
func (s *Simulator) serveLog(w http.ResponseWriter, r *http.Request) {
	var after uint64
	if text := r.URL.Query().Get("after"); text != "" {
		var err error
		if after, err = strconv.ParseUint(text, 10, 64); err != nil {
			http.Error(w, "after isn't a number", http.StatusBadRequest)
			return
		}
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	out := bufio.NewWriterSize(w, 64<<10)
	lines := json.NewEncoder(out)
	for a := range s.acceptedFrom(after) {
		if lines.Encode(a) != nil {
			return // the reader has gone
		}
	}
	_ = out.Flush()
}
