package console

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/report"
	"github.com/handout-dev/handout/internal/translate"
	"github.com/handout-dev/handout/internal/web/access"
	"github.com/handout-dev/handout/ledger"
)

// personPage is one person of a campaign.
type personPage struct {
	Row        personRow
	Means      string // what the state means
	Words      string // what our reason means
	Waits      string // whether an outcome may still come
	Attempts   []attempt
	PutOff     int
	Legs       []legRow
	Timeline   []moment
	Columns    []fact // of the list; nothing without the scope people
	Hidden     bool   // there are columns that aren't shown
	Suppressed string
	Resend     string // addresses; empty: it can't be done now
	Accept     string
	Hint       string // why a button is missing
}

// attempt is one request that was made, or is about to be.
type attempt struct {
	Number     int
	ExternalID string
	Reference  string
	At         time.Time
	State, Why string // how it stands, or stood in the end
	Lost       bool   // it isn't kept
}

// legRow is what is known of a channel, or of the whole transaction.
type legRow struct {
	Channel, Code, Words, Means string
	At                          time.Time // when it was first heard; zero: unknown
}

// moment is something that happened, or will.
type moment struct {
	At              time.Time
	What, Who, Note string
	Future          bool
}

// rankWords are ours for what Telesign says.
var rankWords = map[campaign.Rank]string{
	campaign.RankProgress: "on its way", campaign.RankGateway: "at the gateway",
	campaign.RankProbable: "sent out; a confirmation isn't to be had", campaign.RankFailed: "it failed on this channel",
	campaign.RankDelivered: "delivered", campaign.RankRead: "read",
}

// reasonWords are what our reasons mean.
var reasonWords = map[campaign.Reason]string{
	campaign.ReasonThrottled:   "Telesign said “too fast”. It isn't counted as a fault, and is tried again.",
	campaign.ReasonUnavailable: "Telesign said that it didn't process the request.",
	campaign.ReasonNotWritten:  "The connection failed before the request was written: certainly not sent.",
	campaign.ReasonAccount:     "The fault is our account's, its key's or its configuration's: the campaign is held.",
	campaign.ReasonTimeout:     "There was no answer in time. The request was written: it may have been sent.",
	campaign.ReasonReset:       "The connection broke after the request was written: it may have been sent.",
	campaign.ReasonServerError: "The answer doesn't say whether the request was processed.",
	campaign.ReasonUnreadable:  "The answer can't be read.",
	campaign.ReasonWorkerLost:  "The worker died, or stalled, after it had claimed: it may have sent.",
	campaign.ReasonRefused:     "Telesign refused the request for this person.",
	campaign.ReasonUnsendable:  "No request can be made of this person's columns.",
	campaign.ReasonGaveUp:      "It was tried for as long as the campaign allows. Certainly not sent.",
	campaign.ReasonUndelivered: "Every channel failed.",
	campaign.ReasonNoReceipt:   "No final receipt came by the deadline.",
	campaign.ReasonExpired:     "Telesign no longer knows the reference, and can't be asked.",
	campaign.ReasonCanceled:    "The campaign was canceled first.",
	campaign.ReasonSuppressed:  "The number is on the suppression list.",
	campaign.ReasonResent:      "Another attempt was asked for.",
	campaign.ReasonLostClaim:   "Telesign answered for an attempt that the ledger doesn't know: Redis had forgotten it.",

	campaign.ReasonTakenAsSent: "It was in doubt, and a person has decided that it was sent.",
}

// broughtBy says of somebody who was delivered to, how.
var broughtBy = map[campaign.DeliveredBy]string{
	campaign.ByWhatsApp: "WhatsApp brought it", campaign.BySMS: "the SMS brought it, and WhatsApp didn't",
	campaign.ByBoth: "the SMS brought it, and so did WhatsApp", campaign.ByOther: "another channel brought it",
}

