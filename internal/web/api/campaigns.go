package api

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/report"
	"github.com/handout-dev/handout/internal/web/access"
	"github.com/handout-dev/handout/producer"
)

// CampaignPath is a path that begins with a campaign.
type CampaignPath struct {
	ID string `path:"id" minLength:"1" maxLength:"48" pattern:"^[a-z0-9][a-z0-9_-]*$" example:"order-history-2026-11" doc:"the campaign"`
}

func (i CampaignPath) id() campaign.ID { return campaign.ID(i.ID) }

func (a *API) registerCampaigns() {
	addCreating(a, a.operation("create-campaign", "POST /campaigns", access.Submit, "Create a campaign",
		"The first of two steps: the campaign file. Nothing is sent, and the campaign waits a day for its list: "+
			"`PUT /campaigns/{id}/recipients`. The same file again changes nothing. The file is the key's that sends it: only that "+
			"one, or one with the scope control, replaces it or sends its list. The answer's ETag is the file's digest.",
		malformed, otherContent, tooLarge, mediaType, invalid),
		"It was created before, with the same content; nothing has changed.", a.create)
	add(a, a.operation("list-campaigns", "GET /campaigns", access.Read, "List campaigns",
		"The newest first. The first answer begins with those that are proposed, whose lists haven't come: the latest 1,000, "+
			"whatever the limit.", invalid), a.list)
	add(a, a.operation("get-campaign", "GET /campaigns/{id}", access.Read, "Look at a campaign",
		"What it is, what became of it so far, how fast it goes, and what was done to it.", notFound, invalid), a.get)
	add(a, a.operation("withdraw-campaign", "DELETE /campaigns/{id}", access.Submit, "Withdraw a proposed campaign",
		"Deletes a campaign file that waits for its list. It takes the key that sent it, or one with the scope control. A campaign "+
			"whose list has come is canceled, and purged when it is done.", notFound, wrongState, stale, invalid), a.withdraw)
	add(a, a.operation("get-history", "GET /campaigns/{id}/history", access.Read, "Read a campaign's history",
		"Who steered it, when and why, the earliest first: the latest 1,000 lines.", notFound, invalid), a.history)
}

type createInput struct {
	Replace bool `query:"replace" doc:"replace another campaign file that waits for its list under this id; one whose list has come stays"`
	Body    *CampaignFile
}

func (a *API) create(ctx context.Context, in *createInput) (*Campaign, bool, error) {
	if in.Body == nil {
		return nil, false, problem(invalid, "", Fault{Message: "a campaign file is needed"})
	}
	file, err := in.Body.parse()
	if err != nil {
		return nil, false, err
	}
	stands, added, err := a.ops.Propose(ctx, file, in.Replace)
	if operations.KindOf(err) == operations.OtherContent {
		return nil, false, a.otherFile(ctx, in, err)
	}
	if err != nil {
		return nil, false, withoutPlaces(err)
	}
	if stands != nil {
		c, err := a.campaign(ctx, stands.Info.ID)
		return c, false, err
	}
	c, err := proposed(ctx, file.Spec)
	return c, added, err
}

// otherFile is the answer when another campaign file has the ID. It says how to
// replace one that waits for its list.
func (a *API) otherFile(ctx context.Context, in *createInput, err error) *problemError {
	p := a.problem(ctx, err)
	if _, proposed := a.reports.Proposed(ctx, campaign.ID(in.Body.ID)); proposed == nil && !in.Replace {
		p.Detail += ". POST it with ?replace=true to put yours in its place"
	}
	p.Errors, p.Count = []Fault{{Field: "id", Message: "is taken by other content"}}, 1
	return p
}

// Withdrawn is a campaign file that no longer waits for its list.
type Withdrawn struct {
	Campaign string `json:"campaign" example:"order-history-2026-11"`
}

func (a *API) withdraw(ctx context.Context, in *CampaignPath) (*Withdrawn, error) {
	return &Withdrawn{in.ID}, a.ops.Withdraw(ctx, in.id())
}

