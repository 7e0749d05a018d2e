package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/webhook/outbox"
)

// unread stands for the record in a change that only wants to read: no record
// is stored like this, so that the answer is always what stands.
const unread = "?"

const (
	// applyTimeout bounds one call of the script.
	applyTimeout = 10 * time.Second
	// leastTime is what a call has at least, also when its caller's own time is
	// nearly over.
	leastTime = 500 * time.Millisecond
)

// maxChanges is how many changes one call makes: each takes Redis some 3 µs, and
// every other client waits meanwhile.
const maxChanges = 200

// headArgs is how many arguments of lua/apply.lua come before the changes, and
// changeArgs how many a change takes.
const headArgs, changeArgs = 5, 10

// change is one compare-and-set on its way.
type change struct {
	campaign *campaign.Info
	place    campaign.Place
	event    *campaign.Event // what is yet to be worked out, see Receive
	next     campaign.Record
	old, new string
	letters  string // see lua/apply.lua
	gated    bool   // only while the campaign runs
	final    bool   // an outcome, or a change of one
	ref      string // new reference to be indexed
	attempt  int
	past     int       // the attempt whose record, as it stood, is kept; 0: none
	call     time.Time // settle must look at the page by then; zero: it will anyway
	signal   signal
	at       time.Time // of the event

	// batchDelay is how long it waits for another change to share its call, see
	// ApplyWithin; 0: its caller may flush at once.
	batchDelay time.Duration
	answer     any
	err        error
	turn       chan bool // true: flush what waits, false: the answer is there
}

// ReadRecord reads one record.
func (l *Ledger) ReadRecord(ctx context.Context, c *campaign.Info, p campaign.Place) (Seen, error) {
	answer, err := l.set(ctx, &change{campaign: c, place: p, old: unread})
	if err != nil {
		return Seen{}, err
	}
	raw, ok := answer.(string)
	if !ok {
		if ms, purged := answer.(int64); purged {
			return Seen{}, &campaign.PurgedError{ID: c.ID, At: time.UnixMilli(ms)}
		}
		return Seen{}, fmt.Errorf("look at recipient %s of campaign %s: unexpected answer %v", p, c.ID, answer)
	}
	return decodeSeen(raw)
}

// Apply lets an event happen to a recipient: [campaign.Next] on what stands, and record,
// counts and reference set together. seen is what the caller believes to stand
// (the zero Seen: planned); when something else does, Apply goes by that. It
// returns what stands afterwards. Calling it twice does no harm.
//
// Errors: *TransitionError (nothing changed), [campaign.ErrNotRunning] for a claim in a
// campaign that isn't running (nothing changed), *PurgedError (nothing changed);
// with any other error the change may or may not have been made.
func (l *Ledger) Apply(ctx context.Context, c *campaign.Info, p campaign.Place, seen Seen, e campaign.Event) (Seen, error) {
	return l.ApplyWithin(ctx, c, p, seen, e, 0)
}

// ApplyWithin is Apply for a change that isn't urgent: it waits up to batchDelay
// for another one to share its call. Later changes never overtake it.
func (l *Ledger) ApplyWithin(ctx context.Context, c *campaign.Info, p campaign.Place, seen Seen, e campaign.Event, batchDelay time.Duration) (Seen, error) {
	e = e.BoundTo(&seen.Record)
	for read := false; ; read = true {
		next, refused := campaign.Next(seen.Record, e)
		raw := string(next.Encode())
		if refused != nil || raw == seen.raw {
			if read {
				return seen, refused
			}
			// Only what stands can refuse an event, or know it already.
			stands, err := l.ReadRecord(ctx, c, p)
			if err != nil {
				return seen, err
			}
			if stands.raw == seen.raw {
				return stands, refused
			}
			seen = stands
			continue
		}
		ch := &change{campaign: c, place: p, batchDelay: batchDelay}
		ch.become(seen, next, e)
		if !ch.call.IsZero() {
			if err := l.reactivate(ctx, c.ID); err != nil {
				return seen, err
			}
		}
		answer, err := l.set(ctx, ch)
		if err != nil {
			return seen, err
		}
		stands, set, err := ch.outcome(answer)
		switch {
		case err != nil:
			return seen, err
		case set:
			return stands, nil
		}
		seen = stands
	}
}