// channelWords name whatever delivered.
var channelWords = map[campaign.DeliveredBy]string{
	campaign.ByWhatsApp: "WhatsApp", campaign.BySMS: "SMS", campaign.ByBoth: "both", campaign.ByOther: "another channel",
}

// resendable are the states in which another attempt may be asked for.
var resendable = []campaign.State{campaign.InDoubt, campaign.Failed, campaign.Refused, campaign.Unconfirmed}

// personAt is the person of the path.
func (c *Console) personAt(v *visit) (info *campaign.Info, f ledger.Found, err error) {
	s, err := c.look(v)
	if err != nil {
		return nil, f, err
	}
	at, ok := campaign.ParsePlace(v.PathValue("place"))
	if !ok || s.info.Phase == campaign.Draft {
		return nil, f, ledger.ErrNotFound
	}
	if err := s.info.Gone(); err != nil {
		return nil, f, err
	}
	page, err := c.ledger.Recipients(v.Context(), s.info.ID, at.Page)
	if err != nil {
		return nil, f, err
	}
	if at.Index >= len(page) {
		return nil, f, ledger.ErrNotFound
	}
	f = ledger.Found{Place: at, Recipient: page[at.Index]}
	f.Seen, err = c.ledger.ReadRecord(v.Context(), s.info, at)
	return s.info, f, err
}

func (c *Console) person(v *visit) (string, any, error) {
	info, f, err := c.personAt(v)
	if err != nil {
		return "", nil, err
	}
	r := &f.Seen.Record
	p := personPage{
		Row: v.personRow(info.ID, f), Means: statesInWords[r.State], Words: reasonWords[r.Reason],
		Waits: waits(r), Legs: legsOf(r), PutOff: r.Faults,
	}
	past, err := c.ledger.Attempts(v.Context(), info, f.Place, r)
	if err != nil {
		return "", nil, err
	}
	p.Attempts = attempts(info.ID, f, past)
	if r.State == campaign.Delivered {
		p.Means = broughtBy[r.DeliveredBy()]
		if r.Read() {
			p.Means += ", and it was read"
		}
	}
	history, err := c.ledger.History(v.Context(), info.ID)
	if err != nil {
		return "", nil, err
	}
	p.Timeline = timeline(info, f, past, history, time.Now())
	if p.Hidden = !v.may(access.People) && len(info.Columns) > 0; !p.Hidden {
		for i, name := range info.Columns {
			if i < len(f.Recipient.Values) {
				p.Columns = append(p.Columns, fact{name, f.Recipient.Values[i]})
			}
		}
	}
	entry, listed, err := c.suppressions.Find(v.Context(), f.Recipient.Phone)
	if err != nil && !listed {
		return "", nil, err
	}
	if listed {
		p.Suppressed = "On the suppression list since " + when(entry.At) + ": " + entry.Reason() + ". Nothing is sent to this number."
	}
	p.deeds(v, info, r)
	return "person", p, nil
}

// deeds are what the visitor may do about the person.
func (p *personPage) deeds(v *visit, info *campaign.Info, r *campaign.Record) {
	open := slices.Contains(resendable, r.State)
	switch {
	case !open:
	case !v.may(access.Control):
		p.Hint = "This key has not the scope control: it may look, and change nothing."
	default:
		if info.Canceled {
			p.Hint = "The campaign was canceled: nobody in it is sent to again."
		} else {
			p.Resend = p.Row.Address + "/resend"
		}
		if r.State == campaign.InDoubt {
			p.Accept = p.Row.Address + "/accept"
		}
	}
}

// waits says whether the machine still waits for something.
func waits(r *campaign.Record) string {
	switch {
	case r.State == campaign.InDoubt && r.DueAt.IsZero():
		return "Nothing is waited for any more. A receipt that still comes settles it; else it is for a person to decide."
	case r.State == campaign.InDoubt:
		return "A receipt may still come, and settles it. It is waited for until " + when(r.DueAt) + "."
	case r.State == campaign.Accepted && !r.DueAt.IsZero():
		return "The receipt is waited for; from " + when(r.DueAt) + " on Telesign is asked."
	case r.State == campaign.Retrying && !r.DueAt.IsZero():
		return "The next attempt is not before " + when(r.DueAt) + "."
	case r.State == campaign.Failed, r.State == campaign.Unconfirmed, r.State == campaign.Refused:
		return "A late receipt of a delivery would still be recorded."
	}
	return ""
}

