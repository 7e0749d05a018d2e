package api

import (
	"context"
	"strings"
	"time"

	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/web/access"
)

func (a *API) registerWebhooks() {
	add(a, a.operation("list-webhooks", "GET /webhooks", access.Read, "List the webhooks",
		"The URLs that receive what becomes of campaigns, each with its latest delivery.", invalid), a.webhooks)
	op := a.operation("add-webhook", "POST /webhooks", access.Control, "Add a webhook",
		"It receives what happens from now on. The answer has the secret that signs its events, once. The URL is checked at once: one that leads to a "+
			"private address is refused, and what can't be reached now is added with a note. With `phones` it takes the scope people, too.",
		malformed, tooLarge, mediaType, invalid)
	op.DefaultStatus = 201
	add(a, op, a.addWebhook)
	add(a, a.operation("test-webhook", "POST /webhooks/{webhook}/test", access.Control, "Send a webhook an event without content",
		"From the console's machine. The answer is the delivery, also one that the webhook didn't take.", notFound, invalid), a.testWebhook)
	add(a, a.operation("list-deliveries", "GET /webhooks/{webhook}/deliveries", access.Read, "List the latest deliveries to a webhook",
		"At most 100, the latest first.", notFound, invalid), a.deliveries)
	add(a, a.operation("rotate-webhook", "POST /webhooks/{webhook}/rotate", access.Control, "Give a webhook another secret",
		"The answer has it, once. Until `overlap_until` each event has a signature by the old secret, too.", malformed, tooLarge, mediaType, notFound, invalid), a.rotateWebhook)
	add(a, a.operation("remove-webhook", "DELETE /webhooks/{webhook}", access.Control, "Remove a webhook",
		"It receives nothing more, and events that wait for it are discarded.", notFound, invalid), a.removeWebhook)
}

// Webhook is another app's URL that receives what becomes of campaigns.
type Webhook struct {
	ID        string     `json:"id" example:"k3v7q2m5abcd"`
	URL       string     `json:"url" example:"https://shop.example/handout" doc:"without its query, which may be a secret"`
	Events    []string   `json:"events" nullable:"false" example:"[\"campaign\",\"recipients\"]"`
	Campaigns string     `json:"campaigns" example:"order-history-" doc:"only of campaigns whose ids begin so; empty: all"`
	Phones    bool       `json:"phones" doc:"it receives phone numbers"`
	CreatedAt time.Time  `json:"created_at"`
	State     string     `json:"state" example:"ok" doc:"ok; the last delivery failed, with why; failing since, for three days or more; gone since, when it answered 410"`
	Dropped   int        `json:"dropped" minimum:"0" doc:"outcomes and changes that it never received"`
	Overlap   *time.Time `json:"overlap_until,omitempty" doc:"until then the secret before its rotation signs, too; left out: it no longer does"`
	Last      *Delivery  `json:"last_delivery,omitempty" doc:"the latest one; left out: none was made yet"`
}

// Delivery is a request to a webhook, and what came of it.
type Delivery struct {
	At         time.Time `json:"at"`
	Message    string    `json:"message" example:"msg_K3V7Q2M5" doc:"the webhook-id"`
	Type       string    `json:"type" example:"recipients"`
	Campaign   string    `json:"campaign,omitempty" example:"order-history-2026-11"`
	Recipients int       `json:"recipients" minimum:"0"`
	Status     int       `json:"status" minimum:"0" example:"200" doc:"HTTP; 0: no answer"`
	Error      string    `json:"error,omitempty" example:"connection refused" doc:"why it wasn't taken"`
	TookMS     int64     `json:"took_ms" minimum:"0"`
	Attempt    int       `json:"attempt" minimum:"1"`
}

func newDelivery(d *operations.Delivery) *Delivery {
	if d == nil {
		return nil
	}
	return &Delivery{d.At, d.Message, d.Type, string(d.Campaign), d.Count, d.Status, d.Error, d.TookMS, d.Attempt}
}

// Webhooks are all webhooks.
type Webhooks struct {
	Webhooks []Webhook `json:"webhooks" nullable:"false"`
}

func (a *API) webhooks(ctx context.Context, _ *struct{}) (*Webhooks, error) {
	all, err := a.ops.Webhooks(ctx)
	out := &Webhooks{Webhooks: make([]Webhook, len(all))}
	for i, w := range all {
		out.Webhooks[i] = Webhook{w.ID, w.URL, append([]string{}, w.Events...), w.Campaigns, w.Phones, w.Created, w.State, w.Dropped, nil, newDelivery(w.Last)}
		if !w.Overlap.IsZero() {
			out.Webhooks[i].Overlap = &w.Overlap
		}
	}
	return out, err
}

