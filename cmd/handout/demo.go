package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/callbacks"
	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/report"
	"github.com/handout-dev/handout/internal/secret"
	"github.com/handout-dev/handout/producer"
)

// The demo is in a hurry: the simulator runs time 100 times faster, and
// what never comes is waited for no longer than this.
const (
	demoRate        = 200
	demoSpeed       = 100
	demoSendTimeout = 3 * time.Second
	demoDeadline    = 12 * time.Second
	maxDemo         = 1_000_000
)

func (a *app) demoCommand() *cobra.Command {
	var recipients int
	var exit, asJSON bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Everything in one process, against the simulator: nothing is really sent",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if recipients < 1 || recipients > maxDemo {
				return usagef("demo: --recipients must be 1 to %s", campaign.Number(maxDemo))
			}
			return a.demo(cmd.Context(), recipients, exit || asJSON, asJSON)
		},
	}
	cmd.Flags().IntVar(&recipients, "recipients", 1000, "how many people to send to")
	cmd.Flags().BoolVar(&exit, "exit", false, "end when the campaign is done, instead of leaving the pages open")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object at the end, and end")
	return cmd
}

func (a *app) demo(ctx context.Context, recipients int, exit, asJSON bool) error {
	env, err := a.load()
	if err != nil {
		return err
	}
	c := *env
	// Never the real account's: whatever is in the environment, the demo speaks
	// to its own simulator.
	c.TelesignCustomerID, c.TelesignAPIKey = "00000000-DEMO-0000-0000-000000000000", secret.New(rand.Text()+"AAAAAA")
	c.Accounts, c.TelesignPreviousAPIKey = "", secret.Text{}
	c.Rate, c.SendTimeout, c.ReceiptDeadline, c.CallbackURL = demoRate, demoSendTimeout, demoDeadline, ""
	c.SimulateSpeed, c.SimulateRate, c.SimulatePolling, c.Poll, c.PollRate = demoSpeed, 0, true, true, 50
	// On the loopback alone, as all that the demo serves.
	c.ConsoleOpen, c.ConsoleURL, c.ConsolePlainHTTP = true, "", false

	say := func(format string, args ...any) { fmt.Fprintf(a.stderr, format+"\n", args...) }
	rdb, stopRedis, err := a.demoRedis(ctx, &c, say)
	if err != nil {
		return err
	}
	defer stopRedis()
	defer func() { closeRedis(rdb, err) }()
	return a.withHouse(ctx, &c, rdb, func(vendor, receipts, pages string) error {
		say("simulator  %s\nreceipts   %s\npages      %s", vendor, receipts, pages)
		if err := a.demoCampaign(ctx, rdb, recipients, asJSON, say); err != nil {
			return err
		}
		if !exit {
			say("\nThe pages are at %s; Ctrl-C ends the demo.", pages)
			<-ctx.Done()
		}
		return nil
	})
}

// demoCampaign sends to so many people, and says what became of them.
func (a *app) demoCampaign(ctx context.Context, rdb redis.UniversalClient, recipients int, asJSON bool, say func(string, ...any)) error {
	result, err := a.demoSubmit(ctx, rdb, recipients)
	if err != nil {
		return err
	}
	id := result.Info.ID
	say("campaign   %s, %s", id, campaign.Count(result.Info.Total, "recipient"))
	q := report.NewReader(rdb, demoRate).Sealed(a.config.MasterKeys())
	started := time.Now()
	if err := a.follow(ctx, q, id); err != nil {
		return err
	}
	r, info, err := q.Read(ctx, id)
	if err != nil {
		return err
	}
	verdict, err := q.Verify(ctx, info, nil)
	if err != nil {
		return err
	}
	if asJSON {
		err = r.WriteJSON(a.stdout)
	} else {
		err = a.demoTable(ctx, q, r, info, time.Since(started))
	}
	if err == nil && (!r.Closes() || len(verdict.Faults) > 0) {
		err = fmt.Errorf("the balance doesn't close: %v", verdict.Faults)
	}
	return err
}

func (a *app) demoTable(ctx context.Context, q *report.Reader, r *report.Report, info *campaign.Info, took time.Duration) error {
	outcomes, err := q.Outcomes(ctx, info)
	if err != nil {
		return err
	}
	fmt.Fprintln(a.stdout)
	if err := report.WriteOutcomes(a.stdout, outcomes); err != nil {
		return err
	}
	fmt.Fprintln(a.stdout)
	if err := r.WriteTable(a.stdout); err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "\n%s in %s; the balance closes.\n", campaign.Count(r.Total, "recipient"), took.Round(time.Second))
	return nil
}

