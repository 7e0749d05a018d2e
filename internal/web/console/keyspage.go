package console

import (
	"strings"
	"time"

	"github.com/handout-dev/handout/internal/web/access"
)

func (c *Console) keyRoutes() {
	c.page("GET /keys", access.All, c.keys)
	c.page("POST /keys", access.All, c.createKey) // shows the key, once, and goes nowhere
	c.page("GET /keys/{name}/revoke", access.All, c.askRevoke)
	c.form("POST /keys/{name}/revoke", access.All, c.revokeKey)
}

// keysPage is all keys.
type keysPage struct {
	Rows   []keyRow
	Scopes []access.Scope
	Made   string // the name of the key that was just made
	Token  string // which is shown once
}

type keyRow struct {
	access.Key
	Scopes, Used string
	Mine         bool
}

func keyRowOf(v *visit, k access.Key) keyRow {
	row := keyRow{k, access.Join(k.Scopes, ", "), "never", k.Name == v.key.Name}
	if !k.LastUsed.IsZero() {
		row.Used = k.LastUsed.Format(time.DateOnly)
	}
	return row
}

func (c *Console) keys(v *visit) (string, any, error) {
	p, err := c.keysPage(v)
	return "keys", p, err
}

func (c *Console) keysPage(v *visit) (*keysPage, error) {
	keys, err := c.ops.Keys(v.Context())
	p := &keysPage{Scopes: access.Scopes()}
	for _, k := range keys {
		p.Rows = append(p.Rows, keyRowOf(v, k))
	}
	return p, err
}

func (c *Console) createKey(v *visit) (string, any, error) {
	name := strings.TrimSpace(v.PostFormValue("name"))
	token, err := c.ops.CreateKey(v.Context(), name, strings.Join(v.PostForm["scope"], ","))
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
	if err != nil {
		return "", nil, err
	}
	return "revoke", keyRowOf(v, *k), nil
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
