package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/report"
	"github.com/handout-dev/handout/telesign"
)

func (a *app) templateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "template COMMAND",
		Short: "See the account's templates, as Telesign lists them",
		Args:  func(*cobra.Command, []string) error { return usagef("template: a command is missing: list or show") },
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() }, // never reached: see Args
	}
	cmd.AddCommand(a.templateList(), a.templateShow())
	return cmd
}

func (a *app) templateList() *cobra.Command {
	var asJSON bool
	account := campaign.DefaultAccount
	cmd := &cobra.Command{
		Use: "list", Short: "List the account's templates",
		Long: "List the account's templates as Telesign does, at most a minute ago. The predefined\n" +
			"ones (text, file, image and so on) aren't among them.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.operate(cmd.Context(), func(o *operations.Operations) error {
				list, err := o.Templates(cmd.Context(), account)
				switch {
				case err != nil:
					return err
				case list.Problem != "" && list.At.IsZero():
					return errors.New("Telesign's templates aren't known: " + list.Problem)
				case list.Problem != "":
					fmt.Fprintf(a.stderr, "as of %s; now Telesign can't be asked: %s\n", list.At.Format(time.RFC3339), list.Problem)
				}
				return writeAll(a, asJSON, list.Templates, "NAME,CHANNEL,TYPE,STATUS,CATEGORY,LANGUAGE,PARAMETERS", func(t operations.Template) []any {
					return []any{report.Printable(t.Name), report.Printable(t.Channel), report.Printable(t.Type), report.Printable(t.Status),
						report.Printable(t.Category), report.Printable(t.Language), report.Printable(strings.Join(t.MandatoryParameters, ","))}
				})
			})
		},
	}
	cmd.Flags().StringVar(&account, "account", account, "whose: one of HANDOUT_ACCOUNTS")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON array")
	return cmd
}

func (a *app) templateShow() *cobra.Command {
	var asJSON bool
	var channel string
	account := campaign.DefaultAccount
	cmd := &cobra.Command{
		Use: "show NAME", Short: "Show one template, and the parameters that it needs",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.operate(cmd.Context(), func(o *operations.Operations) error {
				t, err := o.Template(cmd.Context(), account, channel, args[0])
				if err != nil {
					return err
				}
				if asJSON {
					return json.NewEncoder(a.stdout).Encode(t)
				}
				for _, line := range [][2]string{
					{"name", t.Name}, {"channel", t.Channel}, {"type", t.Type}, {"status", t.Status}, {"category", t.Category},
					{"language", t.Language}, {"parameters", strings.Join(t.MandatoryParameters, ", ")},
				} {
					fmt.Fprintf(a.stdout, "%-12s%s\n", line[0], report.Printable(line[1]))
				}
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&channel, "channel", telesign.ChannelWhatsApp, "its channel: whatsapp or sms")
	cmd.Flags().StringVar(&account, "account", account, "whose: one of HANDOUT_ACCOUNTS")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object")
	return cmd
}
