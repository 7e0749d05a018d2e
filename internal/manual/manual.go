// Package manual writes a program's manual pages and shell completions from its commands'
// own help.
package manual

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Command returns the hidden command man, by which a release is made.
func Command() *cobra.Command {
	return &cobra.Command{
		Use: "man DIR", Short: "Write the manual pages and the completions into a folder", Hidden: true, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return Write(cmd.Root(), args[0]) },
	}
}

// Write writes a page for root and for each command below it into dir/man, as
// NAME-COMMAND.1, and completions for bash, zsh and fish into dir/completions, under the
// names by which these shells look for them.
func Write(root *cobra.Command, dir string) error {
	pages, completions := filepath.Join(dir, "man"), filepath.Join(dir, "completions")
	for _, d := range []string{pages, completions} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	if err := root.GenBashCompletionFileV2(filepath.Join(completions, root.Name()+".bash"), true); err != nil {
		return err
	}
	if err := root.GenZshCompletionFile(filepath.Join(completions, "_"+root.Name())); err != nil {
		return err
	}
	if err := root.GenFishCompletionFile(filepath.Join(completions, root.Name()+".fish"), true); err != nil {
		return err
	}
	return writePages(root, pages)
}

func writePages(cmd *cobra.Command, dir string) error {
	if err := os.WriteFile(filepath.Join(dir, pageName(cmd)+".1"), []byte(page(cmd)), 0o644); err != nil {
		return err
	}
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			if err := writePages(sub, dir); err != nil {
				return err
			}
		}
	}
	return nil
}

func pageName(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }

// page returns a command's manual page, in the macros of man(7).
func page(cmd *cobra.Command) string {
	cmd.InitDefaultHelpFlag()
	var p strings.Builder
	// Without a date and a version: the same source is the same page.
	fmt.Fprintf(&p, ".TH %s 1 \"\" \"\" \"%s\"\n", strings.ToUpper(escape(pageName(cmd))), escape(cmd.Root().Name()))
	p.WriteString(".nh\n.ad l\n") // a command isn't cut in two, nor spread
	fmt.Fprintf(&p, ".SH NAME\n%s \\- %s\n", escape(pageName(cmd)), escape(cmd.Short))
	name, arguments, _ := strings.Cut(cmd.UseLine(), cmd.CommandPath())
	fmt.Fprintf(&p, ".SH SYNOPSIS\n.B %s\n%s\n", escape(name+cmd.CommandPath()), escape(strings.TrimSpace(arguments)))
	p.WriteString(".SH DESCRIPTION\n")
	long := cmd.Long
	if long == "" {
		long = cmd.Short
	}
	for paragraph := range strings.SplitSeq(long, "\n\n") {
		if strings.HasPrefix(paragraph, " ") { // a table, or commands
			example(&p, paragraph)
		} else {
			fmt.Fprintf(&p, ".PP\n%s\n", escape(paragraph))
		}
	}
	commands(&p, cmd)
	options(&p, cmd.NonInheritedFlags())
	if cmd.Example != "" {
		p.WriteString(".SH EXAMPLES\n")
		example(&p, cmd.Example)
	}
	p.WriteString(".SH EXIT STATUS\n0 when it is done, 1 when it failed, 2 for wrong use; one line on standard error says why.\n")
	if cmd.HasParent() {
		fmt.Fprintf(&p, ".SH SEE ALSO\n.BR %s (1)\n", escape(pageName(cmd.Parent())))
	}
	return p.String()
}

func commands(p *strings.Builder, cmd *cobra.Command) {
	if !cmd.HasAvailableSubCommands() {
		return
	}
	p.WriteString(".SH COMMANDS\n")
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			fmt.Fprintf(p, ".TP\n.BR %s (1)\n%s\n", escape(pageName(sub)), escape(sub.Short))
		}
	}
}

func options(p *strings.Builder, flags *pflag.FlagSet) {
	p.WriteString(".SH OPTIONS\n")
	flags.VisitAll(func(f *pflag.Flag) {
		value, usage := pflag.UnquoteUsage(f)
		names := `\fB` + escape("--"+f.Name) + `\fR`
		if f.Shorthand != "" {
			names = `\fB` + escape("-"+f.Shorthand) + `\fR, ` + names
		}
		if value != "" {
			names += ` \fI` + escape(value) + `\fR`
		}
		switch f.DefValue {
		case "", "0", "false", "[]":
		default:
			usage += " (default " + f.DefValue + ")"
		}
		fmt.Fprintf(p, ".TP\n%s\n%s\n", names, escape(usage))
	})
}

// example writes lines as they stand.
func example(p *strings.Builder, text string) {
	fmt.Fprintf(p, ".PP\n.EX\n%s\n.EE\n", escape(text))
}

// escape returns text of which roff takes nothing for a request. A hyphen is a minus:
// what is copied from the page has to work.
func escape(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, ".") || strings.HasPrefix(l, "'") {
			lines[i] = `\&` + l
		}
	}
	return strings.Join(lines, "\n")
}
