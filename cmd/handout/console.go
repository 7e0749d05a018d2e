package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/internal/audit"
	"github.com/handout-dev/handout/internal/web/access"
	"github.com/handout-dev/handout/internal/web/api"
	"github.com/handout-dev/handout/internal/web/console"
	"github.com/handout-dev/handout/internal/web/oidc"
	"github.com/handout-dev/handout/internal/web/queues"
)

func (a *app) consoleCommand() *cobra.Command {
	return a.serverCommand("console", "Serve the API for other apps at /api/v1, and the operators' pages", nil, func(ctx context.Context, m *mode) error {
		if err := m.ledgerMetrics(); err != nil {
			return err
		}
		handler, open, stop, err := newConsole(m)
		if err != nil {
			return err
		}
		apart, err := m.apart(ctx, "HANDOUT_CONSOLE_METRICS_ADDR", m.ConsoleMetricsAddr)
		if err != nil {
			return err
		}
		s, err := listenOn(ctx, "HANDOUT_CONSOLE_ADDR", m.ConsoleAddr, handler)
		if err != nil {
			return errors.Join(err, apart.stop())
		}
		start := func() error {
			m.log.Info("metrics on " + apart.url())
			if open != "" { // not into the log, which others may collect
				fmt.Fprintf(a.stderr, "without a key, from this machine: %s%s\n", s.url(), open)
			}
			return nil
		}
		return errors.Join(a.serve(ctx, s, start, stop), apart.stop())
	})
}

// newConsole serves the API, and the pages. open is the path of the link that lets in
// without a key; it may be empty. stop ends the streams of both; it comes before the
// server's own, which waits for them.
func newConsole(m *mode) (_ http.Handler, open string, stop func() error, _ error) {
	site, err := access.ParseSite(m.ConsoleURL, m.ConsolePlainHTTP)
	if err != nil {
		return nil, "", nil, fmt.Errorf("HANDOUT_CONSOLE_URL: %w", err)
	}
	own, others, err := m.vendors()
	if err != nil {
		return nil, "", nil, err
	}
	log, err := m.trail(m.rdb)
	if err != nil {
		return nil, "", nil, err
	}
	gate := &access.Gate{Keys: access.NewKeys(m.rdb), Site: site, Simulated: !m.destination().Real, OnEntered: log.Login, OnRefused: func(ctx context.Context, from, name string, why error) {
		if err := log.RefuseLogin(ctx, from, name, why); err != nil { // it is refused all the same
			m.log.Warn("a refused key isn't in the audit trail", "from", from, "error", err)
		}
	}}
	provider, groups, err := oidc.Open(m.OIDC(), m.OIDCGroups)
	if err != nil {
		return nil, "", nil, err
	}
	gate.Keys.Groups = groups
	if m.ConsoleOpen {
		gate.Open = rand.Text()
		open = site.Base() + "/login?token=" + gate.Open
	}
	rest, err := api.New(api.Options{Redis: m.rdb, MasterKeys: m.MasterKeys(), Gate: gate, Logger: m.log, Region: m.Region, AccountRate: own.Rate, Telesign: own.Telesign, Accounts: others, PrivateWebhooks: m.WebhookAllowPrivate, Route: m.Route(), Audit: log})
	if err != nil {
		return nil, "", nil, err
	}
	pages, err := console.New(console.Options{
		Redis: m.rdb, MasterKeys: m.MasterKeys(), Gate: gate, Logger: m.log, Region: m.Region, AccountRate: own.Rate, Telesign: own.Telesign, Accounts: others, PrivateWebhooks: m.WebhookAllowPrivate, Route: m.Route(),
		Destination: m.destination().String(), Audit: log, Provider: provider,
	})
	if err != nil {
		return nil, "", nil, err
	}
	tasks, err := queues.New(queues.Options{Redis: m.rdb, Root: site.Base() + "/queues", Origin: site.Origin(), Key: gate.Browser, Logger: m.log, Write: m.QueuesWrite, Fail: pages.Error,
		Changing: func(ctx context.Context, by *access.Key, what string) error {
			return log.Write(ctx, audit.Of(access.With(ctx, by), "change a queue", what, "", ""))
		}})
	if err != nil {
		return nil, "", nil, err
	}
	mux := http.NewServeMux()
	m.health(mux)
	mux.Handle(api.Prefix+"/", rest)
	mux.Handle("/queues/", site.Whole(tasks))
	mux.Handle("/", pages)
	stop = func() error {
		pages.Close()
		rest.Close()
		return nil
	}
	return timely(site.Mount(mux)), open, stop, nil
}

// pageTime bounds a page's answer; the API moves it for its streams.
const pageTime = 30 * time.Second

// timely gives each answer a deadline of its own. A server's WriteTimeout can't
// be moved for streams, and what a stream has set stays with the connection.
func timely(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(pageTime)) // every connection of ours has one
		next.ServeHTTP(w, r)
	})
}
