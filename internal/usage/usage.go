// Package usage says on the command line what is wrong with a command's arguments and
// flags, and what would be right.
package usage

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Error is wrong use: of a flag, an argument or the environment.
type Error struct{ err error }

func (e *Error) Error() string { return e.err.Error() }

// Unwrap returns what is wrong.
func (e *Error) Unwrap() error { return e.err }

// Wrap makes an error one of wrong use.
func Wrap(err error) error { return &Error{err} }

// Errorf is [fmt.Errorf] for wrong use.
func Errorf(format string, args ...any) error { return &Error{fmt.Errorf(format, args...)} }

// Set makes each error of cobra's an [*Error] that says what would be right. args are the
// program's.
func Set(root *cobra.Command, args []string) {
	root.SuggestionsMinimumDistance = 2
	root.Args = func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return Errorf("a command is missing; see %[1]s --help, or try %[1]s demo", root.Name())
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
		return Errorf("%w; see %s --help", err, cmd.CommandPath())
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
			c.Args = Arguments
		}
		setArguments(c.Commands())
	}
}

// Arguments returns an error unless a command has the arguments of its usage line; one
// in brackets may be missing.
func Arguments(cmd *cobra.Command, args []string) error {
	names := strings.Fields(cmd.Use)[1:]
	switch {
	case len(args) < len(names) && !strings.HasPrefix(names[len(args)], "["):
		return Errorf("%s: %s is missing; usage: %s", Name(cmd), names[len(args)], cmd.UseLine())
	case len(args) > len(names):
		return Errorf("%s: %q is one argument too many; usage: %s", Name(cmd), args[len(names)], cmd.UseLine())
	}
	return nil
}

// Name is a command's, without the program's.
func Name(cmd *cobra.Command) string {
	_, name, _ := strings.Cut(cmd.CommandPath(), " ")
	return name
}

func unknownCommand(root *cobra.Command, name string) error {
	if near := root.SuggestionsFor(name); len(near) > 0 {
		return Errorf("there is no command %q; do you mean %s?", name, strings.Join(near, " or "))
	}
	return Errorf("there is no command %q; see %s --help", name, root.Name())
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
				return Errorf("help: %s has no such command; see %s --help", Name(cmd), cmd.CommandPath())
			}
			cmd.InitDefaultHelpFlag()
			return cmd.Help()
		},
	}
}
