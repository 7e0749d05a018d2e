package api

import (
	"context"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/web/access"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/producer"
)

func (a *API) registerLists() {
	put := a.operation("put-recipients", http.MethodPut, "/campaigns/{id}/recipients", access.Submit, "Hand over the list",
		"The second step. The list is CSV with a header (`recipient`, `phone`, and columns for the templates), or NDJSON "+
			"with the same names; it is read as it comes, up to 10 million rows. Nothing is sent before all of it has come "+
			"and is right; a bad row rejects the list unless `set_aside_bad_rows` is given. A broken upload leaves "+
			"nothing; the same request again does the same thing once.",
		malformed, notFound, tooSlow, otherContent, busy, tooLarge, mediaType, invalid)
	put.RequestBody = listBody()
	put.DefaultStatus = http.StatusCreated
	a.also(&put, "200", "The campaign stood before with the same content; nothing has changed.", reflect.TypeFor[Submitted]())
	huma.Register(a.huma, put, a.put)
	dry := a.operation("dry-run", http.MethodPost, "/campaigns/{id}/dry-run", access.Submit, "Check a list without handing it over",
		"Everything short of sending: what the list comes to, the first requests as Telesign would get them, and how long it takes.",
		malformed, notFound, tooSlow, tooLarge, mediaType, invalid)
	dry.RequestBody = listBody()
	huma.Register(a.huma, dry, a.dryRun)
}

func listBody() *huma.RequestBody {
	text := func(example string) *huma.MediaType {
		return &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}, Example: example}
	}
	return &huma.RequestBody{
		Required: true, Description: "The list. A row has at most 64 KiB, a cell 4 KiB, and there are at most 100 columns.",
		Content: map[string]*huma.MediaType{
			"text/csv":             text("recipient,phone,url\ncustomer-1,+12015550100,https://files.example.com/1.xlsx\n"),
			"application/x-ndjson": text(`{"recipient":"customer-1","phone":"+12015550100","url":"https://files.example.com/1.xlsx"}` + "\n"),
		},
	}
}

// ListQuery is how a list is read.
type ListQuery struct {
	SetAsideBadRows bool `query:"set_aside_bad_rows" doc:"send to the good rows and report the bad ones; otherwise any bad row rejects the list"`
}

type putInput struct {
	CampaignPath
	ListQuery
	Hold    bool      `query:"hold" doc:"don't send yet: start it later"`
	StartAt time.Time `query:"start_at" example:"2026-11-23T09:00:00+01:00" doc:"start by itself at this time; at once if it is past"`
}

// List is what a list came to.
type List struct {
	Rows           int     `json:"rows" minimum:"0" doc:"all of them, bad ones and duplicates included"`
	Recipients     int     `json:"recipients" minimum:"0" doc:"to be sent to"`
	Duplicates     int     `json:"duplicates" minimum:"0" doc:"rows left out because their phone number stood before"`
	DuplicateLines []int   `json:"duplicate_lines,omitempty" nullable:"false" doc:"where the first 50 duplicates stand"`
	BadRows        int     `json:"bad_rows" minimum:"0"`
	Faults         []Fault `json:"faults,omitempty" nullable:"false" maxItems:"1000" doc:"what is wrong with the bad rows: the first 1,000"`
}

func newList(s producer.Summary) List {
	return List{
		Rows: s.Rows, Recipients: s.Recipients, Duplicates: s.Duplicates, DuplicateLines: s.DuplicateLines,
		BadRows: s.BadRows, Faults: listFaults(s.Faults),
	}
}

// Submitted is a campaign that stands, and its list.
type Submitted struct {
	Campaign *Campaign `json:"campaign"`
	List     List      `json:"list"`
}

type putOutput struct {
	Status int
	Body   Submitted
}

// busyPatience is for how long an upload waits for another one of the same
// campaign: a little over the 15 s after which a draft is nobody's.
const busyPatience = 20

func (a *API) put(ctx context.Context, in *putInput) (*putOutput, error) {
	if in.Hold && !in.StartAt.IsZero() {
		return nil, problem(invalid, "", Fault{Field: "start_at", Message: "a campaign either starts by itself or is on hold"})
	}
	file, list, err := a.submission(ctx, in.id())
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	// Whoever hangs up ends the list, and with it the draft. Once all of it is
	// here it is carried through, whoever still listens.
	working, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	defer context.AfterFunc(a.ctx, func() { cancel(a.ctx.Err()) })()
	waited := 0
	result, err := a.client.Submit(working, file, list, producer.SubmitOptions{
		Region: a.o.Region, SetAsideBadRows: in.SetAsideBadRows, MaxFaults: mostFaults,
		Begin: campaign.Beginning{By: actor(ctx, ""), Hold: in.Hold, StartAt: in.StartAt},
		OnWait: func() {
			extend(ctx, a.o.AnswerTime)
			if waited++; waited == busyPatience {
				cancel(errWaited)
			}
		},
	})
	if errors.Is(context.Cause(working), errWaited) {
		err = problem(busy, "")
	}
	if err != nil {
		drain(a.body(ctx))
		return nil, a.fail(ctx, err)
	}
	out := &putOutput{Status: http.StatusCreated, Body: Submitted{List: newList(result.Summary)}}
	if result.Already {
		out.Status = http.StatusOK
	}
	c, err := a.answer(ctx, result.Info, out.Status)
	if err != nil {
		return nil, err
	}
	out.Body.Campaign = c.Body
	return out, nil
}

