package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"os/user"
	"time"

	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/installation"
	"github.com/handout-dev/handout/internal/orderhistory"
	"github.com/handout-dev/handout/internal/orderhistory/shop"
	"github.com/handout-dev/handout/internal/orderhistory/state"
	"github.com/handout-dev/handout/internal/orderhistory/store"
	"github.com/handout-dev/handout/internal/redisx"
	"github.com/handout-dev/handout/internal/s3keys"
	"github.com/handout-dev/handout/internal/sealed"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/producer"
)

// runFlags are those of orderhistory run.
type runFlags struct {
	period, metrics, force    string
	everybody, dryRun, asJSON bool
	wait                      time.Duration
}

func (a *app) runCommand() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Export a period: write the files, upload them, open the campaign",
		Long: "Export a period: write a file for each customer with orders since their last\n" +
			"file, upload them, look whether they can be fetched, and open the campaign.\n" +
			"Run again after an interruption it goes on; after success it changes nothing.\n" +
			"A run that looks wrong is refused with exit status 1, and nothing is sent.",
		Example: "  orderhistory run --dry-run                             # plan and check; writes nothing anywhere\n" +
			"  orderhistory run --period 2026-11-23                   # orders before that day\n" +
			"  orderhistory run --all                                 # also customers without new orders\n" +
			"  orderhistory run --force-drift \"the trial is over\"     # let figures pass that are far from the last time",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("force-drift") && f.force == "" {
				return usageError{errors.New("--force-drift: say why, for the record")}
			}
			err := a.run(cmd.Context(), &f)
			if err != nil && f.asJSON {
				err = errors.Join(err, writeFailure(a.stdout, f.period, err, cmd.Context().Err() != nil))
			}
			return err
		},
	}
	cmd.Flags().StringVar(&f.period, "period", "", "the end of the period: it has the orders before this day or time, as in 2026-11-23 (default today)")
	cmd.Flags().BoolVar(&f.everybody, "all", false, "also customers without orders since their last file")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "show which customers would get a file, and write nothing")
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print one JSON object, also of a run that fails: refused, reason and again")
	cmd.Flags().StringVar(&f.force, "force-drift", "", "accept figures far from the last time; say why, for the record")
	cmd.Flags().StringVar(&f.metrics, "metrics-file", "", "write Prometheus metrics to this file, for the textfile collector")
	cmd.Flags().DurationVar(&f.wait, "wait", 0, "how long to wait for another run to end, instead of failing at once")
	return cmd
}

func (a *app) run(ctx context.Context, f *runFlags) (err error) {
	c, err := loadConfig()
	if err != nil {
		return err
	}
	p, err := c.period(f.period, time.Now())
	if err != nil {
		return err
	}
	x, closeAll, err := c.exporter(ctx, f.dryRun)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeAll()) }()
	line := newLiveLine(a.stderr)
	x.Progress = line.progress
	o := orderhistory.RunOptions{Everybody: f.everybody, DryRun: f.dryRun}
	if f.force != "" {
		o.Force = &orderhistory.Force{By: whoami(), Why: f.force}
	}
	started := time.Now()
	result, err := patiently(ctx, f.wait, func() (*orderhistory.Result, error) { return x.Run(ctx, p, o) })
	line.end()
	if f.metrics != "" && !f.dryRun {
		err = errors.Join(err, writeMetrics(ctx, f.metrics, x.State, time.Since(started)))
	}
	if errors.Is(err, state.ErrBusy) {
		return fmt.Errorf("%w; it holds the lock of %s; --wait waits for it", err, c.State)
	}
	if result != nil {
		a.aside(result)
	}
	if err != nil {
		return err
	}
	if f.asJSON {
		return json.NewEncoder(a.stdout).Encode(result)
	}
	a.describe(result)
	return nil
}

// patiently tries again for up to wait while another run is under way.
func patiently(ctx context.Context, wait time.Duration, try func() (*orderhistory.Result, error)) (*orderhistory.Result, error) {
	deadline := time.Now().Add(wait)
	for {
		result, err := try()
		if !errors.Is(err, state.ErrBusy) || time.Now().After(deadline) {
			return result, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(500 * time.Millisecond): // there is no signal for a free lock
		}
	}
}

// whoami returns the name of the user who runs the program.
func whoami() string {
	u, err := user.Current()
	if err != nil {
		return "unknown"
	}
	return u.Username
}

