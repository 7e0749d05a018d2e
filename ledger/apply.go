package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/redisx"
	"github.com/handout-dev/handout/internal/references"
)

// unread stands for the record in a change that only wants to read: no record
// is stored like this, so that the answer is always what stands.
const unread = "?"

// applyTimeout bounds what the changes of one batch take.
const applyTimeout = 10 * time.Second

// maxChanges is how many changes one call makes: each takes Redis some 3 µs, and
// every other client waits meanwhile.
const maxChanges = 200

// change is one compare-and-set on its way.
type change struct {
	campaign *campaign.Info
	place    campaign.Place
	event    *campaign.Event // what is yet to be worked out, see Receive
	was      campaign.State
	next     campaign.Record
	old, new string
	move     string // of the counters
	gated    bool   // only while the campaign runs
	waits    bool   // until its replicas have it, see RequireReplicas
	final    bool   // an outcome, or a change of one
	ref      string // new reference to be indexed
	attempt  int
	past     int       // the attempt whose record, as it stood, is kept; 0: none
	call     time.Time // settle must look at the page by then; zero: it will anyway
	signal   signal
	at       time.Time // of the event

	answer any
	alone  error // ErrNotReplicated, where it was to wait and too few replicas have it
	err    error
}

func (ch *change) String() string {
	return fmt.Sprintf("recipient %s of campaign %s", ch.place, ch.campaign.ID)
}

// ReadRecord reads one record.
func (l *Ledger) ReadRecord(ctx context.Context, c *campaign.Info, p campaign.Place) (Seen, error) {
	answer, err := l.set(ctx, &change{campaign: c, place: p, old: unread}, 0)
	if err != nil {
		return Seen{}, err
	}
	switch answer := answer.(type) {
	case string:
		return decodeSeen(answer)
	case int64:
		return Seen{}, refusal(c.ID, answer)
	}
	return Seen{}, fmt.Errorf("look at recipient %s of campaign %s: unexpected answer %v", p, c.ID, answer)
}

// Apply lets an event happen to a recipient: [campaign.Next] on what stands, and record,
// counts and reference set together. seen is what the caller believes to stand
// (the zero Seen: planned); when something else does, Apply goes by that. It
// returns what stands afterwards. Calling it twice does no harm.
//
// Errors: *TransitionError (nothing changed), [campaign.ErrNotRunning] for a claim in a
// campaign that isn't running, [ErrNotReplicated] for a claim or receipt that was made, *PurgedError, [campaign.ErrReplaced] (nothing changed);
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
		ch := &change{campaign: c, place: p}
		ch.become(seen, next, e)
		if !ch.call.IsZero() {
			if err := l.reactivate(ctx, c.ID); err != nil {
				return seen, err
			}
		}
		answer, err := l.set(ctx, ch, batchDelay)
		if err != nil {
			return seen, err
		}
		stands, set, err := ch.outcome(answer)
		switch {
		case set:
			return stands, err
		case err != nil:
			return seen, err
		}
		seen = stands
	}
}

// RequireReplicas has each claim and receipt wait until so many replicas have it; 0 is
// none. Call it before the first. What else is written can be found out again: a claim
// that was forgotten sends twice, and a receipt that was confirmed doesn't come again.
func (l *Ledger) RequireReplicas(n int) { l.replicas = n }

// ErrNotReplicated means that a change was made, and that a failover may forget it: too
// few replicas have it.
var ErrNotReplicated = redisx.ErrNotReplicated

// refusal is why no change of the campaign is made.
func refusal(c campaign.ID, answer int64) error {
	if answer < 0 {
		return fmt.Errorf("campaign %s: %w", c, campaign.ErrReplaced)
	}
	return &campaign.PurgedError{ID: c, At: time.UnixMilli(answer)}
}

