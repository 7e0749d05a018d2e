package worker

import (
	"testing"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/ledger"
)

// However many there are in one zone, another one's turn comes soon, and what is
// left gets less everywhere.
func TestHoursChoose_NoZoneStarves(t *testing.T) {
	t.Parallel()
	sizes := []int{1000, 1, 50, 0}
	info := &campaign.Info{Spec: &campaign.Spec{}}
	h := &hours{pages: make([][]int, len(sizes)), credit: make([]float64, len(sizes))}
	for zone, n := range sizes {
		info.Zones = append(info.Zones, campaign.ZoneCount{Recipients: n * campaign.PageSize})
		for range n {
			h.pages[zone] = append(h.pages[zone], info.Pages)
			info.Pages++
		}
	}
	fed := make([]ledger.Fed, len(sizes))
	seen := map[int]bool{}
	turns := 0
	for ; ; turns++ {
		c := h.choose(info, []int{0, 1, 2, 3}, fed, 3*campaign.PageSize)
		if len(c.pages) == 0 {
			break
		}
		for _, page := range c.pages {
			if seen[page] {
				t.Fatalf("page %d is fed twice", page)
			}
			seen[page] = true
		}
		for zone, step := range c.step {
			fed[zone].Pages += step.Pages
			fed[zone].Recipients += step.Recipients
		}
		switch turns {
		case 4: // 15 pages
			if fed[1].Pages != 1 || fed[2].Pages < 3 {
				t.Errorf("after 15 pages: %+v", fed)
			}
		case 40: // 123 pages: a quarter and a bit, and the others
			if fed[2].Pages < 30 || fed[0].Pages < 80 {
				t.Errorf("after 123 pages: %+v", fed)
			}
		}
	}
	if len(seen) != info.Pages {
		t.Errorf("%d pages of %d in %d turns", len(seen), info.Pages, turns)
	}
	// A zone that isn't open gets nothing.
	fed = make([]ledger.Fed, len(sizes))
	if c := h.choose(info, []int{2}, fed, 100*campaign.PageSize); len(c.pages) != 50 || c.step[2].Recipients != 50*campaign.PageSize {
		t.Errorf("%d pages, %+v", len(c.pages), c.step)
	}
}
