package audit

import (
	"context"
	"time"

	"github.com/handout-dev/handout/internal/web/access"
)

const (
	// maxRefusals is how many refusals of one source have an entry each in a minute;
	// of those beyond, each one that doubles their number.
	maxRefusals = 10
	// maxSources is how many sources are told apart in a minute.
	maxSources = 100
)

// refusals counts the refusals of a minute by their source, so that who asks in a loop
// doesn't push everything else out of the trace.
type refusals struct {
	minute time.Time
	counts map[string]int
}

// count counts one more of a source, and reports whether it has an entry.
func (r *refusals) count(source string, now time.Time) (n int, listed bool) {
	if minute := now.Truncate(time.Minute); !minute.Equal(r.minute) {
		r.minute, r.counts = minute, make(map[string]int)
	}
	if r.counts[source] == 0 && len(r.counts) >= maxSources {
		source = "" // all others together
	}
	r.counts[source]++
	n = r.counts[source]
	if n <= maxRefusals {
		return n, true
	}
	over := n / maxRefusals
	return n, n%maxRefusals == 0 && over&(over-1) == 0
}

// Refuse appends an entry of something that was refused, unless its source has many in
// this minute. The source is the address, else the caller.
func (l *Log) Refuse(ctx context.Context, e Entry) error {
	source := e.From
	if source == "" {
		source = e.Who
	}
	l.mu.Lock()
	n, listed := l.refusals.count(source, time.Now())
	l.mu.Unlock()
	if !listed {
		return nil
	}
	e.Result = Refused
	if n > maxRefusals {
		e.Count = n
	}
	return l.Write(ctx, e)
}

// RefuseLogin is Refuse for a request whose key, or session, isn't good. name is what
// its key claims.
func (l *Log) RefuseLogin(ctx context.Context, from, name string, why error) error {
	return l.Refuse(ctx, Entry{Who: name, Via: "none", From: from, Verb: "log in", Why: why.Error()})
}

// Login appends the entry of a browser's user who has logged in, with what they may do.
func (l *Log) Login(ctx context.Context, key *access.Key) error {
	return l.Write(ctx, Of(access.With(ctx, key), "log in", "with "+access.Join(key.Scopes, ", "), "", ""))
}
