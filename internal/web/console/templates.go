package console

import "github.com/handout-dev/handout/internal/operations"

type templatesPage struct{ *operations.TemplateList }

func (c *Console) templates(v *visit) (string, any, error) {
	return "templates", templatesPage{c.ops.Templates(v.Context())}, nil
}
