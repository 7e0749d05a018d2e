package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/translate"
)

// decision is what is decided about recipients, in the words of the command line.
type decision struct {
	verb           operations.Verb
	question, done string
}

var (
	resending = decision{operations.VerbResend, "Send again?", "to be sent to again"}
	accepting = decision{operations.VerbAccept, "Take as sent?", "taken as sent to: unconfirmed, until a receipt says more"}
)

func (a *app) resendCommand() *cobra.Command {
	var yes bool
	var by *campaign.Actor
	cmd := &cobra.Command{
		Use:   "resend ID RECIPIENT",
		Short: "Send to one person again, who is in doubt, failed, refused or unconfirmed",
		Long: "Send to one person again, who is in doubt, failed, refused or unconfirmed. RECIPIENT\n" +
			"is the name in the list, the phone number, or the place in the list, as in 12.7.\n" +
			"Who is in doubt or unconfirmed may get the file twice by it.",
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := parseID(args[0])
			if err != nil {
				return err
			}
			return a.decide(cmd.Context(), resending, id, args[1], *by, yes)
		},
	}
	by = a.decisionFlags(cmd, &yes)
	return cmd
}

func (a *app) decisionFlags(cmd *cobra.Command, yes *bool) *campaign.Actor {
	cmd.Flags().BoolVar(yes, "yes", false, "don't ask; without a terminal nobody is asked")
	return actorFlags(cmd)
}

// decide decides about one recipient.
func (a *app) decide(ctx context.Context, d decision, id campaign.ID, who string, by campaign.Actor, yes bool) error {
	return a.operate(ctx, func(o *operations.Operations) error {
		p, err := o.Person(ctx, id, who, true)
		if err == nil {
			err = p.Check(d.verb)
		}
		if err != nil {
			return err
		}
		r := &p.Found.Seen.Record
		if risk := d.verb.RiskOf(r.State); risk != "" { // else there is nothing to ask
			stands := strings.TrimSuffix(r.State.String()+": "+translate.Reason(r), ": ")
			if err := a.ask(fmt.Sprintf("Recipient %s is %s. %s", p.Found.Place, stands, risk), d.question, yes); err != nil {
				return err
			}
		}
		if err := o.Decide(ctx, p, d.verb, by); err != nil {
			return err
		}
		fmt.Fprintf(a.stdout, "recipient %s of campaign %s is %s\n", p.Found.Place, id, d.done)
		return nil
	})
}

// ask says what is about to be done, and asks for a yes on the terminal. Without a
// terminal, as in a script, the command itself is the yes.
func (a *app) ask(about, question string, yes bool) error {
	if yes {
		return nil
	}
	fmt.Fprintln(a.stderr, strings.TrimSpace(about))
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return nil
	}
	fmt.Fprintf(a.stderr, "%s [y/N] ", question)
	answer, _ := bufio.NewReader(os.Stdin).ReadString('\n')
	if a := strings.ToLower(strings.TrimSpace(answer)); a != "y" && a != "yes" {
		return errors.New("nothing was changed")
	}
	return nil
}
