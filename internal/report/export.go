package report

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/handout-dev/handout/campaign"
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
)

// ParseFormat finds a format by its name.
func ParseFormat(s string) (Format, error) {
	switch f := Format(s); f {
	case CSV, NDJSON:
		return f, nil
	}
	return "", fmt.Errorf("format %q: it is csv or ndjson", s)
}

// Export writes a line for everyone in a campaign, in the order of the list and
// in constant memory.
func (q *Reader) Export(ctx context.Context, info *campaign.Info, w io.Writer, f Format) error {
	return q.export(ctx, info, w, f, func(row []string) {})
}

// ExportMasked is Export without the phone numbers: as [phone.Mask] and [phone.MaskName]
// leave them.
func (q *Reader) ExportMasked(ctx context.Context, info *campaign.Info, w io.Writer, f Format) error {
	return q.export(ctx, info, w, f, func(row []string) {
		row[0], row[1] = phone.MaskName(row[0], row[1]), phone.Mask(row[1])
	})
}

func (q *Reader) export(ctx context.Context, info *campaign.Info, w io.Writer, f Format, mask func(row []string)) error {
	out := bufio.NewWriterSize(w, 64<<10)
	write, flush := ndjsonRow(out), func() error { return nil }
	if f == CSV {
		c := csv.NewWriter(out)
		if err := c.Write(Columns); err != nil {
			return err
		}
		write, flush = c.Write, func() error { c.Flush(); return c.Error() }
	}
	if err := q.exportRows(ctx, info, mask, write); err != nil {
		return err
	}
	if err := flush(); err != nil {
		return fmt.Errorf("export campaign %s: %w", info.ID, err)
	}
	return out.Flush()
}

func (q *Reader) exportRows(ctx context.Context, info *campaign.Info, mask func(row []string), write func([]string) error) error {
	row := make([]string, len(Columns))
	return q.ledger.EachPage(ctx, info, func(p *ledger.Page) error {
		for i := range p.Recipients {
			r := p.Record(i)
			fill(row, info, campaign.Place{Page: p.Number, Index: i}, &p.Recipients[i], &r)
			mask(row)
			if err := write(row); err != nil {
				return fmt.Errorf("export campaign %s: %w", info.ID, err)
			}
		}
		return nil
	})
}

func fill(row []string, info *campaign.Info, p campaign.Place, to *campaign.Recipient, r *campaign.Record) {
	external := ""
	if r.Attempt > 0 {
		external = info.ExternalID(p, r.Attempt)
	}
	row[0], row[1], row[2] = to.ID, to.Phone, r.State.String()
	row[3], row[4] = r.DeliveredBy().String(), translate.Reason(r)
	row[5], row[6] = code(r.WhatsApp), code(r.SMS)
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

// ndjsonRow writes a row as an object with the columns for keys, in their order.
func ndjsonRow(w io.Writer) func([]string) error {
	var b []byte
	return func(row []string) error {
		b = append(b[:0], '{')
		for i, name := range Columns {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(append(append(b, '"'), name...), '"', ':')
			if name == "attempts" {
				b = append(b, row[i]...)
				continue
			}
			v, err := json.Marshal(row[i])
			if err != nil {
				return err
			}
			b = append(b, v...)
		}
		_, err := w.Write(append(b, '}', '\n'))
		return err
	}
}
