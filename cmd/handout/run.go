package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/user"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/examples"
	"github.com/handout-dev/handout/internal/manual"
	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/redisx"
	"github.com/handout-dev/handout/internal/rescue"
	"github.com/handout-dev/handout/internal/terminal"
	"github.com/handout-dev/handout/internal/tracing"
	"github.com/handout-dev/handout/internal/usage"
	"github.com/handout-dev/handout/internal/version"
	"github.com/handout-dev/handout/internal/web/access"
)

// Exit statuses, a contract with scripts.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// silentError has said why already.
type silentError struct{ error }

type app struct {
	stdout, stderr io.Writer
	config         *Config
}

// run is the program: it returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	// What lists, campaign files, Telesign and Redis hold is written by everything below.
	stdout, stderr = terminal.New(stdout), terminal.New(stderr)
	a := &app{stdout: stdout, stderr: stderr}
	root := a.command(args)
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	// Servers' requests have contexts, and callers, of their own.
	ctx = access.With(ctx, &access.Key{Name: loginName(), Scopes: access.Scopes(), Via: access.ViaCommand})
	cmd, err := root.ExecuteContextC(ctx)
	err = wrongUse(cmd, err)
	var wrong *usage.Error
	var silent silentError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &silent):
		return exitFailed
	case errors.As(err, &wrong):
		fmt.Fprintln(stderr, "handout:", oneLine(err))
		return exitUsage
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		fmt.Fprintln(stderr, "handout: interrupted")
		return exitFailed
	}
	fmt.Fprintln(stderr, "handout:", oneLine(err))
	return exitFailed
}

// oneLine is an error on one line; several errors have a semicolon between them.
func oneLine(err error) string {
	lines := strings.Split(err.Error(), "\n")
	for i, l := range lines {
		lines[i] = strings.Join(strings.Fields(l), " ")
	}
	return strings.Join(lines, "; ")
}

func (a *app) command(args []string) *cobra.Command {
	root := &cobra.Command{
		Use:   "handout COMMAND",
		Short: "Send a file to many people over WhatsApp, by SMS where that fails, and know who got it",
		Long: "handout sends a file to many people, one by one, over Telesign's omnichannel API:\n" +
			"WhatsApp first, SMS where WhatsApp fails. It survives any crash and can say of\n" +
			"every single person how they got the file.\n\n" +
			"Try it: handout demo. Settings are environment variables: handout config lists\n" +
			"them, and handout doctor looks whether they are right.",
		SilenceErrors:         true,
		SilenceUsage:          true,
		DisableFlagsInUseLine: true,
		Version:               version.String(),
		RunE:                  func(cmd *cobra.Command, _ []string) error { return cmd.Help() }, // never reached: see usage.Set
	}
	root.SetVersionTemplate("handout {{.Version}}\n")
	root.CompletionOptions.HiddenDefaultCmd = true
	rescue := rescue.Program{Stdout: a.stdout, Stderr: a.stderr, Operate: a.operate, Query: a.query, Actor: actorFlags, Usage: usagef}
	root.AddCommand(
		a.demoCommand(), a.submitCommand(), a.listCommand(), a.reportCommand(), a.showCommand(), a.exportCommand(), a.verifyCommand(),
		a.pauseCommand(), a.resumeCommand(), a.cancelCommand(), a.rescheduleCommand(), a.retryCommand(), a.resendCommand(), a.acceptAsSentCommand(),
		a.rateCommand(), a.suppressCommand(), a.templateCommand(), a.purgeCommand(), rescue.BackupCommand(), rescue.RecoverCommand(),
		a.workCommand(), a.listenCommand(), a.consoleCommand(), a.scheduleCommand(), a.simulateCommand(),
		a.keyCommand(), a.masterKeyCommand(), a.accountCommand(), a.auditCommand(), a.webhookCommand(), a.doctorCommand(), a.configCommand(), a.healthCommand(), manual.Command(),
	)
	usage.Set(root, args)
	examples.Set(root.Commands())
	return root
}

func (a *app) load() (*Config, error) {
	if a.config == nil {
		c, err := loadConfig()
		if err != nil {
			return nil, usage.Wrap(err)
		}
		a.config = c
		redisx.LogTo(a.logger(c))
	}
	return a.config, nil
}

// ofCampaign is a command about the campaign that its first argument names; do gets the
// others.
func ofCampaign(use, short, long string, do func(ctx context.Context, id campaign.ID, args []string) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Long: long,
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := parseID(args[0])
			if err != nil {
				return err
			}
			return do(cmd.Context(), id, args[1:])
		},
	}
}

func (a *app) logger(c *Config) *slog.Logger {
	o := &slog.HandlerOptions{Level: c.LogLevel}
	if c.LogFormat == "json" {
		return slog.New(tracing.LogIDs(slog.NewJSONHandler(a.stderr, o)))
	}
	return slog.New(tracing.LogIDs(slog.NewTextHandler(a.stderr, o)))
}

func parseID(s string) (campaign.ID, error) {
	id, err := campaign.ParseID(s)
	if err != nil {
		return "", usagef("%q: %w", s, err)
	}
	return id, nil
}

func loginName() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	if name := os.Getenv("USER"); name != "" {
		return name
	}
	return "unknown"
}

// actorFlags adds --by and --why, which a campaign's history keeps, or an entry of the
// suppression list.
func actorFlags(cmd *cobra.Command) *campaign.Actor {
	a := new(campaign.Actor)
	cmd.Flags().StringVar(&a.Name, "by", loginName(), "who does it, for the record; by default the login name")
	cmd.Flags().Lookup("by").DefValue = "" // in help and manual, where it would be that of who made them
	cmd.Flags().StringVar(&a.Why, "why", "", "why, for the record")
	return a
}

// tableCommand makes a command of what read returns: a table with a line for each, or
// with --json an array. columns are the names in the header, separated by commas; line
// returns the cells.
func tableCommand[T any](a *app, use, short, columns string, read func(context.Context, *operations.Operations, []string) ([]T, error), line func(T) []any) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: use, Short: short,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.operate(cmd.Context(), func(o *operations.Operations) error {
				all, err := read(cmd.Context(), o, args)
				if err != nil {
					return err
				}
				return writeAll(a, asJSON, all, columns, line)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON array")
	return cmd
}

func writeAll[T any](a *app, asJSON bool, rows []T, columns string, line func(T) []any) error {
	if asJSON {
		return json.NewEncoder(a.stdout).Encode(rows)
	}
	t := tabwriter.NewWriter(a.stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, strings.ReplaceAll(columns, ",", "\t"))
	for _, row := range rows {
		cells := line(row)
		fmt.Fprintf(t, strings.Repeat("%v\t", len(cells)-1)+"%v\n", cells...)
	}
	return t.Flush()
}

func usagef(format string, args ...any) error { return usage.Errorf(format, args...) }

// wrongUse makes an error about an argument or a flag of the command an error of use that
// names it.
func wrongUse(cmd *cobra.Command, err error) error {
	var refused *operations.Error
	if !errors.As(err, &refused) || refused.Kind != operations.Refused || errors.As(err, new(*usage.Error)) {
		return err
	}
	argument := strings.ToUpper(refused.Field)
	switch {
	case cmd.Flag(refused.Field) != nil:
		return usagef("%s: --%s: %w", usage.Name(cmd), refused.Field, err)
	case slices.Contains(strings.Fields(cmd.Use), argument):
		return usagef("%s: %s: %w", usage.Name(cmd), argument, err)
	}
	return err
}
