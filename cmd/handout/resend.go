package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/translate"
	"github.com/handout-dev/handout/ledger"
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
			return a.withLedger(cmd.Context(), func(_ redis.UniversalClient, l *ledger.Ledger) error {
				return a.resend(cmd.Context(), l, id, args[1], *by, yes)
			})
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "don't ask; without a terminal nobody is asked")
	by = actorFlags(cmd)
	return cmd
}

func (a *app) resend(ctx context.Context, l *ledger.Ledger, id campaign.ID, who string, by campaign.Actor, yes bool) error {
	info, f, err := a.one(ctx, l, id, who)
	if err != nil {
		return err
	}
	if risk := translate.ResendRisk(f.Seen.Record.State); risk != "" { // else there is nothing to ask
		if err := a.confirm(fmt.Sprintf("Recipient %s is %s. %s", f.Place, standing(f), risk), yes); err != nil {
			return err
		}
	}
	_, err = l.Resend(ctx, info, f.Place, f.Seen, by, time.Now())
	var refused *campaign.TransitionError
	if errors.As(err, &refused) {
		return fmt.Errorf("recipient %s is %s and can't be sent to again", f.Place, refused.State)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "recipient %s of campaign %s is to be sent to again\n", f.Place, id)
	return nil
}

// one finds the one recipient that a person means.
func (a *app) one(ctx context.Context, l *ledger.Ledger, id campaign.ID, who string) (*campaign.Info, ledger.Found, error) {
	none := ledger.Found{}
	info, err := a.standing(ctx, l, id)
	if err != nil {
		return nil, none, err
	}
	found, err := l.Find(ctx, info, who)
	switch {
	case errors.Is(err, ledger.ErrNotFound):
		return nil, none, fmt.Errorf("there is no such recipient in campaign %s", id)
	case err != nil:
		return nil, none, err
	case len(found) > 1:
		places := make([]string, len(found))
		for i, f := range found {
			places[i] = fmt.Sprintf("%s (%s)", f.Place, f.Seen.Record.State)
		}
		return nil, none, fmt.Errorf("there are %d recipients of this name in campaign %s; name one by its place: %s", len(found), id, strings.Join(places, ", "))
	}
	return info, found[0], nil
}

// standing is a recipient's state and why.
func standing(f ledger.Found) string {
	r := f.Seen.Record
	if why := translate.Reason(&r); why != "" {
		return r.State.String() + ": " + why
	}
	return r.State.String()
}

// confirm asks for a yes on the terminal to sending again.
func (a *app) confirm(about string, yes bool) error { return a.ask(about, "Send again?", yes) }

// ask says what is about to be done, and asks for a yes on the terminal. In a
// script there is nobody to ask: who has written the command there means it.
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
