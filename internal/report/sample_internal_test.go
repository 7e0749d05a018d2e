package report

import (
	"fmt"
	"testing"

	"github.com/handout-dev/handout/campaign"
)

func TestSample_ReadsPagesEvenlyApartAndWithinWhatWasFed(t *testing.T) {
	t.Parallel()
	info := &campaign.Info{Spec: &campaign.Spec{}, Total: 1_000_000, Pages: 10_000, Cursor: 500_050}
	pages, of := sampledPages(info, 200_000)
	if len(pages) != 2000 || pages[0] != 0 || of != 500_100 {
		t.Fatalf("%d pages of %d people from %d on", len(pages), of, pages[0])
	}
	for i := 1; i < len(pages); i++ {
		if apart := pages[i] - pages[i-1]; apart < 2 || apart > 3 {
			t.Fatalf("pages %d and %d", pages[i-1], pages[i])
		}
	}
	if last := pages[len(pages)-1]; last > 5000 {
		t.Errorf("page %d has no records", last)
	}
	info.Total, info.Pages, info.Cursor = 250, 3, 250
	if pages, of = sampledPages(info, 200_000); fmt.Sprint(pages) != "[0 1 2]" || of != 250 {
		t.Errorf("%v of %d", pages, of)
	}
	info.Cursor = 0
	if pages, of = sampledPages(info, 200_000); len(pages) != 0 || of != 0 {
		t.Errorf("%v of %d", pages, of)
	}
}
