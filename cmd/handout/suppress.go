package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/terminal"
	"github.com/handout-dev/handout/internal/usage"
)

func (a *app) suppressCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "suppress COMMAND",
		Short: "Keep the list of phone numbers that are never sent to",
		Long: "Keep the list of phone numbers that are never sent to, by any campaign. A\n" +
			"recipient's STOP and Telesign's codes 3046 and 3052 add numbers by themselves, and\n" +
			"a later START removes one; docs/suppression.md has the rules. Workers look into the list\n" +
			"right before each send.",
		// An unknown command may be a phone number, so the error doesn't repeat it.
		Args: func(*cobra.Command, []string) error {
			return usagef("suppress: a command is missing: add, remove, check, list, import, unresolved or settle; see handout suppress --help")
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }, // never reached: see Args
	}
	cmd.AddCommand(a.suppressAdd(), a.suppressRemove(), a.suppressCheck(), a.suppressList(), a.suppressImport(), a.suppressUnresolved(), a.suppressSettle())
	return cmd
}

// ofNumber is a command about one number; do returns what it prints, which never names
// the number.
func (a *app) ofNumber(use, short string, do func(context.Context, *operations.Operations, *operations.Suppression) (string, error)) *cobra.Command {
	return &cobra.Command{
		Use: use + " PHONE", Short: short,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 { // most likely parts of a number: not repeated
				return usagef("%s takes one number; one with blanks needs quotes", usage.Name(cmd))
			}
			return usage.Arguments(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.operate(cmd.Context(), func(o *operations.Operations) error {
				s, err := o.Suppression(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				text, err := do(cmd.Context(), o, s)
				if err == nil {
					fmt.Fprintln(a.stdout, text)
				}
				return err
			})
		},
	}
}

func (a *app) suppressAdd() *cobra.Command {
	var by *campaign.Actor
	cmd := a.ofNumber("add", "Put a number on the list", func(ctx context.Context, o *operations.Operations, s *operations.Suppression) (string, error) {
		s, added, err := o.Suppress(ctx, s, *by)
		if err != nil || added {
			return "the number is on the list: nothing is sent to it any more", err
		}
		return describeEntry(s, "was on the list already"), nil
	})
	by = actorFlags(cmd)
	return cmd
}

func (a *app) suppressRemove() *cobra.Command {
	var by *campaign.Actor
	cmd := a.ofNumber("remove", "Take a number off the list", func(ctx context.Context, o *operations.Operations, s *operations.Suppression) (string, error) {
		there, err := o.Unsuppress(ctx, s, *by)
		if !there {
			return "the number wasn't on the list", err
		}
		return "the number is off the list. People who were left out because of it stay left out.", err
	})
	by = actorFlags(cmd)
	return cmd
}

func (a *app) suppressCheck() *cobra.Command {
	return a.ofNumber("check", "Say whether a number is on the list, why, and what was said before", func(_ context.Context, _ *operations.Operations, s *operations.Suppression) (string, error) {
		text := describeEntry(s, "is on the list")
		if s.Listed && len(s.History) == 1 {
			return text, nil // that is the entry
		}
		for _, e := range s.History {
			text += "\n  " + e.At.Format(time.RFC3339) + " " + e.String()
		}
		return text, nil
	})
}

func describeEntry(s *operations.Suppression, how string) string {
	if !s.Listed {
		return "the number isn't on the list"
	}
	return fmt.Sprintf("the number %s, since %s: %s", how, s.At.Format(time.RFC3339), &s.Entry)
}

// suppressedRow is a number of the list in JSON; in CSV it has the same columns.
type suppressedRow struct {
	Phone    string `json:"phone"`
	Since    string `json:"since"`
	Why      string `json:"why"`
	Campaign string `json:"campaign"`
	By       string `json:"by"`
}

func (a *app) suppressList() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Write the list, in no order",
		Long: "Write the list, in no order, as CSV: phone, since, why, campaign, by. suppress\n" +
			"import reads what it writes. It is exact, for programs: a reason that begins with =\n" +
			"is a formula to a spreadsheet.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.operate(cmd.Context(), func(o *operations.Operations) error {
				return a.listSuppressed(cmd.Context(), o, asJSON)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write NDJSON: an object a line")
	return cmd
}

