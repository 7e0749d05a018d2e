package usage_test

import (
	"errors"
	"io"
	"testing"

	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/internal/usage"
)

func TestSet_SaysWhatIsWrongAndWhatIsRight(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		want string // empty: it runs
	}{
		{nil, "a command is missing; see tool --help, or try tool demo"},
		{[]string{"paus"}, `there is no command "paus"; do you mean pause?`},
		{[]string{"xyz", "--n"}, `there is no command "xyz"; see tool --help`},
		{[]string{"pause"}, "pause: ID is missing; usage: tool pause ID [WHY]"},
		{[]string{"pause", "a"}, ""},
		{[]string{"pause", "a", "b"}, ""},
		{[]string{"pause", "a", "b", "c"}, `pause: "c" is one argument too many; usage: tool pause ID [WHY]`},
		{[]string{"pause", "a", "--n", "many"}, `--n: "many" isn't a whole number; see tool pause --help`},
		{[]string{"pause", "a", "--m"}, "unknown flag: --m; see tool pause --help"},
		{[]string{"help", "pause", "+12015550123"}, "help: pause has no such command; see tool pause --help"},
		{[]string{"help", "paus"}, `there is no command "paus"; do you mean pause?`},
		{[]string{"help", "pause"}, ""},
	} {
		root := &cobra.Command{Use: "tool", SilenceErrors: true, SilenceUsage: true, RunE: func(*cobra.Command, []string) error { return nil }}
		pause := &cobra.Command{Use: "pause ID [WHY]", DisableFlagsInUseLine: true, RunE: func(*cobra.Command, []string) error { return nil }}
		pause.Flags().Int("n", 0, "")
		root.AddCommand(pause)
		usage.Set(root, c.args)
		root.SetArgs(append([]string{}, c.args...))
		root.SetOut(io.Discard)
		err := root.Execute()
		if c.want == "" {
			if err != nil {
				t.Errorf("%q: %v", c.args, err)
			}
			continue
		}
		if wrong := new(usage.Error); !errors.As(err, &wrong) || err.Error() != c.want {
			t.Errorf("%q: %v, want %s", c.args, err, c.want)
		}
	}
}
