package console

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/handout-dev/handout/internal/web/access"
)

// Keys are made and ended by keys that have all scopes: whoever may do everything
// may hand it on. Any lesser rule would let a key make a better one for itself.

func (c *Console) keyRoutes() {
	c.page("GET /keys", access.Read, c.keys)
	c.page("POST /keys", access.Read, c.createKey) // shows the key, once, and goes nowhere
	c.page("GET /keys/{name}/revoke", access.Read, c.askRevoke)
	c.form("POST /keys/{name}/revoke", access.Read, c.revokeKey)
}

var errNotAll = refuse(http.StatusForbidden, "Keys are made and revoked by keys that have all scopes: read, submit, control and people. Whoever runs handout has the command: handout key.")

// keysPage is all keys.
type keysPage struct {
	Rows   []keyRow
	Scopes []scopeRow
	Made   string // the name of the key that was just made
	Token  string // which is shown once
}

type keyRow struct {
	Name, Scopes string
	Created      time.Time
	Used         string
	Mine         bool
}

type scopeRow struct{ Name, About string }

var scopeRows = []scopeRow{
	{string(access.Read), "campaigns, outcomes, exports; phone numbers masked"},
	{string(access.Submit), "new campaigns, lists, one-off sends"},
	{string(access.Control), "start, pause, resume, cancel, send again, suppress"},
	{string(access.People), "phone numbers unmasked, wherever others see them masked"},
}

func (c *Console) keysPage(v *visit) (keysPage, error) {
	p := keysPage{Scopes: scopeRows}
	keys, err := c.o.Gate.Keys.List(v.Context())
	if err != nil {
		return p, err
	}
	for _, k := range keys {
		names := make([]string, len(k.Scopes))
		for i, s := range k.Scopes {
			names[i] = string(s)
		}
		row := keyRow{Name: k.Name, Scopes: strings.Join(names, ", "), Created: k.CreatedAt, Used: "never", Mine: k.Name == v.key.Name}
		if !k.LastUsed.IsZero() {
			row.Used = k.LastUsed.Format(time.DateOnly)
		}
		p.Rows = append(p.Rows, row)
	}
	return p, nil
}

func (c *Console) keys(v *visit) (string, any, error) {
	if !v.key.MayAll() {
		return "", nil, errNotAll
	}
	p, err := c.keysPage(v)
	return "keys", p, err
}

func (c *Console) createKey(v *visit) (string, any, error) {
	if !v.key.MayAll() {
		return "", nil, errNotAll
	}
	v.Body = http.MaxBytesReader(v.w, v.Body, maxForm)
	if err := badForm(v.ParseForm()); err != nil {
		return "", nil, err
	}
	scopes, err := access.ParseScopes(strings.Join(v.PostForm["scope"], ","))
	if err != nil {
		return "", nil, refuse(http.StatusUnprocessableEntity, "Choose what the key may do. No key was made.")
	}
	name := strings.TrimSpace(v.PostFormValue("name"))
	token, err := c.o.Gate.Keys.Create(v.Context(), name, scopes, time.Now())
	switch {
	case errors.Is(err, access.ErrBadName):
		return "", nil, refuse(http.StatusUnprocessableEntity, "No key was made: %s.", access.ErrBadName.Error())
	case errors.Is(err, access.ErrExists):
		return "", nil, refuse(http.StatusConflict, "No key was made: there is a key %s already. One that was just made can't be shown again; revoke it, and make another.", name)
	case err != nil:
		return "", nil, err
	}
	c.o.Logger.Info("a key was made", "key", name, "by", v.key.Name)
	p, err := c.keysPage(v)
	p.Made, p.Token = name, token
	return "keys", p, err
}

func (c *Console) askRevoke(v *visit) (string, any, error) {
	if !v.key.MayAll() {
		return "", nil, errNotAll
	}
	p, err := c.keysPage(v)
	if err != nil {
		return "", nil, err
	}
	for _, row := range p.Rows {
		if row.Name == v.PathValue("name") {
			return "revoke", row, nil
		}
	}
	return "", nil, refuse(http.StatusNotFound, "There is no such key.")
}

func (c *Console) revokeKey(v *visit) (string, error) {
	if !v.key.MayAll() {
		return "", errNotAll
	}
	name := v.PathValue("name")
	err := c.o.Gate.Keys.Revoke(v.Context(), name)
	if errors.Is(err, access.ErrNoKey) {
		return "", refuse(http.StatusNotFound, "There is no such key: it may be revoked already.")
	}
	if err != nil {
		return "", err
	}
	c.o.Logger.Info("a key was revoked", "key", name, "by", v.key.Name)
	v.flash("The key " + name + " is revoked: the next request with it is refused.")
	return "/keys", nil
}
