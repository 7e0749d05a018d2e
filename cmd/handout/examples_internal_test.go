package main

import (
	"io"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/internal/examples"
	"github.com/handout-dev/handout/internal/usage"
)

// TestHelp_EveryCommandHasExamplesThatItTakes reads each example as the program would.
func TestHelp_EveryCommandHasExamplesThatItTakes(t *testing.T) {
	t.Parallel()
	a := &app{stdout: io.Discard, stderr: io.Discard}
	known := map[string]bool{}
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			walk(sub)
		}
		if !c.HasParent() || c.Hidden || c.HasSubCommands() && examples.All[usage.Name(c)] == nil || strings.HasPrefix(usage.Name(c), "help") {
			return
		}
		known[usage.Name(c)] = true
		if c.Example == "" {
			t.Errorf("%s has no example", usage.Name(c))
			return
		}
		at := strings.Index(strings.Split(c.Example, "\n")[0], "  # ")
		for line := range strings.SplitSeq(c.Example, "\n") {
			if strings.Index(line, "  # ") != at {
				t.Errorf("%s: what the examples do isn't in one column:\n%s", usage.Name(c), c.Example)
			}
			checkExample(t, a, usage.Name(c), line)
		}
	}
	walk(a.command(nil))
	for path := range examples.All {
		if !known[path] {
			t.Errorf("there are examples of %q, and no such command", path)
		}
	}
}

func checkExample(t *testing.T, a *app, path, line string) {
	t.Helper()
	typed, _, _ := strings.Cut(line, "  # ")
	typed, _, _ = strings.Cut(typed, " > ")
	words := strings.Fields(strings.NewReplacer(`"wrong file"`, "why", `"wrong list"`, "why", `"asked by letter"`, "why", `"asked again"`, "why").Replace(typed))
	cmd, rest, err := a.command(nil).Find(words[1:])
	if err != nil || usage.Name(cmd) != path {
		t.Errorf("%s: not one of %s: %v", typed, path, err)
		return
	}
	if err := cmd.ParseFlags(rest); err != nil {
		t.Errorf("%s: %v", typed, err)
		return
	}
	if err := cmd.ValidateArgs(cmd.Flags().Args()); err != nil && path != "rate" && path != "accept-as-sent" { // see their own checks
		t.Errorf("%s: %v", typed, err)
	}
}
