package ledger

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
)

// A campaign with hours in each recipient's own zone has its list in pages by
// zone: all in a page have the same zones, so that people whose window is closed
// never stand before others. Pages are numbered without holes, but some aren't
// full: between the places of the list there are some that hold no recipient. Any
// other list is one zone that holds all pages in order.

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
	if len(i.Zones) == 0 {
		i.Zones = i.OneZone()
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
	n, err := pagesScript.Run(ctx, o.l.rdb, []string{o.l.keys.meta(c), o.l.keys.zones(c)}, o.token, time.Now().UnixMilli(), content.Pages, raw).Int()
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

// PageZones are the zones of each page, as places in Info.Zones.
type PageZones struct{ raw string }

// Pages is the number of pages.
func (z PageZones) Pages() int { return len(z.raw) / 2 }

// Of is a page's zones.
func (z PageZones) Of(page int) int { return int(z.raw[2*page])<<8 | int(z.raw[2*page+1]) }

// PageZones reads the zones of each page.
func (l *Ledger) PageZones(ctx context.Context, c *campaign.Info) (PageZones, error) {
	if len(c.Zones) == 1 {
		return PageZones{strings.Repeat("\x00\x00", c.Pages)}, nil
	}
	raw, err := l.rdb.Get(ctx, l.keys.zones(c.ID)).Result()
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

// Recorded is how many recipients of each of these pages have a record: all but
// the planned ones.
func (l *Ledger) Recorded(ctx context.Context, c campaign.ID, pages []int) ([]int, error) {
	counts := make([]int, len(pages))
	if len(pages) == 0 {
		return counts, nil
	}
	cmds, err := l.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, page := range pages {
			p.HLen(ctx, l.keys.records(c, page))
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

// ZonesLeft reads how many recipients are still to be handed to the queue, by
// zone.
func (l *Ledger) ZonesLeft(ctx context.Context, c *campaign.Info) ([]campaign.ZoneLeft, error) {
	f, err := l.Feed(ctx, c)
	if err != nil {
		return nil, err
	}
	left := make([]campaign.ZoneLeft, len(c.Zones))
	for i, z := range c.Zones {
		left[i] = campaign.ZoneLeft{Zones: z.Zones, Recipients: z.Recipients - f.ByZone[i]}
	}
	return left, nil
}

// checkZones compares the zones of a list with its pages, and what has been fed
// of each with the cursor.
func (l *Ledger) checkZones(ctx context.Context, c *campaign.Info, v *Verdict) error {
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
			v.fault("zone %d has %s in its pages, not %s", i, campaign.Count(people[i], "recipient"), campaign.Number(z.Recipients))
		}
	}
	f, err := l.Feed(ctx, c)
	if err != nil {
		return err
	}
	fed := 0
	for _, n := range f.ByZone {
		fed += n
	}
	if fed != f.Cursor {
		v.fault("%s were fed by zone, %s in all", campaign.Count(fed, "recipient"), campaign.Number(f.Cursor))
	}
	return nil
}
