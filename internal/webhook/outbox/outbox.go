package outbox

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
)

// fieldOutbox in meta says which events a campaign records, see lua/arm.lua.
const fieldOutbox = "outbox"

// Outbox is how far the endpoints are with a campaign's entries.
type Outbox struct {
	ID       campaign.ID
	length   int // entries that some endpoint has yet to take
	base     int // entries that were trimmed off
	progress map[string]string
}

// Undelivered returns how many entries are pending for an endpoint.
func (o *Outbox) Undelivered(endpoint string) int {
	taken := o.base
	if n, ok := campaign.ParseNumber(o.progress[endpoint]); ok {
		taken = max(n, o.base)
	}
	return max(o.base+o.length-taken, 0)
}

// Due reports whether a delivery to an endpoint is due.
func (o *Outbox) Due(endpoint string, now time.Time) bool {
	if o.Undelivered(endpoint) == 0 {
		return false
	}
	var b Batch
	if text := o.progress[endpoint+fieldBatch]; text != "" && json.Unmarshal([]byte(text), &b) == nil {
		return !b.Next.After(now)
	}
	return true
}

// These follow an endpoint's ID, see lua/undelivered.lua.
const (
	fieldBatch = ":now"
	fieldAll   = ":all"
)

// Pending returns the outboxes of those campaigns that have entries, in few round
// trips.
func (l *Store) Pending(ctx context.Context, campaigns []campaign.ID) ([]Outbox, error) {
	lengths, err := l.outboxLengths(ctx, campaigns)
	if err != nil {
		return nil, err
	}
	var all []Outbox
	for i, c := range campaigns {
		if lengths[i] == 0 {
			continue
		}
		progress, err := l.rdb.HGetAll(ctx, l.keys.progress(c)).Result()
		if err != nil {
			return nil, fmt.Errorf("read the outbox of campaign %s: %w", c, err)
		}
		all = append(all, Outbox{ID: c, length: lengths[i], base: int(number(progress["base"])), progress: progress})
	}
	return all, nil
}

// outboxBatch is how many campaigns travel in one call.
const outboxBatch = 200

// outboxLengths returns how many entries each campaign has.
func (l *Store) outboxLengths(ctx context.Context, campaigns []campaign.ID) ([]int, error) {
	all := make([]int, 0, len(campaigns))
	for batch := range slices.Chunk(campaigns, outboxBatch) {
		lengths := make([]*redis.IntCmd, len(batch))
		_, err := l.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i, c := range batch {
				lengths[i] = p.LLen(ctx, l.keys.outbox(c))
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("read %d outboxes: %w", len(batch), err)
		}
		for _, n := range lengths {
			all = append(all, int(n.Val()))
		}
	}
	return all, nil
}

// Length returns how many entries campaigns have together.
func (l *Store) Length(ctx context.Context, campaigns []campaign.ID) (int, error) {
	lengths, err := l.outboxLengths(ctx, campaigns)
	sum := 0
	for _, n := range lengths {
		sum += n
	}
	return sum, err
}

// Batch is what is delivered to an endpoint in one message, until it has taken it.
type Batch struct {
	Message string    `json:"message"` // its ID, the same for each attempt
	Count   int       `json:"count"`   // entries of the outbox
	Failed  int       `json:"failed,omitempty"`
	Since   time.Time `json:"since,omitzero"` // when it failed first
	Next    time.Time `json:"next,omitzero"`  // the next attempt isn't before
	// Discarded, if not nil, is delivered in place of entries.
	Discarded *Discarded `json:"dropped,omitempty"`

	raw string
}

// Change is a change of a whole campaign's state.
type Change struct {
	At    time.Time // a whole second
	State campaign.Phase
	// Reason is why it is paused, held or canceled.
	Reason string
	Entry  campaign.Entry // the line in the history; without a verb there is none
}

// Undelivered is what is pending of a campaign for one endpoint.
type Undelivered struct {
	Batch *Batch // the one under way; nil: none is fixed
	// Entries are at most [MaxBatch], the oldest first.
	Entries []Entry

	cursor int
}

// Entry is a recipient's place, or a change of the campaign's state.
type Entry struct {
	Place  campaign.Place
	Change *Change // nil: a recipient
}

// MaxBatch is how many entries a message holds.
const maxBatch = 200

