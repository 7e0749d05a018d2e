package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/audit"
	"github.com/handout-dev/handout/internal/usage"
)

// trail returns the audit trail, with its lines where the environment says.
func (c *Config) trail(rdb redis.UniversalClient) (*audit.Log, error) {
	o := audit.Options{Length: c.AuditLength, Age: c.AuditAge}
	switch name := c.AuditFile; name {
	case "":
	case "stderr":
		o.Lines = os.Stderr
	default:
		// Open as long as the process lives: each entry is written at once.
		f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, usage.Wrap(fmt.Errorf("HANDOUT_AUDIT_FILE: %w", err))
		}
		o.Lines = f
	}
	return audit.New(rdb, o), nil
}

func (a *app) auditCommand() *cobra.Command {
	var follow, asJSON bool
	var since string
	cmd := &cobra.Command{
		Use: "audit", Short: "Show who did what, when, from where and why",
		Long: "Show who did what, when, from where and why, the oldest first. An act is written before\n" +
			"it is done, as begun; if it wasn't done, refused or failed follows.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			var from time.Time
			if since != "" {
				var err error
				if from, err = campaign.ParseMoment(since, time.Now(), -1); err != nil {
					return usagef("audit: --since: %w", err)
				}
			}
			return a.withTrail(cmd.Context(), func(log *audit.Log) error {
				show := func(e audit.Entry) error {
					_, err := fmt.Fprintln(a.stdout, e)
					return err
				}
				if asJSON {
					out := json.NewEncoder(a.stdout)
					show = func(e audit.Entry) error { return out.Encode(e) }
				}
				last, err := log.Each(cmd.Context(), from, show)
				if err == nil && follow {
					err = log.Follow(cmd.Context(), last, show)
				}
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&follow, "follow", false, "show what comes, too, until it is interrupted")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object on each line")
	cmd.Flags().StringVar(&since, "since", "", "only from a time on, as in 24h (ago) or 2026-11-22T09:00:00Z")
	cmd.AddCommand(&cobra.Command{
		Use: "verify", Short: "Look whether the trail is whole; the exit status is 1 if it isn't",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withTrail(cmd.Context(), func(log *audit.Log) error {
				v, err := log.Verify(cmd.Context())
				switch {
				case err != nil:
					return err
				case v.Gap != "":
					return fmt.Errorf("audit: %s", v)
				}
				fmt.Fprintln(a.stdout, v)
				return nil
			})
		},
	})
	return cmd
}

func (a *app) withTrail(ctx context.Context, f func(*audit.Log) error) error {
	return a.withRedis(ctx, func(rdb redis.UniversalClient) error { return f(audit.New(rdb, audit.Options{})) })
}
