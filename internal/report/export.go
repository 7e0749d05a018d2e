package report

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/audit"
	"github.com/handout-dev/handout/internal/phone"
	"github.com/handout-dev/handout/internal/translate"
	"github.com/handout-dev/handout/ledger"
)

// Columns are those of an export, in their order. They are a contract.
var Columns = []string{
	"recipient", "phone", "state", "delivered_by", "reason", "whatsapp_code", "sms_code",
	"reference_id", "external_id", "attempts", "claimed_at", "settled_at",
}

// Format is how an export is written.
type Format string

// The formats of an export.
const (
	CSV    Format = "csv"
	NDJSON Format = "ndjson"
	XLSX   Format = "xlsx"
	// SpreadsheetCSV is CSV for people, who open it in a spreadsheet: no cell can be
	// a formula. CSV is exact, for programs.
	SpreadsheetCSV Format = "spreadsheet-csv"
)

// Media are the formats' types over HTTP.
var Media = map[Format]string{
	CSV: "text/csv; charset=utf-8", NDJSON: "application/x-ndjson", SpreadsheetCSV: "text/csv; charset=utf-8",
	XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}

// ParseFormat finds a format of the command line by its name.
func ParseFormat(s string) (Format, error) {
	switch f := Format(s); f {
	case CSV, NDJSON, XLSX:
		return f, nil
	}
	return "", fmt.Errorf("format %q: it is csv, ndjson or xlsx", s)
}

// legKeys are what NDJSON has beside the columns.
var legKeys = []string{"delivered_by_channels", "channels"}

// attemptsAt is the one column of numbers.
var attemptsAt = slices.Index(Columns, "attempts")

// rowWriter returns what writes a row of an export of so many rows, and what ends it.
func (f Format) rowWriter(w io.Writer, header []string, rows int) (write func([]string, []campaign.ChannelLeg) error, end func() error, err error) {
	cells := func(write func([]string) error) func([]string, []campaign.ChannelLeg) error {
		return func(row []string, _ []campaign.ChannelLeg) error { return write(row) }
	}
	end = func() error { return nil }
	switch f {
	case CSV:
		c := csv.NewWriter(w)
		return cells(c.Write), func() error { c.Flush(); return c.Error() }, c.Write(header)
	case SpreadsheetCSV:
		write := spreadsheetRow(w)
		return cells(write), end, write(header)
	case XLSX:
		book, err := newWorkbook(w, header, rows, sheetRows)
		if err != nil {
			return nil, nil, err
		}
		return cells(book.write), book.close, nil
	}
	return ndjsonRow(w, header), end, nil
}

// AllColumns stands for all of a list's own columns.
const AllColumns = "all"

// listColumns returns where the named columns of a campaign's list stand, and their
// headers in an export: a name that the export has itself begins with list_.
func listColumns(info *campaign.Info, names []string) (at []int, headers []string, err error) {
	if slices.Equal(names, []string{AllColumns}) && !slices.Contains(info.Columns, AllColumns) {
		names = info.Columns
	}
	for _, name := range names {
		i := slices.Index(info.Columns, name)
		if i < 0 {
			return nil, nil, fmt.Errorf("the list of campaign %s has no column %q, only %s", info.ID, name, strings.Join(info.Columns, ", "))
		}
		if at = append(at, i); slices.Contains(Columns, name) || slices.Contains(legKeys, name) {
			name = "list_" + name
		}
		headers = append(headers, name)
	}
	return at, headers, nil
}