// attempts are all that were made, the latest last.
func attempts(id campaign.ID, f ledger.Found, past []campaign.Record) []attempt {
	kept := make(map[int]*campaign.Record)
	for i := range past {
		kept[past[i].Attempt] = &past[i]
	}
	r := &f.Seen.Record
	if kept[r.Attempt] == nil {
		kept[r.Attempt] = r
	}
	var all []attempt
	for n := 1; n <= r.Attempt; n++ {
		a := attempt{Number: n, ExternalID: campaign.ExternalID(id, f.Place, n), Lost: kept[n] == nil}
		if r := kept[n]; r != nil {
			a.Reference, a.At, a.State, a.Why = r.Reference, r.ClaimedAt, r.State.String(), translate.Reason(r)
		}
		all = append(all, a)
	}
	return all
}

func legsOf(r *campaign.Record) []legRow {
	var rows []legRow
	all := report.Channels(r)
	if r.Status.Rank != campaign.RankNone {
		all = append(all, campaign.ChannelLeg{Channel: "the message", Leg: r.Status})
	}
	for _, l := range all {
		row := legRow{Channel: channelName(l.Channel), Words: translate.Words(l.Leg), Means: rankWords[l.Rank], At: l.At}
		if l.Code != 0 {
			row.Code = strconv.Itoa(l.Code)
		}
		rows = append(rows, row)
	}
	return rows
}

// channelName is a channel as people write it.
func channelName(channel string) string {
	switch channel {
	case "whatsapp":
		return "WhatsApp"
	case "sms":
		return "SMS"
	}
	return channel
}

// timeline is what is known to have happened to somebody, in its order.
func timeline(info *campaign.Info, f ledger.Found, past []campaign.Record, history []campaign.Entry, now time.Time) []moment {
	all := []moment{{At: info.CreatedAt, What: "put on the list"}}
	for _, m := range report.Story(f, past, history) {
		told := moment{At: m.At, What: m.What, Who: m.By, Note: m.Why, Future: m.At.After(now)}
		switch m.What {
		case report.MomentClaimed:
			told.What = "attempt " + strconv.Itoa(m.Attempt) + " began"
		case report.MomentPutOff:
			told.What = "put off for the first time"
		case report.MomentHeard:
			told.What, told.Note = channelName(m.Leg.Channel)+" "+heard[m.Leg.Rank], translate.Words(m.Leg.Leg)
			if m.Leg.Code != 0 {
				told.Note += " (" + strconv.Itoa(m.Leg.Code) + ")"
			}
		case report.MomentSettled:
			told.What = words(m.State.String())
		case report.MomentDue:
			told.What = due(m.State)
		}
		all = append(all, told)
	}
	return all
}

// heard is what Telesign said of a channel, in a word.
var heard = map[campaign.Rank]string{
	campaign.RankProgress: "is on its way", campaign.RankGateway: "is at the gateway", campaign.RankProbable: "was sent out",
	campaign.RankFailed: "failed", campaign.RankDelivered: "delivered", campaign.RankRead: "was read",
}

// due is what happens, or is waited for, at the time that a state has set.
func due(s campaign.State) string {
	switch s {
	case campaign.Retrying:
		return "the next attempt, not before"
	case campaign.InDoubt:
		return "a receipt is waited for until then"
	case campaign.Claimed:
		return "the claim's answer is due"
	}
	return "the outcome is asked for"
}

// asked are the fields of a question about a person as they stood when it was
// asked.
func asked(r *campaign.Record) map[string]string {
	return map[string]string{"state": r.State.String(), "attempt": strconv.Itoa(r.Attempt)}
}

