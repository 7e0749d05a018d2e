package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/sealed"
)

func (a *app) masterKeyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "master-key", Short: "Make or replace the key that encrypts who is in campaigns",
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		&cobra.Command{
			Use: "create", Short: "Print a new master key",
			Long: "Print a new master key. Keep a copy apart from Redis and its backups: see docs/security.md.",
			Run:  func(*cobra.Command, []string) { fmt.Fprintln(a.stdout, sealed.NewMasterKey()) },
		},
		&cobra.Command{
			Use: "rewrap", Short: "Replace the master key by HANDOUT_MASTER_KEY",
			Long: "Replace HANDOUT_MASTER_KEY_PREVIOUS by HANDOUT_MASTER_KEY. All processes must have both\n" +
				"by then; when it has ended, take the previous one from them. See docs/security.md.",
			RunE: func(cmd *cobra.Command, _ []string) error {
				return a.operate(cmd.Context(), func(o *operations.Operations) error {
					n, err := o.RewrapMasterKey(cmd.Context())
					if err == nil {
						fmt.Fprintf(a.stdout, "HANDOUT_MASTER_KEY encrypts from now on; wrapped anew: %s, and the secrets of webhooks\n", campaign.Count(n, "campaign"))
					}
					return err
				})
			},
		},
	)
	return cmd
}
