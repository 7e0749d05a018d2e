package campaign_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/test/campaigntest"
)

var (
	someChannels = []string{"whatsapp", "sms", "viber", "rcs", "mms", "email", "fax", "a channel with a long name"}
	someCodes    = []int{0, 3000, 3001, 3002, 3003, 3004, 3005, 3046, 3056, 3999}
	someRanks    = []campaign.Rank{
		campaign.RankNone, campaign.RankProgress, campaign.RankGateway, campaign.RankProbable,
		campaign.RankFailed, campaign.RankFailed, campaign.RankDelivered, campaign.RankRead,
	}
)

// anyReceipt is a receipt of an attempt; half of the time it doesn't bring the
// reference.
func anyReceipt(r *rand.Rand, attempt int) campaign.Event {
	status := campaign.Leg{Rank: campaigntest.Pick(r, someRanks), Code: campaigntest.Pick(r, someCodes)}
	e := campaign.Event{
		Kind: campaign.EventReceipt, Attempt: attempt, At: campaigntest.Noon.Add(time.Duration(r.IntN(5000)) * time.Second),
		DueAt: campaigntest.Noon.Add(time.Duration(r.IntN(9000)) * time.Second), Status: status,
		Final: status.Rank == campaign.RankFailed && r.IntN(2) == 0,
	}
	if r.IntN(2) == 0 {
		e.Reference = campaigntest.Reference(attempt)
	}
	for range r.IntN(4) {
		e.Legs = append(e.Legs, campaigntest.Leg(campaigntest.Pick(r, someChannels), campaigntest.Pick(r, someRanks), campaigntest.Pick(r, someCodes)))
	}
	return e
}

// timeless is a record without its times, which alone may depend on the order
// in which receipts arrive.
func timeless(r campaign.Record) campaign.Record {
	r.ClaimedAt, r.SettledAt, r.DueAt = time.Time{}, time.Time{}, time.Time{}
	for i := range r.Legs {
		r.Legs[i].At = time.Time{}
	}
	return r
}

// The same receipts of one attempt, in any order and any of them twice, end in
// the same record, whatever it was before; and so does the answer to the
// request among them.
func TestNext_OrderAndDuplicatesOfReceiptsDoNotMatter(t *testing.T) {
	t.Parallel()
	const rounds = 200
	for situation, start := range situations(t) {
		for shift := -1; shift <= 1; shift++ { // of an older attempt, the latest, one that the ledger has forgotten
			attempt := start.Attempt + shift
			if attempt < 1 {
				continue
			}
			t.Run(fmt.Sprintf("%s/attempt %+d", situation, shift), func(t *testing.T) {
				t.Parallel()
				for seed := range uint64(rounds) {
					confluent(t, start, attempt, seed)
				}
			})
		}
	}
}

func confluent(t *testing.T, start campaign.Record, attempt int, seed uint64) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 1))
	events := make([]campaign.Event, 1+r.IntN(5))
	for i := range events {
		events[i] = anyReceipt(r, attempt)
	}
	if attempt == start.Attempt && r.IntN(2) == 0 {
		events = append(events, campaigntest.Accept(attempt))
	}

	run := func(order []int) campaign.Record {
		rec := start
		for _, i := range order {
			next, err := campaign.Next(rec, events[i])
			if err != nil {
				t.Fatalf("seed %d: event %d of order %v: %v", seed, i, order, err)
			}
			rec = next
		}
		return timeless(rec)
	}
	order := make([]int, len(events))
	for i := range order {
		order[i] = i
	}
	want := run(order)
	for range 25 {
		shuffled := append(r.Perm(len(events)), r.Perm(len(events))[:r.IntN(len(events)+1)]...) // some twice, late
		for i := range r.IntN(len(shuffled)) {                                                  // some twice, anywhere
			shuffled = append(shuffled, shuffled[i])
		}
		r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if got := run(shuffled); got != want {
			t.Fatalf("seed %d: order %v ends elsewhere than %v:\n%s\nevents %+v", seed, shuffled, order, cmp.Diff(want, got), events)
		}
	}
}
