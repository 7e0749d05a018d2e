package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/webhook"
	"github.com/handout-dev/handout/internal/webhook/outbox"
	"github.com/handout-dev/handout/ledger"
)

func (a *app) webhookCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "webhook",
		Short: "Tell other apps what becomes of campaigns: add, list, test and remove their URLs",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usagef("webhook: add, list, remove, test or log is missing; see %s --help", cmd.CommandPath())
		},
	}
	cmd.AddCommand(a.webhookAddCommand(), a.webhookListCommand(), a.webhookRemoveCommand(), a.webhookTestCommand(), a.webhookLogCommand())
	return cmd
}

func (a *app) webhookAddCommand() *cobra.Command {
	var events, prefix string
	var phones bool
	cmd := &cobra.Command{
		Use:   "add URL",
		Short: "Add a URL, and print its secret: it can't be shown again",
		Long: "Add a URL that is told what happens from here on, and print its ID on standard error\n" +
			"and the secret that signs what it is told on standard output: it can't be shown\n" +
			"again. Events: campaign is told when a campaign's state changes, recipients when\n" +
			"people have their outcome, or another one.",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.load()
			if err != nil {
				return err
			}
			sorts, err := webhook.ParseEvents(events)
			if err != nil {
				return usagef("webhook add: --events: %w", err)
			}
			if _, err := campaign.ParseID(prefix); err != nil && prefix != "" {
				return usagef("webhook add: --campaigns: %w", err)
			}
			if err := webhook.CheckURL(args[0], c.WebhookAllowPrivate); err != nil {
				return usagef("webhook add: URL: %w", err) // which isn't repeated: it may hold a secret
			}
			return a.withLedger(cmd.Context(), func(_ redis.UniversalClient, l *ledger.Ledger) error {
				e := webhook.New(args[0], sorts, prefix, phones, time.Now())
				if err := l.Outbox().Add(cmd.Context(), e); err != nil {
					return err
				}
				fmt.Fprintf(a.stderr, "webhook %s is added; its secret:\n", e.ID)
				fmt.Fprintln(a.stdout, e.Secret.Reveal())
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&events, "events", "campaign,recipients", "what it is told, with commas between")
	cmd.Flags().StringVar(&prefix, "campaigns", "", "only campaigns whose IDs begin with this")
	cmd.Flags().BoolVar(&phones, "phones", false, "tell it phone numbers")
	return cmd
}

// webhookRow is an endpoint as it is listed.
type webhookRow struct {
	ID        string   `json:"id"`
	URL       string   `json:"url"` // without its query
	Events    []string `json:"events"`
	Campaigns string   `json:"campaigns"` // a prefix; empty: all
	Phones    bool     `json:"phones"`
	Created   string   `json:"created"`
	State     string   `json:"state"`   // ok, failing since, gone since
	Dropped   int      `json:"dropped"` // outcomes and changes that it was never told
}

func (a *app) webhookListCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the webhooks, and whether they take what they are told",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withLedger(cmd.Context(), func(rdb redis.UniversalClient, l *ledger.Ledger) error {
				rows, err := webhookRows(cmd.Context(), rdb, l)
				if err != nil {
					return err
				}
				if asJSON {
					return json.NewEncoder(a.stdout).Encode(rows)
				}
				t := tabwriter.NewWriter(a.stdout, 0, 4, 2, ' ', 0)
				fmt.Fprintln(t, "ID\tURL\tEVENTS\tCAMPAIGNS\tPHONES\tSTATE")
				for _, r := range rows {
					if r.Dropped > 0 {
						r.State += fmt.Sprintf("; %d dropped", r.Dropped)
					}
					fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%t\t%s\n", r.ID, r.URL, strings.Join(r.Events, ","), r.Campaigns+"*", r.Phones, r.State)
				}
				return t.Flush()
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON array")
	return cmd
}

func webhookRows(ctx context.Context, rdb redis.UniversalClient, l *ledger.Ledger) ([]webhookRow, error) {
	endpoints, err := l.Outbox().Endpoints(ctx)
	if err != nil {
		return nil, err
	}
	failing, err := l.Outbox().Failing(ctx)
	if err != nil {
		return nil, err
	}
	dropped, err := l.Outbox().CountDiscarded(ctx)
	if err != nil {
		return nil, err
	}
	rows := make([]webhookRow, 0, len(endpoints.All))
	for _, e := range endpoints.All {
		state := "ok"
		if since, ok := failing[e.ID]; ok {
			state = "failing since " + since.Format(time.RFC3339)
		}
		if !e.GoneAt.IsZero() {
			state = "gone since " + e.GoneAt.Format(time.RFC3339)
		}
		rows = append(rows, webhookRow{
			Dropped: dropped[e.ID],
			ID:      e.ID, URL: webhook.ShowURL(e.URL), Events: e.Events, Campaigns: e.Prefix, Phones: e.Phones,
			Created: e.CreatedAt.Format(time.RFC3339), State: state,
		})
	}
	return rows, nil
}

func (a *app) webhookRemoveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "remove ID",
		Short: "End a webhook: it is told nothing any more",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withLedger(cmd.Context(), func(_ redis.UniversalClient, l *ledger.Ledger) error {
				if err := l.Outbox().Remove(cmd.Context(), args[0]); err != nil {
					return err
				}
				fmt.Fprintf(a.stdout, "webhook %s is removed\n", args[0])
				return nil
			})
		},
	}
}