var errWaited = errors.New("another upload goes on and on")

// submission is what a request with a list has: the campaign file that waits for
// it, or that of the campaign that stands, and the list.
func (a *API) submission(ctx context.Context, id campaign.ID) (*producer.File, producer.List, error) {
	format, err := listFormat(exchangeOf(ctx).r.Header.Get("Content-Type"))
	if err != nil {
		return nil, producer.List{}, err
	}
	spec, err := a.ledger.Proposed(ctx, id)
	if errors.Is(err, ledger.ErrNotFound) {
		var s *operations.Standing
		if s, err = a.ops.Standing(ctx, id); err == nil {
			spec = s.Info.Spec
		}
	}
	if err != nil {
		return nil, producer.List{}, err
	}
	if spec.Standing {
		return nil, producer.List{}, problem(invalid, "", Fault{Field: "id", Message: "one-off sends have no list: POST /sends"})
	}
	file, err := producer.NewFile(*spec)
	return file, producer.ListReader("", format, a.body(ctx)), err
}

func listFormat(contentType string) (producer.Format, error) {
	media, _, err := mime.ParseMediaType(contentType)
	switch {
	case err == nil && media == "text/csv":
		return producer.CSV, nil
	case err == nil && media == "application/x-ndjson":
		return producer.NDJSON, nil
	}
	return "", problem(mediaType, "a list is text/csv or application/x-ndjson")
}

type dryRunInput struct {
	CampaignPath
	ListQuery
	StartAt time.Time `query:"start_at" example:"2026-11-23T09:00:00+01:00" doc:"for a campaign with hours: as if it started then"`
}

// DryRun is what handing over a list would do.
type DryRun struct {
	List          List              `json:"list"`
	Rejected      bool              `json:"rejected" doc:"the list would be refused for its bad rows, or since nobody is left to send to"`
	Samples       []json.RawMessage `json:"samples" nullable:"false" maxItems:"3" doc:"the first requests as Telesign would get them, with masked numbers"`
	SMSParts      Parts             `json:"sms_parts"`
	Rate          float64           `json:"rate" doc:"messages per second to count with; 0: unknown"`
	Seconds       float64           `json:"seconds" doc:"how long sending takes, within the hours; 0: unknown, -1: over a year"`
	Hours         *DryHours         `json:"hours,omitempty" doc:"who can be sent to when; only for a campaign with hours"`
	ColumnsUsed   []string          `json:"columns_used" nullable:"false"`
	ColumnsUnused []string          `json:"columns_unused" nullable:"false" doc:"columns that no template uses"`
}

// Parts are those that text messages take.
type Parts struct {
	Min   int `json:"min"`
	Max   int `json:"max"`
	Total int `json:"total" doc:"if everyone gets the SMS"`
}

type dryRunOutput struct{ Body DryRun }

func (a *API) dryRun(ctx context.Context, in *dryRunInput) (*dryRunOutput, error) {
	file, list, err := a.submission(ctx, in.id())
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	d, err := producer.Check(ctx, file, list, producer.CheckOptions{
		Region: a.o.Region, SetAsideBadRows: in.SetAsideBadRows, MaxFaults: mostFaults, AccountRate: a.o.AccountRate, Now: in.StartAt,
	})
	if err != nil {
		drain(a.body(ctx))
		return nil, a.fail(ctx, err)
	}
	return &dryRunOutput{DryRun{
		List: newList(d.Summary), Rejected: d.Rejected || d.Summary.Recipients == 0, Samples: append([]json.RawMessage{}, d.Samples...),
		SMSParts: Parts{d.SMS.Min, d.SMS.Max, d.SMS.Total}, Rate: d.Rate, Seconds: d.Duration.Seconds(), Hours: NewDryHours(d.Hours),
		ColumnsUsed: append([]string{}, d.ColumnsUsed...), ColumnsUnused: append([]string{}, d.ColumnsUnused...),
	}}, nil
}
