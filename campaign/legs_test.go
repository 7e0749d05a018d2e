package campaign_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/test/campaigntest"
)

// permute calls f with every order of n things.
func permute(n int, f func(order []int)) {
	order := make([]int, 0, n)
	var next func(left []int)
	next = func(left []int) {
		if len(left) == 0 {
			f(order)
			return
		}
		for i, x := range left {
			order = append(order, x)
			next(append(append([]int{}, left[:i]...), left[i+1:]...))
			order = order[:len(order)-1]
		}
	}
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	next(all)
}

func cascadeOf(channels ...string) *campaign.Spec {
	s := &campaign.Spec{ID: "x"}
	for _, name := range channels {
		s.Channels = append(s.Channels, campaign.Channel{Channel: name, Template: "text"})
	}
	return s
}

// The receipts of cascades of up to four channels, in every order in which they can
// arrive: each leg is kept, and says the same in the end.
func TestNext_KeepsEveryLegOfACascadeInWhateverOrderReceiptsArrive(t *testing.T) {
	t.Parallel()
	leg, receipt := campaigntest.Leg, campaigntest.Receipt
	const progress, failed, probable, delivered, read = campaign.RankProgress, campaign.RankFailed, campaign.RankProbable, campaign.RankDelivered, campaign.RankRead
	for name, c := range map[string]struct {
		cascade  *campaign.Spec
		receipts []campaign.Event
		want     []campaign.ChannelLeg
		state    campaign.State
		by       campaign.DeliveredBy
		channels []string
		read     bool
	}{
		"rcs, viber, sms, each in its turn": {
			cascadeOf("rcs", "viber", "sms"), []campaign.Event{
				receipt(1, progress, 3001, leg("rcs", progress, 3001)),
				receipt(1, progress, 3001, leg("rcs", failed, 3055)),
				receipt(1, progress, 3001, leg("rcs", failed, 3055), leg("viber", failed, 3056)),
				receipt(1, delivered, 3000, leg("rcs", failed, 3055), leg("viber", failed, 3056), leg("sms", delivered, 3000)),
			},
			[]campaign.ChannelLeg{leg("rcs", failed, 3055), leg("viber", failed, 3056), leg("sms", delivered, 3000)},
			campaign.Delivered, campaign.BySMS, []string{"sms"}, false,
		},
		"RCS delivers after the SMS": {
			cascadeOf("rcs", "sms"), []campaign.Event{
				receipt(1, progress, 3001, leg("rcs", failed, 3056)),
				receipt(1, delivered, 3000, leg("rcs", failed, 3056), leg("sms", delivered, 3000)),
				receipt(1, delivered, 3000, leg("rcs", delivered, 3000)),
			},
			[]campaign.ChannelLeg{leg("rcs", delivered, 3000), leg("sms", delivered, 3000)},
			campaign.Delivered, campaign.ByOther, []string{"rcs", "sms"}, false,
		},
		"four channels, the first is read late": {
			cascadeOf("viber", "rcs", "whatsapp", "mms"), []campaign.Event{
				receipt(1, progress, 3001, leg("viber", failed, 3056), leg("rcs", failed, 3055)),
				receipt(1, progress, 3001, leg("whatsapp", failed, 3114)),
				receipt(1, delivered, 3000, leg("mms", delivered, 3000)),
				receipt(1, delivered, 3000, leg("viber", delivered, 3000)),
				receipt(1, read, 3005, leg("viber", read, 3005)),
			},
			[]campaign.ChannelLeg{leg("viber", read, 3005), leg("rcs", failed, 3055), leg("whatsapp", failed, 3114), leg("mms", delivered, 3000)},
			campaign.Delivered, campaign.ByOther, []string{"viber", "mms"}, true,
		},
		"four channels fail": {
			cascadeOf("sms", "whatsapp", "viber", "rcs"), []campaign.Event{
				receipt(1, progress, 3001, leg("sms", failed, 3033)),
				receipt(1, progress, 3001, leg("whatsapp", failed, 3055)),
				receipt(1, progress, 3001, leg("viber", probable, 3004)),
				receipt(1, failed, 3003, leg("rcs", failed, 3056)),
			},
			[]campaign.ChannelLeg{leg("sms", failed, 3033), leg("whatsapp", failed, 3055), leg("viber", probable, 3004), leg("rcs", failed, 3056)},
			campaign.Failed, campaign.ByNone, []string{}, false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			permute(len(c.receipts), func(order []int) {
				events := []campaign.Event{campaigntest.Claim(), campaigntest.Accept(1)}
				for _, i := range order {
					events = append(events, c.receipts[i], c.receipts[i]) // each comes twice
				}
				r := campaigntest.Become(t, events...)
				if back, err := campaign.DecodeRecord(r.Encode()); err != nil || back != r {
					t.Fatalf("order %v: stored otherwise, %v:\n%s", order, err, cmp.Diff(r, back))
				}
				legs := c.cascade.Legs(nil, new(timeless(r)))
				if diff := cmp.Diff(c.want, legs); diff != "" {
					t.Fatalf("order %v:\n%s", order, diff)
				}
				if diff := cmp.Diff(c.channels, campaign.DeliveredChannels(legs)); diff != "" {
					t.Fatalf("order %v, delivered:\n%s", order, diff)
				}
				if r.State != c.state || r.DeliveredBy() != c.by || r.Read() != c.read {
					t.Fatalf("order %v: %s by %s, read %v", order, r.State, r.DeliveredBy(), r.Read())
				}
			})
		})
	}
}