// withEndpoint runs f on an endpoint that there is.
func (a *app) withEndpoint(ctx context.Context, id string, f func(redis.UniversalClient, *outbox.Endpoint) error) error {
	return a.withLedger(ctx, func(rdb redis.UniversalClient, l *ledger.Ledger) error {
		endpoints, err := l.Outbox().Endpoints(ctx)
		if err != nil {
			return err
		}
		e := endpoints.Find(id)
		if e == nil {
			return fmt.Errorf("webhook %s: %w", id, outbox.ErrNotFound)
		}
		return f(rdb, e)
	})
}

func (a *app) webhookTestCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "test ID",
		Short: "Send a webhook an event that says nothing, from this machine, and see whether it takes it",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.load()
			if err != nil {
				return err
			}
			return a.withEndpoint(cmd.Context(), args[0], func(rdb redis.UniversalClient, e *outbox.Endpoint) error {
				client := webhook.NewClient(c.WebhookAllowPrivate)
				defer client.Close()
				d, err := webhook.Test(cmd.Context(), ledger.New(rdb).Outbox(), client, e, time.Now())
				if err != nil {
					return err
				}
				if d.Error != "" {
					return errors.New("webhook " + e.ID + " didn't take it: " + d.Error)
				}
				fmt.Fprintf(a.stdout, "webhook %s took it: HTTP %d in %d ms\n", e.ID, d.Status, d.TookMS)
				return nil
			})
		},
	}
}

func (a *app) webhookLogCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "log ID",
		Short: "Show the latest 100 deliveries to a webhook, the latest first",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withEndpoint(cmd.Context(), args[0], func(rdb redis.UniversalClient, e *outbox.Endpoint) error {
				log, err := ledger.New(rdb).Outbox().Deliveries(cmd.Context(), e.ID)
				if err != nil {
					return err
				}
				if asJSON {
					return json.NewEncoder(a.stdout).Encode(log)
				}
				t := tabwriter.NewWriter(a.stdout, 0, 4, 2, ' ', 0)
				fmt.Fprintln(t, "TIME\tTYPE\tCAMPAIGN\tRECIPIENTS\tATTEMPT\tTOOK\tANSWER")
				for _, d := range log {
					answer := d.Error
					if answer == "" {
						answer = "HTTP " + strconv.Itoa(d.Status)
					}
					fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%d\t%d ms\t%s\n", d.At.Format(time.RFC3339), d.Type, d.Campaign, d.Count, d.Attempt, d.TookMS, answer)
				}
				return t.Flush()
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON array")
	return cmd
}
