package main

import (
	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/campaign"
)

func (a *app) acceptAsSentCommand() *cobra.Command {
	var all, yes bool
	var by *campaign.Actor
	cmd := &cobra.Command{
		Use:   "accept-as-sent ID RECIPIENT|--all",
		Short: "Decide of people in doubt that they were sent to: nobody sends again",
		Long: "Decide of one person in doubt, or with --all of everyone in doubt in a campaign,\n" +
			"that they were sent to. They become unconfirmed, and nobody sends to them again\n" +
			"unless a person asks for it; a receipt that still comes is recorded. RECIPIENT is\n" +
			"the name in the list, the phone number, or the place in the list, as in 12.7.",
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) == 0:
				return usagef("accept-as-sent: ID is missing; see handout accept-as-sent --help")
			case len(args) > 2 || (len(args) == 2 && all): // what it is isn't repeated: it may be a phone number
				return usagef("accept-as-sent: one argument too many; it takes a campaign, and one recipient or --all")
			case len(args) == 1 && !all:
				return usagef("accept-as-sent: RECIPIENT is missing; --all decides about everyone in doubt")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := parseID(args[0])
			if err != nil {
				return err
			}
			if all {
				return a.decideAll(cmd.Context(), accepting, id, campaign.InDoubt, *by, yes)
			}
			return a.decide(cmd.Context(), accepting, id, args[1], *by, yes)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "everyone in doubt in the campaign")
	by = a.decisionFlags(cmd, &yes)
	return cmd
}