func TestRecord_DeliveredByNamesOnlyExactSets(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		delivered []string
		want      campaign.DeliveredBy
	}{
		{[]string{"whatsapp"}, campaign.ByWhatsApp}, {[]string{"sms"}, campaign.BySMS}, {[]string{"sms", "whatsapp"}, campaign.ByBoth},
		{[]string{"rcs"}, campaign.ByOther}, {[]string{"rcs", "sms"}, campaign.ByOther}, {[]string{"whatsapp", "viber"}, campaign.ByOther},
		{[]string{"whatsapp", "sms", "mms"}, campaign.ByOther}, {[]string{"sms", "email"}, campaign.ByOther}, {[]string{"fax", "sms"}, campaign.ByOther},
		{nil, campaign.ByOther}, // Telesign didn't say by which channel
	} {
		var legs []campaign.ChannelLeg
		for _, name := range c.delivered {
			legs = append(legs, campaigntest.Leg(name, campaign.RankDelivered, 3000))
		}
		r := campaigntest.Become(t, campaigntest.Claim(), campaigntest.Receipt(1, campaign.RankDelivered, 3000, legs...))
		if got := r.DeliveredBy(); got != c.want {
			t.Errorf("%v: by %q, want %q", c.delivered, got, c.want)
		}
	}
}

func TestSpec_LegsComeInTheOrderOfTheCascade(t *testing.T) {
	t.Parallel()
	r := campaigntest.Become(t, campaigntest.Claim(), campaigntest.Receipt(1, campaign.RankDelivered, 3000,
		campaigntest.Leg("whatsapp", campaign.RankFailed, 3055), campaigntest.Leg("sms", campaign.RankDelivered, 3000),
		campaigntest.Leg("rcs", campaign.RankFailed, 3055), campaigntest.Leg("fax", campaign.RankFailed, 3055)))
	own, err := cascadeOf("rcs", "sms", "whatsapp").Encode()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		spec *campaign.Spec
		to   *campaign.Recipient
		want []string
	}{
		"the campaign's":                {cascadeOf("rcs", "sms", "whatsapp"), &campaign.Recipient{}, []string{"rcs", "sms", "whatsapp", "fax"}},
		"channels outside it come last": {cascadeOf("viber", "sms"), nil, []string{"sms", "whatsapp", "rcs", "fax"}},
		"of a one-off send its own":     {campaign.StandingSpec("sends-2026-11-22", "default"), &campaign.Recipient{Values: []string{string(own)}}, []string{"rcs", "sms", "whatsapp", "fax"}},
		"of a key's one-off send too":   {campaign.StandingSpec("sends-2026-11-22", "default"), &campaign.Recipient{Values: []string{string(own), "shop"}}, []string{"rcs", "sms", "whatsapp", "fax"}},
		"of a message that isn't known": {campaign.StandingSpec("sends-2026-11-22", "default"), nil, []string{"whatsapp", "sms", "rcs", "fax"}},
		"of a message that isn't one":   {campaign.StandingSpec("sends-2026-11-22", "default"), &campaign.Recipient{Values: []string{"?"}}, []string{"whatsapp", "sms", "rcs", "fax"}},
	} {
		var got []string
		for _, l := range c.spec.Legs(c.to, &r) {
			got = append(got, l.Channel)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
	if legs := cascadeOf("sms").Legs(nil, &campaign.Record{}); legs != nil {
		t.Errorf("of nothing: %v", legs)
	}
}