func (a *app) listSuppressed(ctx context.Context, o *operations.Operations, asJSON bool) error {
	out := bufio.NewWriter(terminal.Exact(a.stdout))
	objects, cells := json.NewEncoder(out), csv.NewWriter(out)
	objects.SetEscapeHTML(false)
	write := func(r suppressedRow) error { return cells.Write([]string{r.Phone, r.Since, r.Why, r.Campaign, r.By}) }
	if asJSON {
		write = func(r suppressedRow) error { return objects.Encode(r) }
	} else if err := write(suppressedRow{"phone", "since", "why", "campaign", "by"}); err != nil {
		return err
	}
	err := o.EachSuppressed(ctx, func(n operations.SuppressedNumber) error {
		return write(suppressedRow{n.Phone, n.At.Format(time.RFC3339), n.Reason(), string(n.Campaign), n.By})
	})
	if err != nil {
		return err
	}
	if cells.Flush(); cells.Error() != nil {
		return cells.Error()
	}
	return out.Flush()
}

func (a *app) suppressImport() *cobra.Command {
	var in operations.Import
	var by *campaign.Actor
	cmd := &cobra.Command{
		Use:   "import FILE.csv",
		Short: "Put the numbers of a file on the list",
		Long: "Put the numbers of a file on the list. It is CSV with commas and a header, in UTF-8,\n" +
			"UTF-16 or Windows-1252, also compressed (.gz, .zst): a column phone and, optionally,\n" +
			"columns why and since; other columns are ignored. A number that is on the list\n" +
			"already keeps its entry, so running it twice changes nothing. What suppress list\n" +
			"writes keeps its times and reasons, and changes nothing of numbers that were taken\n" +
			"off the list since. --reason deactivated is for files of numbers that carriers have\n" +
			"taken back.",
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := os.Open(args[0])
			if err != nil {
				return err
			}
			defer file.Close()
			in.File, in.Name, in.By = file, args[0], *by
			return a.operate(cmd.Context(), func(o *operations.Operations) error { return a.importNumbers(cmd.Context(), o, in) })
		},
	}
	by = actorFlags(cmd)
	cmd.Flags().StringVar(&in.Reason, "reason", "", "deactivated: carriers have taken the numbers back")
	cmd.Flags().StringVar(&in.Column, "column", "phone", "the column with the numbers")
	cmd.Flags().BoolVar(&in.SetAside, "set-aside-bad-rows", false, "import the good rows and report the bad ones; otherwise any bad row rejects the file")
	return cmd
}

func (a *app) importNumbers(ctx context.Context, o *operations.Operations, in operations.Import) error {
	line := terminal.NewLine(a.stderr)
	in.Progress = func(rows int, what string) {
		line.Update("%s %s", campaign.Count(rows, "row"), what)
	}
	i, err := o.ImportSuppressed(ctx, in)
	line.End()
	if i != nil {
		for _, f := range i.Faults {
			fmt.Fprintln(a.stderr, f)
		}
		if more := i.Bad - len(i.Faults); more > 0 {
			fmt.Fprintf(a.stderr, "… and %s more\n", campaign.Count(more, "bad row"))
		}
	}
	if err != nil {
		return err
	}
	text := fmt.Sprintf("%s: %s added, %s on the list already", campaign.Count(i.Rows, "row"), campaign.Count(i.Added, "number"), campaign.Number(i.Listed()))
	if i.Bad > 0 {
		text += fmt.Sprintf(", %s set aside", campaign.Count(i.Bad, "bad row"))
	}
	fmt.Fprintln(a.stdout, text)
	return nil
}
