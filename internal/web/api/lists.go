package api

import (
	"context"
	"encoding/json"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/web/access"
	"github.com/handout-dev/handout/producer"
)

func (a *API) registerLists() {
	body := &huma.RequestBody{
		Required: true, Description: "The list. A row has at most 64 KiB, a cell 4 KiB, and there are at most 100 columns.",
		Content: texts(map[string]string{
			"text/csv":             "recipient,phone,url\ncustomer-1,+12015550100,https://files.example.com/1.xlsx\n",
			"application/x-ndjson": `{"recipient":"customer-1","phone":"+12015550100","url":"https://files.example.com/1.xlsx"}` + "\n",
		}),
	}
	for _, media := range []string{"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "application/octet-stream"} {
		body.Content[media] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}
	}
	put := a.operation("put-recipients", "PUT /campaigns/{id}/recipients", access.Submit, "Hand over the list",
		"The second step. The list is CSV with a header (`recipient`, `phone`, and columns for the templates), an Excel "+
			"workbook, or NDJSON with the same names, also compressed by gzip or zstd; it is read as it comes, up to 10 million "+
			"rows, and the answer says how. Nothing is sent before all of it has come "+
			"and is right; a bad row rejects the list unless `set_aside_bad_rows` is given. A broken upload leaves "+
			"nothing, and the same request may be made again: it is done once.",
		malformed, notFound, tooSlow, otherContent, changed, limited, busy, tooLarge, mediaType, invalid)
	put.RequestBody = body
	addCreating(a, put, "The campaign stood before with the same content; nothing has changed.", a.put)
	dry := a.operation("dry-run", "POST /campaigns/{id}/dry-run", access.Submit, "Check a list without handing it over",
		"Everything short of sending: what the list comes to, the first requests as Telesign would get them, and how long it takes.",
		malformed, notFound, tooSlow, changed, tooLarge, mediaType, invalid)
	dry.RequestBody = body
	add(a, dry, a.dryRun)
}

// ListQuery is how a list is read.
type ListQuery struct {
	Columns         string `query:"columns" example:"recipient=Kundennummer,phone=Mobil" doc:"the list's own names of columns, before those of the campaign file"`
	Sheet           string `query:"sheet" doc:"the sheet of an Excel workbook; without it the first that isn't hidden"`
	IfMatch         string `header:"If-Match" maxLength:"80" doc:"the ETag of the campaign file, as POST and GET answer it; needed if the file is another key's, which takes the scope control"`
	SetAsideBadRows bool   `query:"set_aside_bad_rows" doc:"send to the good rows and report the bad ones; otherwise any bad row rejects the list"`
}

type putInput struct {
	CampaignPath
	ListQuery
	Hold    bool      `query:"hold" doc:"begin paused: nothing is sent before it is resumed"`
	StartAt time.Time `query:"start_at" example:"2026-11-23T09:00:00+01:00" doc:"start by itself at this time, which must be to come"`
}

// List is what a list came to.
type List struct {
	Rows           int      `json:"rows" minimum:"0" doc:"all of them, bad ones and duplicates included"`
	Recipients     int      `json:"recipients" minimum:"0" doc:"to be sent to"`
	Duplicates     int      `json:"duplicates" minimum:"0" doc:"rows left out because their phone number stood before"`
	DuplicateLines []int    `json:"duplicate_lines,omitempty" nullable:"false" doc:"where the first 50 duplicates stand"`
	BadRows        int      `json:"bad_rows" minimum:"0"`
	UnknownRanges  int      `json:"unknown_ranges" minimum:"0" doc:"good rows whose numbers are in no range known to us: of a newer range, or of nobody"`
	Read           []string `json:"read" nullable:"false" doc:"how the list was read: its form, delimiter, encoding, sheet, columns, and what was passed over"`
	Faults         []Fault  `json:"faults,omitempty" nullable:"false" maxItems:"1000" doc:"what is wrong with the bad rows: the first 1,000"`
}

func newList(s producer.Summary) List {
	return List{
		Rows: s.Rows, Recipients: s.Recipients, Duplicates: s.Duplicates, DuplicateLines: s.DuplicateLines,
		BadRows: s.BadRows, UnknownRanges: s.UnknownRanges, Read: append([]string{}, s.Notes()...), Faults: listFaults(s.Faults),
	}
}

// Submitted is a campaign that stands, and its list.
type Submitted struct {
	Campaign  *Campaign `json:"campaign"`
	List      List      `json:"list"`
	Templates []string  `json:"templates" nullable:"false" doc:"notes about the templates: what they are, whom they don't reach, or why they weren't checked"`
}

