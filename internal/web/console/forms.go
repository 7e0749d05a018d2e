package console

import (
	"context"
	"net/http"
	"net/url"
	"slices"

	"github.com/handout-dev/handout/internal/operations"
)

// comeback is the page that a form comes back on, with what was written into it, when
// something in it is wrong.
type comeback struct {
	form   string // its ID
	page   func(*visit) (string, any, error)
	fields []string   // that a fault can stand beside
	values url.Values // as they were posted
	field  string     // at fault; empty: the form as a whole
	text   string
}

// comesBack says on which page a form is shown again when something in it is wrong.
// Without it a fault has a page of its own.
func (v *visit) comesBack(form string, page func(*visit) (string, any, error), fields ...string) {
	v.back = &comeback{form: form, page: page, fields: fields, values: v.PostForm}
}

// fieldOf are fields of operations under other names in forms.
var fieldOf = map[string]string{"scopes": "scope", "id": "name", "start_at": "at", "set_aside_bad_rows": "aside", "events": "event"}

// showAgain answers with the form that was wrong, and reports whether it could.
func (c *Console) showAgain(w http.ResponseWriter, r *http.Request, v *visit, told *refusal, err error) bool {
	wrong := told.Status == http.StatusUnprocessableEntity || operations.KindOf(err) == operations.OtherContent
	if v == nil || v.back == nil || !wrong {
		return false
	}
	b := v.back
	b.text, b.field = told.Text, told.Field
	if other, ok := fieldOf[b.field]; ok && !slices.Contains(b.fields, b.field) {
		b.field = other
	}
	if !slices.Contains(b.fields, b.field) {
		b.field = ""
	}
	ctx, cancel := context.WithTimeout(r.Context(), pageTime) // the deed's own has ended
	defer cancel()
	v.Request = r.WithContext(ctx)
	name, data, err := b.page(v)
	if err != nil { // then what was wrong says more
		v.back = nil
		return false
	}
	c.render(w, v, told.Status, name, data)
	return true
}

// formField is a field of a form, as the part "fault" and inputs need it.
type formField struct {
	ID    string // of the fault
	Text  string // what is wrong; empty: nothing
	Value string // what was written, or the value to begin with
}

// Field is a field of a form: what was written into it if the form comes back, else the
// value to begin with. The name "" is the form as a whole.
func (v *view) Field(form, name, value string) formField {
	f := formField{ID: "fault-" + form + "-" + name, Value: value}
	if v.back == nil || v.back.form != form {
		return f
	}
	if written, ok := v.back.values[name]; ok && len(written) > 0 {
		f.Value = written[0]
	}
	if v.back.field == name {
		f.Text = v.back.text
	}
	return f
}

// Chosen reports whether a form has this value for a field with choices: as it comes
// back, else as it begins.
func (v *view) Chosen(form, name, value string, begins bool) bool {
	if v.back == nil || v.back.form != form {
		return begins
	}
	return slices.Contains(v.back.values[name], value)
}
