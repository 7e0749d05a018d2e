package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/handout-dev/handout/telesign"
)

func TestTemplate_ListsAndShows(t *testing.T) {
	submitFaces(t)
	do := func(args ...string) (code int, stdout, stderr string) {
		var out, err bytes.Buffer
		code = run(t.Context(), append([]string{"template"}, args...), &out, &err)
		return code, out.String(), err.String()
	}
	if code, out, _ := do("list"); code != 0 || !strings.HasPrefix(out, "NAME ") || !strings.Contains(out, "hello  sms      standard  Approved") {
		t.Errorf("%d %s", code, out)
	}
	var list []telesign.Template
	if code, out, _ := do("list", "--json"); code != 0 || json.Unmarshal([]byte(out), &list) != nil || len(list) != 1 || list[0].Name != "hello" {
		t.Errorf("%d %s", code, out)
	}
	var one telesign.Template
	if code, out, _ := do("show", "hello", "--channel", "sms", "--json"); code != 0 || json.Unmarshal([]byte(out), &one) != nil || one.Name != "hello" {
		t.Errorf("%d %s", code, out)
	}
	if code, out, _ := do("show", "hello", "--channel", "sms"); code != 0 || !strings.Contains(out, "status      Approved\n") {
		t.Errorf("%d %s", code, out)
	}
	if code, _, err := do("show", "hello"); code != 1 || !strings.Contains(err, "Telesign lists no template hello for whatsapp") {
		t.Errorf("%d %s", code, err)
	}
	for _, args := range [][]string{{}, {"show"}, {"list", "x"}} {
		if code, _, err := do(args...); code != 2 || strings.Count(err, "\n") != 1 {
			t.Errorf("%v: %d %s", args, code, err)
		}
	}
}
