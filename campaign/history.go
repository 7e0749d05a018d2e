package campaign

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// Actor is who steers a campaign, and why.
type Actor struct {
	Name string // a person's login name, a key's name, or handout itself
	Why  string // may be empty
}

// Machine is handout itself, as an actor.
func Machine(why string) Actor { return Actor{Name: "handout", Why: why} }

// reason is what a campaign says of why it is in its state.
func (a Actor) reason(verb string) string {
	name, why := clip(a.Name, maxActor), clip(a.Why, maxWhy)
	if name == "" {
		name = "a person"
	}
	if why == "" {
		return verb + " by " + name
	}
	return verb + " by " + name + ": " + why
}

// Bounds of what a history keeps of an actor, in bytes.
const (
	maxActor = 64
	maxWhy   = 500
)

func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && s[most]&0xc0 == 0x80 { // not within a character
		most--
	}
	return s[:most]
}

// Entry is a line of a campaign's history: something that was done to the whole
// campaign, by a person or by handout itself.
type Entry struct {
	At   time.Time `json:"at"`
	By   string    `json:"by"`
	Verb string    `json:"verb"` // submitted, paused, resumed, held, ...
	Why  string    `json:"why,omitempty"`
	// About is what the verb was done with: a rate, a time, how many recipients.
	About string `json:"about,omitempty"`
}

func (a Actor) entry(at time.Time, verb, about string) Entry {
	return Entry{At: at.UTC().Truncate(time.Millisecond), By: clip(a.Name, maxActor), Verb: verb, Why: clip(a.Why, maxWhy), About: about}
}

func (e Entry) encode() string {
	b, err := json.Marshal(e)
	if err != nil {
		panic(err) // texts and a time: there is nothing that can't be written
	}
	return string(b)
}

// mostHistory is how many lines of a history are kept, the latest.
const mostHistory = 1000

// Note adds a line to a campaign's history.
func (l *Ledger) Note(ctx context.Context, c ID, a Actor, at time.Time, verb, about string) error {
	if err := l.rdb.RPush(ctx, keyHistory(c), a.entry(at, verb, about).encode()).Err(); err != nil {
		return fmt.Errorf("write the history of campaign %s: %w", c, err)
	}
	if err := l.rdb.LTrim(ctx, keyHistory(c), -mostHistory, -1).Err(); err != nil {
		return fmt.Errorf("write the history of campaign %s: %w", c, err)
	}
	return nil
}

// History reads what was done to a campaign, the earliest first.
func (l *Ledger) History(ctx context.Context, c ID) ([]Entry, error) {
	lines, err := l.rdb.LRange(ctx, keyHistory(c), -mostHistory, -1).Result()
	if err != nil {
		return nil, fmt.Errorf("read the history of campaign %s: %w", c, err)
	}
	entries := make([]Entry, len(lines))
	for i, line := range lines {
		if err := json.Unmarshal([]byte(line), &entries[i]); err != nil {
			return nil, fmt.Errorf("read the history of campaign %s: line %d: %w", c, i, err)
		}
	}
	return entries, nil
}
