package campaign

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// ErrNewer means that a newer program has written what was read, and says something by
// it that this one doesn't know. It is left to newer programs: they run beside this one
// while an installation is updated.
var ErrNewer = errors.New("written by a newer handout: update this one")

// DecodeStrict decodes one JSON value into v, which a field that v doesn't know makes
// [ErrNewer]. v then has the fields that it knows.
func DecodeStrict(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	err := d.Decode(v)
	if err == nil {
		if _, end := d.Token(); !errors.Is(end, io.EOF) {
			return errors.New("more than one value")
		}
		return nil
	}
	if wrong := json.Unmarshal(b, v); wrong != nil {
		return wrong
	}
	return fmt.Errorf("%s: %w", strings.TrimPrefix(err.Error(), "json: "), ErrNewer)
}

// unknownValue returns the first choice of a spec that this program doesn't know.
func (s *Spec) unknownValue() error {
	for _, c := range []struct {
		field string
		value string
		known []string
	}{
		{"lane", string(s.Lane), []string{"", string(LaneBulk), string(LaneUrgent)}},
		{"on_doubt", string(s.OnDoubt), []string{"", string(DoubtHold), string(DoubtResend)}},
		{"check_files", string(s.CheckFiles), []string{string(CheckNone), string(CheckSample), string(CheckAll)}},
		{"whatsapp_whitespace", string(s.WhatsAppWhitespace), []string{string(WhitespaceRefuse), string(WhitespaceCollapse)}},
		{"unknown_ranges", string(s.UnknownRanges), []string{string(RangesAccept), string(RangesRefuse)}},
		{"same_recipient", string(s.SameRecipient), []string{string(SameRefuse), string(SameNote)}},
	} {
		if !slices.Contains(c.known, c.value) {
			return fmt.Errorf("unknown %s %q: %w", c.field, c.value, ErrNewer)
		}
	}
	return nil
}