// become makes it the change from what stands to the record that follows.
func (ch *change) become(seen Seen, next campaign.Record, e campaign.Event) {
	ch.next, ch.old, ch.new = next, seen.raw, string(next.Encode())
	ch.gated, ch.final = e.Kind == campaign.EventClaim, next.State.Final()
	ch.letters = seen.Record.Counters() + ">" + next.Counters()
	ch.signal, ch.at = signalOf(e.Kind, seen.Record.State, next.State), e.At
	if next.Reference != seen.Record.Reference {
		ch.ref, ch.attempt = next.Reference, next.Attempt
	}
	ch.past = campaign.PastAttempt(&seen.Record, &next, e.Kind)
	if !seen.Record.Watched() && next.Watched() && e.Kind != campaign.EventClaim {
		if ch.call = next.DueAt; ch.call.IsZero() {
			ch.call = e.At
		}
	}
}

// outcome is what stands after the change, and whether it was made. The errors
// are [campaign.ErrNotRunning] and *PurgedError, and what can't be read.
func (ch *change) outcome(answer any) (stands Seen, set bool, err error) {
	switch answer := answer.(type) {
	case int64:
		switch answer {
		case 0:
			return Seen{}, false, campaign.ErrNotRunning
		case 1:
			return Seen{Record: ch.next, raw: ch.new}, true, nil
		}
		return Seen{}, false, &campaign.PurgedError{ID: ch.campaign.ID, At: time.UnixMilli(answer)}
	case string:
		if answer == ch.new {
			// Ours: the change was made and its answer lost. A claim carries a number
			// of its claimant's, so no other claim looks like this.
			return Seen{Record: ch.next, raw: ch.new}, true, nil
		}
		if stands, err = decodeSeen(answer); err != nil {
			err = fmt.Errorf("recipient %s of campaign %s: %w", ch.place, ch.campaign.ID, err)
		}
		return stands, false, err
	}
	return Seen{}, false, fmt.Errorf("recipient %s of campaign %s: unexpected answer %v", ch.place, ch.campaign.ID, answer)
}

// set makes a change in Redis, together with those of concurrent callers: the
// first of them is the flusher, and makes the next one so once its own is done.
func (l *Ledger) set(ctx context.Context, ch *change) (any, error) {
	if p := ch.place; p.Page < 0 || p.Index < 0 || p.Index >= campaign.PageSize ||
		(!ch.campaign.Has(p) && !ch.campaign.Spec.Standing) {
		return nil, fmt.Errorf("recipient %s of campaign %s: %w", p, ch.campaign.ID, ErrNotFound)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("recipient %s of campaign %s: %w", ch.place, ch.campaign.ID, err)
	}
	ch.turn = make(chan bool, 1)
	l.mu.Lock()
	l.waiting = append(l.waiting, ch)
	lead := !l.flushing && ch.batchDelay == 0
	l.flushing = l.flushing || lead
	l.mu.Unlock()
	if !lead {
		var late <-chan time.Time
		if ch.batchDelay > 0 {
			late = time.After(ch.batchDelay)
		}
		select {
		case lead = <-ch.turn:
		case <-late:
			if lead = l.promote(ch); !lead {
				lead = <-ch.turn
			}
		case <-ctx.Done():
			l.withdraw(ch)
			return nil, fmt.Errorf("recipient %s of campaign %s: %w", ch.place, ch.campaign.ID, ctx.Err())
		}
	}
	if lead {
		l.flush(ctx)
	}
	return ch.answer, ch.err
}

// withdraw takes out the change of a caller whose context has ended, if it hasn't
// been sent yet. If that caller was made the flusher, the next one becomes it.
func (l *Ledger) withdraw(ch *change) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := slices.Index(l.waiting, ch); i >= 0 {
		l.waiting = slices.Delete(l.waiting, i, i+1)
	}
	select {
	case lead := <-ch.turn:
		if lead {
			l.nextFlusher()
		}
	default:
	}
}

