package main

import (
	"context"
	"encoding/json"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/access"
	"github.com/handout-dev/handout/internal/api"
	"github.com/handout-dev/handout/internal/metrics"
	"github.com/handout-dev/handout/internal/queues"
	"github.com/handout-dev/handout/internal/report"
)

func (a *app) consoleCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "console",
		Short: "Serve the API for other apps at /api/v1, and the operators' pages",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.load()
			if err != nil {
				return err
			}
			rdb, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			defer rdb.Close()
			registry := newRegistry()
			rdb.AddHook(metrics.NewRedisErrors(registry))
			registry.MustRegister(metrics.NewLedger(metrics.Options{Redis: rdb, Rate: c.Rate, Logger: a.logger(c)}))
			console, stop, err := newConsole(c, rdb, a.logger(c), registry)
			if err != nil {
				return err
			}
			// The streams first: the server waits for them when it stops.
			defer context.AfterFunc(cmd.Context(), stop)()
			return a.runServer(cmd.Context(), "HANDOUT_CONSOLE_ADDR", c.ConsoleAddr, console)
		},
	}
}

// newConsole serves the API, and the pages, which only read. stop ends the API's
// streams; it comes before the server's own.
func newConsole(c *Config, rdb redis.UniversalClient, log *slog.Logger, registry *prometheus.Registry) (_ http.Handler, stop func(), _ error) {
	gate := &access.Gate{Keys: access.NewKeys(rdb), Open: c.ConsoleOpen}
	rest, err := api.New(api.Options{Redis: rdb, Gate: gate, Logger: log, Region: c.Region, AccountRate: c.Rate})
	if err != nil {
		return nil, nil, err
	}
	tasks, err := queues.New(queues.Options{Redis: rdb, Root: "/queues", Key: gate.Browser, Logger: log, Write: c.QueuesWrite})
	if err != nil {
		return nil, nil, err
	}
	mux := http.NewServeMux()
	health(mux, rdb)
	mux.Handle("/queues/", tasks)
	mux.Handle(api.Prefix+"/", rest)
	if registry != nil {
		mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	}
	mux.Handle("/", keyed(gate, pages(rdb, c.Rate)))
	return timely(mux), rest.Close, nil
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

// keyed lets in who has a key that may read.
func keyed(gate *access.Gate, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key, err := gate.Browser(r)
		switch {
		case errors.Is(err, access.ErrRefused):
			w.Header().Set("WWW-Authenticate", `Basic realm="handout: a key as the password", charset="UTF-8"`)
			refuse(w, http.StatusUnauthorized, "a key is needed: as the password of any user, or as Authorization: Bearer; handout key create makes one")
		case err != nil:
			refuse(w, http.StatusServiceUnavailable, "Redis can't be reached")
		case !key.May(access.Read):
			refuse(w, http.StatusForbidden, "the key has not the scope read")
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// refuse answers with a problem, as the API does.
func refuse(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"title": http.StatusText(status), "status": status, "detail": detail})
}

func pages(rdb redis.UniversalClient, rate float64) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", campaignsPage(campaign.NewLedger(rdb), rate))
	return mux
}

// mostListed is how many campaigns the page shows.
const mostListed = 100

func campaignsPage(l *campaign.Ledger, rate float64) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ids, err := l.Campaigns(r.Context(), mostListed)
		if err != nil {
			http.Error(w, "Redis can't be reached", http.StatusServiceUnavailable)
			return
		}
		var reports []*report.Report
		for _, id := range ids {
			if one, _, err := report.Read(r.Context(), l, id, rate); err == nil {
				reports = append(reports, one)
			}
		}
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
		h.Set("Cache-Control", "no-store")
		_ = campaignsTemplate.Execute(w, reports) // whoever hung up asks again
	}
}

var campaignsTemplate = template.Must(template.New("campaigns").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="refresh" content="5"><title>handout: campaigns</title>
<style>
:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}
body{max-width:70rem;margin:2rem auto;padding:0 1rem}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%}
th,td{padding:.35rem .4rem;font-size:.93rem;text-align:right;border-bottom:1px solid #8885;white-space:nowrap}
th:first-child,td:first-child,td:nth-child(2),th:nth-child(2){text-align:left}
</style></head><body>
<h1>Campaigns</h1>
<p>These pages only show. <a href="queues/">The queues</a> · <a href="api/v1/docs">The API</a></p>
{{if .}}<div class="wide"><table>
<thead><tr><th>campaign</th><th>state</th><th>total</th><th>planned</th><th>waiting</th><th>WhatsApp</th><th>SMS</th><th>both</th><th>other</th><th>failed</th><th>refused</th><th>in doubt</th><th>unconfirmed</th></tr></thead>
<tbody>{{range .}}<tr><td>{{.Campaign}}</td><td>{{.State}}{{with .Reason}}: {{.}}{{end}}</td><td>{{.Total}}</td>
<td>{{index .Balance "planned"}}</td><td>{{index .Balance "accepted"}}</td>
<td>{{.DeliveredBy.WhatsApp}}</td><td>{{.DeliveredBy.SMS}}</td><td>{{.DeliveredBy.Both}}</td><td>{{.DeliveredBy.Other}}</td>
<td>{{index .Balance "failed"}}</td><td>{{index .Balance "refused"}}</td><td>{{index .Balance "in_doubt"}}</td><td>{{index .Balance "unconfirmed"}}</td></tr>
{{end}}</tbody></table></div>{{else}}<p>There are no campaigns yet. <code>handout submit CAMPAIGN.yaml LIST.csv</code> makes one.</p>{{end}}
</body></html>
`))
