package producer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/producer"
	"github.com/handout-dev/handout/test/redistest"
)

// spring submits a campaign of these recipients, all with numbers of their own.
func spring(t *testing.T, c *producer.Client, names ...string) *producer.Info {
	t.Helper()
	file, err := producer.ParseCampaign("c.yaml", []byte(strings.Replace(exampleCampaign, "order-history-2026-11", "spring\nsame_recipient: note", 1)))
	if err != nil {
		t.Fatal(err)
	}
	var list strings.Builder
	list.WriteString("recipient,phone,url\n")
	for i, name := range names {
		fmt.Fprintf(&list, "%s,+1201555%04d,https://files.example.com/%d\n", name, 100+i, i)
	}
	r, err := c.Submit(t.Context(), file, producer.ListReader("l.csv", producer.CSV, strings.NewReader(list.String())), producer.SubmitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return r.Info
}

func TestOutcomes_SayWhatBecameOfEachAndByWhichChannel(t *testing.T) {
	t.Parallel()
	rdb := redistest.Start(t).Client()
	c, l := producer.New(rdb), ledger.New(rdb)
	info := spring(t, c, "ann", "bob", "cem")
	at := time.Now().Truncate(time.Second)
	var seen ledger.Seen
	for _, e := range []campaign.Event{
		{Kind: campaign.EventClaim, Claim: 7, At: at},
		{Kind: campaign.EventReceipt, Attempt: 1, At: at, Reference: strings.Repeat("A", 32), Status: campaign.Leg{Rank: campaign.RankDelivered, Code: 3000},
			Legs: []campaign.ChannelLeg{{Channel: "sms", Leg: campaign.Leg{Rank: campaign.RankDelivered, Code: 3000}}}},
	} {
		var err error
		if seen, err = l.Apply(t.Context(), info, producer.Place{Index: 1}, seen, e); err != nil {
			t.Fatal(err)
		}
	}
	s, err := c.Status(t.Context(), "spring")
	if err != nil || s.Phase != producer.PhaseRunning || s.Total != 3 || s.Balance.Of(producer.Delivered) != 1 ||
		s.Balance.By[producer.BySMS] != 1 || s.Balance.Total() != s.Total {
		t.Errorf("%+v, %v", s, err)
	}
	o, err := c.Person(t.Context(), "spring", "bob")
	if err != nil || o.State != producer.Delivered || o.DeliveredBy != producer.BySMS || o.Attempts != 1 || len(o.Channels) != 1 || o.Channels[0].Channel != "sms" || o.Channels[0].Code != 3000 || !o.ClaimedAt.Equal(at) || !o.SettledAt.Equal(at) || o.Phone != "+12015550101" {
		t.Errorf("%+v, %v", o, err)
	}
	var all []string
	for o, err := range c.Outcomes(t.Context(), "spring") {
		if err != nil {
			t.Fatal(err)
		}
		if all = append(all, o.Recipient+" "+o.State.String()); len(all) == 2 {
			break
		}
	}
	if got := strings.Join(all, ", "); got != "ann planned, bob delivered" {
		t.Error(got)
	}
}

func TestPerson_ANameOfSeveralIsRefusedWithTheirPlaces(t *testing.T) {
	t.Parallel()
	c := producer.New(redistest.Start(t).Client())
	spring(t, c, "ann", "bob", "ann", "0.1")
	_, err := c.Person(t.Context(), "spring", "ann")
	var several *producer.AmbiguousError
	if !errors.As(err, &several) || len(several.Places) != 2 || several.Places[1] != (producer.Place{Index: 2}) {
		t.Errorf("%v", err)
	}
	for who, want := range map[string]string{"0.1": "bob", "0.3": "0.1", "+12015550102": "ann"} {
		if o, err := c.Person(t.Context(), "spring", who); err != nil || o.Recipient != want {
			t.Errorf("%s is %+v, %v", who, o, err)
		}
	}
}

func TestOutcomes_EndWithTheError(t *testing.T) {
	t.Parallel()
	rdb := redistest.Start(t).Client()
	c, l := producer.New(rdb), ledger.New(rdb)
	last := func(ctx context.Context, id producer.ID) (n int, err error) {
		for _, err = range c.Outcomes(ctx, id) {
			n++
		}
		return n, err
	}
	if n, err := last(t.Context(), "nowhere"); n != 1 || !errors.Is(err, producer.ErrNotFound) {
		t.Errorf("no campaign: %d, %v", n, err)
	}
	info := spring(t, c, "ann")
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if n, err := last(gone, "spring"); n != 1 || !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %d, %v", n, err)
	}
	purge(t, l, info)
	if n, err := last(t.Context(), "spring"); n != 1 || !errors.Is(err, producer.ErrPurged) {
		t.Errorf("purged: %d, %v", n, err)
	}
	for _, who := range []string{"ann", "0.0"} {
		if _, err := c.Person(t.Context(), "spring", who); !errors.Is(err, producer.ErrPurged) {
			t.Errorf("%s of a purged campaign: %v", who, err)
		}
	}
}

// purge ends a campaign of one person, and deletes who was in it.
func purge(t *testing.T, l *ledger.Ledger, info *producer.Info) {
	t.Helper()
	ctx, now := t.Context(), time.Now()
	err := l.Cancel(ctx, info.ID, producer.Actor{}, now)
	if err == nil {
		_, err = l.Apply(ctx, info, producer.Place{}, ledger.Seen{}, campaign.Event{Kind: campaign.EventCancel, At: now})
	}
	err = errors.Join(err, l.Settle(ctx, info.ID), l.Finish(ctx, info.ID, now))
	if err == nil {
		info, err = l.Info(ctx, info.ID)
	}
	if err == nil {
		err = l.Purge(ctx, info, producer.Actor{}, now, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
}
