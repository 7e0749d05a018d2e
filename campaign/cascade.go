package campaign

import (
	"fmt"
	"maps"
	"slices"
)

// Cascade is a spec's channels with their templates read, ready to be filled
// in for recipients of lists with one header. It is safe for concurrent use.
type Cascade struct {
	Spec *Spec
	// Contents are the spec's, see [Spec.Contents].
	Contents []Channel
	steps    []step
	email    int // where a recipient's values have the e-mail address, or -1
}

type step struct {
	names     []string // sorted
	templates []*Template
}

// NewCascade reads the templates of a spec against the header of a list: its
// columns without recipient and phone. A spec that says what this program doesn't know
// is an [ErrNewer]: what it sent would be something else.
func NewCascade(s *Spec, columns []string) (*Cascade, error) {
	if s.Newer != nil {
		return nil, s.Newer
	}
	c := &Cascade{Spec: s, Contents: s.Contents(), email: -1}
	if s.NeedsEmail() {
		c.email = slices.Index(columns, EmailColumn)
	}
	for _, ch := range c.Contents {
		var st step
		for _, name := range slices.Sorted(maps.Keys(ch.Parameters)) {
			t, err := ParseTemplate(ch.Parameters[name], columns)
			if err != nil {
				return nil, fmt.Errorf("channel %s, parameter %s: %w", ch.Channel, name, err)
			}
			st.names = append(st.names, name)
			st.templates = append(st.templates, t)
		}
		c.steps = append(c.steps, st)
	}
	return c, nil
}

// Each renders the parameters of every content for one recipient and calls
// yield with its index in Contents, the parameter's name and its
// text, in a fixed order, until yield or a template fails.
func (c *Cascade) Each(r *Recipient, yield func(content int, name, value string) error) error {
	for i := range c.steps {
		for j, t := range c.steps[i].templates {
			value, err := t.Render(r)
			if err != nil {
				return fmt.Errorf("channel %s, parameter %s: %w", c.Contents[i].Channel, c.steps[i].names[j], err)
			}
			if err := yield(i, c.steps[i].names[j], value); err != nil {
				return err
			}
		}
	}
	return nil
}

// Email is the address that the channel email is sent to; empty if the cascade hasn't it.
func (c *Cascade) Email(r *Recipient) string {
	if c.email < 0 || c.email >= len(r.Values) {
		return ""
	}
	return r.Values[c.email]
}

// Addresses are a recipient's phone number and e-mail address, those that the cascade
// uses.
func (c *Cascade) Addresses(r *Recipient) []string { return addresses(r, c.Email(r)) }

func addresses(r *Recipient, email string) []string {
	var all []string
	for _, a := range []string{r.Phone, email} {
		if a != "" {
			all = append(all, a)
		}
	}
	return all
}

// Email is [Cascade.Email] for who has only the campaign.
func (i *Info) Email(r *Recipient) string {
	if at := slices.Index(i.Columns, EmailColumn); i.Spec.NeedsEmail() && at >= 0 && at < len(r.Values) {
		return r.Values[at]
	}
	return ""
}

// Addresses is [Cascade.Addresses] for who has only the campaign.
func (i *Info) Addresses(r *Recipient) []string { return addresses(r, i.Email(r)) }
