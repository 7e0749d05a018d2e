package telesign_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/handout-dev/handout/telesign"
)

func TestCodes_AreAscendingKnownAndWorded(t *testing.T) {
	t.Parallel()
	all := codes()
	if len(all) != 111 {
		t.Errorf("%d codes are found: is the table in order?", len(all))
	}
	for _, c := range all {
		if c.Text() == "" || c.Kind() == telesign.KindUnknown {
			t.Errorf("%d: kind %v, text %q", c, c.Kind(), c.Text())
		}
	}
}

// codes are those of the table.
func codes() []telesign.Code {
	var all []telesign.Code
	for c := telesign.CodeReferenceExpired; c < 10_000; c++ {
		if c.Known() {
			all = append(all, c)
		}
	}
	return all
}

func TestCode_KindsAreTheDocumentedOnes(t *testing.T) {
	t.Parallel()
	for kind, codes := range map[telesign.Kind][]telesign.Code{
		telesign.KindProgress:    {3001, 3040},
		telesign.KindGateway:     {3002},
		telesign.KindProbable:    {3004},
		telesign.KindTimedOut:    {3056},
		telesign.KindDelivered:   {3000},
		telesign.KindRead:        {3005, 201},
		telesign.KindInbound:     {1500},
		telesign.KindThrottled:   {3204, 3205},
		telesign.KindUnavailable: {3500},
		telesign.KindUnconfirmed: {3039},
		telesign.KindAccount:     {3006, 3058, 3073, 3203, 3206, 3207, 3400, 3401, 3402, 3405, 3407, 3411, 3412, 3413},
		telesign.KindRequest:     {3102, 3103, 3104, 3105, 3106, 3110, 3113, 3116, 3300, 3301, 3302, 3303, 3304, 3311, 3802, 3803, 3815, 3816, 3817, 3819, 3856, -10004},
		telesign.KindFailed:      {3003, 3030, 3033, 3041, 3046, 3052, 3053, 3055, 3072, 3100, 3101, 3112, 3114, 3115, 3200, 3202, 3306, 3852, 3853, 3855, 516},
		telesign.KindUnknown:     {0, 1, -1, 200, 3414, 3399, 9999},
	} {
		for _, c := range codes {
			if got := c.Kind(); got != kind {
				t.Errorf("%d: %v, want %v", c, got, kind)
			}
		}
	}
}

func TestCode_FinalIsTelesignsWord(t *testing.T) {
	t.Parallel()
	intermediate := []telesign.Code{1500, 3001, 3002, 3040, 3056, 3060, 3100, 3101, 3200, 3202, 3306, 3601, 3800, 3801, 3850, 3851, 3854, 3857}
	for _, c := range codes() {
		if got, want := c.Final(), !slices.Contains(intermediate, c); got != want {
			t.Errorf("%d %s: final %v, want %v", c, c.Text(), got, want)
		}
	}
	for _, c := range []telesign.Code{0, 9999, 3401, -1} {
		if c.Final() || c.Known() {
			t.Errorf("%d is unknown, so not final", c)
		}
	}
}

func TestCode_OptOutIsTheRecipientsWish(t *testing.T) {
	t.Parallel()
	for _, c := range codes() {
		if got, want := c.OptOut(), c == 3046 || c == 3052; got != want {
			t.Errorf("%d: opt-out %v, want %v", c, got, want)
		}
	}
}

func TestCode_UnknownOnesHaveAText(t *testing.T) {
	t.Parallel()
	if got := telesign.Code(1234).Text(); got != "unknown code 1234" {
		t.Errorf("%q", got)
	}
}

func TestString_NeverPanics(t *testing.T) {
	t.Parallel()
	for got, want := range map[string]string{
		telesign.Unknown.String():       "unknown",
		telesign.Refused.String():       "refused",
		telesign.Later.String():         "later",
		telesign.Class(7).String():      "Class(7)",
		telesign.Class(-1).String():     "Class(-1)",
		new(telesign.Error).Error():     "telesign : unknown",
		telesign.Error{}.Class.String(): "unknown", // not classified
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestCode_TextHasNoPlaceholders(t *testing.T) {
	t.Parallel()
	for _, code := range codes() {
		if strings.ContainsAny(code.Text(), "{}") {
			t.Errorf("%d: %s", code, code.Text())
		}
	}
}
