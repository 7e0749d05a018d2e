package report_test

import (
	"strings"
	"testing"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/report"
)

// under way: 100 of 1,000 sent to, 50 in the queue, at the account's 10/s.
func underWay() report.Situation {
	return report.Situation{
		Phase: campaign.Running, Cursor: 150, AccountRate: 10,
		Balance: balance(map[campaign.State]int{campaign.Planned: 900, campaign.Accepted: 40, campaign.Delivered: 60}),
	}
}

func TestLimit_IsWhatBinds(t *testing.T) {
	t.Parallel()
	at := time.Date(2020, 11, 22, 15, 4, 5, 0, time.Local) // not today
	for _, c := range []struct {
		name   string
		change func(s *report.Situation)
		want   report.Limit
		detail string
	}{
		{"nothing else", func(*report.Situation) {}, report.LimitAccount, "the account's rate (10/s)"},
		{"a slower campaign", func(s *report.Situation) { s.CampaignRate = 2.5 }, report.LimitCampaign, "the campaign's rate (2.5/s)"},
		{"as fast a campaign", func(s *report.Situation) { s.CampaignRate = 10 }, report.LimitCampaign, "the campaign's rate (10/s)"},
		{"a faster campaign", func(s *report.Situation) { s.CampaignRate = 10.01 }, report.LimitAccount, "the account's rate (10/s)"},
		{"an account without a limit", func(s *report.Situation) { s.AccountRate, s.CampaignRate = 0, 3 }, report.LimitCampaign, "the campaign's rate (3/s)"},
		{"no limit at all", func(s *report.Situation) { s.AccountRate = 0 }, report.LimitAccount, "no rate of the account's or its own"},

		{"a Telesign that grants less", func(s *report.Situation) { s.Granted, s.GrantedSince = 6.666, at }, report.LimitThrottled, "what Telesign grants (6.7 of the account's 10/s, since " + at.Format("2 Jan 15:04 MST") + ")"},
		{"one that grants less, over a slower campaign", func(s *report.Situation) { s.Granted, s.CampaignRate = 6.666, 6 }, report.LimitCampaign, "the campaign's rate (6/s)"},
		{"one that grants less, under a slow campaign", func(s *report.Situation) { s.Granted, s.GrantedSince, s.CampaignRate = 6.666, at, 7 }, report.LimitThrottled, "what Telesign grants (6.7 of the account's 10/s, since " + at.Format("2 Jan 15:04 MST") + ")"},
		{"one that grants more", func(s *report.Situation) { s.Granted = 11 }, report.LimitAccount, "the account's rate (10/s)"},
		{"a block", func(s *report.Situation) { s.BlockedUntil, s.CampaignRate = at, 1 }, report.LimitThrottled, "Telesign's throttling, which lets nothing through until " + at.Format("15:04:05 MST")},

		{"the hour", func(s *report.Situation) { s.OutsideHours, s.HoursFrom, s.Granted = true, at, 5 }, report.LimitHours, "outside its hours until " + at.Format("2 Jan 15:04 MST")},
		{"one without a zone", func(s *report.Situation) { s.OutsideHours, s.NoZone = true, 1 }, report.LimitZone,
			"1 waits for a zone, since theirs is unknown: nothing will be sent to them; cancel the campaign to end it, and submit them anew with a column zone or unknown_zone"},
		{"people without a zone, and others later", func(s *report.Situation) { s.OutsideHours, s.HoursFrom, s.NoZone = true, at, 7 }, report.LimitHours, "outside its hours until " + at.Format("2 Jan 15:04 MST")},
		{"people without a zone, and others now", func(s *report.Situation) { s.NoZone = 7 }, report.LimitAccount, "the account's rate (10/s)"},
		{"the canary", func(s *report.Situation) { s.Canary, s.Cursor = 100, 100 }, report.LimitCanary, "the outcomes of its canary of 100 are awaited"},
		{"the canary, and the hour", func(s *report.Situation) { s.Canary, s.Cursor, s.OutsideHours, s.HoursFrom = 100, 100, true, at }, report.LimitHours, ""},
		{"a canary that is being sent", func(s *report.Situation) { s.Canary, s.Cursor = 150, 150 }, report.LimitAccount, ""},
		{"a canary that isn't all handed out", func(s *report.Situation) { s.Canary, s.Cursor = 101, 100 }, report.LimitAccount, ""},
		{"a canary that has passed", func(s *report.Situation) { s.Canary, s.Cursor, s.CanaryPassed = 100, 100, true }, report.LimitAccount, ""},
		{"a canary that is everyone", func(s *report.Situation) {
			s.Canary, s.Cursor = 1000, 1000
			s.Balance = balance(map[campaign.State]int{campaign.Retrying: 2, campaign.Delivered: 998})
		}, report.LimitAccount, ""},

		{"held", func(s *report.Situation) { s.Phase, s.Reason = campaign.Held, "Telesign: 3507" }, report.LimitHeld, "Telesign: 3507"},
		{"paused", func(s *report.Situation) { s.Phase, s.Reason, s.BlockedUntil = campaign.Paused, "by ann", at }, report.LimitPaused, "by ann"},
		{"canceled", func(s *report.Situation) { s.Phase, s.Reason = campaign.Ended, "by ann" }, report.LimitCanceled, "by ann"},
		{"a draft", func(s *report.Situation) { s.Phase = campaign.Draft }, report.LimitPaused, "it is a draft"},
		{"settling", func(s *report.Situation) {
			s.Phase, s.Balance = campaign.Settling, balance(map[campaign.State]int{campaign.Accepted: 3, campaign.InDoubt: 1})
		}, report.LimitNothing, "outcomes to come: 3"},
		{"done", func(s *report.Situation) {
			s.Phase, s.Balance = campaign.Done, balance(map[campaign.State]int{campaign.InDoubt: 3})
		}, report.LimitNothing, ""},
		{"everyone sent to", func(s *report.Situation) {
			s.Cursor, s.Balance, s.Unattended = 10, balance(map[campaign.State]int{campaign.Accepted: 10}), time.Hour
		}, report.LimitNothing, "outcomes to come: 10"},

		{"no worker for 40 s", func(s *report.Situation) { s.Unattended = 40 * time.Second }, report.LimitWorker, "no worker has been heard of for 40 s"},
		{"one that takes over", func(s *report.Situation) { s.Unattended = 9 * time.Second }, report.LimitAccount, ""},
		{"no worker, and the hour", func(s *report.Situation) { s.Unattended, s.OutsideHours, s.HoursFrom = time.Minute, true, at }, report.LimitWorker, ""},

		{"two others, from the start", func(s *report.Situation) { s.Others = 2 }, report.LimitShared, "the account's rate (10/s), which 2 other campaigns share"},
		{"one other, as measured", func(s *report.Situation) { s.Others, s.Measured, s.Rate = 1, true, 5 }, report.LimitShared, "the account's rate (10/s), which 1 other campaign shares"},
		{"behind one other", func(s *report.Situation) { s.Others, s.Measured = 1, true }, report.LimitShared, ""},
		{"one other that takes little", func(s *report.Situation) { s.Others, s.Measured, s.Rate = 1, true, 9.5 }, report.LimitAccount, ""},
		{"one other, and a slow campaign", func(s *report.Situation) { s.Others, s.CampaignRate = 1, 2 }, report.LimitCampaign, ""},
		{"one other, and a campaign kept under its own rate", func(s *report.Situation) { s.Others, s.CampaignRate, s.Measured, s.Rate = 1, 8, true, 5 }, report.LimitShared, ""},
		{"slow, and alone", func(s *report.Situation) { s.Measured, s.Rate = true, 1 }, report.LimitAccount, ""},
		{"nobody for long, and paused", func(s *report.Situation) { s.Unattended, s.Phase = time.Hour, campaign.Paused }, report.LimitPaused, ""},
	} {
		s := underWay()
		c.change(&s)
		got, detail := s.Limit()
		if got != c.want || c.detail != "" && detail != c.detail {
			t.Errorf("%s: %q (%s), want %q (%s)", c.name, got, detail, c.want, c.detail)
		}
	}
}

