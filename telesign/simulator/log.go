package simulator

import (
	"bufio"
	"encoding/json"
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
	Story       string    `json:"story"`
	At          time.Time `json:"at"`
	Channels    []string  `json:"channels"`
}

// journal is every message that was taken, in order. An entry costs about a
// hundred bytes with its texts.
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
	text    string // the external ID, then the phone number: one allocation
	cascade *cascade
	at      int64 // Unix, in nanoseconds
	begun   int64 // when the POST was over; 0 while it isn't
	cut     uint8 // where the phone number begins; an external ID has at most 100
	hasID   bool
	story   uint8
}

func (e *entry) phone() string       { return e.text[e.cut:] }
func (e *entry) accepted() time.Time { return time.Unix(0, e.at) }

func (e *entry) externalID() *string {
	if !e.hasID {
		return nil
	}
	id := e.text[:e.cut]
	return &id
}

// taken is what add knows of a new message.
type taken struct {
	n       uint64
	cascade *cascade
	at      time.Time
}

func (j *journal) add(req request, story uint8, at time.Time) taken {
	e := entry{at: at.UnixNano(), story: story}
	if req.externalID != nil {
		e.hasID, e.cut = true, uint8(len(*req.externalID))
		e.text = *req.externalID
	}
	e.text += req.phone
	key := make([]byte, 0, 64)
	for _, l := range req.legs {
		key = append(key, l.channel...)
		key = append(key, 0)
		key = strconv.AppendInt(key, int64(l.fallback), 36)
		key = append(key, ' ')
		key = strconv.AppendInt(key, int64(l.fault), 36)
		key = append(key, 0)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	c, ok := j.cascades[string(key)]
	if !ok {
		c = &cascade{legs: req.legs}
		for _, l := range req.legs {
			c.channels = append(c.channels, l.channel)
		}
		if j.cascades == nil {
			j.cascades = map[string]*cascade{}
		}
		j.cascades[string(key)] = c
	}
	e.cascade = c
	j.entries = append(j.entries, e)
	return taken{uint64(len(j.entries) - 1), c, at}
}

func (j *journal) begin(n uint64, at time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries[n].begun = at.UnixNano()
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
				N: n + 1, Reference: s.refs.of(n),
				ExternalID: e.text[:e.cut], PhoneNumber: e.phone(),
				Story: storyAt(e.story).Name, At: e.accepted().UTC(), Channels: e.cascade.channels,
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
