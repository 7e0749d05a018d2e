package manual_test

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/internal/manual"
)

func program() *cobra.Command {
	root := &cobra.Command{Use: "ship COMMAND", Short: "Ship things", DisableFlagsInUseLine: true, Run: func(*cobra.Command, []string) {}}
	load := &cobra.Command{
		Use: "load CARGO", Short: "Load a ship",
		Long:    "Load a ship.\n.hidden files too, and C:\\cargo:\n\n  heavy  at the bottom\n  light  on top\n\nNothing is lost.",
		Example: "  ship load tea --by ann  # fast",
		Run:     func(*cobra.Command, []string) {},
	}
	load.Flags().String("by", "crew", "who does it")
	load.Flags().BoolP("quick", "q", false, "don't wait")
	secret := &cobra.Command{Use: "secret", Hidden: true, Run: func(*cobra.Command, []string) {}}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(load, secret, manual.Command())
	root.SetOut(io.Discard)
	return root
}

func TestMan_WritesAPageForEachCommandAndTheCompletions(t *testing.T) {
	dir := t.TempDir()
	root := program()
	root.SetArgs([]string{"man", dir})
	if err := root.Execute(); err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, pattern := range []string{"man/*", "completions/*"} {
		paths, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range paths {
			files = append(files, filepath.Base(p))
		}
	}
	want := []string{"ship-load.1", "ship.1", "_ship", "ship.bash", "ship.fish"}
	if !slices.Equal(files, want) {
		t.Errorf("files %v, want %v", files, want)
	}
	page, err := os.ReadFile(filepath.Join(dir, "man", "ship-load.1"))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{
		".TH SHIP\\-LOAD 1 ", ".SH NAME\nship\\-load \\- Load a ship\n", ".B ship load\nCARGO [flags]\n",
		"\n\\&.hidden files too, and C:\\ecargo:\n", // no request, no escape
		".EX\n  heavy  at the bottom\n  light  on top\n.EE\n",
		"\\fB\\-\\-by\\fR \\fIstring\\fR\nwho does it (default crew)\n", "\\fB\\-q\\fR, \\fB\\-\\-quick\\fR\ndon't wait\n",
		".EX\n  ship load tea \\-\\-by ann  # fast\n.EE\n", ".BR ship (1)\n",
	} {
		if !strings.Contains(string(page), part) {
			t.Errorf("the page lacks %q:\n%s", part, page)
		}
	}
}

func TestMan_IsTheSameTwice(t *testing.T) {
	var pages [2]string
	for i := range pages {
		dir := t.TempDir()
		if err := manual.Write(program(), dir); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(dir, "man", "ship.1"))
		if err != nil {
			t.Fatal(err)
		}
		pages[i] = string(text)
	}
	if pages[0] != pages[1] {
		t.Errorf("%s\n%s", pages[0], pages[1])
	}
}
