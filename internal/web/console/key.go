package console

import (
	"strings"
	"time"

	"github.com/handout-dev/handout/internal/audit"
	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/web/access"
)

type keysPage struct {
	Rows   []access.Key
	Scopes []access.Scope
	Made   string // the name of the key that was just made
	Token  string // which is shown once
}

// Limits are a key's limits in words.
func (*keysPage) Limits(k access.Key) string {
	words := operations.KeyWords(&k)
	if !k.EndsAt.IsZero() {
		words = append(words, "until "+k.EndsAt.Format("2006-01-02 15:04 UTC"))
	}
	if k.Overlap.After(time.Now()) {
		words = append(words, "two secrets until "+k.Overlap.Format("2006-01-02 15:04 UTC"))
	}
	return strings.Join(words, ", ")
}

func (c *Console) keys(v *visit) (string, any, error) {
	p, err := c.keysPage(v)
	return "keys", p, err
}

func (c *Console) keysPage(v *visit) (*keysPage, error) {
	keys, err := c.ops.Keys(v.Context())
	return &keysPage{Rows: keys, Scopes: access.Scopes()}, err
}

func (c *Console) createKey(v *visit) (string, any, error) {
	v.comesBack("create", c.keys, "name", "scope", "campaigns")
	name := strings.TrimSpace(v.PostFormValue("name"))
	scopes, campaigns := strings.Join(v.PostForm["scope"], ","), v.PostFormValue("campaigns")
	change := operations.KeyChange{Scopes: &scopes}
	if campaigns != "" {
		change.Campaigns = &campaigns
	}
	token, err := c.ops.CreateKey(v.Context(), name, change)
	if err != nil {
		return "", nil, err
	}
	c.o.Logger.Info("a key was made", "key", name, "by", v.key.Name)
	p, err := c.keysPage(v)
	p.Made, p.Token = name, token
	return "keys", p, err
}

func (c *Console) askRevoke(v *visit) (string, any, error) {
	k, err := c.ops.Key(v.Context(), v.PathValue("name"))
	return "revoke", k, err
}

func (c *Console) revokeKey(v *visit) (string, error) {
	name := v.PathValue("name")
	if err := c.ops.RevokeKey(v.Context(), name); err != nil {
		return "", err
	}
	c.o.Logger.Info("a key was revoked", "key", name, "by", v.key.Name)
	v.flash("The key " + name + " is revoked: the next request with it is refused.")
	return "/keys", nil
}

// entriesOnPage is how many entries of the audit trail a page shows.
const entriesOnPage = 100

type auditPage struct {
	Entries []audit.Entry
	Next    string
}

func (c *Console) audit(v *visit) (string, any, error) {
	before, ok := audit.ParsePlace(v.URL.Query().Get("before"))
	if !ok {
		return "", nil, errNoPage
	}
	entries, next, err := c.o.Audit.Latest(v.Context(), before, entriesOnPage)
	return "audit", auditPage{entries, string(next)}, err
}