// become makes it the change from what stands to the record that follows.
func (ch *change) become(seen Seen, next campaign.Record, e campaign.Event) {
	ch.was, ch.next, ch.old, ch.new = seen.Record.State, next, seen.raw, string(next.Encode())
	ch.gated, ch.final = e.Kind == campaign.EventClaim, next.State.Final()
	ch.waits = ch.gated || e.Kind == campaign.EventReceipt
	ch.move = seen.Record.Counters() + " > " + next.Counters()
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
// are those of Apply, and what can't be read.
func (ch *change) outcome(answer any) (stands Seen, set bool, err error) {
	switch answer := answer.(type) {
	case int64:
		switch answer {
		case 0:
			return Seen{}, false, campaign.ErrNotRunning
		case 1:
			return Seen{Record: ch.next, raw: ch.new}, true, ch.alone
		}
		return Seen{}, false, refusal(ch.campaign.ID, answer)
	case string:
		if answer == ch.new {
			// Ours: the change was made and its answer lost. A claim carries a number
			// of its claimant's, so no other claim looks like this.
			return Seen{Record: ch.next, raw: ch.new}, true, ch.alone
		}
		if stands, err = decodeSeen(answer); err != nil {
			err = fmt.Errorf("%s: %w", ch, err)
		}
		return stands, false, err
	}
	return Seen{}, false, fmt.Errorf("%s: unexpected answer %v", ch, answer)
}

// set makes a change in Redis, together with those of concurrent callers.
func (l *Ledger) set(ctx context.Context, ch *change, batchDelay time.Duration) (any, error) {
	if p := ch.place; p.Page < 0 || p.Index < 0 || p.Index >= campaign.PageSize ||
		(!ch.campaign.Has(p) && !ch.campaign.Spec.Standing) {
		return nil, fmt.Errorf("%s: %w", ch, ErrNotFound)
	}
	if err := l.changes.Do(ctx, ch, batchDelay); err != nil {
		return nil, fmt.Errorf("%s: %w", ch, err)
	}
	return ch.answer, ch.err
}

// Oldest names the recipient whose change has waited longest, or is under way, and
// returns since when; false when there is none.
func (l *Ledger) Oldest() (recipient string, since time.Time, ok bool) {
	ch, since, ok := l.changes.Oldest()
	if !ok {
		return "", time.Time{}, false
	}
	return ch.String(), since, true
}

// makeChanges makes the changes of a batch, those of one campaign in one call.
func (l *Ledger) makeChanges(ctx context.Context, batch []*change) {
	batch = l.workOut(ctx, batch)
	l.index(ctx, batch)
	for len(batch) > 0 {
		same, rest := batch[:0:0], batch[:0:0]
		for _, ch := range batch {
			if first := batch[0].campaign; ch.campaign.ID == first.ID && ch.campaign.Salt == first.Salt {
				same = append(same, ch)
			} else {
				rest = append(rest, ch)
			}
		}
		l.send(ctx, same)
		batch = rest
	}
}

// indexTimeout is short: the index helps to find a message that is certainly sent,
// and must not keep it from being recorded.
const indexTimeout = time.Second

// index has the installation's index lead to the campaigns of new references. It
// comes before the records: if the process dies here, an entry too many is left,
// which leads to a campaign that hasn't the reference.
func (l *Ledger) index(ctx context.Context, batch []*change) {
	var entries []references.Entry
	for _, ch := range batch {
		if ch.ref != "" {
			entries = append(entries, references.Entry{Reference: ch.ref, Campaign: ch.campaign.ID})
		}
	}
	if len(entries) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, indexTimeout)
	defer cancel()
	_ = l.references.Add(ctx, entries, time.Now()) // a receipt without external ID isn't found, and the message is asked for at its deadline
}

// send makes the changes of one campaign, and gives each its answer.
func (l *Ledger) send(ctx context.Context, batch []*change) {
	answers, err := l.call(ctx, batch)
	for i, ch := range batch {
		if err != nil {
			ch.err = fmt.Errorf("change a record of campaign %s: %w", ch.campaign.ID, err)
		} else {
			ch.answer = answers[i]
		}
	}
}

func (l *Ledger) call(ctx context.Context, batch []*change) ([]any, error) {
	c := batch[0].campaign
	k := &scriptKeys{
		keys:    l.keys,
		names:   []string{l.keys.meta(c.ID), l.keys.counts(c.ID), l.keys.due(c.ID), l.keys.watch(c.ID), l.keys.history(c.ID), l.outbox.Key(c.ID)},
		numbers: make(map[string]string, len(batch)),
	}
	args := make([]any, 2, 2+changeFields*len(batch))
	args[0], args[1] = c.Salt, ""
	for _, ch := range batch {
		if ch.signal != noSignal && args[1] == "" {
			watch, err := json.Marshal(watchOf(c, ch.at))
			if err != nil {
				return nil, err
			}
			args[1] = watch
		}
		args = append(args, ch.args(k)...)
	}
	replicas := 0
	if slices.ContainsFunc(batch, func(ch *change) bool { return ch.waits }) {
		replicas = l.replicas
	}
	answers, err := redisx.RunReplicated(ctx, l.rdb, applyScript, replicas, k.names, args...)
	if errors.Is(err, ErrNotReplicated) {
		for _, ch := range batch {
			if ch.waits {
				ch.alone = err
			}
		}
		err = nil
	}
	if err == nil && len(answers) != len(batch) {
		err = errors.New("wrong number of answers")
	}
	return answers, err
}

// scriptKeys are the keys of a call, which changes share.
type scriptKeys struct {
	keys    keys
	names   []string
	numbers map[string]string // in names, from 1 on
}

func (k *scriptKeys) number(key string) string {
	n, ok := k.numbers[key]
	if !ok {
		k.names = append(k.names, key)
		n = strconv.Itoa(len(k.names))
		k.numbers[key] = n
	}
	return n
}

// changeFields is how many fields a change has in lua/apply.lua.
const changeFields = 16

// args are the fields of a change, which lua/apply.lua describes, in its order.
func (ch *change) args(k *scriptKeys) []any {
	var running, outcome, claimed, page, due, references, reference, referent, past, attempt string
	switch {
	case ch.gated:
		running = "1"
	case ch.final:
		outcome = strconv.Itoa(ch.place.Position())
	}
	if ch.signal != noSignal {
		claimed = strconv.FormatInt(ch.next.ClaimedAt.Unix(), 10)
	}
	if !ch.call.IsZero() {
		page, due = strconv.Itoa(ch.place.Page), strconv.FormatInt(ch.call.UnixMilli(), 10)
	}
	if ch.ref != "" {
		field, bucket := referenceField(ch.ref, refBuckets(ch.campaign))
		references, reference, referent = k.number(k.keys.references(ch.campaign.ID, bucket)), field, campaign.ReferenceValue(ch.place, ch.attempt)
	}
	if ch.past > 0 {
		past, attempt = k.number(k.keys.past(ch.campaign.ID, ch.place.Page)), strconv.Itoa(ch.past)
	}
	return []any{
		k.number(k.keys.records(ch.campaign.ID, ch.place.Page)), strconv.Itoa(ch.place.Index), ch.old, ch.new,
		ch.move, running, outcome, string(ch.signal), claimed, page, due,
		references, reference, referent, past, attempt,
	}
}
