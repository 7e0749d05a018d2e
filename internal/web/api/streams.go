package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/report"
	"github.com/handout-dev/handout/internal/web/access"
)

func (a *API) registerStreams() {
	text := func(example string) *huma.MediaType {
		return &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}, Example: example}
	}
	export := a.operation("export-campaign", http.MethodGet, "/campaigns/{id}/export", access.Read, "Export everyone",
		"A line for each recipient in the order of the list, as a stream. If it breaks off, the connection does too: a whole answer is a whole export.",
		notFound, wrongState, invalid)
	export.Responses["200"] = &huma.Response{Description: "One line for everyone.", Content: map[string]*huma.MediaType{
		"text/csv":             text("recipient,phone,state,delivered_by,reason,whatsapp_code,sms_code,reference_id,external_id,attempts,claimed_at,settled_at\n"),
		"application/x-ndjson": text(`{"recipient":"customer-1","phone":"+*********00","state":"planned"}` + "\n"),
	}}
	huma.Register(a.huma, export, a.export)
	events := a.operation("watch-campaign", http.MethodGet, "/campaigns/{id}/events", access.Read, "Watch a campaign",
		"Server-sent events, at most one a second: `progress` with the campaign whenever it has changed, `done` as the last one.",
		notFound, wrongState, invalid)
	events.Responses["200"] = &huma.Response{Description: "Events until it is done.", Content: map[string]*huma.MediaType{
		"text/event-stream": text("event: progress\ndata: {\"campaign\":\"order-history-2026-11\",\"state\":\"running\"}\n\n"),
	}}
	huma.Register(a.huma, events, a.events)
}

type exportInput struct {
	CampaignPath
	Format string `query:"format" enum:"csv,ndjson" default:"csv"`
}

func (a *API) export(ctx context.Context, in *exportInput) (*huma.StreamResponse, error) {
	info, err := a.listed(ctx, in.id())
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	format, write := report.Format(in.Format), a.reports.ExportMasked
	if caller(ctx).May(access.People) {
		write = a.reports.Export
	}
	media := "text/csv; charset=utf-8"
	if format == report.NDJSON {
		media = "application/x-ndjson"
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		working, cancel := context.WithCancel(hc.Context())
		defer cancel()
		defer context.AfterFunc(a.ctx, cancel)()
		hc.SetHeader("Content-Type", media)
		if err := write(working, info, newSteady(exchangeOf(ctx).w, a.o.Silence), format); err != nil {
			a.o.Logger.WarnContext(ctx, "an export broke off", "campaign", in.ID, "error", err)
			panic(http.ErrAbortHandler) // a cut connection can't be taken for the end of the list
		}
	}}, nil
}

func (a *API) events(ctx context.Context, in *CampaignPath) (*huma.StreamResponse, error) {
	if _, err := a.listed(ctx, in.id()); err != nil {
		var p *problemError
		if !errors.As(err, &p) || p.Type != wrongState.uri() {
			return nil, a.fail(ctx, err)
		}
		return nil, p
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) { a.stream(hc, in.id()) }}, nil
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
