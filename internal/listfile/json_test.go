package listfile_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/handout-dev/handout/internal/listfile"
)

func FuzzSplitJSON(f *testing.F) {
	for _, s := range []string{
		`{"recipient":"a","phone":"+1"}`, `{}`, `{"a":1.50,"b":true}`, `{"a":null}`, `{"a":"\u00e9\n\"","b":"\ud83d\ude00"}`,
		` { "a" : [1] } `, `{"a":1}{"b":2}`, `{"a":01}`, `{"a":"` + "\x01" + `"}`, `{"a`, `{"a":"b\`, `{"":""}`, `{"a":1,}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if strings.ContainsAny(line, "\n") || !utf8.ValidString(line) {
			return // not a line of a list
		}
		members, broken := listfile.SplitJSON(line, nil)
		var want map[string]any
		d := json.NewDecoder(strings.NewReader(line))
		d.UseNumber()
		ok := json.Valid([]byte(line)) && d.Decode(&want) == nil && want != nil
		for _, v := range want {
			switch v.(type) {
			case string, json.Number, bool:
			default:
				ok = false
			}
		}
		if broken != nil {
			if broken.Offset < 0 || broken.Offset > len(line) {
				t.Fatalf("%q: broken at %d", line, broken.Offset)
			}
			// A key that stands twice may have hidden a value that is refused.
			if ok && len(want) == strings.Count(line, ":") {
				t.Fatalf("%q: refused: %s", line, broken.Reason)
			}
			return
		}
		if !json.Valid([]byte(line)) {
			t.Fatalf("%q: taken", line)
		}
		got := map[string]string{}
		for _, m := range members {
			got[m.Key] = m.Value
		}
		if len(got) != len(want) {
			t.Fatalf("%q: %q, want %v", line, got, want)
		}
		for k, v := range want {
			text := ""
			switch v := v.(type) {
			case string:
				text = v
			case json.Number:
				text = v.String()
			case bool:
				text = map[bool]string{true: "true", false: "false"}[v]
			}
			if got[k] != text {
				t.Fatalf("%q: %q is %q, want %q", line, k, got[k], text)
			}
		}
	})
}
