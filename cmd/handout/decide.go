package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/terminal"
	"github.com/handout-dev/handout/internal/translate"
)

type decision struct {
	verb           operations.Verb
	question, done string
}

var (
	resending = decision{operations.VerbResend, "Send again?", "to be sent to again"}
	accepting = decision{operations.VerbAccept, "Take as sent?", "taken as sent to: unconfirmed, until a receipt says more"}
)

// consent is who decides, and whether they have said yes already.
type consent struct {
	by  *campaign.Actor
	yes bool
}

func consentFlags(cmd *cobra.Command, c *consent) *cobra.Command {
	cmd.Flags().BoolVar(&c.yes, "yes", false, "don't ask; without a terminal there is no question")
	c.by = actorFlags(cmd)
	return cmd
}

func (a *app) resendCommand() *cobra.Command {
	var c consent
	return consentFlags(ofCampaign("resend ID RECIPIENT",
		"Send to one person again, who is in doubt, failed, refused or unconfirmed",
		"Send to one person again, who is in doubt, failed, refused or unconfirmed. RECIPIENT\n"+
			"is the name in the list, the phone number, or the place in the list, as in 12.7.\n"+
			"Who is in doubt or unconfirmed may get the file twice by it.",
		func(ctx context.Context, id campaign.ID, args []string) error {
			return a.decide(ctx, resending, id, args[0], &c)
		}), &c)
}

func (a *app) retryCommand() *cobra.Command {
	var only string
	var c consent
	cmd := consentFlags(ofCampaign("retry ID",
		"Send again to all who are in one state: failed, refused, unconfirmed or in_doubt",
		"Send again to all who are in one state, with the campaign's content as it stands.\n"+
			"It says first how many they are, and asks on a terminal.",
		func(ctx context.Context, id campaign.ID, _ []string) error {
			state, err := operations.RetryState(only)
			if err != nil {
				return usagef("retry: --%w", err)
			}
			return a.decideAll(ctx, resending, id, state, &c)
		}), &c)
	cmd.Flags().StringVar(&only, "only", "", "failed, refused, unconfirmed or in_doubt")
	return cmd
}

func (a *app) acceptAsSentCommand() *cobra.Command {
	var all bool
	var c consent
	cmd := consentFlags(ofCampaign("accept-as-sent ID RECIPIENT|--all",
		"Decide of people in doubt that they were sent to: nothing is sent again",
		"Decide of one person in doubt, or with --all of everyone in doubt in a campaign,\n"+
			"that they were sent to. They become unconfirmed, and nothing is sent to them again\n"+
			"unless a person asks for it; a receipt that still comes is recorded. RECIPIENT is\n"+
			"the name in the list, the phone number, or the place in the list, as in 12.7.",
		func(ctx context.Context, id campaign.ID, args []string) error {
			if all {
				return a.decideAll(ctx, accepting, id, campaign.InDoubt, &c)
			}
			return a.decide(ctx, accepting, id, args[0], &c)
		}), &c)
	cmd.Args = func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) == 0:
			return usagef("accept-as-sent: ID is missing; see handout accept-as-sent --help")
		case len(args) > 2 || (len(args) == 2 && all): // what it is isn't repeated: it may be a phone number
			return usagef("accept-as-sent: one argument too many; it takes a campaign, and one recipient or --all")
		case len(args) == 1 && !all:
			return usagef("accept-as-sent: RECIPIENT is missing; --all decides about everyone in doubt")
		}
		return nil
	}
	cmd.Flags().BoolVar(&all, "all", false, "everyone in doubt in the campaign")
	return cmd
}

func (a *app) decide(ctx context.Context, d decision, id campaign.ID, who string, c *consent) error {
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
			stands := strings.TrimSuffix(r.State.String()+": "+translate.Reason(r, p.Info.Spec.Legs(&p.Found.Recipient, r)), ": ")
			if err := a.ask(fmt.Sprintf("Recipient %s is %s. %s", p.Found.Place, stands, risk), d.question, c.yes); err != nil {
				return err
			}
		}
		if err := o.Decide(ctx, p, d.verb, *c.by); err != nil {
			return err
		}
		fmt.Fprintf(a.stdout, "recipient %s of campaign %s is %s\n", p.Found.Place, id, d.done)
		return nil
	})
}

