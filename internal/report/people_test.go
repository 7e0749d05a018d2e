package report_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/report"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/producer"
	"github.com/handout-dev/handout/test/redistest"
)

// crowd submits a campaign of n, on hold; every hundredth is refused.
func crowd(t *testing.T, rdb redis.UniversalClient, id campaign.ID, n int) *campaign.Info {
	t.Helper()
	file, err := producer.NewFile(campaign.Spec{ID: id, MessageType: "MKT", Channels: []campaign.Channel{
		{Channel: "sms", Template: "text", Parameters: map[string]string{"text": "Hello"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	rows := func(yield func(producer.Row, error) bool) {
		for i := range n {
			if !yield(producer.Row{Recipient: fmt.Sprintf("Customer-%d", i), Phone: fmt.Sprintf("+1201555%04d", i)}, nil) {
				return
			}
		}
	}
	result, err := producer.New(rdb).Submit(t.Context(), file, producer.ListRows(nil, rows), producer.SubmitOptions{Begin: campaign.Beginning{Hold: true}})
	if err != nil {
		t.Fatal(err)
	}
	l := ledger.New(rdb)
	for i := 0; i < n; i += 100 {
		refused := campaign.Event{Kind: campaign.EventRefuse, At: time.Now(), Reason: campaign.ReasonRefused, Code: 3101}
		if _, err := l.Apply(t.Context(), result.Info, campaign.PlaceOf(i), ledger.Seen{}, refused); err != nil {
			t.Fatal(err)
		}
	}
	return result.Info
}

func never(int) bool { return false }

func names(people []ledger.Found) []string {
	all := []string{}
	for _, f := range people {
		all = append(all, f.Recipient.ID)
	}
	return all
}

func TestPeople_EveryFilterSliceBySlice(t *testing.T) {
	t.Parallel()
	rdb := redistest.Start(t).Client()
	l, info := report.NewReader(rdb, 10), crowd(t, rdb, "c", 450)
	for _, c := range []struct {
		name   string
		filter report.Filter
		want   []string
	}{
		{"state", report.Filter{State: "refused"}, []string{"Customer-0", "Customer-100", "Customer-200", "Customer-300", "Customer-400"}},
		{"code", report.Filter{Code: 3101}, []string{"Customer-0", "Customer-100", "Customer-200", "Customer-300", "Customer-400"}},
		{"another code", report.Filter{Code: 3102}, []string{}},
		{"reason", report.Filter{Reason: "REFUSED"}, []string{"Customer-0", "Customer-100", "Customer-200", "Customer-300", "Customer-400"}},
		{"delivered", report.Filter{DeliveredBy: "sms"}, []string{}},
		{"name", report.Filter{Who: &report.Who{Text: "customer-44"}}, []string{"Customer-44", "Customer-440", "Customer-441", "Customer-442", "Customer-443", "Customer-444", "Customer-445", "Customer-446", "Customer-447", "Customer-448", "Customer-449"}},
		{"number", report.Filter{Who: &report.Who{Text: "201", Phone: "+12015550123"}}, []string{"Customer-123", "Customer-201"}},
		{"number, masked", report.Filter{Who: &report.Who{Text: "+12015550123", Phone: "+12015550123", Masked: true}}, []string{}},
		{"both", report.Filter{State: "planned", Who: &report.Who{Text: "customer-400"}}, []string{}},
	} {
		for _, most := range []int{2, 1000} {
			var got []ledger.Found
			for from := 0; ; {
				people, next, err := l.People(t.Context(), info, &c.filter, campaign.PlaceOf(from), most, never)
				if err != nil || len(people) > most {
					t.Fatal(len(people), err)
				}
				got = append(got, people...)
				if from = next; next == 0 {
					break
				}
			}
			if diff := cmp.Diff(c.want, names(got)); diff != "" {
				t.Errorf("%s, %d at a time (-want +got):\n%s", c.name, most, diff)
			}
		}
	}
}

func TestPeople_GoesOnWhereItWasStopped(t *testing.T) {
	t.Parallel()
	rdb := redistest.Start(t).Client()
	l, info := report.NewReader(rdb, 10), crowd(t, rdb, "c", 450)
	two := func(pages int) bool { return pages >= 2 }
	var got []ledger.Found
	from, turns := 0, 0
	for {
		people, next, err := l.People(t.Context(), info, &report.Filter{State: "refused"}, campaign.PlaceOf(from), 10, two)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, people...)
		turns++
		if from = next; next == 0 {
			break
		}
	}
	if turns != 3 || len(got) != 5 {
		t.Errorf("%d turns: %q", turns, names(got))
	}
}

func TestWho_AMaskedNumberCannotBeGuessedDigitByDigit(t *testing.T) {
	t.Parallel()
	r := &campaign.Recipient{ID: "+12015550123", Phone: "+12015550123"}
	for text, want := range map[string]bool{"+1201": false, "0123": false, "23": true, "+12015550123": true, "x": false} {
		who := report.Who{Text: text, Masked: true}
		if who.Is(r) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
	open := report.Who{Text: "0123"}
	if !open.Is(r) {
		t.Error("a part of the name doesn't find it")
	}
}

func TestSearchAll_TheNewestFirstAndSaysWhatItLeftOut(t *testing.T) {
	t.Parallel()
	rdb := redistest.Start(t).Client()
	ledger := report.NewReader(rdb, 10)
	for _, id := range []campaign.ID{"oldest", "old", "new"} {
		crowd(t, rdb, id, 150)
		time.Sleep(2 * time.Millisecond) // they are listed by the millisecond
	}
	filter := &report.Filter{Who: &report.Who{Phone: "+12015550007"}}
	s, err := ledger.SearchAll(t.Context(), filter, 10, func() bool { return false })
	if err != nil {
		t.Fatal(err)
	}
	var where []campaign.ID
	for _, m := range s.Matches {
		where = append(where, m.Campaign.ID)
	}
	if !slices.Equal(where, []campaign.ID{"new", "old", "oldest"}) || s.Searched != 3 || s.Left != 0 || s.Partly != "" {
		t.Errorf("%q, %+v", where, s)
	}
	asked := 0 // before the first, before the second, at its second page
	s, err = ledger.SearchAll(t.Context(), filter, 10, func() bool { asked++; return asked > 3 })
	if err != nil || len(s.Matches) != 2 || s.Searched != 1 || s.Partly != "old" || s.Left != 1 {
		t.Errorf("%+v, %v", s, err)
	}
	if s, err = ledger.SearchAll(t.Context(), filter, 1, func() bool { return false }); err != nil || len(s.Matches) != 1 || s.Left != 2 {
		t.Errorf("%+v, %v", s, err)
	}
}

// What the counts say needs no look at a list; what they don't say, does.
func TestFilter_NobodyByTheBalance(t *testing.T) {
	t.Parallel()
	b := new(campaign.Balance)
	b.States[campaign.Delivered], b.States[campaign.Failed] = 3, 1
	b.By[campaign.BySMS] = 3
	for _, c := range []struct {
		filter report.Filter
		want   bool
	}{
		{report.Filter{}, false},
		{report.Filter{State: "failed"}, false},
		{report.Filter{State: "planned"}, true},
		{report.Filter{State: "delivered", DeliveredBy: "sms"}, false},
		{report.Filter{DeliveredBy: "both"}, true},
		{report.Filter{State: "failed", Reason: "no such"}, false},
	} {
		if got := c.filter.TakesNone(b); got != c.want {
			t.Errorf("%+v: %t", c.filter, got)
		}
	}
}

// Reasons are remembered by what they depend on, and by nothing less.
func TestFilter_RemembersReasonsApart(t *testing.T) {
	t.Parallel()
	failed := func(whatsApp, sms int) *campaign.Record {
		leg := func(code int) campaign.Leg { return campaign.Leg{Rank: campaign.RankFailed, Code: code} }
		return &campaign.Record{State: campaign.Failed, Reason: campaign.ReasonUndelivered, Legs: campaign.Legs{campaign.WhatsApp: leg(whatsApp), campaign.SMS: leg(sms)}}
	}
	f := report.Filter{Reason: "PERMANENT phone"}
	for range 2 {
		for _, c := range []struct {
			record *campaign.Record
			want   bool
		}{{failed(3056, 3031), true}, {failed(3056, 3033), false}, {failed(3031, 3033), true}, {&campaign.Record{State: campaign.Failed}, false}} {
			if got := f.Takes(new(campaign.Spec), new(campaign.Recipient), c.record); got != c.want {
				t.Errorf("%+v: %t", c.record, got)
			}
		}
	}
}
