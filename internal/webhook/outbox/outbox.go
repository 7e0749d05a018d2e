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

// What is to be told of a campaign stands in its outbox, written in the same step
// as the change. Of recipients it has the positions only: what became of them is
// read when it is told, and is the truth of then.

// fieldOutbox says in meta who is to be told, see lua/arm.lua.
const fieldOutbox = "outbox"

// Outbox is how much there is to tell of a campaign.
type Outbox struct {
	ID     campaign.ID
	Length int // entries that not all endpoints have been told
	base   int
	told   map[string]string
}

// Undelivered is how many entries an endpoint hasn't been told.
func (o *Outbox) Undelivered(endpoint string) int {
	told := o.base
	if n, ok := campaign.ParseNumber(o.told[endpoint]); ok {
		told = max(n, o.base)
	}
	return max(o.base+o.Length-told, 0)
}

// Waits says whether an endpoint is to be told something by now.
func (o *Outbox) Waits(endpoint string, now time.Time) bool {
	if o.Undelivered(endpoint) == 0 {
		return false
	}
	var b Batch
	if text := o.told[endpoint+fieldBatch]; text != "" && json.Unmarshal([]byte(text), &b) == nil {
		return !b.Next.After(now)
	}
	return true
}

// These follow an endpoint's ID: see lua/outbox.lua.
const (
	fieldBatch = ":now"
	fieldAll   = ":all"
)

// Pending looks how much there is to tell of campaigns, in few round trips; those
// of which there is nothing are left out.
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
		told, err := l.rdb.HGetAll(ctx, KeyProgress(c)).Result()
		if err != nil {
			return nil, fmt.Errorf("look at the outbox of campaign %s: %w", c, err)
		}
		all = append(all, Outbox{ID: c, Length: lengths[i], base: int(number(told["base"])), told: told})
	}
	return all, nil
}

// outboxBatch is how many campaigns travel in one call.
const outboxBatch = 200

// outboxLengths are how many entries there are of each campaign.
func (l *Store) outboxLengths(ctx context.Context, campaigns []campaign.ID) ([]int, error) {
	all := make([]int, 0, len(campaigns))
	for batch := range slices.Chunk(campaigns, outboxBatch) {
		lengths := make([]*redis.IntCmd, len(batch))
		_, err := l.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i, c := range batch {
				lengths[i] = p.LLen(ctx, Key(c))
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("look at %d outboxes: %w", len(batch), err)
		}
		for _, n := range lengths {
			all = append(all, int(n.Val()))
		}
	}
	return all, nil
}

// Length is how much there is to tell of campaigns, together.
func (l *Store) Length(ctx context.Context, campaigns []campaign.ID) (int, error) {
	lengths, err := l.outboxLengths(ctx, campaigns)
	sum := 0
	for _, n := range lengths {
		sum += n
	}
	return sum, err
}

// Batch is what an endpoint is told in one go, until it has taken it.
type Batch struct {
	Message string    `json:"message"` // its ID, the same however often it is told
	Count   int       `json:"count"`   // entries of the outbox
	Failed  int       `json:"failed,omitempty"`
	Since   time.Time `json:"since,omitzero"` // when it failed first
	Next    time.Time `json:"next,omitzero"`  // not before
	// Dropped is what it is told instead of entries: that it isn't told so many.
	Dropped *Discarded `json:"dropped,omitempty"`

	raw string
}

// Change is a change of a whole campaign's state.
type Change struct {
	At    time.Time // a whole second
	State campaign.Phase
	// Reason is why it is paused, held or canceled.
	Reason string
	Entry  campaign.Entry // the line in the history; without a verb: none
}

// Undelivered is what stands in an outbox for one endpoint.
type Undelivered struct {
	Batch *Batch // that it is told now; nil: none is fixed
	// Entries are at most [MaxBatch], the oldest first.
	Entries []Entry

	cursor int
}

// Entry is a recipient's place, or what happened to the campaign.
type Entry struct {
	Place     campaign.Place
	Happening *Change // nil: a recipient
}

// MaxBatch is how many entries an endpoint is told in one go.
const MaxBatch = 200

// Undelivered reads what an endpoint is to be told next of a campaign.
func (l *Store) Undelivered(ctx context.Context, c campaign.ID, endpoint string) (*Undelivered, error) {
	return l.undelivered(ctx, c, endpoint, MaxBatch)
}

func (l *Store) undelivered(ctx context.Context, c campaign.ID, endpoint string, most int) (*Undelivered, error) {
	answer, err := outboxScript.Run(ctx, l.rdb, []string{KeyProgress(c), Key(c)}, endpoint, most).Slice()
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
	h := &Change{At: time.Unix(seconds, 0).UTC(), State: campaign.Phase(stored.State), Reason: stored.Reason}
	if stored.Line != "" && json.Unmarshal([]byte(stored.Line), &h.Entry) != nil {
		return Entry{}, false
	}
	return Entry{Happening: h}, true
}

// SetBatch fixes what an endpoint is told now, or notes that it didn't take it.
// False: someone else has, or nobody is told of the campaign any more.
func (l *Store) SetBatch(ctx context.Context, c campaign.ID, endpoint string, u *Undelivered, b Batch) (bool, error) {
	before := ""
	if u.Batch != nil {
		before = u.Batch.raw
	}
	text, err := json.Marshal(b)
	if err != nil {
		return false, fmt.Errorf("write a batch of campaign %s: %w", c, err)
	}
	n, err := batchScript.Run(ctx, l.rdb, []string{l.meta(c), KeyProgress(c)}, endpoint, before, text).Int()
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

// Acknowledge notes that an endpoint has taken so many entries of what it was to be
// told; who is whoever is told of the campaign. False as in SetBatch.
func (l *Store) Acknowledge(ctx context.Context, c campaign.ID, endpoint string, u *Undelivered, count int, who []Endpoint) (bool, error) {
	return l.advance(ctx, c, endpoint, u, count, "", who)
}

// advance moves an endpoint's cursor by so many entries; after is its batch then.
func (l *Store) advance(ctx context.Context, c campaign.ID, endpoint string, u *Undelivered, count int, after string, who []Endpoint) (bool, error) {
	before := ""
	if u.Batch != nil {
		before = u.Batch.raw
	}
	args := []any{endpoint, u.cursor, u.cursor + count, before, after}
	for _, e := range who {
		args = append(args, e.ID)
	}
	n, err := toldScript.Run(ctx, l.rdb, []string{l.meta(c), KeyProgress(c), Key(c)}, args...).Int()
	if err != nil {
		return false, fmt.Errorf("note what was told of campaign %s: %w", c, err)
	}
	return n == 1, nil
}
