// Package secret has the type of values that no log, table, error or JSON shows.
package secret

// Text is such a value. Printed or marshaled in any way it says only whether there
// is one; [Text.Reveal] alone returns it.
type Text struct {
	// A pointer, whose target fmt prints in no struct and by no verb.
	value *string
}

// New returns a secret of this value.
func New(value string) Text {
	if value == "" {
		return Text{}
	}
	return Text{&value}
}

// Reveal returns the value itself.
func (t Text) Reveal() string {
	if t.value == nil {
		return ""
	}
	return *t.value
}

// String says whether there is a value.
func (t Text) String() string {
	if t.value == nil {
		return ""
	}
	return "(set, not shown)"
}

// GoString is String, for %#v.
func (t Text) GoString() string { return t.String() }

// MarshalText is String, for JSON and slog.
func (t Text) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads the value itself, as from the environment or stored JSON.
func (t *Text) UnmarshalText(b []byte) error {
	*t = New(string(b))
	return nil
}
