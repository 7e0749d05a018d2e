package phone_test

import (
	"testing"

	"github.com/handout-dev/handout/internal/phone"
)

func TestMask_LeavesTheLastTwoDigits(t *testing.T) {
	t.Parallel()
	for number, want := range map[string]string{"+12015550123": "+*********23", "+1": "+1", "+12": "+12", "+123": "+*23", "": ""} {
		if got := phone.Mask(number); got != want {
			t.Errorf("%s: %s, want %s", number, got, want)
		}
	}
}

func TestMaskName_HidesANumberThatServesAsAName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"customer-1": "customer-1", "customer-99988877": "customer-99988877", "+12015550123": "+*********23",
		"1 (201) 555-0123": "* (***) ***-**23", "john 555 0123": "john *** **23", "ç": "ç",
	} {
		if got := phone.MaskName(name, "+12015550123"); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}
