package campaign

// ZoneCount is how many people of a campaign are in certain zones.
type ZoneCount struct {
	Zones      string `json:"zones"` // as [JoinZones] makes them; "" is unknown
	Recipients int    `json:"recipients"`
}

// Zoned says whether the list is in pages by zone.
func (i *Info) Zoned() bool { return len(i.Zones) > 0 }

// Size is how many recipients a page holds; 0 for a page that isn't there.
func (i *Info) Size(page int) int {
	if page < 0 || page >= i.Pages {
		return 0
	}
	if !i.Zoned() {
		return min(PageSize, i.Total-page*PageSize)
	}
	if n, ok := i.Partial[page]; ok {
		return n
	}
	return PageSize
}

// Has says whether there is a recipient at this place.
func (i *Info) Has(p Place) bool { return p.Index >= 0 && p.Index < i.Size(p.Page) }

// ZoneLeft is how many people in certain zones are still to be handed to the
// queue.
type ZoneLeft struct {
	Zones      string // as in ZoneCount
	Recipients int
}
