package ledger

import (
	"context"
	_ "embed" // the script
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
)

//go:embed lua/advancezones.lua
var advanceZonesSource string

var advanceZonesScript = redis.NewScript(advanceZonesSource)

// A campaign with hours in each recipient's own zone has its list in pages by
// zone: all in a page have the same zones, so that people whose window is closed
// never stand before others. Pages are numbered without holes, but some aren't
// full: places with a position of nobody's are between those of the list.

// Fields of the meta hash of such a campaign.
const (
	fieldZones   = "zones"   // JSON, a list of ZoneCount
	fieldPartial = "partial" // JSON, page to recipients
)

func parseZones(i *campaign.Info, f map[string]string) error {
	for field, to := range map[string]any{fieldZones: &i.Zones, fieldPartial: &i.Partial} {
		if f[field] == "" {
			continue
		}
		if err := json.Unmarshal([]byte(f[field]), to); err != nil {
			return fmt.Errorf("%s: %w", field, err)
		}
	}
	return nil
}

// writeZones writes what stands beside the pages of a list by zone, and returns
// the fields of meta.
func (o *Opening) writeZones(ctx context.Context, content Content) ([]any, error) {
	if len(content.Zones) == 0 {
		return nil, nil
	}
	c := o.spec.ID
	if len(content.PageZones) != content.Pages {
		return nil, fmt.Errorf("campaign %s has %d pages, and zones for %d", c, content.Pages, len(content.PageZones))
	}
	zones, err := json.Marshal(content.Zones)
	if err != nil {
		return nil, fmt.Errorf("commit campaign %s: %w", c, err)
	}
	partial, err := json.Marshal(content.Partial)
	if err != nil {
		return nil, fmt.Errorf("commit campaign %s: %w", c, err)
	}
	raw := make([]byte, 0, 2*len(content.PageZones))
	for _, z := range content.PageZones {
		raw = binary.BigEndian.AppendUint16(raw, z)
	}
	n, err := pagesScript.Run(ctx, o.l.rdb, []string{keyMeta(c), keyZones(c)}, o.token, time.Now().UnixMilli(), content.Pages, raw).Int()
	if err != nil {
		return nil, fmt.Errorf("write zones of campaign %s: %w", c, err)
	}
	if n == 0 {
		// Ours, if its answer was lost; Commit tells.
		if info, err := o.l.Info(ctx, c); err != nil || info.Phase == campaign.Draft {
			return nil, errors.Join(err, fmt.Errorf("campaign %s: %w", c, ErrTakenOver))
		}
	}
	return []any{fieldZones, zones, fieldPartial, partial}, nil
}

// PageZones are the zones of each page of a campaign in pages by zone, as places
// in Info.Zones.
type PageZones struct{ raw string }

// Pages is the number of pages.
func (z PageZones) Pages() int { return len(z.raw) / 2 }

// Of is a page's zones.
func (z PageZones) Of(page int) int { return int(z.raw[2*page])<<8 | int(z.raw[2*page+1]) }

// PageZones reads the zones of each page.
func (l *Ledger) PageZones(ctx context.Context, c *campaign.Info) (PageZones, error) {
	raw, err := l.rdb.Get(ctx, keyZones(c.ID)).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return PageZones{}, fmt.Errorf("read zones of campaign %s: %w", c.ID, err)
	}
	z := PageZones{raw}
	if len(raw) != 2*c.Pages {
		return z, fmt.Errorf("read zones of campaign %s: %d bytes for %d pages", c.ID, len(raw), c.Pages)
	}
	for page := range z.Pages() {
		if z.Of(page) >= len(c.Zones) {
			return z, fmt.Errorf("read zones of campaign %s: page %d has none", c.ID, page)
		}
	}
	return z, nil
}

// Fed is how much of a zone has been handed to the queue.
type Fed struct{ Pages, Recipients int }

// Fed reads how much of each of Info.Zones has been fed.
func (l *Ledger) Fed(ctx context.Context, c *campaign.Info) ([]Fed, error) {
	fields, err := l.rdb.HGetAll(ctx, keyFed(c.ID)).Result()
	if err != nil {
		return nil, fmt.Errorf("read what campaign %s has fed: %w", c.ID, err)
	}
	fed := make([]Fed, len(c.Zones))
	for field, value := range fields {
		number, count := field, func(f *Fed) *int { return &f.Pages }
		if field != "" && field[0] == 'r' {
			number, count = field[1:], func(f *Fed) *int { return &f.Recipients }
		}
		zone, ok := campaign.ParseNumber(number)
		n, isNumber := campaign.ParseNumber(value)
		if !ok || !isNumber || zone >= len(fed) {
			return nil, fmt.Errorf("read what campaign %s has fed: %s is %q", c.ID, field, value)
		}
		*count(&fed[zone]) = n
	}
	return fed, nil
}

