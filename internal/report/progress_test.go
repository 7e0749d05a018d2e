package report_test

import (
	"testing"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/report"
)

func TestProgress_CountsAsSentOnlyThoseWhoWereSentTo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		phase  campaign.Phase
		states map[campaign.State]int
		want   string
	}{
		{campaign.Draft, nil, " draft sent 0/0, delivered 0"},
		{
			campaign.Paused, map[campaign.State]int{campaign.Planned: 60, campaign.Claimed: 10, campaign.Retrying: 10, campaign.Delivered: 20},
			"[####....................] paused sent 20/100, delivered 20",
		},
		{
			campaign.Settling, map[campaign.State]int{campaign.Accepted: 50, campaign.Delivered: 30, campaign.Refused: 15, campaign.InDoubt: 5},
			"[############++++++++++++] settling sent 100/100, delivered 30, waiting for receipts 50, not delivered 15, in doubt 5",
		},
		{
			campaign.Done, map[campaign.State]int{campaign.Canceled: 70, campaign.Suppressed: 5, campaign.Delivered: 25},
			"[########################] done sent 25/100, delivered 25, never sent 75",
		},
	} {
		var p report.Progress
		if got := p.Line(c.phase, balance(c.states), nil); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

func TestProgress_GoesByTheRateOfTheLastSeconds(t *testing.T) {
	t.Parallel()
	var p report.Progress
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for second := range 61 {
		sent := 10 * second
		if second > 30 {
			sent = 300 + 20*(second-30)
		}
		p.Add(now.Add(time.Duration(second)*time.Second), balance(map[campaign.State]int{campaign.Planned: 2000 - sent, campaign.Delivered: sent}))
	}
	b := balance(map[campaign.State]int{campaign.Planned: 1100, campaign.Delivered: 900})
	want := "[##########..............] running sent 900/2,000 at 20.0/s, 55s left, delivered 900"
	if got := p.Line(campaign.Running, b, nil); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got, want := p.Line(campaign.Paused, b, nil), "[##########..............] paused sent 900/2,000, delivered 900"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestProgress_TwoLooksAtOneMomentAreNoRate(t *testing.T) {
	t.Parallel()
	var p report.Progress
	now := time.Now()
	p.Add(now, balance(map[campaign.State]int{campaign.Planned: 2}))
	p.Add(now, balance(map[campaign.State]int{campaign.Planned: 1, campaign.Delivered: 1}))
	if got := p.Rate(); got != 0 {
		t.Errorf("rate %v", got)
	}
}