// period reads --period: today, by the clocks of the zone, if it's empty.
func (c *Config) period(text string, now time.Time) (orderhistory.Period, error) {
	zone, err := time.LoadLocation(c.Zone)
	if err != nil {
		return orderhistory.Period{}, usageError{err}
	}
	if text == "" {
		text = now.In(zone).Format(time.DateOnly)
	}
	p, err := orderhistory.ParsePeriod(text, zone)
	switch {
	case err != nil:
		return p, usageError{fmt.Errorf("--period: %w", err)}
	case p.Until.After(now):
		return p, usageError{fmt.Errorf("--period: %s isn't over yet: more orders may come", text)}
	}
	return p, nil
}

// closers are closed in reverse.
type closers []io.Closer

func (c closers) close() error {
	var errs []error
	for i := len(c) - 1; i >= 0; i-- {
		errs = append(errs, c[i].Close())
	}
	return errors.Join(errs...)
}

// exporter opens everything that a run works with.
func (c *Config) exporter(ctx context.Context, dry bool) (_ *orderhistory.Exporter, _ func() error, err error) {
	var opened closers
	defer func() {
		if err != nil {
			err = errors.Join(err, opened.close())
		}
	}()
	queries, err := c.queries()
	if err != nil {
		return nil, nil, err
	}
	words, err := c.words()
	if err != nil {
		return nil, nil, usageError{err}
	}
	spec, err := c.campaign()
	if err != nil {
		return nil, nil, err
	}
	if c.RedisURL == "" {
		return nil, nil, usageError{errors.New("REDIS_URL is not set: where is Redis? For example REDIS_URL=redis://127.0.0.1:6379/0")}
	}
	secured := redisx.TLS{CA: c.RedisCA, Cert: c.RedisCert, Key: c.RedisKey}
	rdb, err := redisx.Open(c.RedisURL, c.RedisPrefix, redisx.WithTLS(secured))
	if err != nil {
		return nil, nil, usageError{fmt.Errorf("REDIS_URL: %w", err)}
	}
	opened = append(opened, rdb)
	if err := redisx.Ping(ctx, rdb); err != nil {
		return nil, nil, fmt.Errorf("can't use Redis at %s: %w", redisx.Describe(c.RedisURL), err)
	}
	keys, err := sealed.NewRing(c.MasterKey.Reveal(), c.MasterKeyPrevious.Reveal())
	if err != nil {
		return nil, nil, usageError{fmt.Errorf("HANDOUT_MASTER_KEY: %w", err)}
	}
	if err := installation.LookMasterKey(ctx, rdb, keys.IDs()); err != nil {
		return nil, nil, err
	}
	store, err := installation.OpenKeyStore(ctx, rdb, c.KeysURL.Reveal(), secured, slog.Default())
	if err != nil {
		return nil, nil, err
	}
	if store != nil {
		opened = append(opened, store)
		keys.KeepKeysIn(store)
	}
	submits, campaigns := producer.New(rdb), ledger.New(rdb)
	submits.Seal(keys)
	campaigns.Seal(keys)
	zone, err := time.LoadLocation(c.Zone)
	if err != nil {
		return nil, nil, usageError{err}
	}
	from, err := shop.Open(ctx, c.Shop, queries)
	if err != nil {
		return nil, nil, fmt.Errorf("the shop: %w", err)
	}
	opened = append(opened, from)
	files, err := c.store(ctx, dry)
	if err != nil {
		return nil, nil, err
	}
	opened = append(opened, files)
	route, err := c.route()
	if err != nil {
		return nil, nil, err
	}
	openState := state.Open
	if dry {
		openState = state.Rehearse
	}
	st, err := openState(ctx, c.State)
	if err != nil {
		return nil, nil, err
	}
	opened = append(opened, st)
	return &orderhistory.Exporter{
		Shop: from, State: st, Store: files, Producer: submits, Ledger: campaigns,
		Campaign: spec, HTTP: &http.Client{Transport: route.Through(&http.Transport{ForceAttemptHTTP2: true})}, Region: c.PhoneRegion, Zone: zone, Currency: c.Currency, Words: words, Prefix: c.Prefix,
		LinkLife: c.LinkLife, Workers: c.Workers, Uploads: c.Uploads,
		MaxDrift: c.MaxDrift, MaxBad: c.MaxBad, Keep: time.Duration(c.KeepDays) * 24 * time.Hour, TryLinks: c.TryLinks,
	}, opened.close, nil
}