// Undelivered reads what is next for an endpoint of a campaign.
func (l *Store) Undelivered(ctx context.Context, c campaign.ID, endpoint string) (*Undelivered, error) {
	return l.undelivered(ctx, c, endpoint, maxBatch)
}

func (l *Store) undelivered(ctx context.Context, c campaign.ID, endpoint string, limit int) (*Undelivered, error) {
	answer, err := undeliveredScript.Run(ctx, l.rdb, []string{l.keys.progress(c), l.keys.outbox(c)}, endpoint, limit).Slice()
	if err != nil {
		return nil, fmt.Errorf("read the outbox of campaign %s: %w", c, err)
	}
	bad := fmt.Errorf("read the outbox of campaign %s: unexpected answer", c)
	if len(answer) != 3 {
		return nil, bad
	}
	u := new(Undelivered)
	cursor, ok1 := answer[0].(int64)
	batch, ok2 := answer[1].(string)
	entries, ok3 := answer[2].([]any)
	if !ok1 || !ok2 || !ok3 {
		return nil, bad
	}
	u.cursor = int(cursor)
	if batch != "" {
		u.Batch = &Batch{raw: batch}
		if json.Unmarshal([]byte(batch), u.Batch) != nil {
			return nil, bad
		}
	}
	for _, e := range entries {
		text, _ := e.(string)
		entry, ok := parseOutboxEntry(text)
		if !ok {
			return nil, bad
		}
		u.Entries = append(u.Entries, entry)
	}
	return u, nil
}

func parseOutboxEntry(text string) (Entry, bool) {
	if !strings.HasPrefix(text, "{") {
		n, ok := campaign.ParseNumber(text)
		return Entry{Place: campaign.PlaceOf(n)}, ok
	}
	var stored struct{ At, State, Reason, Line string }
	if err := json.Unmarshal([]byte(text), &stored); err != nil {
		return Entry{}, false
	}
	seconds, err := strconv.ParseInt(stored.At, 10, 64)
	if err != nil {
		return Entry{}, false
	}
	change := &Change{At: time.Unix(seconds, 0).UTC(), State: campaign.Phase(stored.State), Reason: stored.Reason}
	if stored.Line != "" && json.Unmarshal([]byte(stored.Line), &change.Entry) != nil {
		return Entry{}, false
	}
	return Entry{Change: change}, true
}

// SetBatch fixes what is delivered to an endpoint next, or records a failure. It
// returns false if another process did so first, or no endpoint subscribes any more.
func (l *Store) SetBatch(ctx context.Context, c campaign.ID, endpoint string, u *Undelivered, b Batch) (bool, error) {
	before := ""
	if u.Batch != nil {
		before = u.Batch.raw
	}
	text, err := json.Marshal(b)
	if err != nil {
		return false, fmt.Errorf("write a batch of campaign %s: %w", c, err)
	}
	n, err := batchScript.Run(ctx, l.rdb, []string{l.meta(c), l.keys.progress(c)}, endpoint, before, text).Int()
	if err != nil {
		return false, fmt.Errorf("write a batch of campaign %s: %w", c, err)
	}
	if n != 1 {
		return false, nil
	}
	b.raw = string(text)
	u.Batch = &b
	return true, nil
}

// Acknowledge records that an endpoint has taken count entries, and deletes those
// that all subscribers of the campaign have. It returns false as SetBatch does.
func (l *Store) Acknowledge(ctx context.Context, c campaign.ID, endpoint string, u *Undelivered, count int, subscribers []Endpoint) (bool, error) {
	return l.advance(ctx, c, endpoint, u, count, "", subscribers)
}

// advance moves an endpoint's cursor by count entries and sets its batch to after.
func (l *Store) advance(ctx context.Context, c campaign.ID, endpoint string, u *Undelivered, count int, after string, subscribers []Endpoint) (bool, error) {
	before := ""
	if u.Batch != nil {
		before = u.Batch.raw
	}
	args := []any{endpoint, u.cursor, u.cursor + count, before, after}
	for _, e := range subscribers {
		args = append(args, e.ID)
	}
	n, err := advanceScript.Run(ctx, l.rdb, []string{l.meta(c), l.keys.progress(c), l.keys.outbox(c)}, args...).Int()
	if err != nil {
		return false, fmt.Errorf("advance in the outbox of campaign %s: %w", c, err)
	}
	return n == 1, nil
}
