package tracing

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/handout-dev/handout/campaign"
)

// Attempt is an attempt to send on its way. Nil, while tracing is off, does nothing.
type Attempt struct {
	t          *tracer
	feed       span      // that wrote the task; the zero span if not known
	from, last time.Time // the beginning, and the end of the latest step
	steps      [maxSteps]step
	n          int
	info       *campaign.Info // nil: nothing is claimed
	of         campaign.Attempt
	span       span
}

// maxSteps are slot, claim, wait and post.
const maxSteps = 4

type step struct {
	name     string
	from, to time.Time
}

// Begin begins an attempt by a task, whose context ctx is.
func Begin(ctx context.Context) *Attempt {
	t := running.Load()
	if t == nil {
		return nil
	}
	now := time.Now()
	return &Attempt{t: t, feed: current(ctx), from: now, last: now}
}

// Step ends a step that began when the one before ended.
func (a *Attempt) Step(name string) {
	if a == nil || a.n == maxSteps {
		return
	}
	now := time.Now()
	a.steps[a.n] = step{name, a.last, now}
	a.n, a.last = a.n+1, now
}

// Claimed says whose attempt it is, and returns ctx as that of its span.
func (a *Attempt) Claimed(ctx context.Context, info *campaign.Info, p campaign.Place, number int) context.Context {
	if a == nil {
		return ctx
	}
	a.info, a.of = info, info.Attempt(p, number)
	a.span = ofAttempt(a.of)
	a.span.sampled = a.span.within(a.t.share)
	return with(ctx, a.span)
}

// End writes the spans of an attempt of which this has become, if its recipient belongs
// to the share, or it has gone wrong.
func (a *Attempt) End(now campaign.Record) {
	if a == nil || a.info == nil || !a.span.sampled && !troubled(now.State) {
		return
	}
	links := []span{ofCampaign(a.info)}
	if !a.feed.zero() {
		links = append(links, a.feed)
	}
	if a.of.Number > 1 {
		before := a.of
		before.Number--
		links = append(links, ofAttempt(before))
	}
	for _, s := range a.steps[:a.n] {
		w := &written{span: a.span.named(s.name + " " + strconv.Itoa(a.of.Number)), parent: a.span.id, name: s.name, from: s.from, to: s.to}
		if s.name == "post" {
			w.kind = client
		}
		a.t.put(w)
	}
	a.t.put(&written{
		span: a.span, name: "send", from: a.from, to: time.Now(), links: links, about: about(a.info, a.of, &now), fault: fault(&now),
	})
}

// Changed writes a span of this name for what made a recipient's record what it is now:
// a receipt, an answer, or time that has passed. was is the state before. It writes
// nothing for who doesn't belong to the share and whom nothing has gone wrong for.
func Changed(ctx context.Context, name string, from time.Time, info *campaign.Info, p campaign.Place, was campaign.State, now campaign.Record) {
	t := running.Load()
	if t == nil || now.Attempt == 0 {
		return
	}
	of := info.Attempt(p, now.Attempt)
	send := ofAttempt(of)
	send.sampled = send.within(t.share)
	if !send.sampled && !troubled(now.State) && !troubled(was) {
		return
	}
	if !send.sampled && !troubled(was) {
		// Its worker didn't know that it would go wrong, and wrote none.
		t.put(&written{
			span: send, name: "send", from: now.ClaimedAt, to: now.ClaimedAt, links: []span{ofCampaign(info)},
			about: append(about(info, of, &now), text("handout.from", "record")), fault: fault(&now),
		})
	}
	w := &written{span: send.child(), parent: send.id, name: name, from: from, to: time.Now(), about: about(info, of, &now), fault: fault(&now)}
	if by := current(ctx); !by.zero() && by.trace != send.trace {
		w.links = []span{by}
	}
	t.put(w)
}

// Of returns ctx as that of the span of an attempt: lines of the log lead to it.
func Of(ctx context.Context, info *campaign.Info, p campaign.Place, attempt int) context.Context {
	if running.Load() == nil {
		return ctx
	}
	return with(ctx, ofAttempt(info.Attempt(p, attempt)))
}

// troubled reports whether who is in this state is always traced.
func troubled(s campaign.State) bool {
	switch s {
	case campaign.InDoubt, campaign.Failed, campaign.Refused, campaign.Unconfirmed:
		return true
	}
	return false
}

func about(info *campaign.Info, of campaign.Attempt, now *campaign.Record) []attribute {
	all := []attribute{
		text("handout.campaign", string(info.ID)), text("handout.account", info.Spec.AccountName()),
		number("handout.page", of.Place.Page), number("handout.index", of.Place.Index), number("handout.attempt", of.Number),
		text("handout.state", now.State.String()),
	}
	if now.Status.Code != 0 {
		all = append(all, number("handout.code", now.Status.Code))
	}
	if reason := now.Reason.String(); reason != "" {
		all = append(all, text("handout.reason", reason))
	}
	var legs []string
	for _, l := range info.Spec.Legs(nil, now) {
		legs = append(legs, l.Channel+" "+strconv.Itoa(l.Code))
	}
	if len(legs) > 0 {
		all = append(all, text("handout.channels", strings.Join(legs, ", ")))
	}
	return all
}

// fault says what has gone wrong; nothing: empty.
func fault(now *campaign.Record) string {
	if !troubled(now.State) {
		return ""
	}
	return strings.TrimSpace(now.State.String() + " " + now.Reason.String())
}
