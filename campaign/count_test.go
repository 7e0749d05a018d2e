package campaign_test

import (
	"testing"

	"github.com/handout-dev/handout/campaign"
)

func TestCount_IsAlikeEverywhere(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		n    int
		word string
		want string
	}{
		{0, "bad row", "0 bad rows"}, {1, "bad row", "1 bad row"}, {999, "recipient", "999 recipients"}, {1000, "recipient", "1,000 recipients"},
		{1234567, "person", "1,234,567 people"}, {12345, "entry", "12,345 entries"}, {2, "day", "2 days"}, {-1000, "row", "-1,000 rows"}, {2, "address", "2 addresses"},
	} {
		if got := campaign.Count(c.n, c.word); got != c.want {
			t.Errorf("%d %s: %s, want %s", c.n, c.word, got, c.want)
		}
	}
}