// withoutPlaces leaves out where in the text a campaign file's faults stand: the
// text is ours.
func withoutPlaces(err error) error {
	var faults *producer.Faults
	if errors.As(err, &faults) {
		for i := range faults.List {
			faults.List[i].Line, faults.List[i].Column = 0, 0
		}
	}
	return err
}

// stateProposed is the state of a campaign whose list hasn't come.
const stateProposed = "proposed"

func newProposed(s *campaign.Spec) *Campaign {
	return newCampaign(&campaign.Info{ID: s.ID, Phase: stateProposed}, new(campaign.Balance), s.AccountName())
}

func proposed(ctx context.Context, s *campaign.Spec) (*Campaign, error) {
	c := newProposed(s)
	digest, err := operations.FileDigest(s)
	if err != nil {
		return nil, err
	}
	exchangeOf(ctx).w.Header().Set("ETag", `"`+digest+`"`)
	c.File, err = fileOf(s)
	return c, err
}

// standing reads how a campaign stands. It tells one without a list from none at
// all.
func (a *API) standing(ctx context.Context, id campaign.ID) (*operations.Standing, error) {
	s, err := a.ops.Standing(ctx, id)
	if operations.KindOf(err) != operations.NotFound {
		return s, err
	}
	if _, wrong := a.reports.Proposed(ctx, id); wrong == nil {
		return nil, problem(wrongState, "campaign "+string(id)+" has no recipients yet: PUT its list first")
	}
	return nil, err
}

func (a *API) campaign(ctx context.Context, id campaign.ID) (*Campaign, error) {
	r, info, err := a.reports.Read(ctx, id)
	if err != nil {
		return nil, err
	}
	c := newCampaign(info, r.Counts, info.Spec.AccountName())
	c.History, c.Pace, c.Warnings, c.Advice = r.History, r.Pace, r.Warnings, r.Advice
	c.File, err = fileOf(info.Spec)
	return c, err
}

func (a *API) get(ctx context.Context, in *CampaignPath) (*Campaign, error) {
	c, err := a.campaign(ctx, in.id())
	if operations.KindOf(err) != operations.NotFound {
		return c, err
	}
	s, err := a.reports.Proposed(ctx, in.id())
	if err != nil {
		return nil, err
	}
	return proposed(ctx, s)
}

type listInput struct {
	State   string `query:"state" enum:"proposed,draft,running,paused,held,canceled,settling,done"`
	Text    string `query:"text" maxLength:"48" doc:"must stand in the id"`
	Account string `query:"account" maxLength:"24" doc:"those that are sent through this account"`
	Cursor  string `query:"cursor" maxLength:"48" doc:"next_cursor of the answer before"`
	Limit   int    `query:"limit" minimum:"1" maximum:"100" default:"50"`
}

// Campaigns are a part of all campaigns.
type Campaigns struct {
	Campaigns  []*Campaign `json:"campaigns" nullable:"false"`
	NextCursor string      `json:"next_cursor,omitempty" doc:"there may be more: ask with it as cursor; an answer may be short, or empty, and still have one"`
}

