package operations_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/suppression"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/producer"
	"github.com/handout-dev/handout/test/redistest"
)

var ann = campaign.Actor{Name: "ann"}

// people are the operations on a running campaign of so many, of whom the first
// are in doubt.
type people struct {
	*operations.Operations
	rdb    redis.UniversalClient
	ledger *ledger.Ledger
	info   *campaign.Info
}

func open(t testing.TB, names []string, doubts int) *people {
	t.Helper()
	rdb := redistest.Start(t).Client()
	file, err := producer.ParseCampaign("", []byte(`
id: spring
message_type: MKT
same_recipient: note
channels:
  - {channel: sms, template: text, parameters: {text: "Hello"}}
`))
	if err != nil {
		t.Fatal(err)
	}
	list := "recipient,phone\n"
	for i, name := range names {
		list += fmt.Sprintf("%s,+4179%07d\n", name, i)
	}
	result, err := producer.New(rdb).Submit(t.Context(), file, producer.ListReader("list.csv", producer.CSV, strings.NewReader(list)),
		producer.SubmitOptions{Begin: campaign.Beginning{By: ann}})
	if err != nil {
		t.Fatal(err)
	}
	p := &people{operations.New(rdb, operations.Options{}), rdb, ledger.New(rdb), result.Info}
	for i := range doubts {
		p.apply(t, i, campaign.Event{Kind: campaign.EventClaim, Claim: 7}, campaign.Event{Kind: campaign.EventDoubt, Claim: 7, Attempt: 1})
	}
	return p
}

