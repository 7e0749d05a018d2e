package terminal_test

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/handout-dev/handout/internal/terminal"
)

// name is what a hostile list may have in place of a name.
const name = "a\x1b]0;title\x07b\u009b2Jc\x7fd\u202eexe.\u2066x\u2069\r\b"

const shown = `a\u001b]0;title\u0007b\u009b2Jc\u007fd\u202eexe.\u2066x\u2069\u000d\u0008`

func TestWriter_WritesWhatSteersATerminalInDigits(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		name: shown, "plain\ttext\n": "plain\ttext\n", "ç日本\U0001f600\u200d": "ç日本\U0001f600\u200d", "": "",
		"\xff\x9b2J": "\ufffd2J", "\xc2": "",
	} {
		for size := 1; size <= len(in)+1; size++ { // however it is cut
			var b bytes.Buffer
			w := terminal.New(&b)
			for rest := []byte(in); len(rest) > 0; {
				n, err := w.Write(rest[:min(size, len(rest))])
				if err != nil {
					t.Fatal(err)
				}
				rest = rest[n:]
			}
			got := strings.ReplaceAll(b.String(), "\ufffd\ufffd", "\ufffd")
			if got != want {
				t.Errorf("%q in parts of %d: %q, want %q", in, size, got, want)
			}
		}
	}
}

func TestWriter_LeavesJSONExact(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := json.NewEncoder(terminal.New(&b)).Encode(name); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(b.String(), "\x1b\x07\u009b\x7f\u202e\u2066") {
		t.Errorf("it steers: %q", b.String())
	}
	var got string
	if err := json.Unmarshal(b.Bytes(), &got); err != nil || got != name {
		t.Errorf("%q, %v", got, err)
	}
}

func TestExact_IsTheFileUnlessThatIsATerminal(t *testing.T) {
	t.Parallel()
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := terminal.New(f)
	if got, ok := terminal.File(w); !ok || got != f || terminal.Exact(w) != io.Writer(f) || terminal.Is(w) || terminal.Width(w) != 0 {
		t.Errorf("%v %v", got, ok)
	}
	if ptmx, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0); err == nil {
		defer ptmx.Close()
		if w := terminal.New(ptmx); !terminal.Is(w) || terminal.Exact(w) != io.Writer(w) {
			t.Error("a terminal is no terminal")
		}
	}
}
