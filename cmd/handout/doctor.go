package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"time"

	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/phone"
	"github.com/handout-dev/handout/internal/probe"
	"github.com/handout-dev/handout/internal/redisx"
	"github.com/handout-dev/handout/internal/report"
	"github.com/handout-dev/handout/telesign"
)

type finding = probe.Finding

func (a *app) doctorCommand() *cobra.Command {
	var asJSON, live bool
	var callbackURL string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check Redis, credentials and clock, and say what to do about each fault",
		Long: "Check Redis, credentials and clock, and say what to do about each fault.\n\n" +
			"--live also asks Telesign, by requests that cost nothing and reach nobody, whether it\n" +
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
			fatal := 0
			for _, f := range findings {
				if !f.OK && f.Fatal {
					fatal++
				}
			}
			if asJSON {
				if err := json.NewEncoder(a.stdout).Encode(findings); err != nil {
					return err
				}
			} else {
				a.showFindings(findings)
			}
			if fatal > 0 {
				return fmt.Errorf("doctor: %s", operations.Count(fatal, "fault"))
			}
			return nil
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
	client, err := c.client()
	if err != nil {
		return []finding{{Fatal: true, Check: "Telesign", Found: "wasn't asked: " + oneLine(err), Advice: "set the account's variables; handout config lists them"}}
	}
	findings := probe.Telesign(ctx, client)
	if callbackURL != "" {
		key, _ := telesign.DecodeKey(c.TelesignAPIKey.Reveal()) // c.client has decoded it
		findings = append(findings, probe.Callback(ctx, callbackURL, c.TelesignCustomerID, key))
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

// maxClockOffset is how far a worker's clock may be from Redis's: asynq's leases last
// 30 s by the worker's clock.
const maxClockOffset = 5 * time.Second

// maxPhoneData is how old the data of phone numbers may be. Countries open a range
// every other week, taken together.
const maxPhoneData = 365 * 24 * time.Hour

func diagnose(ctx context.Context, c *Config) []finding {
	findings := append(diagnoseRedis(ctx, c), diagnoseCredentials(c)...)
	findings = append(findings, finding{
		OK: time.Since(phone.DataDay()) < maxPhoneData, Check: "phone numbers", Found: fmt.Sprintf("%s of %s", phone.DataVersion, phone.DataDay().Format(time.DateOnly)),
		Advice: "update handout: numbers of newer ranges are sent to, but counted as in no range known",
	})
	for _, name := range unknownVariables() {
		findings = append(findings, finding{
			Check: "environment", Found: name + " is no variable of handout's", Advice: "see handout config for the names",
		})
	}
	return findings
}

func diagnoseRedis(ctx context.Context, c *Config) []finding {
	const start = "set REDIS_URL, as in redis://127.0.0.1:6379/0, and start Redis with deploy/redis.conf"
	if c.RedisURL == "" {
		return []finding{{Fatal: true, Check: "Redis", Found: "REDIS_URL is not set", Advice: start}}
	}
	where := redisx.Describe(c.RedisURL)
	rdb, err := redisx.Open(c.RedisURL)
	if err != nil {
		return []finding{{Fatal: true, Check: "Redis", Found: oneLine(err), Advice: start}}
	}
	defer rdb.Close()
	info, err := redisx.Inspect(ctx, rdb)
	if err != nil {
		return []finding{{Fatal: true, Check: "Redis", Found: fmt.Sprintf("%s can't be reached: %s", where, oneLine(err)), Advice: "is it running, and is REDIS_URL right?"}}
	}
	var findings []finding
	add := func(ok, fatal bool, check, found, advice string) {
		findings = append(findings, finding{OK: ok, Fatal: fatal, Check: check, Found: found, Advice: advice})
	}
	add(true, true, "Redis", fmt.Sprintf("%s answers (%s)", where, info.Mode), start)
	add(info.AtLeast62, true, "Redis version", info.Version, "handout and its queue need Redis 6.2 or newer")
	if info.ConfigHidden {
		add(false, false, "Redis settings", "this Redis doesn't show them",
			"check yourself that it has appendonly yes, appendfsync always and maxmemory-policy noeviction")
	} else {
		add(info.AppendOnly, true, "append-only file", map[bool]string{true: "on", false: "off"}[info.AppendOnly],
			"set appendonly yes: without it a restart of Redis forgets who has been sent to")
		add(info.AppendFsync == "always", false, "appendfsync", info.AppendFsync,
			"set appendfsync always: otherwise a crash of Redis forgets its last second, and claims of that second are sent twice")
		add(info.MaxMemoryPolicy == "noeviction", true, "maxmemory-policy", info.MaxMemoryPolicy,
			"set maxmemory-policy noeviction: any other policy deletes records when memory runs out")
	}
	if info.MaxMemory > 0 {
		used := float64(info.UsedMemory) / float64(info.MaxMemory)
		add(used < 0.7, false, "Redis memory", fmt.Sprintf("%.0f %% of %d MB used", 100*used, info.MaxMemory>>20),
			"raise maxmemory, or purge campaigns: at 100 % nothing can be written and sending stops")
	}
	if id, reason, err := report.NewReader(rdb, c.Rate).Restored(ctx); err == nil && id != "" { // other checks report errors of Redis
		add(false, true, "Redis's memory", fmt.Sprintf("campaign %s is held: %s", id, reason),
			"before you resume it, wait for receipts, run handout verify, and check in Telesign's own reports who was sent to: docs/promises.md, \"A restored snapshot\"")
	}
	if !info.ClockHidden {
		add(info.ClockOffset.Abs() < maxClockOffset, true, "clock", fmt.Sprintf("Redis's clock is %s from this machine's", info.ClockOffset.Round(time.Millisecond)),
			"synchronise both machines with NTP: leases in the queue go by the workers' clocks")
	}
	return findings
}

func diagnoseCredentials(c *Config) []finding {
	id := finding{OK: c.TelesignCustomerID != "", Fatal: true, Check: "TELESIGN_CUSTOMER_ID", Found: "set", Advice: "copy it from Telesign's portal"}
	if !id.OK {
		id.Found = "not set"
	}
	key := finding{OK: true, Fatal: true, Check: "TELESIGN_API_KEY", Found: "set, and it is base64", Advice: "copy it from Telesign's portal, all of it"}
	if c.TelesignAPIKey.Reveal() == "" {
		key.OK, key.Found = false, "not set"
	} else if _, err := telesign.DecodeKey(c.TelesignAPIKey.Reveal()); err != nil {
		key.OK, key.Found = false, "set, but it isn't base64"
	}
	if id.OK && !customerID.MatchString(c.TelesignCustomerID) {
		id.OK, id.Fatal, id.Found = false, false, "set, but it doesn't look like a customer ID (8-4-4-4-12 hex digits)"
	}
	return []finding{id, key}
}

var customerID = regexp.MustCompile(`(?i)^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// healthCommand is what an image without a shell checks its health with.
func (a *app) healthCommand() *cobra.Command {
	return &cobra.Command{
		Use: "health URL", Short: "Ask a running mode whether it is healthy", Hidden: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			req, err := http.NewRequestWithContext(cmd.Context(), http.MethodGet, args[0], nil)
			if err != nil {
				return usageError{err}
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