// closingStore is a store that is to be closed.
type closingStore interface {
	orderhistory.Store
	io.Closer
}

func (c *Config) store(ctx context.Context, dry bool) (closingStore, error) {
	if c.S3Bucket == "" {
		if _, err := os.Stat(c.Folder); dry && errors.Is(err, fs.ErrNotExist) {
			return openScratch(c.FolderURL)
		}
		return store.OpenFolder(c.Folder, c.FolderURL)
	}
	route, err := c.route()
	if err != nil {
		return nil, err
	}
	return store.OpenS3(ctx, store.S3Options{
		Route:    route,
		Endpoint: c.S3Endpoint, PublicEndpoint: c.S3PublicEndpoint, LinkBase: c.LinkBase, Region: c.S3Region, Bucket: c.S3Bucket,
		Keys: s3keys.Keys{AccessKey: c.S3AccessKey, SecretKey: c.S3SecretKey, SessionToken: c.S3SessionToken}, Connections: c.Workers * c.Uploads,
	})
}

// scratch is a folder of a dry run, which makes links and no file.
type scratch struct {
	*store.Folder
	dir string
}

func openScratch(base string) (*scratch, error) {
	dir, err := os.MkdirTemp("", "orderhistory-")
	if err != nil {
		return nil, err
	}
	folder, err := store.OpenFolder(dir, base)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return &scratch{folder, dir}, nil
}

func (s *scratch) Close() error { return errors.Join(s.Folder.Close(), os.RemoveAll(s.dir)) }

// maxAside is how many of the customers set aside are shown; --json has more.
const maxAside = 10

// aside counts the customers set aside, and lists the first, on standard error.
func (a *app) aside(r *orderhistory.Result) {
	shown := r.Aside[:min(maxAside, len(r.Aside))]
	if len(shown) > 0 {
		first := ""
		if r.SetAside > len(shown) {
			first = fmt.Sprintf(", the first %d", len(shown))
		}
		fmt.Fprintf(a.stderr, "set aside: %s of %s%s:\n", campaign.Number(r.SetAside), campaign.Count(r.Customers, "customer"), first)
	}
	for _, f := range shown {
		fmt.Fprintf(a.stderr, "  customer %s: %s\n", f.Customer, f.Reason)
	}
	if r.Drifted != "" {
		fmt.Fprintf(a.stderr, "let pass by %s: %s\n", whoami(), r.Drifted)
	}
}

func (a *app) describe(r *orderhistory.Result) {
	switch {
	case r.Already:
		fmt.Fprintf(a.stdout, "period %s was finished before; nothing has changed. Its campaign is %s, with %s.\n", r.Period, r.Campaign, campaign.Count(r.Files, "file"))
	case r.DryRun:
		fmt.Fprintf(a.stdout, "dry run: period %s would have a file for %s, and %s set aside, in campaign %s.\n",
			r.Period, campaign.Count(r.Customers-r.SetAside, "customer"), campaign.Number(r.SetAside), r.Campaign)
	default:
		fmt.Fprintf(a.stdout, "period %s: %s, %s, for %s; %s set aside. Their links hold until %s.\nWatch it with: handout report %s --follow\n",
			r.Period, campaign.Count(r.Files, "file"), size(r.Bytes), campaign.Count(r.Customers, "customer"), campaign.Number(r.SetAside), r.LinksExpire.UTC().Format(time.RFC3339), r.Campaign)
	}
}

func size(bytes int64) string { return fmt.Sprintf("%.1f MB", float64(bytes)/1e6) }

// failureJSON is what --json prints of a run that failed, for the program that
// started it: handout schedule shows the reason, and runs it again if again is true.
type failureJSON struct {
	Period  string `json:"period"`  // as it was given
	Refused string `json:"refused"` // one of [orderhistory.Reasons]; empty: something else
	Reason  string `json:"reason"`
	Again   bool   `json:"again"` // the same run may succeed later
}

func writeFailure(w io.Writer, period string, err error, interrupted bool) error {
	j := failureJSON{Period: period, Reason: oneLine(err), Again: interrupted || errors.Is(err, state.ErrBusy)}
	var no *orderhistory.Refusal
	switch {
	case interrupted:
		j.Reason = "interrupted"
	case errors.As(err, &no):
		j.Refused, j.Reason = string(no.Reason), oneLine(no.Err)
	}
	return json.NewEncoder(w).Encode(j)
}