// stale refuses the answer to a question that was about something else.
func stale(v *visit, r *campaign.Record) error {
	for name, value := range asked(r) {
		if v.PostFormValue(name) != value {
			return refuse(http.StatusConflict, "The person is %s by now, at attempt %d. Nothing was done: look again.", words(r.State.String()), r.Attempt)
		}
	}
	return nil
}

func (c *Console) askResend(v *visit) (string, any, error) {
	info, f, err := c.personAt(v)
	if err != nil {
		return "", nil, err
	}
	r := &f.Seen.Record
	switch {
	case info.Canceled:
		return "", nil, campaign.ErrCanceled
	case !slices.Contains(resendable, r.State):
		return "", nil, refuse(http.StatusConflict, "The person is %s: there is nothing to send again.", words(r.State.String()))
	}
	entry, listed, err := c.suppressions.Find(v.Context(), f.Recipient.Phone)
	if err != nil && !listed {
		return "", nil, err
	}
	if listed {
		return "", nil, refuse(http.StatusConflict, "The number is on the suppression list, since %s: %s. Nothing would be sent.", when(entry.At), entry.Reason())
	}
	return "ask", question{
		ID: string(info.ID), Title: "Send again to " + f.Place.String() + "?", To: personAddress(info.ID, f.Place) + "/resend",
		Text: []string{
			v.name(f.Recipient.ID, f.Recipient.Phone) + ", " + v.phone(f.Recipient.Phone) + ", is " + stateAndWhy(r) + ".",
			"The campaign's content is sent as it stands.",
		},
		Risk: translate.ResendRisk(r.State), Fields: []field{why}, Hidden: asked(r), Do: "Send again", Danger: translate.ResendRisk(r.State) != "",
	}, nil
}

func stateAndWhy(r *campaign.Record) string {
	return strings.TrimSuffix(words(r.State.String())+": "+translate.Reason(r), ": ")
}

func (c *Console) resend(v *visit) (string, error) {
	info, f, err := c.personAt(v)
	if err != nil {
		return "", err
	}
	if err := stale(v, &f.Seen.Record); err != nil {
		return "", err
	}
	if _, err := c.ledger.Resend(v.Context(), info, f.Place, f.Seen, v.actor(reasonOf(v)), time.Now()); err != nil {
		return "", err
	}
	v.flash("Recipient " + f.Place.String() + " is to be sent to again.")
	return personAddress(info.ID, f.Place), nil
}

func (c *Console) askAccept(v *visit) (string, any, error) {
	info, f, err := c.personAt(v)
	if err != nil {
		return "", nil, err
	}
	r := &f.Seen.Record
	if r.State != campaign.InDoubt {
		return "", nil, refuse(http.StatusConflict, "The person is %s, and not in doubt.", words(r.State.String()))
	}
	return "ask", question{
		ID: string(info.ID), Title: "Take " + f.Place.String() + " as sent?", To: personAddress(info.ID, f.Place) + "/accept",
		Text: []string{
			v.name(f.Recipient.ID, f.Recipient.Phone) + ", " + v.phone(f.Recipient.Phone) + ", is " + stateAndWhy(r) + ".",
			waits(r), "Taken as sent they are unconfirmed; a receipt that still comes is recorded.",
		},
		Risk: translate.AcceptRisk, Fields: []field{why}, Hidden: asked(r), Do: "Take as sent",
	}, nil
}

func (c *Console) accept(v *visit) (string, error) {
	info, f, err := c.personAt(v)
	if err != nil {
		return "", err
	}
	if err := stale(v, &f.Seen.Record); err != nil {
		return "", err
	}
	if _, err := c.ledger.AcceptAsSent(v.Context(), info, f.Place, f.Seen, v.actor(reasonOf(v)), time.Now()); err != nil {
		return "", err
	}
	v.flash("Recipient " + f.Place.String() + " is taken as sent.")
	return personAddress(info.ID, f.Place), nil
}