// promote makes the caller the flusher once its delay has passed. It returns false
// when another one is flushing, which carries the change or makes its caller the
// flusher.
func (l *Ledger) promote(ch *change) (lead bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ch.batchDelay = 0
	if l.flushing || !slices.Contains(l.waiting, ch) {
		return false
	}
	l.flushing = true
	return true
}

// nextFlusher makes the first waiting caller the flusher, if any has no delay left.
func (l *Ledger) nextFlusher() {
	if l.flushing = slices.ContainsFunc(l.waiting, func(ch *change) bool { return ch.batchDelay == 0 }); l.flushing {
		l.waiting[0].turn <- true
	}
}

// callTime is how long a call may take that this caller makes for all. It makes
// other callers' changes too: canceling it doesn't cancel them. Its own deadline
// bounds the call, but leaves it leastTime.
func callTime(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return applyTimeout
	}
	return min(applyTimeout, max(leastTime, time.Until(deadline)))
}

// flush makes the changes that wait, and hands over to the next flusher.
func (l *Ledger) flush(ctx context.Context) {
	l.mu.Lock()
	n := min(len(l.waiting), maxChanges)
	batch := l.waiting[:n:n]
	l.waiting = l.waiting[n:]
	l.mu.Unlock()

	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTime(ctx))
	defer cancel()
	batch = l.workOut(ctx, batch)
	for len(batch) > 0 {
		// The changes of one campaign go in one call.
		same, rest := batch[:0:0], batch[:0:0]
		for _, ch := range batch {
			if ch.campaign.ID == batch[0].campaign.ID {
				same = append(same, ch)
			} else {
				rest = append(rest, ch)
			}
		}
		l.send(ctx, same)
		batch = rest
	}

	l.mu.Lock()
	defer l.mu.Unlock()
	l.nextFlusher()
}

// send makes the changes of one campaign, and gives each its answer.
func (l *Ledger) send(ctx context.Context, batch []*change) {
	c := batch[0].campaign
	keys := []string{keyMeta(c.ID), keyCounts(c.ID), keyDue(c.ID), keyWatch(c.ID), keyHistory(c.ID), outbox.Key(c.ID)}
	at := make(map[string]int, len(batch))
	index := func(key string) string {
		i, ok := at[key]
		if !ok {
			keys = append(keys, key)
			i = len(keys)
			at[key] = i
		}
		return strconv.Itoa(i)
	}
	args := make([]any, headArgs, headArgs+changeArgs*len(batch))
	var watch watch
	for _, ch := range batch {
		if ch.signal != noSignal {
			watch = watchOf(c, ch.at)
			break
		}
	}
	args[0], args[1], args[2], args[3], args[4] = campaign.CounterList, watch.limits, watch.failures, watch.doubts, watch.line
	for _, ch := range batch {
		gate, ref, call, past := "", "", "", ""
		switch {
		case ch.gated:
			gate = "r"
		case ch.final:
			gate = strconv.Itoa(ch.place.Position())
		}
		if !ch.call.IsZero() {
			call = strconv.Itoa(ch.place.Page) + "," + strconv.FormatInt(ch.call.UnixMilli(), 10)
		}
		if ch.ref != "" {
			field, bucket := referenceField(ch.ref, refBuckets(c))
			ref = index(keyReferences(c.ID, bucket)) + "," + campaign.ReferenceValue(ch.place, ch.attempt) + ":" + field
		}
		if ch.past > 0 {
			past = index(keyPast(c.ID, ch.place.Page)) + "," + strconv.Itoa(ch.past)
		}
		args = append(args, index(keyRecords(c.ID, ch.place.Page)), strconv.Itoa(ch.place.Index),
			ch.old, ch.new, ch.letters, gate, ref, call, string(ch.signal), past)
	}
	answers, err := applyScript.Run(ctx, l.rdb, keys, args...).Slice()
	if err == nil && len(answers) != len(batch) {
		err = errors.New("wrong number of answers")
	}
	for i, ch := range batch {
		if err != nil {
			ch.err = fmt.Errorf("change a record of campaign %s: %w", c.ID, err)
		} else {
			ch.answer = answers[i]
		}
		ch.turn <- false
	}
}
