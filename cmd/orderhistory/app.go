package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/redis/go-redis/v9/logging"
	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/internal/manual"
	"github.com/handout-dev/handout/internal/terminal"
	"github.com/handout-dev/handout/internal/version"
)

// Exit statuses, a contract with scripts.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// app is what all commands share.
type app struct{ stdout, stderr io.Writer }

// usageError is wrong use: a flag, an argument or the environment.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// execute is the program: it returns the exit status.
func execute(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	logging.Disable() // what goes wrong comes back as an error, too
	// What a shop's database holds is written by everything below.
	stdout, stderr = terminal.New(stdout), terminal.New(stderr)
	a := &app{stdout: stdout, stderr: stderr}
	root := a.command()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	var usage usageError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &usage):
		fmt.Fprintln(stderr, "orderhistory:", oneLine(err))
		return exitUsage
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		fmt.Fprintln(stderr, "orderhistory: interrupted; run the same command again: it goes on where it was, and sends to no customer twice")
		return exitFailed
	}
	fmt.Fprintln(stderr, "orderhistory:", oneLine(err))
	return exitFailed
}

// oneLine is an error on one line; several have a semicolon between them.
func oneLine(err error) string {
	lines := strings.Split(strings.TrimSpace(err.Error()), "\n")
	for i, l := range lines {
		lines[i] = strings.Join(strings.Fields(l), " ")
	}
	return strings.Join(lines, "; ")
}

func (a *app) command() *cobra.Command {
	root := &cobra.Command{
		Use:   "orderhistory COMMAND",
		Short: "Send every customer the history of their orders, through handout",
		Long: "orderhistory sends every customer of a shop the history of their orders as an\n" +
			"Excel file, through handout. A run may be killed at any moment and run again:\n" +
			"each customer has one file and one message. It refuses to send what looks wrong.\n\n" +
			"Settings are environment variables: orderhistory config lists them.",
		SilenceErrors: true, SilenceUsage: true, DisableFlagsInUseLine: true, Version: version.String(),
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("there is no command %q; see orderhistory --help", args[0])}
			}
			return usageError{errors.New("a command is missing; see orderhistory --help")}
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }, // never reached
	}
	root.SetVersionTemplate("orderhistory {{.Version}}\n")
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(a.runCommand(), a.statusCommand(), a.generateCommand(), a.configCommand())
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())}
	})
	for _, c := range root.Commands() {
		c.Args = func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("%q is one argument too many", args[0])}
			}
			return nil
		}
	}
	root.AddCommand(manual.Command())
	return root
}