// AdvanceZones notes that the notes of these pages are in the queue: step is what
// they add to each zone. Otherwise it is as [Ledger.Advance]. from must have been
// read before what the pages were chosen by.
func (l *Ledger) AdvanceZones(ctx context.Context, c campaign.ID, from int, step map[int]Fed, pages []int, due time.Time) (bool, error) {
	to := from
	args := []any{strconv.Itoa(from), 0, due.UnixMilli(), len(step)}
	for zone, s := range step {
		args = append(args, zone, s.Pages, s.Recipients)
		to += s.Recipients
	}
	args[1] = to
	for _, p := range pages {
		args = append(args, p)
	}
	n, err := advanceZonesScript.Run(ctx, l.rdb, []string{keyMeta(c), keyDue(c), keyFed(c)}, args...).Int()
	if err != nil {
		return false, fmt.Errorf("advance campaign %s: %w", c, err)
	}
	return n == 1, nil
}

// Recorded is how many recipients of each of these pages have a record: all but
// the planned ones.
func (l *Ledger) Recorded(ctx context.Context, c campaign.ID, pages []int) ([]int, error) {
	counts := make([]int, len(pages))
	if len(pages) == 0 {
		return counts, nil
	}
	cmds, err := l.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, page := range pages {
			p.HLen(ctx, keyRecords(c, page))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("count records of campaign %s: %w", c, err)
	}
	for i, cmd := range cmds {
		n, _ := cmd.(*redis.IntCmd)
		counts[i] = int(n.Val())
	}
	return counts, nil
}

// ZonesLeft is who is still to be handed to the queue, by zone. A campaign that
// isn't in pages by zone has one entry, for the zone of its hours.
func (l *Ledger) ZonesLeft(ctx context.Context, c *campaign.Info) ([]campaign.ZoneLeft, error) {
	if !c.Zoned() {
		_, _, cursor, err := l.Phase(ctx, c.ID)
		left := campaign.ZoneLeft{Recipients: c.Total - cursor}
		if c.Spec.Hours != nil {
			left.Zones = c.Spec.Hours.Zone
		}
		return []campaign.ZoneLeft{left}, err
	}
	fed, err := l.Fed(ctx, c)
	if err != nil {
		return nil, err
	}
	left := make([]campaign.ZoneLeft, len(c.Zones))
	for i, z := range c.Zones {
		left[i] = campaign.ZoneLeft{Zones: z.Zones, Recipients: z.Recipients - fed[i].Recipients}
	}
	return left, nil
}

const (
	// stoppedFor is over the time that settle puts a page off for whose people
	// can't be sent to now, and over that of a visit.
	stoppedFor = 7 * time.Minute
	// callPages is how many pages travel in one call.
	callPages = 1000
)

// callSoon is callWindow for pages by zone: whoever was fed and hasn't been sent
// to stands in a page that settle would look at within minutes.
func (l *Ledger) callSoon(ctx context.Context, c campaign.ID, now time.Time) error {
	names, err := l.rdb.ZRangeByScore(ctx, keyDue(c), &redis.ZRangeBy{
		Min: "-inf", Max: strconv.FormatInt(now.Add(stoppedFor).UnixMilli(), 10),
	}).Result()
	if err != nil {
		return fmt.Errorf("list due pages of campaign %s: %w", c, err)
	}
	for len(names) > 0 {
		n := min(callPages, len(names))
		pages := make([]int, n)
		for i, name := range names[:n] {
			if pages[i], err = strconv.Atoi(name); err != nil {
				return fmt.Errorf("list due pages of campaign %s: %q isn't a page", c, name)
			}
		}
		if err := l.CallDue(ctx, c, now, pages...); err != nil {
			return err
		}
		names = names[n:]
	}
	return nil
}

// checkZones holds the zones of a list against its pages, and what has been fed
// of each against the cursor.
func (l *Ledger) checkZones(ctx context.Context, c *campaign.Info, v *Verdict) error {
	if !c.Zoned() {
		return nil
	}
	pages, err := l.PageZones(ctx, c)
	if err != nil {
		v.fault("%v", err)
		return ctx.Err()
	}
	people := make([]int, len(c.Zones))
	for page := range pages.Pages() {
		people[pages.Of(page)] += c.Size(page)
	}
	for i, z := range c.Zones {
		if people[i] != z.Recipients {
			v.fault("zone %d has %d recipients in its pages, not %d", i, people[i], z.Recipients)
		}
	}
	for range verifyTries {
		_, _, cursor, err := l.Phase(ctx, c.ID)
		if err != nil {
			return err
		}
		all, err := l.Fed(ctx, c)
		if err != nil {
			return err
		}
		_, _, after, err := l.Phase(ctx, c.ID)
		if err != nil {
			return err
		}
		if cursor != after {
			continue // it is being fed
		}
		fed := 0
		for _, f := range all {
			fed += f.Recipients
		}
		if fed != cursor {
			v.fault("%d recipients have been fed by zone, %d in all", fed, cursor)
		}
		return nil
	}
	return nil
}