// NewWebhook is a webhook to add.
type NewWebhook struct {
	URL       string   `json:"url" maxLength:"2000" example:"https://shop.example/handout"`
	Events    []string `json:"events,omitempty" enum:"campaign,recipients" example:"[\"campaign\",\"recipients\"]" doc:"campaign: when a campaign's state changes; recipients: when people have their outcome, or another one. Left out: both"`
	Campaigns string   `json:"campaigns,omitempty" maxLength:"48" example:"order-history-" doc:"only of campaigns whose ids begin so"`
	Phones    bool     `json:"phones,omitempty" doc:"send it phone numbers"`
}

// AddedWebhook is a webhook that was just added.
type AddedWebhook struct {
	ID     string `json:"id" example:"k3v7q2m5abcd"`
	Secret string `json:"secret" example:"whsec_…" doc:"signs its events; it can't be shown again"`
	Note   string `json:"note,omitempty" example:"it can't be reached from here now: no answer in time"`
}

func (a *API) addWebhook(ctx context.Context, in *struct{ Body NewWebhook }) (*AddedWebhook, error) {
	b := in.Body
	if b.Phones {
		if err := caller(ctx).Require(access.People); err != nil {
			return nil, problem(forbidden, err.Error())
		}
	}
	if len(b.Events) == 0 {
		b.Events = []string{"campaign", "recipients"}
	}
	added, err := a.ops.AddWebhook(ctx, operations.NewWebhook{URL: b.URL, Events: strings.Join(b.Events, ","), Campaigns: b.Campaigns, Phones: b.Phones})
	if err != nil {
		return nil, err
	}
	return &AddedWebhook{added.ID, added.Secret, added.Note}, nil
}

// WebhookPath is a request about one webhook.
type WebhookPath struct {
	Webhook string `path:"webhook" maxLength:"32" example:"k3v7q2m5abcd"`
}

func (a *API) testWebhook(ctx context.Context, in *WebhookPath) (*Delivery, error) {
	d, err := a.ops.TestWebhook(ctx, in.Webhook)
	if err != nil && (d == nil || operations.KindOf(err) != operations.Refused) {
		return nil, err
	}
	return newDelivery(d), nil // what it didn't take is an answer, too
}

// Deliveries are the latest to a webhook.
type Deliveries struct {
	Deliveries []*Delivery `json:"deliveries" nullable:"false"`
}

func (a *API) deliveries(ctx context.Context, in *WebhookPath) (*Deliveries, error) {
	log, err := a.ops.WebhookLog(ctx, in.Webhook)
	out := &Deliveries{Deliveries: make([]*Delivery, len(log))}
	for i := range log {
		out.Deliveries[i] = newDelivery(&log[i])
	}
	return out, err
}

// RotateWebhook is how a webhook's secret is replaced.
type RotateWebhook struct {
	Overlap string `json:"overlap,omitempty" default:"24h" maxLength:"16" example:"24h" doc:"for how long the old secret signs, too: 0s to 720h"`
}

// RotatedWebhook is a webhook with another secret.
type RotatedWebhook struct {
	ID      string    `json:"id" example:"k3v7q2m5abcd"`
	Secret  string    `json:"secret" example:"whsec_…" doc:"signs its events; it can't be shown again"`
	Overlap time.Time `json:"overlap_until" doc:"until then the old secret signs, too"`
}

func (a *API) rotateWebhook(ctx context.Context, in *struct {
	WebhookPath
	Body *RotateWebhook
}) (*RotatedWebhook, error) {
	text := "24h"
	if in.Body != nil {
		text = in.Body.Overlap
	}
	overlap, err := time.ParseDuration(text)
	if err != nil {
		return nil, problem(invalid, "", Fault{Field: "overlap", Message: "it must be a duration as in 24h"})
	}
	secret, until, err := a.ops.RotateWebhook(ctx, in.Webhook, overlap)
	if err != nil {
		return nil, err
	}
	return &RotatedWebhook{in.Webhook, secret, until}, nil
}

// RemovedWebhook is a webhook that receives nothing more.
type RemovedWebhook struct {
	ID string `json:"id" example:"k3v7q2m5abcd"`
}

func (a *API) removeWebhook(ctx context.Context, in *WebhookPath) (RemovedWebhook, error) {
	return RemovedWebhook{in.Webhook}, a.ops.RemoveWebhook(ctx, in.Webhook)
}
