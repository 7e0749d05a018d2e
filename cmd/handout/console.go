package main

import (
	"html/template"
	"net/http"

	"github.com/hibiken/asynq"
	"github.com/hibiken/asynqmon"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/metrics"
	"github.com/handout-dev/handout/internal/report"
)

func (a *app) consoleCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "console",
		Short: "Serve the operators' pages: campaigns, and the queues at /queues/, to look at",
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
			mux, closeConsole := consoleMux(rdb, c.Rate)
			defer closeConsole()
			mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
			return a.runServer(cmd.Context(), "HANDOUT_CONSOLE_ADDR", c.ConsoleAddr, mux)
		},
	}
}

// sharedClient gives asynqmon the client that we have already.
type sharedClient struct{ rdb redis.UniversalClient }

func (s sharedClient) MakeRedisClient() any { return s.rdb }

var _ asynq.RedisConnOpt = sharedClient{}

// consoleMux serves the pages. All of them only read; rate is the account's.
func consoleMux(rdb redis.UniversalClient, rate float64) (*http.ServeMux, func()) {
	mux := http.NewServeMux()
	health(mux, rdb)
	queues := asynqmon.New(asynqmon.Options{RootPath: "/queues", RedisConnOpt: sharedClient{rdb}, ReadOnly: true})
	mux.Handle("/queues/", http.NewCrossOriginProtection().Handler(queues))
	mux.HandleFunc("GET /{$}", campaignsPage(campaign.NewLedger(rdb), rate))
	// Closing asynqmon would close the client that we share with it.
	return mux, func() {}
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
<p>These pages only show. <a href="queues/">The queues</a></p>
{{if .}}<div class="wide"><table>
<thead><tr><th>campaign</th><th>state</th><th>total</th><th>planned</th><th>waiting</th><th>WhatsApp</th><th>SMS</th><th>both</th><th>other</th><th>failed</th><th>refused</th><th>in doubt</th><th>unconfirmed</th></tr></thead>
<tbody>{{range .}}<tr><td>{{.Campaign}}</td><td>{{.State}}{{with .Reason}}: {{.}}{{end}}</td><td>{{.Total}}</td>
<td>{{index .Balance "planned"}}</td><td>{{index .Balance "accepted"}}</td>
<td>{{.DeliveredBy.WhatsApp}}</td><td>{{.DeliveredBy.SMS}}</td><td>{{.DeliveredBy.Both}}</td><td>{{.DeliveredBy.Other}}</td>
<td>{{index .Balance "failed"}}</td><td>{{index .Balance "refused"}}</td><td>{{index .Balance "in_doubt"}}</td><td>{{index .Balance "unconfirmed"}}</td></tr>
{{end}}</tbody></table></div>{{else}}<p>There are no campaigns yet. <code>handout submit CAMPAIGN.yaml LIST.csv</code> makes one.</p>{{end}}
</body></html>
`))
