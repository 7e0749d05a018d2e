package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/operations"
)

func (a *app) webhookCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "webhook",
		Short: "Tell other apps what becomes of campaigns: add, list, test, rotate and remove their URLs",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usagef("webhook: add, list, rotate, remove, test or log is missing; see %s --help", cmd.CommandPath())
		},
	}
	cmd.AddCommand(
		a.webhookAddCommand(), a.webhookListCommand(), a.webhookLogCommand(),
		a.rotateCommand("rotate ID", "Give a webhook another secret, and print it: the old one signs, too, for a while more", func(o *operations.Operations, ctx context.Context, id string, overlap time.Duration) (string, error) {
			secret, _, err := o.RotateWebhook(ctx, id, overlap)
			return secret, err
		}),
		a.webhookDo("remove ID", "End a webhook: it receives nothing any more", func(ctx context.Context, o *operations.Operations, id string) (string, error) {
			return "is removed", o.RemoveWebhook(ctx, id)
		}),
		a.webhookDo("test ID", "Send a webhook an event without content, from this machine, and see whether it accepts it", func(ctx context.Context, o *operations.Operations, id string) (string, error) {
			d, err := o.TestWebhook(ctx, id)
			if err != nil {
				return "", err
			}
			return fmt.Sprintf("accepted it: HTTP %d in %d ms", d.Status, d.TookMS), nil
		}),
	)
	return cmd
}

// webhookDo makes a verb about one webhook a command; the verb returns what was done.
func (a *app) webhookDo(use, short string, do func(context.Context, *operations.Operations, string) (string, error)) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.operate(cmd.Context(), func(o *operations.Operations) error {
				done, err := do(cmd.Context(), o, args[0])
				if err == nil {
					fmt.Fprintf(a.stdout, "webhook %s %s\n", args[0], done)
				}
				return err
			})
		},
	}
}

func (a *app) webhookAddCommand() *cobra.Command {
	var w operations.NewWebhook
	cmd := &cobra.Command{
		Use:   "add URL",
		Short: "Add a URL, and print its secret: it can't be shown again",
		Long: "Add a URL that receives what happens from now on. It prints the webhook's ID on\n" +
			"standard error, and on standard output the secret that signs the events: it can't\n" +
			"be shown again. Events: campaign, when a campaign's state changes; recipients, when\n" +
			"people have their outcome, or another one.",
		RunE: func(cmd *cobra.Command, args []string) error {
			w.URL = args[0]
			return a.operate(cmd.Context(), func(o *operations.Operations) error {
				added, err := o.AddWebhook(cmd.Context(), w)
				if err != nil {
					return err
				}
				if added.Note != "" {
					fmt.Fprintf(a.stderr, "note: %s; see handout webhook test %s\n", added.Note, added.ID)
				}
				fmt.Fprintf(a.stderr, "webhook %s is added; its secret:\n", added.ID)
				fmt.Fprintln(a.stdout, added.Secret)
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&w.Events, "events", "campaign,recipients", "what it receives, separated by commas")
	cmd.Flags().StringVar(&w.Campaigns, "campaigns", "", "only campaigns whose IDs begin with this")
	cmd.Flags().BoolVar(&w.Phones, "phones", false, "send it phone numbers")
	return cmd
}

func (a *app) webhookListCommand() *cobra.Command {
	return tableCommand(a, "list", "List the webhooks, and whether they accept their events", "ID,URL,EVENTS,CAMPAIGNS,PHONES,STATE,LAST DELIVERY",
		func(ctx context.Context, o *operations.Operations, _ []string) ([]operations.Webhook, error) {
			return o.Webhooks(ctx)
		},
		func(w operations.Webhook) []any {
			if w.Dropped > 0 {
				w.State += "; " + campaign.Number(w.Dropped) + " dropped"
			}
			return []any{w.ID, w.URL, strings.Join(w.Events, ","), w.Campaigns + "*", w.Phones, w.State, lastDelivery(w.Last)}
		})
}

// lastDelivery says what came of the latest delivery, and when.
func lastDelivery(d *operations.Delivery) string {
	if d == nil {
		return "none yet"
	}
	return cmp.Or(d.Error, fmt.Sprintf("HTTP %d", d.Status)) + " at " + d.At.Format(time.RFC3339)
}

func (a *app) webhookLogCommand() *cobra.Command {
	return tableCommand(a, "log ID", "Show the latest 100 deliveries to a webhook, the latest first", "TIME,TYPE,CAMPAIGN,RECIPIENTS,ATTEMPT,TOOK,ANSWER",
		func(ctx context.Context, o *operations.Operations, args []string) ([]operations.Delivery, error) {
			return o.WebhookLog(ctx, args[0])
		},
		func(d operations.Delivery) []any {
			answer := cmp.Or(d.Error, fmt.Sprintf("HTTP %d", d.Status))
			return []any{d.At.Format(time.RFC3339), d.Type, d.Campaign, campaign.Number(d.Count), d.Attempt, fmt.Sprintf("%d ms", d.TookMS), answer}
		})
}