// history is samples of a campaign of 1,000, so many seconds before now, each
// with how many were sent to.
func history(now time.Time, points ...[2]int) []campaign.Sample {
	var all []campaign.Sample
	for _, p := range points {
		b := balance(map[campaign.State]int{campaign.Planned: 1000 - p[1], campaign.Delivered: p[1]})
		all = append(all, campaign.Sample{At: now.Add(-time.Duration(p[0]) * time.Second), Balance: *b})
	}
	return all
}

func TestPace_MeasuresTheRateOfLate(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 0, 3, 0, time.UTC)
	const unsaid = -1
	for _, c := range []struct {
		name    string
		samples []campaign.Sample
		rate    float64
		left    float64 // seconds; the 900 others at the rate
	}{
		{"steady", history(now, [2]int{23, 0}, [2]int{18, 10}, [2]int{13, 35}, [2]int{8, 60}, [2]int{3, 85}), 5, 180},
		{"exactly ten seconds", history(now, [2]int{15, 0}, [2]int{10, 50}, [2]int{5, 70}), 5, 180},
		{"young", history(now, [2]int{8, 20}, [2]int{3, 60}), 10, 90},
		{"too young to tell", history(now, [2]int{4, 60}), 0, 90},
		{"no sample yet", nil, 0, 90},
		{"after a rest", history(now, [2]int{100, 40}, [2]int{40, 40}, [2]int{3, 70}), 7.5, 120},
		{"only just after a rest", history(now, [2]int{100, 40}, [2]int{40, 40}), 0, 90},
		{"standing still", history(now, [2]int{70, 100}, [2]int{10, 100}), 0, unsaid},
		{"somebody is to be sent to again", history(now, [2]int{12, 150}, [2]int{7, 150}, [2]int{2, 100}), 0, unsaid},
	} {
		s := underWay()
		p := report.NewPace(&s, c.samples, now)
		if p.Rate != c.rate {
			t.Errorf("%s: %v/s, want %v", c.name, p.Rate, c.rate)
		}
		switch {
		case c.left == unsaid && p.ETA != nil:
			t.Errorf("%s: until %v, which can't be said", c.name, p.ETA)
		case c.left != unsaid && (p.ETA == nil || p.ETA.Sub(now).Seconds() != c.left):
			t.Errorf("%s: until %v, want %v s after %v", c.name, p.ETA, c.left, now)
		}
	}
}