func (a *API) put(ctx context.Context, in *putInput) (Submitted, bool, error) {
	s, ends, err := a.submission(ctx, in.id(), in.ListQuery, campaign.Beginning{By: actor(ctx, ""), Hold: in.Hold, StartAt: in.StartAt})
	if err != nil {
		return Submitted{}, false, err
	}
	s.Patience, s.OnWait = operations.UploadPatience, func() { extend(ctx, a.o.AnswerTime) }
	// A client that hangs up ends the list, and with it the draft. Once all of it
	// is here it is carried through, whether the client still listens or not.
	working, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(a.ctx, cancel)()
	result, err := a.ops.Submit(working, s)
	if err != nil {
		drain(a.body(ctx))
		return Submitted{}, false, ends.lost(err)
	}
	c, err := a.campaign(ctx, result.Info.ID)
	return Submitted{c, newList(result.Summary), append([]string{}, result.Templates...)}, !result.Already, err
}

// submission is what a request with a list asks for: the campaign file that waits
// for the list, or that of the campaign that stands, and the list.
func (a *API) submission(ctx context.Context, id campaign.ID, how ListQuery, begin campaign.Beginning) (*operations.Submission, *lineEnds, error) {
	r := exchangeOf(ctx).r
	format, err := listFormat(r)
	if err != nil {
		return nil, nil, err
	}
	columns, err := producer.ParseColumns(how.Columns)
	if err != nil {
		return nil, nil, problem(invalid, "", Fault{Field: "columns", Message: err.Error()})
	}
	p, err := a.ops.Proposed(ctx, id, strings.Trim(how.IfMatch, `"`))
	if err != nil {
		return nil, nil, err
	}
	begin.Owner = p.Owner
	body, ends := a.lines(ctx)
	list := producer.ListReader("", format, body).With(producer.ListOptions{Columns: columns, Sheet: how.Sheet})
	return &operations.Submission{
		File: p.File, List: list, Begin: begin, SetAside: how.SetAsideBadRows, MaxFaults: maxFaults,
	}, ends, nil
}

// listFormats are the media types of lists. A compressed list, and a workbook, is
// known by its content.
var listFormats = map[string]producer.Format{
	"text/csv": producer.CSV, "text/tab-separated-values": producer.CSV, "text/plain": producer.CSV,
	"application/x-ndjson": producer.NDJSON, "application/jsonl": producer.NDJSON,
	"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": producer.XLSX,
	"application/octet-stream": producer.ByContent, "application/gzip": producer.ByContent, "application/zstd": producer.ByContent,
}

// listTypes are these in words.
const listTypes = "text/csv, application/x-ndjson or application/vnd.openxmlformats-officedocument.spreadsheetml.sheet; or application/gzip, application/zstd or application/octet-stream, known by its content"

func listFormat(r *http.Request) (producer.Format, error) {
	h := r.Header
	media, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	format, ok := listFormats[media]
	if err != nil || !ok {
		return "", wrongType(r, listTypes)
	}
	switch h.Get("Content-Encoding") {
	case "", "identity", "gzip", "zstd":
		return format, nil
	}
	return "", problem(mediaType, "", Fault{Field: "Content-Encoding", Message: "must be gzip or zstd, or left out"})
}

type dryRunInput struct {
	CampaignPath
	ListQuery
	StartAt time.Time `query:"start_at" example:"2026-11-23T09:00:00+01:00" doc:"for a campaign with hours: as if it started then"`
}

