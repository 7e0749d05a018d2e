package campaign

// ZoneCount is how many people of a campaign are in certain zones.
type ZoneCount struct {
	Zones      string `json:"zones"` // as [JoinZones] makes them; "" is unknown
	Recipients int    `json:"recipients"`
}

// Zoned reports whether the list is in pages by zone. Any other list is one zone
// that holds all pages in order.
func (i *Info) Zoned() bool { return i.Spec.ByZone() }

// OneZone is the only zone of a list that isn't in pages by zone: that of the
// campaign's hours, if it has any.
func (i *Info) OneZone() []ZoneCount {
	z := ZoneCount{Recipients: i.Total}
	if i.Spec.Hours != nil && !i.Spec.ByZone() {
		z.Zones = i.Spec.Hours.Zone
	}
	return []ZoneCount{z}
}

// Size is how many recipients a page holds; 0 for a page that isn't there.
func (i *Info) Size(page int) int {
	if page < 0 || page >= i.Pages {
		return 0
	}
	if len(i.Partial) == 0 { // every page but the last one is full
		return min(PageSize, i.Total-page*PageSize)
	}
	if n, ok := i.Partial[page]; ok {
		return n
	}
	return PageSize
}

// Has reports whether there is a recipient at this place.
func (i *Info) Has(p Place) bool { return p.Index >= 0 && p.Index < i.Size(p.Page) }

// ZoneLeft is how many people in certain zones are still to be handed to the
// queue.
type ZoneLeft struct {
	Zones      string // as in ZoneCount
	Recipients int
}