func (a *API) list(ctx context.Context, in *listInput) (*Campaigns, error) {
	q := report.ListQuery{Text: in.Text, Account: in.Account, After: campaign.ID(in.Cursor), Limit: in.Limit}
	if in.State != "" {
		q.States = []campaign.Phase{campaign.Phase(in.State)}
	}
	out := &Campaigns{Campaigns: []*Campaign{}}
	if in.Cursor == "" && (in.State == "" || in.State == stateProposed) {
		waiting, err := a.reports.Waiting(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, s := range waiting {
			out.Campaigns = append(out.Campaigns, newProposed(s))
		}
	}
	if in.State == stateProposed {
		return out, nil
	}
	list, err := a.reports.List(ctx, q)
	if operations.KindOf(err) == operations.NotFound {
		return nil, problem(invalid, "", Fault{Field: "cursor", Message: "the campaign that it names isn't there: begin anew"})
	}
	if err != nil {
		return nil, err
	}
	out.NextCursor = string(list.Next)
	for i := range list.Campaigns {
		s := &list.Campaigns[i]
		out.Campaigns = append(out.Campaigns, newCampaign(&s.Info, &s.Balance, s.Account))
	}
	return out, nil
}

// History is what was done to a campaign.
type History struct {
	History []campaign.Entry `json:"history" nullable:"false"`
}

func (a *API) history(ctx context.Context, in *CampaignPath) (*History, error) {
	var without *problemError // no list, and nothing was done to it yet
	if _, err := a.standing(ctx, in.id()); err != nil && !errors.As(err, &without) {
		return nil, err
	}
	entries, err := a.reports.History(ctx, in.id())
	return &History{append([]campaign.Entry{}, entries...)}, err
}

// CampaignFile is a campaign file in JSON: the same keys, judged by the same judge.
type CampaignFile struct {
	ID                 string            `json:"id" minLength:"1" maxLength:"48" example:"order-history-2026-11" doc:"the caller's own; a-z, 0-9, _ and -. It makes everything about the campaign safe to repeat"`
	MessageType        string            `json:"message_type" enum:"ARN,MKT,OTP" example:"MKT"`
	Channels           []ChannelFile     `json:"channels" nullable:"false" minItems:"1" maxItems:"10" doc:"tried in this order"`
	Default            *ContentFile      `json:"default,omitempty" doc:"what the channels say that have no template"`
	Rate               float64           `json:"rate,omitempty" minimum:"0" example:"10" doc:"messages per second, under the account's own limit; 0: no limit of its own"`
	Lane               string            `json:"lane,omitempty" enum:"bulk,urgent" doc:"urgent is served before bulk, which is the default"`
	OnDoubt            string            `json:"on_doubt,omitempty" enum:"hold,resend" doc:"what becomes of those who may have been sent to: hold, the default, leaves them to the receipt or a person"`
	GiveUpAfter        Span              `json:"give_up_after,omitempty" doc:"for how long those are tried whose requests certainly weren't sent; 24h"`
	MaxFailureRate     Share             `json:"max_failure_rate,omitempty" doc:"share of the latest outcomes that may be failures before the campaign is held; 30%"`
	Canary             int               `json:"canary,omitempty" minimum:"1" maximum:"10000" doc:"how many are sent to first; the others wait for their outcomes"`
	CanarySuccess      Share             `json:"canary_success,omitempty" doc:"share of the canary that must be delivered; 80%"`
	CheckFiles         string            `json:"check_files,omitempty" enum:"none,sample,all" doc:"whose files are looked at before the first send; none"`
	Retention          Span              `json:"retention,omitempty" doc:"how long people's data is kept after the end; 90d"`
	Hours              *HoursFile        `json:"hours,omitempty" doc:"when people may be sent to; left out: at any time"`
	UnknownZone        string            `json:"unknown_zone,omitempty" example:"hold" doc:"what becomes of those whose own zone isn't known: hold, the default, or the IANA name of a zone whose hours hold for them"`
	Columns            map[string]string `json:"columns,omitempty" doc:"the list's own names of columns, by the names that templates use; recipient and phone are two of these"`
	WhatsAppWhitespace string            `json:"whatsapp_whitespace,omitempty" enum:"refuse,collapse" doc:"what becomes of line breaks, tabs and runs of spaces that WhatsApp refuses in the text of a template: refuse, the default, makes their rows bad; collapse makes each run one space"`
	SameRecipient      string            `json:"same_recipient,omitempty" enum:"refuse,note" doc:"what becomes of a second row with the same recipient and another phone number: refuse, the default, or note, which sends to both"`
	Account            string            `json:"account,omitempty" maxLength:"24" example:"us" doc:"the Telesign account that it is sent through; left out: default"`
	SenderID           string            `json:"sender_id,omitempty" example:"15558675310" doc:"the sender, which Telesign must have put on the account's list: it silently doesn't use others"`
	OriginatingIP      string            `json:"originating_ip,omitempty" example:"160.199.219.47" doc:"the end user's IP address, v4 or v6"`
	LifecycleEvent     string            `json:"account_lifecycle_event,omitempty" enum:"create,sign-in,transact,update,delete" doc:"what the messages are about"`
	UnknownRanges      string            `json:"unknown_ranges,omitempty" enum:"accept,refuse" doc:"what becomes of numbers in no range known to us, which may be newer than the data: accept, the default, or refuse"`
}

// ChannelFile is one step of the cascade.
type ChannelFile struct {
	Channel      string            `json:"channel" enum:"whatsapp,sms,rcs,viber,mms" example:"whatsapp"`
	FallbackTime Span              `json:"fallback_time,omitempty" doc:"how long Telesign waits before the next channel: 30 s to 1 h; 5m"`
	Template     string            `json:"template,omitempty" minLength:"1" example:"file" doc:"the name of a template; left out: the channel says what default says"`
	Parameters   map[string]string `json:"parameters,omitempty" doc:"the template's variables; values are Go text/template over the list's columns, as in {{.url}}, with and, or, not, eq, ne, lt, le, gt, ge, len, slice, index and urlquery"`
}

// ContentFile is a template with its parameters.
type ContentFile struct {
	Template   string            `json:"template" minLength:"1" example:"text"`
	Parameters map[string]string `json:"parameters,omitempty" doc:"as those of a channel"`
}

// Span is a duration, as in "10m" or "90d", or a number of seconds.
type Span json.RawMessage

// Share is a part of a whole, as in 0.3 or "30%".
type Share json.RawMessage

// Schema is huma's question for the form.
func (Span) Schema(huma.Registry) *huma.Schema {
	return textOr(huma.TypeInteger, "a duration, as in 10m, 24h or 90d; or a number of seconds", "10m")
}

// Schema is huma's question for the form.
func (Share) Schema(huma.Registry) *huma.Schema {
	return textOr(huma.TypeNumber, "a share over 0 and at most 1, as in 0.3 or 30%", 0.3)
}

func textOr(number, about string, example any) *huma.Schema {
	return &huma.Schema{Description: about, Examples: []any{example}, OneOf: []*huma.Schema{{Type: huma.TypeString}, {Type: number}}}
}

// MarshalJSON and UnmarshalJSON keep the text as it was written.
func (s Span) MarshalJSON() ([]byte, error) { return json.RawMessage(s).MarshalJSON() }

// UnmarshalJSON keeps the text as it was written.
func (s *Span) UnmarshalJSON(b []byte) error { return (*json.RawMessage)(s).UnmarshalJSON(b) }

// MarshalJSON keeps the text as it was written.
func (s Share) MarshalJSON() ([]byte, error) { return json.RawMessage(s).MarshalJSON() }

// UnmarshalJSON keeps the text as it was written.
func (s *Share) UnmarshalJSON(b []byte) error { return (*json.RawMessage)(s).UnmarshalJSON(b) }

// parse holds the file to the rules for campaign files: JSON is YAML.
func (f *CampaignFile) parse() (*producer.File, error) {
	b, err := json.Marshal(f)
	if err != nil {
		return nil, err
	}
	file, err := operations.ParseCampaign("", b)
	return file, withoutPlaces(err)
}

// Campaign is what a campaign is and what became of it.
type Campaign struct {
	Campaign    string             `json:"campaign" example:"order-history-2026-11"`
	State       string             `json:"state" enum:"proposed,draft,running,paused,held,canceled,settling,done" doc:"proposed: the list hasn't come; draft: it is coming; held: paused by handout, see reason; settling: all are sent to; done: nothing is left that handout may do"`
	Account     string             `json:"account,omitempty" example:"us" doc:"the Telesign account that it is sent through; left out: default"`
	Reason      string             `json:"reason" doc:"why it is paused, held or canceled"`
	Advice      string             `json:"advice,omitempty" example:"Correct TELESIGN_API_KEY, restart the workers, then resume." doc:"what to do about a hold, for people"`
	Total       int                `json:"total" minimum:"0" doc:"recipients"`
	Balance     Balance            `json:"balance" doc:"recipients by state; they add up to total"`
	DeliveredBy report.DeliveredBy `json:"delivered_by" doc:"the delivered by channel"`
	LeftOut     campaign.LeftOut   `json:"left_out" doc:"rows of its list that nothing is sent for"`
	CreatedAt   *time.Time         `json:"created_at,omitempty"`
	StartedAt   *time.Time         `json:"started_at,omitempty" doc:"when it first ran"`
	FinishedAt  *time.Time         `json:"finished_at,omitempty" doc:"when it was done"`
	StartAt     *time.Time         `json:"start_at,omitempty" doc:"paused until then"`
	Pace        *report.Pace       `json:"pace,omitempty" doc:"how fast it goes; only for one campaign whose list has come"`
	Warnings    []string           `json:"warnings,omitempty" doc:"what keeps outcomes from arriving, as a listener that refuses receipts"`
	History     []campaign.Entry   `json:"history,omitempty" nullable:"false" maxItems:"1000" doc:"what was done to it, the earliest first: the latest 1,000 lines; only for one campaign"`
	File        *CampaignFile      `json:"file,omitempty" doc:"what is sent and how; only for one campaign, and not for the day's one-off sends"`
}

// Balance is how many recipients are in each state.
type Balance struct {
	Planned     int `json:"planned" doc:"nothing was done yet"`
	Claimed     int `json:"claimed" doc:"being sent to"`
	Retrying    int `json:"retrying" doc:"another attempt is to be made: it certainly wasn't sent, or a person asked for it"`
	Accepted    int `json:"accepted" doc:"Telesign took it; no outcome yet"`
	InDoubt     int `json:"in_doubt" doc:"may have been sent; left alone until the receipt, or a person"`
	Delivered   int `json:"delivered"`
	Failed      int `json:"failed" doc:"no channel delivered"`
	Refused     int `json:"refused" doc:"Telesign refused the request"`
	Suppressed  int `json:"suppressed" doc:"never sent: on the suppression list"`
	Canceled    int `json:"canceled" doc:"never sent: the campaign was canceled"`
	Unconfirmed int `json:"unconfirmed" doc:"its outcome isn't known: no final receipt came, or a person took it as sent"`
}

func newCampaign(info *campaign.Info, b *campaign.Balance, account string) *Campaign {
	return &Campaign{
		Campaign: string(info.ID), State: string(info.Phase), Account: campaign.StoredAccount(account), Reason: info.Reason, Total: info.Total, LeftOut: info.LeftOut,
		Balance: Balance{
			Planned: b.Of(campaign.Planned), Claimed: b.Of(campaign.Claimed), Retrying: b.Of(campaign.Retrying),
			Accepted: b.Of(campaign.Accepted), InDoubt: b.Of(campaign.InDoubt), Delivered: b.Of(campaign.Delivered),
			Failed: b.Of(campaign.Failed), Refused: b.Of(campaign.Refused), Suppressed: b.Of(campaign.Suppressed),
			Canceled: b.Of(campaign.Canceled), Unconfirmed: b.Of(campaign.Unconfirmed),
		},
		DeliveredBy: report.NewDeliveredBy(b),
		CreatedAt:   when(info.CreatedAt), StartedAt: when(info.StartedAt), FinishedAt: when(info.FinishedAt), StartAt: when(info.StartAt),
	}
}

func when(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// fileOf is a spec as a campaign file; nil for a standing campaign's.
func fileOf(s *campaign.Spec) (*CampaignFile, error) {
	if s.Standing {
		return nil, nil
	}
	b, err := s.Encode()
	if err != nil {
		return nil, err
	}
	f := new(CampaignFile)
	return f, json.Unmarshal(b, f)
}