// DryRun is what handing over a list would do.
type DryRun struct {
	List          List              `json:"list"`
	Rejected      bool              `json:"rejected" doc:"the list would be refused: it has bad rows, or no good one"`
	Samples       []json.RawMessage `json:"samples" nullable:"false" maxItems:"4" doc:"the first three requests as Telesign would get them, and one of a row with an empty column, with masked numbers"`
	Templates     []string          `json:"templates" nullable:"false" doc:"notes about the templates: what they are, whom they don't reach, or why they weren't checked"`
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

func (a *API) dryRun(ctx context.Context, in *dryRunInput) (*DryRun, error) {
	s, ends, err := a.submission(ctx, in.id(), in.ListQuery, campaign.Beginning{StartAt: in.StartAt})
	if err != nil {
		return nil, err
	}
	d, err := a.ops.DryRun(ctx, s)
	if err != nil {
		drain(a.body(ctx))
		return nil, ends.lost(err)
	}
	return &DryRun{
		List: newList(d.Summary), Rejected: d.Refusal(s.SetAside) != nil, Samples: append([]json.RawMessage{}, d.Samples...),
		Templates: append([]string{}, d.Templates...),
		SMSParts:  Parts{d.SMS.Min, d.SMS.Max, d.SMS.Total}, Rate: d.Rate, Seconds: d.Duration.Seconds(), Hours: NewDryHours(d.Hours),
		ColumnsUsed: append([]string{}, d.ColumnsUsed...), ColumnsUnused: append([]string{}, d.ColumnsUnused...),
	}, nil
}

// HoursFile is when people may be sent to.
type HoursFile struct {
	From string   `json:"from" example:"09:00" doc:"time of the day"`
	To   string   `json:"to" example:"20:00" doc:"time of the day after from; 24:00 is its end"`
	Zone string   `json:"zone" example:"recipient" doc:"recipient, for each one's own; or the IANA name of one zone for all"`
	Days []string `json:"days,omitempty" nullable:"false" enum:"mon,tue,wed,thu,fri,sat,sun" doc:"left out: every day"`
}

// DryHours is who of a list can be sent to when.
type DryHours struct {
	Zones   []DryZone `json:"zones" nullable:"false" doc:"most people first"`
	Now     int       `json:"now" doc:"how many can be sent to at once"`
	Later   []DryLate `json:"later" nullable:"false" doc:"how many must wait, by the time when their window opens"`
	Unknown int       `json:"unknown" doc:"how many have no known zone; unknown_zone says what becomes of them"`
	Apart   int       `json:"apart" doc:"how many may be in several zones that have no minute of the hours in common; likewise"`
	Never   int       `json:"never" doc:"how many are never sent to"`
}

// DryZone is the people of a list in one zone, or in any of several.
type DryZone struct {
	Zones      []string   `json:"zones" nullable:"false" doc:"none: unknown"`
	Recipients int        `json:"recipients"`
	Open       bool       `json:"open" doc:"they can be sent to at once"`
	Opens      *time.Time `json:"opens,omitempty" doc:"when they can be; left out: now, or never"`
}

// DryLate is the people whose window opens at a time.
type DryLate struct {
	At         time.Time `json:"at"`
	Local      time.Time `json:"local" doc:"the same by the clock of most of them"`
	Recipients int       `json:"recipients"`
}

// NewDryHours returns a plan of hours in the JSON of the API and the command line;
// nil for none.
func NewDryHours(p *campaign.HoursPlan) *DryHours {
	if p == nil {
		return nil
	}
	d := &DryHours{Zones: []DryZone{}, Later: []DryLate{}, Now: p.Now, Unknown: p.Unknown, Apart: p.Apart, Never: p.Waiting}
	for _, z := range p.Zones {
		d.Zones = append(d.Zones, DryZone{append([]string{}, z.Zones...), z.Recipients, z.Open, when(z.Opens)})
	}
	for _, o := range p.Opens {
		d.Later = append(d.Later, DryLate{o.At.UTC(), o.At, o.Recipients})
	}
	return d
}

func (a *API) registerSends() {
	addCreating(a, a.operation("create-send", "POST /sends", access.Submit, "Send to one person",
		"On the urgent lane, by the day's standing campaign. The same Idempotency-Key of the same key, that day or the next, sends nothing more: other keys' are others.",
		malformed, otherContent, limited, tooLarge, mediaType, invalid), "It was asked for before; nothing more is sent.", a.send)
}

// Send is a message to one person.
type Send struct {
	Recipient   string        `json:"recipient" minLength:"1" maxLength:"4096" example:"customer-1" doc:"your own name for the person"`
	Phone       string        `json:"phone" minLength:"1" maxLength:"64" example:"+12015550100" doc:"in international form"`
	MessageType string        `json:"message_type" enum:"ARN,MKT,OTP" example:"ARN"`
	Account     string        `json:"account,omitempty" maxLength:"24" example:"us" doc:"the Telesign account that it goes through; left out: default"`
	Channels    []ChannelFile `json:"channels" nullable:"false" minItems:"1" maxItems:"10" doc:"tried in this order; templates may use recipient and phone"`
}

type sendInput struct {
	Key  string `header:"Idempotency-Key" required:"true" minLength:"1" maxLength:"255" example:"order-4711-shipped" doc:"your own name for this send"`
	Body Send
}

// Sent says where a one-off send stands.
type Sent struct {
	Campaign string `json:"campaign" example:"sends-2026-11-22" doc:"the day's standing campaign"`
	Place    string `json:"place" example:"12.7" doc:"GET /campaigns/{campaign}/recipients/{place} tells the outcome"`
}

func (a *API) send(ctx context.Context, in *sendInput) (Sent, bool, error) {
	// Through a campaign file, so that the channels are held to its rules.
	file, err := (&CampaignFile{ID: "send", Account: in.Body.Account, MessageType: in.Body.MessageType, Channels: in.Body.Channels}).parse()
	if err != nil {
		return Sent{}, false, err
	}
	sent, err := a.ops.Send(ctx, producer.OneOff{
		Key: in.Key, Recipient: in.Body.Recipient, Phone: in.Body.Phone,
		MessageType: file.Spec.MessageType, Account: file.Spec.Account, Channels: file.Spec.Channels,
	})
	if err != nil {
		return Sent{}, false, withoutPlaces(err)
	}
	return Sent{Campaign: string(sent.Campaign), Place: sent.Place.String()}, !sent.Already, nil
}
