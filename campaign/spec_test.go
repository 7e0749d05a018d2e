package campaign_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/test/campaigntest"
)

func TestSpec_RoundTrip(t *testing.T) {
	t.Parallel()
	s := campaigntest.Spec("c")
	b, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	back, err := campaign.DecodeSpec(b)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(s, back); d != "" {
		t.Error(d)
	}
	again, err := back.Encode()
	if err != nil || string(again) != string(b) {
		t.Errorf("%s, want %s (%v)", again, b, err)
	}
	if _, err := campaign.DecodeSpec([]byte("{")); err == nil {
		t.Error("half a spec was read")
	}
}

func TestSpec_FallbackTotal(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		seconds []int
		want    time.Duration
	}{
		{[]int{600, 0}, 10 * time.Minute},
		{[]int{0, 0}, 5 * time.Minute},
		{[]int{0, 60, 30}, 6*time.Minute + 30*time.Second},
		{[]int{0}, 0},
	} {
		var s campaign.Spec
		for _, n := range tt.seconds {
			s.Channels = append(s.Channels, campaign.Channel{FallbackTime: n})
		}
		if got := s.FallbackTotal(); got != tt.want {
			t.Errorf("%v: %s, want %s", tt.seconds, got, tt.want)
		}
	}
}
