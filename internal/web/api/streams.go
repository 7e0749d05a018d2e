package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/report"
	"github.com/handout-dev/handout/internal/web/access"
)

func (a *API) registerStreams() {
	addStream(a, a.operation("export-campaign", "GET /campaigns/{id}/export", access.Read, "Export everyone",
		"A line for each recipient in the order of the list, as a stream. If it breaks off, the connection does too: a whole answer is a whole export.",
		notFound, wrongState, invalid), "One line for everyone.", map[string]string{
		"text/csv":             strings.Join(report.Columns, ",") + "\n",
		"application/x-ndjson": `{"recipient":"customer-1","phone":"+*********00","state":"planned"}` + "\n",
	}, a.export)
	addStream(a, a.operation("watch-campaign", "GET /campaigns/{id}/events", access.Read, "Watch a campaign",
		"Server-sent events, at most one a second: `progress` with the campaign whenever it has changed, `done` as the last one.",
		notFound, wrongState, invalid), "Events until it is done.", map[string]string{
		"text/event-stream": "event: progress\ndata: {\"campaign\":\"order-history-2026-11\",\"state\":\"running\"}\n\n",
	}, a.events)
}

type exportInput struct {
	CampaignPath
	Format string `query:"format" enum:"csv,ndjson" default:"csv"`
}

func (a *API) export(ctx context.Context, in *exportInput) (func(huma.Context), error) {
	stands, err := a.standing(ctx, in.id())
	if err != nil {
		return nil, err
	}
	format, write := report.Format(in.Format), a.reports.ExportMasked
	if caller(ctx).May(access.People) {
		write = a.reports.Export
	}
	media := "text/csv; charset=utf-8"
	if format == report.NDJSON {
		media = "application/x-ndjson"
	}
	return func(hc huma.Context) {
		working, cancel := context.WithCancel(hc.Context())
		defer cancel()
		defer context.AfterFunc(a.ctx, cancel)()
		hc.SetHeader("Content-Type", media)
		if err := write(working, stands.Info, newSteady(exchangeOf(ctx).w, a.o.Silence), format); err != nil {
			a.o.Logger.WarnContext(ctx, "an export broke off", "campaign", in.ID, "error", err)
			panic(http.ErrAbortHandler) // a cut connection can't be taken for the end of the list
		}
	}, nil
}

func (a *API) events(ctx context.Context, in *CampaignPath) (func(huma.Context), error) {
	_, err := a.standing(ctx, in.id())
	return func(hc huma.Context) { a.stream(hc, in.id()) }, err
}

func (a *API) stream(hc huma.Context, id campaign.ID) {
	e := exchangeOf(hc.Context())
	control := http.NewResponseController(e.w)
	hc.SetHeader("Content-Type", "text/event-stream")
	hc.SetHeader("X-Accel-Buffering", "no")
	events, leave := a.feeds.watch(a.ctx, a, id)
	defer leave()
	ticker := time.NewTicker(a.o.Heartbeat)
	defer ticker.Stop()
	out := newSteady(e.w, a.o.Silence)
	say := func(text string) bool {
		_, err := io.WriteString(out, text)
		return err == nil && control.Flush() == nil
	}
	for going := say(": watching\n\n"); going; {
		select {
		case event, more := <-events:
			if !more {
				return
			}
			going = say(string(event))
		case <-ticker.C:
			_, err := a.o.Gate.Bearer(e.r) // it may have been revoked since
			going = !errors.Is(err, access.ErrRefused) && say(": still here\n\n")
		case <-hc.Context().Done():
			return
		}
	}
}