func (p *people) apply(t testing.TB, index int, events ...campaign.Event) {
	t.Helper()
	at := campaign.PlaceOf(index)
	seen, err := p.ledger.ReadRecord(t.Context(), p.info, at)
	for _, e := range events {
		if e.At = time.Now(); err == nil {
			seen, err = p.ledger.Apply(t.Context(), p.info, at, seen, e)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (p *people) at(t testing.TB, index int) *operations.Person {
	t.Helper()
	who, err := p.PersonAt(t.Context(), "spring", campaign.PlaceOf(index))
	if err != nil {
		t.Fatal(err)
	}
	return who
}

// refused holds that an error is of a kind, and has this word.
func refused(t testing.TB, err error, kind operations.Kind, word string) {
	t.Helper()
	if operations.KindOf(err) != kind || !strings.Contains(fmt.Sprint(err), word) {
		t.Errorf("%v: %v, want %v with %q", operations.KindOf(err), err, kind, word)
	}
}

func names(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprint("customer-", i)
	}
	return all
}

func TestPerson_IsFoundByPlaceNameOrNumber(t *testing.T) {
	t.Parallel()
	all := names(250)
	all[3], all[120], all[200], all[7], all[8] = "twin", "twin", "twin", "0.1", "2.99"
	p := open(t, all, 0)
	p.apply(t, 120, campaign.Event{Kind: campaign.EventClaim, Claim: 7})
	for who, want := range map[string]string{
		"0.1": "0.1", "2.49": "2.49", "customer-249": "2.49", "customer-100": "1.0", "+41790000199": "1.99",
		"2.99": "0.8", // a name, since there is no such place
	} {
		if found, err := p.Person(t.Context(), "spring", who, true); err != nil || found.Found.Place.String() != want {
			t.Errorf("%s: %+v, %v; want %s", who, found, err, want)
		}
	}
	for _, who := range []string{"customer", "9.0", "+41790000250", "customer-2490"} {
		_, err := p.Person(t.Context(), "spring", who, true)
		refused(t, err, operations.NotFound, "no such recipient in campaign spring")
	}
	_, err := p.Person(t.Context(), "spring", "+41790000199", false)
	refused(t, err, operations.NotFound, "no such recipient")
	_, err = p.Person(t.Context(), "autumn", "customer-1", true)
	refused(t, err, operations.NotFound, "no campaign autumn")
	_, err = p.Person(t.Context(), "spring", "twin", true)
	refused(t, err, operations.Ambiguous, "name one by its place: 0.3 (planned), 1.20 (claimed)")
	var own *operations.Error
	if !errors.As(err, &own) || len(own.Places) != 2 || own.Places[1].State != campaign.Claimed {
		t.Errorf("%+v", own)
	}
}

// What is decided holds only for what was shown: each is shown first, then things
// change, then it is decided.
func TestDecide_RefusesWhatIsStale(t *testing.T) {
	t.Parallel()
	p := open(t, names(6), 5)
	list := suppression.New(p.rdb)
	for i, c := range []struct {
		change func()
		kind   operations.Kind
		word   string
	}{
		{func() {
			if _, err := list.Add(t.Context(), "+41790000000", suppression.Entry{At: time.Now(), Why: suppression.WhyStop}); err != nil {
				t.Fatal(err)
			}
		}, operations.WrongPhase, "suppressed"},
		{func() {
			p.apply(t, 1, campaign.Event{Kind: campaign.EventResend}, campaign.Event{Kind: campaign.EventClaim, Claim: 8}, campaign.Event{Kind: campaign.EventDoubt, Claim: 8, Attempt: 2})
		}, operations.Stale, "recipient 0.1 is in_doubt by now, at attempt 2"},
		{func() { p.apply(t, 2, campaign.Event{Kind: campaign.EventAcceptAsSent}) }, operations.Stale, "recipient 0.2 is unconfirmed by now"},
		{func() {
			s, err := p.Standing(t.Context(), "spring")
			if err == nil {
				err = p.Cancel(t.Context(), s, ann)
			}
			if err != nil {
				t.Fatal(err)
			}
		}, operations.WrongPhase, "was canceled"},
	} {
		who := p.at(t, i)
		c.change()
		before := p.at(t, i).Found.Seen.Record
		refused(t, p.Decide(t.Context(), who, operations.VerbResend, ann), c.kind, c.word)
		if after := p.at(t, i).Found.Seen.Record; after != before {
			t.Errorf("%d: %+v, and was %+v", i, after, before)
		}
	}
}

func TestDecide_TwiceIsOnce(t *testing.T) {
	t.Parallel()
	p := open(t, names(2), 2)
	for i, verb := range []operations.Verb{operations.VerbResend, operations.VerbAccept} {
		shown := p.at(t, i)
		for range 2 { // the second as of another terminal, which was asked before
			who := *shown
			if err := p.Decide(t.Context(), &who, verb, ann); err != nil || who.May(verb) {
				t.Errorf("%s: %+v, %v", verb, who.Found.Seen.Record, err)
			}
		}
	}
	history, err := p.ledger.History(t.Context(), "spring")
	if err != nil || len(history) != 3 { // with its beginning
		t.Errorf("%+v, %v", history, err)
	}
}

func TestDecideAll_IsForThoseWhoWereShown(t *testing.T) {
	t.Parallel()
	p := open(t, names(6), 3)
	selected := func() *operations.Selection {
		t.Helper()
		s, err := p.Select(t.Context(), "spring", operations.VerbResend, campaign.InDoubt)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := selected()
	refused(t, s.Seen(2, s.At), operations.Stale, "3 are in_doubt by now, not 2")
	for _, at := range []time.Time{s.At.Add(-time.Hour - time.Minute), s.At.Add(time.Hour)} {
		if err := s.Seen(3, at); err != nil {
			t.Fatal(err)
		}
		n, err := p.DecideAll(t.Context(), s, ann, nil)
		if refused(t, err, operations.Stale, "over an hour old"); n != 0 {
			t.Errorf("%d were decided about", n)
		}
	}
	if n, err := p.DecideAll(t.Context(), selected(), ann, nil); n != 3 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if n, err := p.DecideAll(t.Context(), selected(), ann, nil); n != 0 || err != nil {
		t.Errorf("once more: %d, %v", n, err)
	}
	for _, name := range []string{"", "delivered", "canceled", "nonsense"} {
		_, err := operations.RetryState(name)
		refused(t, err, operations.Refused, "failed, refused, unconfirmed or in_doubt")
	}
}