// Export writes a line for everyone in a campaign, in the order of the list and
// in constant memory, with these of the list's own columns at its end. Masked, it has
// no phone numbers, but what [phone.Mask] and [phone.MaskName] leave of
// them. Unmasked, it is traced before anything is read.
func (q *Reader) Export(ctx context.Context, info *campaign.Info, w io.Writer, f Format, masked bool, own ...string) error {
	at, headers, err := listColumns(info, own)
	if err != nil {
		return err
	}
	if !masked {
		if err := q.audit.Write(ctx, audit.Of(ctx, "export", "campaign "+string(info.ID), "", "")); err != nil {
			return fmt.Errorf("export campaign %s: %w", info.ID, err)
		}
	}
	header := slices.Concat(Columns, headers)
	out := bufio.NewWriterSize(w, 64<<10)
	write, end, err := f.rowWriter(out, header, info.Total)
	if err != nil {
		return fmt.Errorf("export campaign %s: %w", info.ID, err)
	}
	row := make([]string, len(header))
	err = q.ledger.EachPage(ctx, info, func(p *ledger.Page) error {
		for index := range p.Recipients {
			r := p.Record(index)
			legs := info.Spec.Legs(&p.Recipients[index], &r)
			fill(row, info, campaign.Place{Page: p.Number, Index: index}, &p.Recipients[index], &r, legs)
			for n, i := range at {
				if row[len(Columns)+n] = p.Recipients[index].Values[i]; masked {
					for _, address := range info.Addresses(&p.Recipients[index]) {
						row[len(Columns)+n] = phone.HideIn(row[len(Columns)+n], address)
					}
				}
			}
			if masked {
				row[0], row[1] = phone.MaskName(row[0], row[1]), phone.Mask(row[1])
			}
			if err := write(row, legs); err != nil {
				return fmt.Errorf("export campaign %s: %w", info.ID, err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := end(); err != nil {
		return fmt.Errorf("export campaign %s: %w", info.ID, err)
	}
	return out.Flush()
}

func fill(row []string, info *campaign.Info, p campaign.Place, to *campaign.Recipient, r *campaign.Record, legs []campaign.ChannelLeg) {
	external := ""
	if r.Attempt > 0 {
		external = info.ExternalID(p, r.Attempt)
	}
	row[0], row[1], row[2] = to.ID, to.Phone, r.State.String()
	row[3], row[4] = r.DeliveredBy().String(), translate.Reason(r, legs)
	row[5], row[6] = code(r.Legs[campaign.WhatsApp]), code(r.Legs[campaign.SMS])
	row[7], row[8], row[9] = r.Reference, external, strconv.Itoa(r.Attempt)
	row[10], row[11] = instant(r.ClaimedAt), instant(r.SettledAt)
}

func code(l campaign.Leg) string {
	if l.Rank == campaign.RankNone {
		return ""
	}
	return strconv.Itoa(l.Code)
}

func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// ndjsonRow writes a row as an object with the columns for keys, in their order, and
// behind them which channels delivered and what is known of each.
func ndjsonRow(w io.Writer, header []string) func([]string, []campaign.ChannelLeg) error {
	var b []byte
	return func(row []string, legs []campaign.ChannelLeg) error {
		b = append(b[:0], '{')
		for i, name := range header {
			if i > 0 {
				b = append(b, ',')
			}
			key, err := json.Marshal(name)
			if err != nil {
				return err
			}
			b = append(append(b, key...), ':')
			if i == attemptsAt {
				b = append(b, row[i]...)
				continue
			}
			v, err := json.Marshal(row[i])
			if err != nil {
				return err
			}
			b = append(b, v...)
		}
		told, err := json.Marshal(struct {
			DeliveredBy []string        `json:"delivered_by_channels"`
			Channels    []translate.Leg `json:"channels"`
		}{campaign.DeliveredChannels(legs), translate.Legs(legs)})
		if err != nil {
			return err
		}
		_, err = w.Write(append(append(append(b, ','), told[1:]...), '\n'))
		return err
	}
}

// What happens to a recipient. What people decide stands under the words of the
// campaign's history.
const (
	MomentClaimed = "claimed"  // an attempt began
	MomentPutOff  = "put off"  // for the first time since it was last asked for
	MomentDoubted = "in doubt" // the answer to the attempt isn't known; at the attempt's time, the only one that is
	MomentHeard   = "heard"    // Telesign said something of a channel
	MomentSettled = "settled"  // an attempt's outcome was known
	MomentDue     = "due"      // it is tried again, asked for, or given up

	momentResent = "resent" // in the history: another attempt was asked for
)

// Moment is one thing that happened to a recipient, or will.
type Moment struct {
	At      time.Time
	What    string
	Attempt int                 // 0 for what is about none
	State   campaign.State      // MomentSettled, MomentDue
	Leg     campaign.ChannelLeg // MomentHeard
	By, Why string              // of a decision, who and why; MomentDoubted, MomentSettled: the reason
}

// Story is what became of a recipient's earlier attempts, the first one first, and
// all that happened, in its order.
type Story struct {
	Earlier []campaign.Record
	Moments []Moment
}

// Story reads what happened to a recipient of a campaign.
func (q *Reader) Story(ctx context.Context, info *campaign.Info, f Found) (*Story, error) {
	earlier, err := q.ledger.Attempts(ctx, info, f.Place, &f.Seen.Record)
	if err != nil {
		return nil, err
	}
	history, err := q.ledger.History(ctx, info.ID)
	if err != nil {
		return nil, err
	}
	return &Story{earlier, moments(info.Spec, f, earlier, history)}, nil
}

// LatestMoments are what happened to a recipient as far as their record tells: of
// the latest attempt alone, and without decisions.
func LatestMoments(s *campaign.Spec, f Found) []Moment { return moments(s, f, nil, nil) }

// moments puts together each attempt as it stood when another one was asked for,
// what people decided, and what stands now.
func moments(s *campaign.Spec, f Found, past []campaign.Record, history []campaign.Entry) []Moment {
	var resent, decisions []Moment // decisions are about the latest attempt
	for _, e := range history {
		if e.About != "recipient "+f.Place.String() {
			continue
		}
		if m := (Moment{At: e.At, What: e.Verb, By: e.By, Why: e.Why}); m.What == momentResent {
			resent = append(resent, m)
		} else {
			decisions = append(decisions, m)
		}
	}
	// The history may begin later than the attempts: the last ones belong together.
	var all []Moment
	for i := range past {
		all = append(all, momentsOf(s, &f.Recipient, &past[i])...)
		if j := len(resent) - len(past) + i; j >= 0 {
			all = append(all, resent[j])
		}
	}
	if more := len(resent) - len(past); more > 0 { // of attempts that aren't kept
		all = append(resent[:more:more], all...)
	}
	r := &f.Seen.Record
	latest := momentsOf(s, &f.Recipient, r)
	if n := len(past); n > 0 && past[n-1].Attempt == r.Attempt {
		// Shown as it stood: from here on only what is new of it.
		latest = slices.DeleteFunc(latest, func(m Moment) bool { return slices.Contains(all, m) })
	}
	if n := len(latest); n > 0 && latest[n-1].What == MomentSettled {
		latest = slices.Insert(latest, n-1, decisions...)
	} else {
		latest = append(latest, decisions...)
	}
	all = append(all, latest...)
	if !r.DueAt.IsZero() {
		all = append(all, Moment{At: r.DueAt, What: MomentDue, Attempt: r.Attempt, State: r.State})
	}
	slices.SortStableFunc(all, func(a, b Moment) int { return a.second().Compare(b.second()) })
	return all
}

// second is when it happened as a record knows it: what happened within a second
// stays in the order of the attempts.
func (m Moment) second() time.Time { return m.At.Truncate(time.Second) }

// momentsOf is what happened by a record.
func momentsOf(s *campaign.Spec, to *campaign.Recipient, r *campaign.Record) []Moment {
	legs := s.Legs(to, r)
	all := []Moment{{At: r.ClaimedAt, What: MomentClaimed, Attempt: r.Attempt}, {At: r.PutOffAt, What: MomentPutOff, Attempt: r.Attempt}}
	if r.State == campaign.Claimed || r.State == campaign.InDoubt { // put off before this attempt
		slices.Reverse(all)
	}
	switch {
	case r.State == campaign.InDoubt:
		all = append(all, Moment{At: r.ClaimedAt, What: MomentDoubted, Attempt: r.Attempt, Why: r.Reason.String()})
	case r.Reason == campaign.ReasonTakenAsSent:
		all = append(all, Moment{At: r.ClaimedAt, What: MomentDoubted, Attempt: r.Attempt})
	}
	for _, l := range legs {
		all = append(all, Moment{At: l.At, What: MomentHeard, Attempt: r.Attempt, Leg: l})
	}
	all = append(all, Moment{At: r.SettledAt, What: MomentSettled, Attempt: r.Attempt, State: r.State, Why: translate.Reason(r, legs)})
	return slices.DeleteFunc(all, func(m Moment) bool { return m.At.IsZero() })
}