// withHouse runs f while the simulator, the listener, the console and a worker run; f gets
// where the first three are.
func (a *app) withHouse(ctx context.Context, c *Config, rdb redis.UniversalClient, f func(vendor, receipts, pages string) error) (err error) {
	// What the stories bring about is in the table at the end.
	log := slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: max(c.LogLevel, slog.LevelError)}))
	serve := func(handler http.Handler) (*server, error) { return listenOn(ctx, "demo", "127.0.0.1:0", handler) }
	stop := func(s *server) { err = errors.Join(err, s.stop()) }
	own, err := c.account(campaign.DefaultAccount)
	if err != nil {
		return err
	}
	vendor, err := newSimulator(c, own, log)
	if err != nil {
		return err
	}
	vendorServer, err := serve(vendor)
	if err != nil {
		return err
	}
	defer stop(vendorServer)
	defer vendor.Close()
	c.TelesignURL = vendorServer.url()

	m := &mode{c, rdb, prometheus.NewRegistry(), log, "bulk"}
	listener, err := newListener(m)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle(callbacks.Path, listener)
	listen, err := serve(mux)
	if err != nil {
		return err
	}
	defer stop(listen)
	replaying, stopReplay := context.WithCancel(ctx)
	var replay sync.WaitGroup
	replay.Go(func() { listener.Run(replaying) })
	defer replay.Wait()
	defer stopReplay()
	vendor.SetCallbackURL(listen.url() + callbacks.Path)

	handler, open, stopStreams, err := newConsole(m)
	if err != nil {
		return err
	}
	console, err := serve(handler)
	if err != nil {
		return err
	}
	defer stop(console)
	defer func() { _ = stopStreams() }()
	w, err := newWorker(m)
	if err != nil {
		return err
	}
	if err := w.Start(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Stop()) }()
	return f(vendorServer.url(), listen.url()+callbacks.Path, console.url()+open)
}

const demoFile = `
id: %s
message_type: MKT
channels:
  - channel: whatsapp
    fallback_time: 10m
    template: file
    parameters: {url: "{{.url}}", file_name: "order history.xlsx"}
  - channel: sms
    template: text
    parameters: {text: "Your viatu.com order history is ready for download at {{.url}}."}
`

func (a *app) demoSubmit(ctx context.Context, rdb redis.UniversalClient, recipients int) (*producer.Result, error) {
	id := "demo-" + time.Now().UTC().Format("20060102-150405")
	file, err := producer.ParseCampaign("demo.yaml", fmt.Appendf(nil, demoFile, id))
	if err != nil {
		return nil, err
	}
	client := producer.New(rdb)
	client.Seal(a.config.MasterKeys())
	return client.Submit(ctx, file, producer.ListRows([]string{"url"}, demoRows(recipients)), producer.SubmitOptions{})
}

// demoRows are people with numbers that are kept free for fiction: 555-0100 to
// 555-0199 of each North American area code. The last two digits choose what
// the simulator does, so that a hundred people and more meet all its stories.
func demoRows(n int) iter.Seq2[producer.Row, error] {
	return func(yield func(producer.Row, error) bool) {
		for i := range n {
			if !yield(demoRow(i+1, i), nil) {
				return
			}
		}
	}
}

func demoRow(i, number int) producer.Row {
	ending, hundred := number%100, number/100
	exchange := 555
	if wrap := hundred / len(demoAreas); wrap > 0 {
		exchange = 200 + wrap // more people than fiction has numbers
	}
	return producer.Row{
		Recipient: fmt.Sprintf("customer-%d", i),
		Phone:     fmt.Sprintf("+1%s%03d01%02d", demoAreas[hundred%len(demoAreas)], exchange, ending),
		Values:    []string{fmt.Sprintf("https://files.example.com/orders/customer-%d.xlsx", i)},
	}
}

var demoAreas = []string{
	"201", "202", "203", "205", "206", "207", "208", "209", "210", "212", "213", "214", "215", "216", "217", "218",
	"219", "224", "225", "228", "229", "231", "234", "239", "240", "248", "251", "252", "253", "254", "256", "260",
	"262", "267", "269", "270", "276", "281", "301", "302", "303", "304", "305", "307", "308", "309", "310", "312",
	"313", "314", "315", "316", "317", "318", "319", "320", "321", "323", "325", "330", "331", "334", "336", "337",
}
