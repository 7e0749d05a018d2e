package api

import (
	"context"
	"time"

	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/web/access"
)

func (a *API) registerTemplates() {
	add(a, a.operation("list-templates", "GET /templates", access.Read, "List an account's templates",
		"As Telesign lists them, at most a minute ago; the predefined ones (text, file, image and so on) aren't among them. Where Telesign can't be "+
			"asked, `problem` says why, and the list is the last that is known.", invalid), a.templates)
	add(a, a.operation("get-template", "GET /templates/{channel}/{name}", access.Read, "Ask for one template",
		"What it is, and the parameters that a message must have.", notFound, invalid), a.template)
}

// Templates are those of the account.
type Templates struct {
	Templates []Template `json:"templates" nullable:"false"`
	At        *time.Time `json:"at,omitempty" doc:"when Telesign listed them; left out: never, or not that handout knows"`
	Problem   string     `json:"problem,omitempty" doc:"why Telesign can't be asked now"`
}

// Template is one template.
type Template struct {
	Name       string   `json:"name" example:"order_ready"`
	Channel    string   `json:"channel" example:"whatsapp"`
	Type       string   `json:"type" example:"verified" doc:"verified or standard; on WhatsApp only a verified one may begin a conversation"`
	Category   string   `json:"category" example:"utility" doc:"marketing, utility, authentication or 1way"`
	Language   string   `json:"language" example:"en_US"`
	Status     string   `json:"status" example:"Approved" doc:"Telesign's word, or WhatsApp's"`
	Parameters []string `json:"mandatory_parameters" nullable:"false" example:"[\"header_url\",\"body_text_1\"]" doc:"those that a message must have"`
}

func newTemplate(t operations.Template) Template {
	return Template{t.Name, t.Channel, t.Type, t.Category, t.Language, t.Status, append([]string{}, t.MandatoryParameters...)}
}

func (a *API) templates(ctx context.Context, in *AccountQuery) (*Templates, error) {
	list, err := a.ops.Templates(ctx, in.account())
	if err != nil {
		return nil, err
	}
	out := &Templates{Templates: make([]Template, len(list.Templates)), At: when(list.At), Problem: list.Problem}
	for i, t := range list.Templates {
		out.Templates[i] = newTemplate(t)
	}
	return out, nil
}

type templateInput struct {
	AccountQuery
	Channel string `path:"channel" enum:"whatsapp,sms"`
	Name    string `path:"name" minLength:"1" maxLength:"512" example:"order_ready"`
}

func (a *API) template(ctx context.Context, in *templateInput) (Template, error) {
	t, err := a.ops.Template(ctx, in.account(), in.Channel, in.Name)
	if err != nil {
		return Template{}, err
	}
	return newTemplate(*t), nil
}
