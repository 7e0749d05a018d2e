package operations

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/webhook"
	"github.com/handout-dev/handout/internal/webhook/outbox"
)

// Webhook is another app's URL that receives events, as it may be shown.
type Webhook struct {
	ID        string    `json:"id"`
	URL       string    `json:"url"` // without its query, which may be a secret
	Events    []string  `json:"events"`
	Campaigns string    `json:"campaigns"` // a prefix; empty: all
	Phones    bool      `json:"phones"`
	Created   time.Time `json:"created"`
	State     string    `json:"state"`   // ok, the last delivery failed, failing since, gone since
	Last      *Delivery `json:"last"`    // the latest delivery; null: none was made
	Dropped   int       `json:"dropped"` // outcomes and changes that it never received
	// Overlap is until when the secret before the latest rotation signs, too; zero: it
	// no longer does.
	Overlap time.Time `json:"overlap,omitzero"`
}

// Delivery is a line of a webhook's log.
type Delivery = outbox.Delivery

// NewWebhook is a webhook to add.
type NewWebhook struct {
	URL       string
	Events    string // separated by commas
	Campaigns string // the prefix of their IDs; empty: all
	Phones    bool   // send it phone numbers
}

// AddedWebhook is a webhook that was just added.
type AddedWebhook struct {
	ID     string
	Secret string // signs its events; it can't be shown again
	Note   string // why it can't be reached now; empty: a connection was made
}

// allowPrivate says how a URL that is refused can be allowed.
const allowPrivate = "%s; HANDOUT_WEBHOOK_ALLOW_PRIVATE=true allows private addresses and http, here and for the workers"

// AddWebhook adds a webhook, which receives what happens from then on. Its URL is checked
// at once: one that leads to a private address is refused, and one that can't be reached
// is added with a note. Errors: Refused.
func (o *Operations) AddWebhook(ctx context.Context, w NewWebhook) (*AddedWebhook, error) {
	events, err := webhook.ParseEvents(w.Events)
	if err != nil {
		return nil, refuse(Refused, "events", err)
	}
	if _, err := campaign.ParseID(w.Campaigns); err != nil && w.Campaigns != "" {
		return nil, refuse(Refused, "campaigns", err)
	}
	switch err := webhook.CheckURL(w.URL, o.o.PrivateWebhooks); {
	case errors.Is(err, webhook.ErrInsecure):
		return nil, refusef(Refused, "url", allowPrivate, err)
	case err != nil:
		return nil, refuse(Refused, "url", err)
	}
	if _, err := o.ledger.Outbox().Endpoints(ctx); err != nil { // before the network is asked
		return nil, err
	}
	client := webhook.NewClient(o.o.PrivateWebhooks, o.o.Route)
	defer client.Close()
	added := new(AddedWebhook)
	switch err := client.Reach(ctx, w.URL); {
	case errors.Is(err, webhook.ErrPrivate):
		return nil, refusef(Refused, "url", allowPrivate, "it leads to a private address")
	case err != nil:
		added.Note = "it can't be reached from here now: " + err.Error()
	}
	e := webhook.New(w.URL, events, w.Campaigns, w.Phones, now())
	added.ID, added.Secret = e.ID, e.Secret.Reveal()
	return added, o.traced(ctx, "add", "webhook "+e.ID+" at "+hostOf(w.URL), campaign.Actor{}, func() error { return o.ledger.Outbox().Add(ctx, e) })
}

// hostOf is a URL's host alone: the rest may be a secret.
func hostOf(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return u.Host
}

