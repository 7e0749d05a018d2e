package main

import (
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/handout-dev/handout/internal/operations"
)

// usageError is wrong use: a flag, an argument or the environment.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// wrongUse makes an error about an argument or a flag of the command a usageError that
// names it.
func wrongUse(cmd *cobra.Command, err error) error {
	var refused *operations.Error
	if !errors.As(err, &refused) || refused.Kind != operations.Refused || errors.As(err, new(usageError)) {
		return err
	}
	argument := strings.ToUpper(refused.Field)
	switch {
	case cmd.Flag(refused.Field) != nil:
		return usagef("%s: --%s: %w", name(cmd), refused.Field, err)
	case slices.Contains(strings.Fields(cmd.Use), argument):
		return usagef("%s: %s: %w", name(cmd), argument, err)
	}
	return err
}

// setUsage makes each error of cobra's a usageError that says what would be right. args
// are the program's.
func setUsage(root *cobra.Command, args []string) {
	root.SuggestionsMinimumDistance = 2
	root.Args = func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return usagef("a command is missing; see handout --help, or try handout demo")
		}
		return unknownCommand(root, args[0])
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		if cmd == root && len(args) > 0 && !strings.HasPrefix(args[0], "-") {
			return unknownCommand(root, args[0]) // it has no flags to check
		}
		var value *pflag.InvalidValueError
		if errors.As(err, &value) {
			err = fmt.Errorf("--%s: %q isn't a %s", value.GetFlag().Name, value.GetValue(), kind(value.GetFlag().Value.Type()))
		}
		return usagef("%w; see %s --help", err, cmd.CommandPath())
	})
	setArguments(root.Commands())
	root.SetHelpCommand(helpCommand(root))
}

func kind(flagType string) string {
	if flagType == "int" {
		return "whole number"
	}
	return flagType
}

func setArguments(commands []*cobra.Command) {
	for _, c := range commands {
		if c.Args == nil {
			c.Args = arguments
		}
		setArguments(c.Commands())
	}
}

// arguments returns an error unless a command has the arguments of its usage line; one
// in brackets may be missing.
func arguments(cmd *cobra.Command, args []string) error {
	names := strings.Fields(cmd.Use)[1:]
	switch {
	case len(args) < len(names) && !strings.HasPrefix(names[len(args)], "["):
		return usagef("%s: %s is missing; usage: %s", name(cmd), names[len(args)], cmd.UseLine())
	case len(args) > len(names):
		return usagef("%s: %q is one argument too many; usage: %s", name(cmd), args[len(names)], cmd.UseLine())
	}
	return nil
}

func name(cmd *cobra.Command) string {
	_, name, _ := strings.Cut(cmd.CommandPath(), " ")
	return name
}

func unknownCommand(root *cobra.Command, name string) error {
	if near := root.SuggestionsFor(name); len(near) > 0 {
		return usagef("there is no command %q; do you mean %s?", name, strings.Join(near, " or "))
	}
	return usagef("there is no command %q; see handout --help", name)
}

func helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use: "help [COMMAND]", Short: "Show the help of a command", Args: cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return root.Help()
			}
			cmd, rest, err := root.Find(args)
			if err != nil || cmd == root {
				return unknownCommand(root, args[0])
			}
			if len(rest) > 0 { // not repeated: it may be a phone number
				return usagef("help: %s has no such command; see handout %s --help", name(cmd), name(cmd))
			}
			cmd.InitDefaultHelpFlag()
			return cmd.Help()
		},
	}
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(unknown)"
}
