package worker

import (
	"slices"
	"testing"

	"github.com/handout-dev/handout/campaign"
)

// layout is zones whose pages have these sizes, one zone after the other.
func layout(sizes ...[]int) *zones {
	z := &zones{all: make([]zone, len(sizes))}
	for i, pages := range sizes {
		for _, n := range pages {
			z.all[i].pages = append(z.all[i].pages, zonePage{len(z.of), z.all[i].recipients() + n})
			z.of = append(z.of, uint16(i))
		}
	}
	return z
}

// However many there are in one zone, another one's turn comes soon, and what is
// left gets less everywhere.
func TestChoose_NoZoneStarves(t *testing.T) {
	t.Parallel()
	full := func(n int) []int { return slices.Repeat([]int{campaign.PageSize}, n) }
	z := layout(full(1000), full(1), full(50), nil)
	fed := make([]int, 4)
	seen := map[part]bool{}
	turns := 0
	for ; ; turns++ {
		var parts []part
		if parts, fed = z.choose([]int{0, 1, 2, 3}, fed, 3*campaign.PageSize); len(parts) == 0 {
			break
		}
		for _, p := range parts {
			if seen[p] || p.index != 0 || p.count != campaign.PageSize {
				t.Fatalf("%+v is fed twice, or in parts", p)
			}
			seen[p] = true
		}
		switch turns {
		case 4: // 15 pages
			if fed[1] != 100 || fed[2] < 300 {
				t.Errorf("after 15 pages: %v", fed)
			}
		case 40: // 123 pages: a quarter and a bit, and the others
			if fed[2] < 3000 || fed[0] < 8000 {
				t.Errorf("after 123 pages: %v", fed)
			}
		}
	}
	if !slices.Equal(fed, []int{100_000, 100, 5000, 0}) {
		t.Errorf("%v in %d turns", fed, turns)
	}
	// A zone that isn't open gets nothing.
	if parts, fed := z.choose([]int{2}, make([]int, 4), 100*campaign.PageSize); len(parts) != 50 || !slices.Equal(fed, []int{0, 0, 5000, 0}) {
		t.Errorf("%d parts, %v", len(parts), fed)
	}
}

// A few at a time, of pages that needn't be full: each recipient once, in order.
func TestChoose_GoesOnWithinAPage(t *testing.T) {
	t.Parallel()
	z := layout([]int{100, 7, 30}, []int{3})
	var got []part
	for fed := []int{0, 0}; ; {
		before := slices.Clone(fed)
		var parts []part
		if parts, fed = z.choose([]int{0}, fed, 60); len(parts) == 0 {
			break
		}
		for _, p := range parts {
			if in := z.fedIn(p.page, before); in > p.index {
				t.Errorf("%+v begins before %d", p, in)
			}
			if in := z.fedIn(p.page, fed); in < p.index+p.count {
				t.Errorf("%+v is fed up to %d", p, in)
			}
		}
		got = append(got, parts...)
	}
	want := []part{{0, 0, 60}, {0, 60, 40}, {1, 0, 7}, {2, 0, 13}, {2, 13, 17}}
	if !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if in := z.fedIn(3, []int{137, 0}); in != 0 {
		t.Errorf("%d are fed of the other zone", in)
	}
}
