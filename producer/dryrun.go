package producer

import (
	"cmp"
	"context"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/phone"
	"github.com/handout-dev/handout/internal/translate"
)

// CheckOptions are the choices of a dry run.
type CheckOptions struct {
	Region          string // as in SubmitOptions
	SetAsideBadRows bool
	MaxFaults       int // as in SubmitOptions
	// AccountRate is the account's limit in messages per second; 0 when it is
	// not known.
	AccountRate float64
	// Now is when sending begins, for a campaign with hours; the zero time: at once.
	Now      time.Time
	Progress func(rows int, bytes int64) // as in SubmitOptions
	// Samples is how many requests are shown; 0: three.
	Samples int
	// Numbers is how many phone numbers are returned.
	Numbers int
	Allow   func(e164 string) error // as in SubmitOptions
}

// Parts is how many SMS the text messages of a campaign take, should every
// recipient get one. Zero when the campaign has no SMS with a text of its own.
type Parts struct {
	Min, Max int // of one message
	Total    int
}

// DryRun is what a submit would do.
type DryRun struct {
	Summary Summary
	// Rejected means that a submit would refuse the list for its bad rows.
	Rejected bool
	// Samples are the first requests as Telesign would get them, and one more of a
	// row with an empty column, with the phone number masked but for its last two
	// digits wherever it occurs.
	Samples []json.RawMessage
	SMS     Parts
	// Rate is the messages per second to count with: the lower one of the
	// campaign's and the account's; 0 when neither is set.
	Rate float64
	// Duration is how long sending takes at 98 % of the rate, within the hours;
	// 0 without a rate, -1 s when it is over a year.
	Duration time.Duration
	// Hours is who can be sent to when; nil for a campaign without hours.
	Hours *campaign.HoursPlan
	// ColumnsUsed and ColumnsUnused are the list's columns that a template
	// uses, and the others, without recipient and phone.
	ColumnsUsed, ColumnsUnused []string
	// Numbers are those of recipients spread over the list, as many as were asked for
	// at most, in E.164 form: keep them out of logs.
	Numbers []string
}

// spread keeps at most max of the numbers that it is given, at equal distances.
type spread struct {
	max, step, seen int
	kept            []string
}

func (s *spread) add(number string) {
	if s.max == 0 {
		return
	}
	if s.step = max(s.step, 1); s.seen%s.step == 0 {
		if len(s.kept) == s.max {
			for i := range (len(s.kept) + 1) / 2 {
				s.kept[i] = s.kept[2*i]
			}
			s.kept, s.step = s.kept[:(len(s.kept)+1)/2], 2*s.step
		}
		if s.seen%s.step == 0 {
			s.kept = append(s.kept, strings.Clone(number))
		}
	}
	s.seen++
}

const (
	usable         = 0.98 // the part of a rate that is really used
	defaultSamples = 3
)

// EmptyColumn is a column without a value in some rows.
type EmptyColumn struct {
	Column string
	Rows   int
	Line   int // of the first one
}

// noteEmpty counts the columns of a row that are used and empty, and reports whether
// there is one.
func (s *Summary) noteEmpty(columns []string, values []string, used []string, line int) (empty bool) {
	for i, v := range values {
		if strings.TrimSpace(v) != "" || !slices.Contains(used, columns[i]) {
			continue
		}
		empty = true
		at := slices.IndexFunc(s.Empty, func(e EmptyColumn) bool { return e.Column == columns[i] })
		if at < 0 {
			at = len(s.Empty)
			s.Empty = append(s.Empty, EmptyColumn{Column: columns[i], Line: line})
		}
		s.Empty[at].Rows++
	}
	return empty
}

