package secret_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/handout-dev/handout/internal/secret"
)

func TestText_IsShownByRevealAlone(t *testing.T) {
	t.Parallel()
	var read struct{ Key secret.Text }
	if err := json.Unmarshal([]byte(`{"Key": "hunter2"}`), &read); err != nil || read.Key.Reveal() != "hunter2" {
		t.Fatalf("%q, %v", read.Key.Reveal(), err)
	}
	within := struct{ key secret.Text }{read.Key}
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o"} {
		for _, v := range []any{read.Key, &read.Key, read, within, []secret.Text{read.Key}, map[string]secret.Text{"a": read.Key}} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
	}
	for _, v := range []any{read.Key, read, within} {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(b)
		slog.New(slog.NewTextHandler(&out, nil)).Info("text", "key", v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("json", "key", v)
	}
	for _, leak := range []string{"hunter2", fmt.Sprintf("%x", "hunter2"), fmt.Sprintf("%X", "hunter2"), "104 117 110"} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("%q is in\n%s", leak, &out)
		}
	}
	if read.Key.String() != "(set, not shown)" || secret.New("").String() != "" || secret.New("").Reveal() != "" {
		t.Errorf("%q, %q", read.Key, secret.New(""))
	}
}
