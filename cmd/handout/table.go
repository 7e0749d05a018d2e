package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/internal/operations"
)

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
				if asJSON {
					return json.NewEncoder(a.stdout).Encode(all)
				}
				t := tabwriter.NewWriter(a.stdout, 0, 4, 2, ' ', 0)
				fmt.Fprintln(t, strings.ReplaceAll(columns, ",", "\t"))
				for _, one := range all {
					cells := line(one)
					fmt.Fprintf(t, strings.Repeat("%v\t", len(cells)-1)+"%v\n", cells...)
				}
				return t.Flush()
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON array")
	return cmd
}
