package campaign_test

import (
	"errors"
	"strings"
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

// An older program must not send a campaign of which it would ignore something.
func TestDecodeSpec_NamesWhatANewerProgramSays(t *testing.T) {
	t.Parallel()
	for field, stored := range map[string]string{
		"quiet":          `{"id":"c","lane":"bulk","on_doubt":"hold","quiet":"22:00"}`,
		"priority":       `{"id":"c","channels":[{"channel":"sms","template":"text","priority":1}]}`,
		"holidays":       `{"id":"c","hours":{"from":"09:00","to":"20:00","zone":"recipient","holidays":"DE"}}`,
		`lane "express"`: `{"id":"c","lane":"express"}`,
		`on_doubt "ask"`: `{"id":"c","on_doubt":"ask"}`,
		"check_files":    `{"id":"c","check_files":"twice"}`,
	} {
		s, err := campaign.DecodeSpec([]byte(stored))
		if err != nil || s.ID != "c" {
			t.Fatalf("%s: it can't be told of: %+v, %v", stored, s, err)
		}
		if !errors.Is(s.Newer, campaign.ErrNewer) || !strings.Contains(s.Newer.Error(), field) || !strings.Contains(s.Newer.Error(), "update") {
			t.Errorf("%s: %v", stored, s.Newer)
		}
		if _, err := campaign.NewCascade(s, nil); !errors.Is(err, campaign.ErrNewer) {
			t.Errorf("%s: it would be sent: %v", stored, err)
		}
	}
	for _, junk := range []string{``, `[]`, `{"id":1}`, `{"id":"c"}{}`, `{"id":"c","quiet":1,"rate":"x"}`} {
		if s, err := campaign.DecodeSpec([]byte(junk)); err == nil {
			t.Errorf("%s: %+v", junk, s)
		}
	}
}
