package campaign_test

import (
	"reflect"
	"testing"

	"github.com/handout-dev/handout/campaign"
)

func TestLeftOut_IsStoredAndSaidInWords(t *testing.T) {
	t.Parallel()
	for want, l := range map[string]campaign.LeftOut{
		"":                          {},
		"1 bad row (line 3)":        {BadRows: 1, BadLines: []int{3}},
		"2 duplicates (lines 7, 9)": {Duplicates: 2, DuplicateLines: []int{7, 9}},
		"300 bad rows (lines 3, 4, …) and 1 duplicate (line 7)": {BadRows: 300, BadLines: []int{3, 4}, Duplicates: 1, DuplicateLines: []int{7}},
	} {
		if got := l.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		if again, err := campaign.DecodeLeftOut(l.Encode()); err != nil || !reflect.DeepEqual(again, l) {
			t.Errorf("%+v becomes %+v, %v", l, again, err)
		}
	}
}
