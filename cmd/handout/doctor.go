package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/internal/accounts"
	"github.com/handout-dev/handout/internal/config"
	"github.com/handout-dev/handout/internal/doctor"
	"github.com/handout-dev/handout/internal/probe"
	"github.com/handout-dev/handout/internal/usage"
	"github.com/handout-dev/handout/telesign"
)

type finding = probe.Finding

func (a *app) doctorCommand() *cobra.Command {
	var asJSON, live bool
	var callbackURL string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check Redis, credentials and clock, and where messages go, and say what to do about each fault",
		Long: "Check Redis, credentials and clock, and say what to do about each fault.\n\n" +
			"--live also asks Telesign, by requests that cost nothing and reach no phone, whether it\n" +
			"takes the credentials, how far its clock is off, and for the templates; with\n" +
			"--callback-url also that address, whether receipts arrive there. The exit status is 1\n" +
			"for what breaks a promise or keeps messages from being sent.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.load()
			if err != nil {
				return err
			}
			if callbackURL != "" && !live {
				return usagef("doctor: --callback-url goes with --live")
			}
			findings := diagnose(cmd.Context(), c)
			if live {
				findings = append(findings, diagnoseLive(cmd.Context(), c, callbackURL)...)
			}
			return a.say("doctor", findings, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON array")
	cmd.Flags().BoolVar(&live, "live", false, "ask Telesign, too")
	cmd.Flags().StringVar(&callbackURL, "callback-url", "", "with --live: ask whether receipts arrive at this address, the one that Telesign calls")
	return cmd
}

// diagnoseLive asks Telesign and, if there is one, the callback URL. What the
// credentials lack is found already.
func diagnoseLive(ctx context.Context, c *Config, callbackURL string) []finding {
	err := c.credentials()
	all, wrong := c.accounts()
	if err = errors.Join(err, wrong); err != nil {
		return []finding{{Fatal: true, Check: "Telesign", Found: "wasn't asked: " + oneLine(err), Advice: "set the account's variables; handout config lists them"}}
	}
	findings := probeAccounts(ctx, c, all)
	if callbackURL != "" {
		key, _ := telesign.DecodeKey(all[0].APIKey.Reveal()) // c.credentials has decoded it
		findings = append(findings, probe.Callback(ctx, c.Route(), callbackURL, all[0].CustomerID, key))
	}
	return findings
}

func (a *app) showFindings(findings []finding) {
	for _, f := range findings {
		mark := "ok   "
		switch {
		case !f.OK && f.Fatal:
			mark = "FAULT"
		case !f.OK:
			mark = "note "
		}
		fmt.Fprintf(a.stdout, "%s  %s: %s\n", mark, f.Check, f.Found)
		if !f.OK && f.Advice != "" {
			fmt.Fprintf(a.stdout, "       → %s\n", f.Advice)
		}
	}
}

func diagnose(ctx context.Context, c *Config) []finding {
	all, wrong := c.accounts()
	own, urls := accounts.Account{CustomerID: c.TelesignCustomerID, APIKey: c.TelesignAPIKey, Rate: c.Rate}, []string{c.TelesignURL}
	if len(all) > 0 {
		own, urls = all[0], all.URLs()
	}
	findings := append(diagnoseDestination(c), doctor.Examine(ctx, &doctor.Setup{
		RedisURL: c.RedisURL, RedisTLS: c.RedisTLS(), KeysURL: c.KeysURL.Reveal(), Prefix: c.Prefix, RedisReplicas: c.RedisReplicas, Rate: own.Rate,
		CustomerID: own.CustomerID, APIKey: own.APIKey, TelesignURLs: urls, Accounts: all.Digests(),
		Unsafe: map[string]bool{
			"HANDOUT_REQUIRE_SIGNATURE": !c.RequireSignature, "HANDOUT_CONSOLE_OPEN": c.ConsoleOpen, "HANDOUT_CONSOLE_PLAIN_HTTP": c.ConsolePlainHTTP,
			"HANDOUT_CHECK_FILES_PRIVATE": c.CheckFilesPrivate, "HANDOUT_WEBHOOK_ALLOW_PRIVATE": c.WebhookAllowPrivate, "HANDOUT_SCHEDULE_ALLOW_PRIVATE": c.ScheduleAllowPrivate,
		},
		MasterKeys: c.MasterKeys(), Route: c.Route(), CAFile: c.CAFile, Meant: strings.Split(c.AllowUnsafe, ","),
	})...)
	if c.Accounts != "" {
		f := finding{OK: wrong == nil, Fatal: true, Check: "HANDOUT_ACCOUNTS", Found: strings.Join(all.Names(), ", "), Advice: "docs/accounts.md has the file's form"}
		if wrong != nil {
			f.Found = oneLine(wrong)
		}
		findings = append(findings, f)
	}
	for _, name := range config.Unknown() {
		findings = append(findings, finding{
			Check: "environment", Found: name + " is no variable of handout's", Advice: "see handout config for the names",
		})
	}
	return findings
}

// healthCommand is what an image without a shell checks its health with.
func (a *app) healthCommand() *cobra.Command {
	return &cobra.Command{
		Use: "health URL", Short: "Ask a running mode whether it is healthy", Hidden: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			req, err := http.NewRequestWithContext(cmd.Context(), http.MethodGet, args[0], nil)
			if err != nil {
				return usage.Wrap(err)
			}
			resp, err := (&http.Client{Timeout: 3 * time.Second}).Do(req)
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				return fmt.Errorf("%s answers %s", args[0], resp.Status)
			}
			return nil
		},
	}
}
