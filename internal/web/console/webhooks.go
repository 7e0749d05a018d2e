package console

import (
	"strings"
	"time"

	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/web/access"
)

type webhooksPage struct {
	Rows  []operations.Webhook
	Added *operations.AddedWebhook // was just added; its secret is shown this once
	May   bool
}

func (c *Console) webhooks(v *visit) (string, any, error) {
	all, err := c.ops.Webhooks(v.Context())
	return "webhooks", &webhooksPage{Rows: all, May: v.may(access.Control)}, err
}

func (c *Console) addWebhook(v *visit) (string, any, error) {
	v.comesBack("add", c.webhooks, "url", "event", "campaigns", "phones")
	w := operations.NewWebhook{
		URL: strings.TrimSpace(v.PostFormValue("url")), Events: strings.Join(v.PostForm["event"], ","),
		Campaigns: strings.TrimSpace(v.PostFormValue("campaigns")), Phones: v.PostFormValue("phones") != "",
	}
	if err := v.key.Require(access.People); w.Phones && err != nil {
		return "", nil, wrong("phones", sentence(err.Error()))
	}
	if w.Events == "" {
		return "", nil, wrong("event", "Choose what it is told.")
	}
	added, err := c.ops.AddWebhook(v.Context(), w)
	if err != nil {
		return "", nil, err
	}
	c.o.Logger.Info("a webhook was added", "webhook", added.ID, "by", v.key.Name)
	name, data, err := c.webhooks(v)
	if page, ok := data.(*webhooksPage); ok {
		page.Added = added
	}
	return name, data, err
}

// webhookPage is one webhook with its latest deliveries.
type webhookPage struct {
	operations.Webhook
	Log     []operations.Delivery
	May     bool
	Rotated string // the secret that it was just given, shown this once
}

func (c *Console) webhook(v *visit) (string, any, error) {
	id := v.PathValue("webhook")
	log, err := c.ops.WebhookLog(v.Context(), id)
	if err != nil {
		return "", nil, err
	}
	all, err := c.ops.Webhooks(v.Context())
	if err != nil {
		return "", nil, err
	}
	for _, w := range all {
		if w.ID == id {
			return "webhook", &webhookPage{Webhook: w, Log: log, May: v.may(access.Control)}, nil
		}
	}
	return "", nil, errNoPage // it was removed a moment ago
}

// pageOverlap is for how long a webhook's secret before signs, too, after a rotation on
// its page: time to give the app the new one.
const pageOverlap = 24 * time.Hour

func (c *Console) rotateWebhook(v *visit) (string, any, error) {
	id := v.PathValue("webhook")
	secret, _, err := c.ops.RotateWebhook(v.Context(), id, pageOverlap)
	if err != nil {
		return "", nil, err
	}
	c.o.Logger.Info("a webhook has another secret", "webhook", id, "by", v.key.Name)
	name, data, err := c.webhook(v)
	if page, ok := data.(*webhookPage); ok {
		page.Rotated = secret
	}
	return name, data, err
}

func (c *Console) testWebhook(v *visit) (string, error) {
	id := v.PathValue("webhook")
	d, err := c.ops.TestWebhook(v.Context(), id)
	switch {
	case d != nil && operations.KindOf(err) == operations.Refused:
		v.flash("It didn't take the test: " + d.Error + ".")
	case err != nil:
		return "", err
	default:
		v.flash("It took the test.")
	}
	return "/webhooks/" + id, nil
}

func (c *Console) removeWebhook(v *visit) (string, error) {
	id := v.PathValue("webhook")
	if err := c.ops.RemoveWebhook(v.Context(), id); err != nil {
		return "", err
	}
	c.o.Logger.Info("a webhook was removed", "webhook", id, "by", v.key.Name)
	v.flash("The webhook is removed: it is told nothing any more.")
	return "/webhooks", nil
}
