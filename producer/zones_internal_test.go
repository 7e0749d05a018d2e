package producer

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	_ "time/tzdata"

	"github.com/nyaruka/phonenumbers"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/ledger"
)

func zonedPeople(p *[][]campaign.Recipient) *zonePages {
	return newZonePages(0, func(people []campaign.Recipient) error {
		page := slices.Clone(people)
		for i := range page {
			page[i].Values = slices.Clone(page[i].Values)
		}
		*p = append(*p, page)
		return nil
	})
}

// A list in very many zones with long rows must not fill the memory.
func TestZonePages_WritesTheLargestWhenTooMuchIsOpen(t *testing.T) {
	var written [][]campaign.Recipient
	z := zonedPeople(&written)
	z.limit = 10_000
	long := strings.Repeat("x", 90)
	sets := []*zoneSet{{"a"}, {"b"}, {"c"}}
	const n = 1000
	var most int
	for i := range n {
		r := campaign.Recipient{ID: fmt.Sprintf("%06d", i), Phone: "+12", Values: []string{long, ""}}
		if err := z.add(sets[i%7%3], &r); err != nil {
			t.Fatal(err)
		}
		most = max(most, z.bytes)
	}
	c := ledger.Content{Pages: 0}
	left := z.bytes
	for range z.order {
		c.Pages++ // those that are open
	}
	c.Pages += len(written)
	if err := z.finish(&c); err != nil {
		t.Fatal(err)
	}
	total, partial := 0, 0
	for i, page := range written {
		total += len(page)
		if len(page) < campaign.PageSize {
			partial++
			if c.Partial[i] != len(page) {
				t.Errorf("page %d has %d people, noted are %d", i, len(page), c.Partial[i])
			}
		}
		for _, r := range page {
			if r.Phone != "+12" || len(r.Values) != 2 || r.Values[0] != long || r.Values[1] != "" {
				t.Fatalf("%+v", r)
			}
		}
	}
	sum := 0
	for _, zone := range c.Zones {
		sum += zone.Recipients
	}
	if total != n || sum != n || len(c.PageZones) != len(written) || partial != len(c.Partial) || left == 0 || z.bytes != 0 {
		t.Errorf("%d people in pages, %d in zones, %d pages, %d in zones", total, sum, len(written), len(c.PageZones))
	}
	if most > 10_000+100 {
		t.Errorf("%d bytes were kept", most)
	}
}

func TestZonePages_MoreZonesThanThereAreIsAFault(t *testing.T) {
	var written [][]campaign.Recipient
	z := zonedPeople(&written)
	r := campaign.Recipient{ID: "a", Phone: "+12"}
	for i := range maxZones {
		if err := z.add(&zoneSet{fmt.Sprint(i)}, &r); err != nil {
			t.Fatal(err)
		}
	}
	var faults *Faults
	if err := z.add(&zoneSet{"more"}, &r); !errors.As(err, &faults) {
		t.Errorf("error: %v", err)
	}
}

// Every name in the table of prefixes is a zone of the database, and all sets of
// the table with all names are far fewer than a list may have.
func TestZoneBook_KnowsTheWholeTable(t *testing.T) {
	b := newZoneBook()
	unknown := 0
	for prefix := 1; prefix < 1_000_000; prefix++ {
		number := fmt.Sprintf("+%d", prefix)
		names, err := phonenumbers.GetTimezonesForPrefix(number)
		if err != nil {
			t.Fatal(err)
		}
		s := b.ofNumber(number)
		if names[0] == phonenumbers.UNKNOWN_TIMEZONE {
			unknown++
			if s.names != "" {
				t.Fatalf("%s: %q", number, s.names)
			}
		} else if !slices.Equal(campaign.SplitZones(s.names), slices.Sorted(slices.Values(names))) {
			t.Fatalf("%s: %q, want %q", number, s.names, names)
		}
	}
	if len(b.sets) < 250 || len(b.sets) > maxZones/4 || unknown == 0 {
		t.Errorf("%d sets of zones", len(b.sets))
	}
}