// Webhooks returns all webhooks, sorted by ID.
func (o *Operations) Webhooks(ctx context.Context) ([]Webhook, error) {
	box := o.ledger.Outbox()
	endpoints, err := box.Endpoints(ctx)
	if err != nil {
		return nil, err
	}
	failing, err := box.Failing(ctx)
	if err != nil {
		return nil, err
	}
	dropped, err := box.CountDiscarded(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]Webhook, len(endpoints.All))
	for i, e := range endpoints.All {
		log, err := box.Deliveries(ctx, e.ID)
		if err != nil {
			return nil, err
		}
		var last *Delivery
		if len(log) > 0 {
			last = &log[0]
		}
		all[i] = Webhook{
			ID: e.ID, URL: webhook.ShowURL(e.URL), Events: e.Events, Campaigns: e.Prefix, Phones: e.Phones,
			Created: e.CreatedAt, State: stateOf(&e, failing[e.ID], last), Last: last, Dropped: dropped[e.ID],
		}
		if now().Before(e.Overlap) {
			all[i].Overlap = e.Overlap
		}
	}
	return all, nil
}

// stateOf says whether a webhook takes its events, by its last delivery; failing is since
// when it took none, or zero.
func stateOf(e *outbox.Endpoint, failing time.Time, last *Delivery) string {
	state := "ok"
	switch {
	case !e.GoneAt.IsZero():
		return "gone since " + e.GoneAt.Format(time.RFC3339)
	case !failing.IsZero():
		state = "failing since " + failing.Format(time.RFC3339)
	case last != nil && last.Error != "":
		state = "the last delivery failed"
	}
	if last != nil && last.Error != "" {
		state += ": " + last.Error
	}
	return state
}

func (o *Operations) endpoint(ctx context.Context, id string) (*outbox.Endpoint, error) {
	endpoints, err := o.ledger.Outbox().Endpoints(ctx)
	if err != nil {
		return nil, err
	}
	if e := endpoints.Find(id); e != nil {
		return e, nil
	}
	return nil, fmt.Errorf("webhook %s: %w", id, outbox.ErrNotFound)
}

// RotateWebhook gives a webhook another secret, and returns it: it can't be shown again.
// Until then, overlap from now, each event has a signature by the old one, too. Errors: NotFound,
// Refused.
func (o *Operations) RotateWebhook(ctx context.Context, id string, overlap time.Duration) (secret string, until time.Time, err error) {
	if overlap < 0 || overlap > MaxOverlap {
		return "", until, refusef(Refused, "overlap", "must be 0s to %s", campaign.FormatDuration(MaxOverlap))
	}
	another, at := webhook.NewSecret(), now()
	return another.Reveal(), at.Add(overlap).UTC(), o.traced(ctx, "rotate webhook", id+", overlap "+campaign.FormatDuration(overlap), campaign.Actor{}, func() error {
		return o.ledger.Outbox().Rotate(ctx, id, another, overlap, at)
	})
}

// RemoveWebhook ends a webhook: it receives nothing any more. Errors: NotFound.
func (o *Operations) RemoveWebhook(ctx context.Context, id string) error {
	return o.traced(ctx, "remove", "webhook "+id, campaign.Actor{}, func() error { return o.ledger.Outbox().Remove(ctx, id) })
}

// TestWebhook sends a webhook one event without content, from this machine, and logs
// the delivery. The error says so if the webhook didn't accept it. Errors: NotFound.
func (o *Operations) TestWebhook(ctx context.Context, id string) (*Delivery, error) {
	e, err := o.endpoint(ctx, id)
	if err != nil {
		return nil, err
	}
	client := webhook.NewClient(o.o.PrivateWebhooks, o.o.Route)
	defer client.Close()
	d, err := webhook.Test(ctx, o.ledger.Outbox(), client, e, now())
	if err == nil && d.Error != "" {
		err = refusef(Refused, "", "webhook %s didn't accept it: %s", id, d.Error)
	}
	return &d, err
}

// WebhookLog returns the latest deliveries to a webhook, the latest first. Errors:
// NotFound.
func (o *Operations) WebhookLog(ctx context.Context, id string) ([]Delivery, error) {
	e, err := o.endpoint(ctx, id)
	if err != nil {
		return nil, err
	}
	return o.ledger.Outbox().Deliveries(ctx, e.ID)
}
