package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/orderhistory/database"
	"github.com/handout-dev/handout/internal/orderhistory/shop"
)

func (a *app) generateCommand() *cobra.Command {
	o := shop.GenerateOptions{Seed: 1}
	cmd := &cobra.Command{
		Use: "generate", Short: "Make a shop to try things with, in an empty database",
		Long: "Make a shop to try things with, in the empty database of ORDERHISTORY_SHOP:\n" +
			"customers with names and with phone numbers kept free for fiction, and their\n" +
			"orders of the last year. The last two digits of a number choose what handout\n" +
			"simulate does with the message.",
		Example: "  orderhistory generate --customers 3000  # a shop in ORDERHISTORY_SHOP",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig()
			if err != nil {
				return err
			}
			if o.Customers < 1 || o.Customers > shop.MaxGenerated || o.Orders < 0 {
				return usageError{fmt.Errorf("--customers must be 1 to %d, and --orders not negative", shop.MaxGenerated)}
			}
			o.Until = time.Now().UTC().Truncate(24 * time.Hour)
			if err := shop.Generate(cmd.Context(), c.Shop, o); err != nil {
				return err
			}
			fmt.Fprintf(a.stdout, "a shop with %s in %s\n", campaign.Count(o.Customers, "customer"), database.Describe(c.Shop))
			return nil
		},
	}
	cmd.Flags().IntVar(&o.Customers, "customers", 500, "how many")
	cmd.Flags().IntVar(&o.Orders, "orders", 0, "orders of each; 0: 1 to 6")
	cmd.Flags().Uint64Var(&o.Seed, "seed", 1, "the same seed makes the same shop")
	return cmd
}
