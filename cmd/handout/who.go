package main

import (
	"os"
	"os/user"

	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/campaign"
)

// loginName returns the name of the user who runs this command.
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
	cmd.Flags().StringVar(&a.Name, "by", loginName(), "who does it, for the record")
	cmd.Flags().StringVar(&a.Why, "why", "", "why, for the record")
	return a
}