func TestPace_HasNoETAWhereNothingIsSent(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	samples := history(now, [2]int{20, 0}, [2]int{10, 50})
	for name, change := range map[string]func(s *report.Situation){
		"paused":   func(s *report.Situation) { s.Phase = campaign.Paused },
		"hours":    func(s *report.Situation) { s.OutsideHours = true },
		"canary":   func(s *report.Situation) { s.Canary, s.Cursor = 100, 100 },
		"everyone": func(s *report.Situation) { s.Balance = balance(map[campaign.State]int{campaign.Accepted: 1000}) },
		"no limit, and nothing measured": func(s *report.Situation) {
			s.AccountRate, samples = 0, nil
		},
	} {
		s := underWay()
		change(&s)
		if p := report.NewPace(&s, samples, now); p.ETA != nil {
			t.Errorf("%s: %+v", name, p)
		}
		samples = history(now, [2]int{20, 0}, [2]int{10, 50})
	}
}

func TestPace_LineSaysItInWords(t *testing.T) {
	t.Parallel()
	now := time.Now().Truncate(time.Minute) // a second more or less isn't another minute then
	steady := history(now, [2]int{20, 0}, [2]int{10, 51}, [2]int{5, 75})
	until := func(s int) string { return now.Add(time.Duration(s) * time.Second).Local().Format("15:04 MST") }
	for _, c := range []struct {
		change func(s *report.Situation)
		want   string
	}{
		{func(*report.Situation) {}, "4.9 messages/s, bound by the account's rate (10/s); about 3 min left (until " + until(183) + ")"},
		{func(s *report.Situation) { s.CampaignRate = 5 }, "4.9 messages/s, bound by the campaign's rate (5/s); about 3 min left (until " + until(183) + ")"},
		{func(s *report.Situation) { s.Balance.States[campaign.Planned] = 25_000 }, "4.9 messages/s, bound by the account's rate (10/s); about 1 h 25 min left (until " + until(5102) + ")"},
		{func(s *report.Situation) { s.Balance.States[campaign.Planned] = 300 }, "4.9 messages/s, bound by the account's rate (10/s); about 1 min left (until " + until(61) + ")"},
		{func(s *report.Situation) { s.Phase, s.Reason = campaign.Held, "Telesign: 3507" }, "nothing is sent: held"},
		{func(s *report.Situation) { s.Phase = campaign.Ended }, "nothing is sent: canceled"},
		{func(s *report.Situation) { s.OutsideHours, s.HoursFrom = true, now }, "nothing is sent: outside its hours until " + until(0)},
		{func(s *report.Situation) { s.Canary, s.Cursor = 100, 100 }, "nothing is sent: the outcomes of its canary of 100 are awaited"},
		{func(s *report.Situation) { s.Phase = campaign.Settling }, "everyone has been sent to; outcomes to come: 40"},
		{func(s *report.Situation) {
			s.Balance.States[campaign.Planned], s.Balance.States[campaign.Accepted] = 0, 0
		}, "everyone has been sent to"},
	} {
		s := underWay()
		c.change(&s)
		if got := report.NewPace(&s, steady, now).Line(); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
	s := underWay()
	s.Balance.States[campaign.Planned] = 3_000_000
	if got := report.NewPace(&s, steady, now).Line(); !strings.Contains(got, "about 7 days 2 h left (until ") {
		t.Error(got)
	}
}

func TestProgress_SaysWhatBinds(t *testing.T) {
	t.Parallel()
	now := time.Now()
	var p report.Progress
	p.Add(now, balance(map[campaign.State]int{campaign.Planned: 1000}))
	p.Add(now.Add(5*time.Second), balance(map[campaign.State]int{campaign.Planned: 900, campaign.Delivered: 100}))
	s := underWay()
	const head = "[#+......................] running sent 100/1,000"
	if got, want := p.Line(s.Phase, s.Balance, report.NewPace(&s, nil, now)), head+" at 20.0/s, by the account's rate (10/s), 45s left, delivered 60, waiting for receipts 40"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	s.Canary, s.Cursor = 100, 100
	if got, want := p.Line(s.Phase, s.Balance, report.NewPace(&s, nil, now)), head+", nothing is sent: the outcomes of its canary of 100 are awaited, delivered 60, waiting for receipts 40"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	s = underWay()
	first := report.Progress{}
	first.Add(now, s.Balance)
	pace := report.NewPace(&s, history(now, [2]int{20, 0}, [2]int{10, 50}, [2]int{5, 75}), now)
	if got, want := first.Line(s.Phase, s.Balance, pace), head+" at 5.0/s, by the account's rate (10/s), 3m0s left, delivered 60, waiting for receipts 40"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestPace_SaysUntilWhenWhatBindsDoes(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	at := now.Add(time.Hour)
	for name, c := range map[string]struct {
		change func(s *report.Situation)
		known  bool
	}{
		"the hour":         {func(s *report.Situation) { s.OutsideHours, s.HoursFrom = true, at }, true},
		"a start":          {func(s *report.Situation) { s.Phase, s.StartAt = campaign.Paused, at }, true},
		"a pause":          {func(s *report.Situation) { s.Phase = campaign.Paused }, false},
		"a block":          {func(s *report.Situation) { s.BlockedUntil = at }, true},
		"less than all":    {func(s *report.Situation) { s.Granted = 5 }, false},
		"the rate":         {func(*report.Situation) {}, false},
		"a hold":           {func(s *report.Situation) { s.Phase, s.StartAt = campaign.Held, at }, false},
		"no worker":        {func(s *report.Situation) { s.Unattended, s.HoursFrom = time.Minute, at }, false},
		"no zone ever":     {func(s *report.Situation) { s.OutsideHours = true }, false},
		"everyone sent to": {func(s *report.Situation) { s.Phase, s.StartAt = campaign.Settling, at }, false},
	} {
		s := underWay()
		c.change(&s)
		p := report.NewPace(&s, nil, now)
		if (p.LimitUntil != nil) != c.known || c.known && !p.LimitUntil.Equal(at) {
			t.Errorf("%s: until %v", name, p.LimitUntil)
		}
	}
}

// What is left is told from what may be sent where nothing was measured that holds.
func TestPace_TellsTheTimeLeftByWhatHoldsNow(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	steady := history(now, [2]int{20, 0}, [2]int{10, 0}, [2]int{5, 50}) // 10/s
	for _, c := range []struct {
		name    string
		samples []campaign.Sample
		change  func(s *report.Situation)
		left    time.Duration // 0: it can't be said
	}{
		{"the first seconds", nil, func(*report.Situation) {}, 90 * time.Second},
		{"the first seconds beside two others", nil, func(s *report.Situation) { s.Others = 2 }, 270 * time.Second},
		{"the first seconds of a slow campaign beside another", nil, func(s *report.Situation) { s.Others, s.CampaignRate = 1, 2 }, 450 * time.Second},
		{"on its way", steady, func(*report.Situation) {}, 90 * time.Second},
		{"blocked for ten seconds", history(now, [2]int{20, 100}, [2]int{10, 100}), func(s *report.Situation) { s.BlockedUntil = now.Add(10 * time.Second) }, 100 * time.Second},
		{"blocked, and granted half", steady, func(s *report.Situation) { s.BlockedUntil, s.Granted = now.Add(10*time.Second), 5 }, 190 * time.Second},
		{"granted half since a moment", steady, func(s *report.Situation) { s.Granted = 5 }, 180 * time.Second},
		{"a dead worker", steady, func(s *report.Situation) { s.Unattended = 11 * time.Second }, 0},
		{"standing still", history(now, [2]int{20, 100}, [2]int{10, 100}), func(*report.Situation) {}, 0},
	} {
		s := underWay()
		c.change(&s)
		p := report.NewPace(&s, c.samples, now)
		switch {
		case c.left == 0 && p.ETA != nil:
			t.Errorf("%s: until %v, which can't be said", c.name, p.ETA)
		case c.left != 0 && (p.ETA == nil || p.ETA.Sub(now) != c.left):
			t.Errorf("%s: until %v, want in %v", c.name, p.ETA, c.left)
		}
	}
	s := underWay()
	if got, want := report.NewPace(&s, nil, now).Line(), "it has just begun, bound by the account's rate (10/s); about 1 min 30 s left"; !strings.HasPrefix(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
}