// Check does everything that a submit does short of writing, without Redis.
// Bad rows are in the summary; errors are those of the campaign file and the
// list as a whole: [*Faults], [*ReadError], [ErrUnknownFormat],
// [ErrUnknownRegion], [ErrNotRereadable], and ctx's own.
func Check(ctx context.Context, f *File, l List, o CheckOptions) (*DryRun, error) {
	run, err := newRun(f, l, runOptions{region: o.Region, setAside: o.SetAsideBadRows, maxFaults: o.MaxFaults, progress: o.Progress, dry: true, allow: o.Allow})
	if err != nil {
		return nil, err
	}
	defer run.close()
	d, numbers := &DryRun{}, spread{max: o.Numbers}
	zones := map[*zoneSet]int{}
	columns, shownEmpty := run.columns(), false
	d.ColumnsUsed, d.ColumnsUnused = wantedBy(f.Spec, ListOptions{}).split(columns)
	err = run.scan(ctx, func(b *block, i int) error {
		if run.zones != nil {
			zones[b.zones[i]]++
		}
		d.SMS.add(int(b.parts[i]))
		numbers.add(b.recipients[i].Phone)
		empty := run.summary.noteEmpty(columns, b.recipients[i].Values, d.ColumnsUsed, int(b.lines[i])) && !shownEmpty
		if shownEmpty = shownEmpty || empty; !empty && len(d.Samples) >= cmp.Or(o.Samples, defaultSamples) {
			return nil
		}
		sample, err := sampleOf(run.cascade, &b.recipients[i], run.summary.Recipients-1)
		d.Samples = append(d.Samples, sample)
		return err
	})
	if err != nil {
		return nil, err
	}
	d.Numbers = numbers.kept
	d.Summary = run.summary
	d.Rejected = d.Summary.BadRows > 0 && !o.SetAsideBadRows
	d.Rate = lowerRate(f.Spec.Rate, o.AccountRate)
	if d.Rate > 0 {
		d.Duration = duration(float64(d.Summary.Recipients) / (d.Rate * usable))
	}
	if f.Spec.Hours != nil {
		d.planHours(f.Spec, zones, o.Now)
	}
	return d, nil
}

func (p *Parts) add(parts int) {
	if parts == 0 {
		return
	}
	if p.Min == 0 || parts < p.Min {
		p.Min = parts
	}
	p.Max = max(p.Max, parts)
	p.Total += parts
}

// lowerRate is the lower of two rates of which 0 means none.
func lowerRate(a, b float64) float64 {
	if a == 0 || (b != 0 && b < a) {
		return b
	}
	return a
}

func duration(seconds float64) time.Duration {
	if seconds > math.MaxInt64/float64(time.Second) {
		return math.MaxInt64
	}
	return time.Duration(seconds * float64(time.Second))
}

// sampleSalt stands for the campaign's salt, which it gets when it stands.
const sampleSalt = "xxxxxxxx"

// sampleOf is a recipient's first request without the phone number.
func sampleOf(c *campaign.Cascade, r *campaign.Recipient, position int) (json.RawMessage, error) {
	m, err := translate.Compose(c, r, campaign.Attempt{Campaign: c.Spec.ID, Salt: sampleSalt, Place: campaign.PlaceOf(position), Number: 1}.ExternalID(), "")
	if err != nil {
		return nil, err
	}
	m.PhoneNumber = phone.HideIn(m.PhoneNumber, r.Phone)
	m.Email = phone.HideIn(m.Email, m.Email)
	for _, content := range m.Content {
		for name, value := range content.Parameters {
			content.Parameters[name] = phone.HideIn(phone.HideIn(value, r.Phone), c.Email(r))
		}
	}
	return m.Encode()
}

func (d *DryRun) planHours(s *campaign.Spec, zones map[*zoneSet]int, now time.Time) {
	if now.IsZero() {
		now = time.Now()
	}
	var left []campaign.ZoneLeft
	if !s.ByZone() {
		left = []campaign.ZoneLeft{{Zones: s.Hours.Zone, Recipients: d.Summary.Recipients}}
	}
	for set, n := range zones {
		left = append(left, campaign.ZoneLeft{Zones: set.names, Recipients: n})
	}
	slices.SortFunc(left, func(a, b campaign.ZoneLeft) int {
		return cmp.Or(b.Recipients-a.Recipients, cmp.Compare(a.Zones, b.Zones))
	})
	if d.Rate > 0 {
		d.Duration, _ = campaign.Estimate(s, left, d.Rate*usable, now)
	}
	d.Hours = campaign.PlanHours(s, left, now)
}
