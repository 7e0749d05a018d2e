package campaign

import (
	"encoding/json"
	"time"
)

// Beginning is how a campaign begins. With the zero value it runs at once.
type Beginning struct {
	By   Actor
	Hold bool // paused, until a person resumes it
	// StartAt, if not zero, is when it starts by itself; it is paused until then.
	StartAt time.Time
	// Owner is the key whose campaign it is; empty: none's.
	Owner string
}

// Actor is who steers a campaign, and why.
type Actor struct {
	Name string // a person's login name, a key's name, or handout itself
	Why  string // may be empty
}

// Machine returns handout itself as an actor.
func Machine(why string) Actor { return Actor{Name: "handout", Why: why} }

// Reason returns the words that say why a campaign is in its phase, as in "paused
// by ann: wrong file".
func (a Actor) Reason(verb string) string {
	name, why := Clip(a.Name, MaxActor), Clip(a.Why, MaxWhy)
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
	MaxActor = 64
	MaxWhy   = 500
)

// Clip returns the beginning of a text, at most limit bytes and never part of a
// character.
func Clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && s[limit]&0xc0 == 0x80 { // within a character
		limit--
	}
	return s[:limit]
}

// Entry is a line of a campaign's history: something that was done to the whole
// campaign, by a person or by handout itself.
type Entry struct {
	At   time.Time `json:"at"`
	By   string    `json:"by" example:"billing" doc:"a key's name, a person's login name, or handout"`
	Verb string    `json:"verb" example:"paused"` // submitted, paused, resumed, held, ...
	Why  string    `json:"why,omitempty"`
	// About is what the verb was done with: a rate, a time, how many recipients.
	About string `json:"about,omitempty" example:"1000 recipients"`
}

// Entry returns the line that an action of this actor leaves in the history.
func (a Actor) Entry(at time.Time, verb, about string) Entry {
	return Entry{At: at.UTC().Truncate(time.Millisecond), By: Clip(a.Name, MaxActor), Verb: verb, Why: Clip(a.Why, MaxWhy), About: about}
}

// Encode returns the stored form, JSON.
func (e Entry) Encode() string {
	b, err := json.Marshal(e)
	if err != nil {
		panic(err) // impossible: texts and a time
	}
	return string(b)
}

// Ran returns for how long a campaign ran between two moments, by its history: less
// what it was paused, held, or waiting for its start.
func Ran(history []Entry, from, to time.Time) time.Duration {
	ran, since, runs := time.Duration(0), from, true
	for _, e := range history {
		var now bool
		switch e.Verb {
		case "paused", "held", "rescheduled", "canceled":
			now = false
		case "resumed", "started":
			now = true
		default:
			continue
		}
		at := e.At
		if at.Before(from) {
			at = from
		} else if at.After(to) {
			at = to
		}
		if runs {
			ran += at.Sub(since)
		}
		since, runs = at, now
	}
	if runs {
		ran += to.Sub(since)
	}
	return ran
}