func (a *app) decideAll(ctx context.Context, d decision, id campaign.ID, state campaign.State, c *consent) error {
	return a.operate(ctx, func(o *operations.Operations) error {
		s, err := o.Select(ctx, id, d.verb, state)
		if err != nil {
			return err
		}
		word := strings.ReplaceAll(state.String(), "_", " ")
		if s.Count == 0 {
			fmt.Fprintf(a.stdout, "campaign %s: nobody is %s\n", id, word)
			return nil
		}
		are := "are"
		if s.Count == 1 {
			are = "is"
		}
		if err := a.ask(fmt.Sprintf("In campaign %s, %s %s %s. %s", id, campaign.Count(s.Count, "recipient"), are, word, d.verb.RiskOf(state)), d.question, c.yes); err != nil {
			return err
		}
		line := terminal.NewLine(a.stderr)
		n, err := o.DecideAll(ctx, s, *c.by, func(n int) { line.Update("%s of %s", campaign.Number(n), campaign.Number(s.Count)) })
		line.End()
		if err == nil {
			fmt.Fprintf(a.stdout, "campaign %s: %s %s\n", id, campaign.Count(n, "recipient"), d.done)
		}
		return err
	})
}

// ask says what is about to be done, and asks for a yes on the terminal. Without a
// terminal, as in a script, the command itself is the yes.
func (a *app) ask(about, question string, yes bool) error {
	if yes {
		return nil
	}
	fmt.Fprintln(a.stderr, strings.TrimSpace(about))
	if !asks() {
		return nil
	}
	fmt.Fprintf(a.stderr, "%s [y/N] ", question)
	answer, _ := bufio.NewReader(os.Stdin).ReadString('\n')
	if a := strings.ToLower(strings.TrimSpace(answer)); a != "y" && a != "yes" {
		return errors.New("nothing was changed")
	}
	return nil
}

// asks reports whether there is a terminal to ask on.
func asks() bool { return term.IsTerminal(int(os.Stdin.Fd())) }

func (a *app) purgeCommand() *cobra.Command {
	var c consent
	return consentFlags(ofCampaign("purge ID",
		"Delete who is in a campaign that is done; its counts and its history stay",
		"Delete who is in a campaign that is done: phone numbers, names, columns, and what\n"+
			"became of each. Its content, counts and history stay, and its ID stays taken.\n"+
			"It can't be undone; handout export ID first to keep a record. Workers do the\n"+
			"same by themselves when a campaign's retention has passed.",
		func(ctx context.Context, id campaign.ID, _ []string) error {
			return a.operate(ctx, func(o *operations.Operations) error { return a.purge(ctx, o, id, &c) })
		}), &c)
}

func (a *app) purge(ctx context.Context, o *operations.Operations, id campaign.ID, c *consent) error {
	s, err := o.Standing(ctx, id)
	if err == nil {
		err = s.Purgeable()
	}
	if err != nil {
		return err
	}
	info, people := s.Info, campaign.Count(s.Info.Total, "recipient")
	switch {
	case !info.EmptiedAt.IsZero():
		fmt.Fprintf(a.stdout, "campaign %s was purged on %s; there is nothing left to delete\n", id, info.PurgedAt.Format(time.DateOnly))
		return nil
	case !info.PurgedAt.IsZero(): // a person has said yes to it
		fmt.Fprintf(a.stderr, "campaign %s was purged on %s, and not to the end; going on\n", id, info.PurgedAt.Format(time.DateOnly))
	default:
		about := fmt.Sprintf("This deletes for good who is in campaign %s, %s, and what became of each. %s", id, people, s.Risk(operations.VerbPurge))
		if err := a.ask(strings.TrimSpace(about)+" The counts and the history stay.", "Purge it?", c.yes); err != nil {
			return err
		}
	}
	line := terminal.NewLine(a.stderr)
	err = o.Purge(ctx, s, *c.by, func(done, all int) { line.Update("%d %% deleted", 100*done/all) })
	line.End()
	if err == nil {
		fmt.Fprintf(a.stdout, "campaign %s is purged: the data of its %s is gone\n", id, people)
	}
	return err
}
