package main

import (
	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/internal/report"
	"github.com/handout-dev/handout/ledger"
)

func (a *app) exportCommand() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "export ID",
		Short: "Write a line for everyone in a campaign: how they got the file, or why not",
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := parseID(args[0])
			if err != nil {
				return err
			}
			f, err := report.ParseFormat(format)
			if err != nil {
				return usageError{err}
			}
			return a.withLedger(cmd.Context(), func(rdb redis.UniversalClient, l *ledger.Ledger) error {
				info, err := a.standing(cmd.Context(), l, id)
				if err != nil {
					return err
				}
				return report.NewReader(rdb, a.config.Rate).Export(cmd.Context(), info, a.stdout, f)
			})
		},
	}
	cmd.Flags().StringVar(&format, "format", "csv", "csv or ndjson")
	return cmd
}
