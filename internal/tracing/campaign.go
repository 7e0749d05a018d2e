package tracing

import (
	"context"
	"time"

	"github.com/handout-dev/handout/campaign"
)

// On reports whether this process traces.
func On() bool { return running.Load() != nil }

// Submitted writes the first span of a campaign's trace, which leads to the request
// whose context ctx is.
func Submitted(ctx context.Context, from time.Time, info *campaign.Info) {
	submitted(ctx, from, info, ofCampaign(info))
}

// SentOff writes the submit of a one-off send, in its recipient's trace.
func SentOff(ctx context.Context, from time.Time, info *campaign.Info, p campaign.Place) {
	submitted(ctx, from, info, ofAttempt(info.Attempt(p, 1)).named("submit"), number("handout.page", p.Page), number("handout.index", p.Index))
}

func submitted(ctx context.Context, from time.Time, info *campaign.Info, s span, more ...attribute) {
	t := running.Load()
	if t == nil {
		return
	}
	w := &written{span: s, name: "submit", from: from, to: time.Now(), about: append([]attribute{
		text("handout.campaign", string(info.ID)), text("handout.account", info.Spec.AccountName()), number("handout.recipients", info.Total),
	}, more...)}
	if by := current(ctx); !by.zero() {
		w.links = []span{by}
	}
	t.put(w)
}

// Feed is the writing of tasks. Nil, while tracing is off, does nothing.
type Feed struct {
	t    *tracer
	span span
	from time.Time
}

// BeginFeed begins to write tasks of a campaign.
func BeginFeed(info *campaign.Info) *Feed {
	t := running.Load()
	if t == nil {
		return nil
	}
	s := ofCampaign(info).child()
	s.sampled = true
	return &Feed{t, s, time.Now()}
}

// Headers are those of the tasks, by which a worker knows what wrote them.
func (f *Feed) Headers() map[string]string {
	if f == nil {
		return nil
	}
	return map[string]string{parent: f.span.String()}
}

// End writes the span of a feed of so many recipients.
func (f *Feed) End(info *campaign.Info, recipients int, err error) {
	if f == nil {
		return
	}
	w := &written{
		span: f.span, parent: ofCampaign(info).id, name: "feed", from: f.from, to: time.Now(),
		about: []attribute{text("handout.campaign", string(info.ID)), number("handout.recipients", recipients)},
	}
	if err != nil {
		w.fault = "the tasks aren't all written"
	}
	f.t.put(w)
}

// Delivered writes a delivery to a webhook, which has answered with this HTTP status; 0
// is no answer.
func Delivered(from time.Time, info *campaign.Info, webhook string, recipients, status int) {
	t := running.Load()
	if t == nil {
		return
	}
	s := ofCampaign(info)
	w := &written{span: s.child(), parent: s.id, name: "webhook", kind: client, from: from, to: time.Now(), about: []attribute{
		text("handout.campaign", string(info.ID)), text("handout.webhook", webhook), number("handout.recipients", recipients),
		number("http.response.status_code", status),
	}}
	if status < 200 || status > 299 {
		w.fault = "not taken"
	}
	t.put(w)
}
