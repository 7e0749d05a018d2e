package campaign_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/test/campaigntest"
)

// The events of these tests; attempt is filled in where it matters.

// situations are records of every state. All that were sent to are at their
// second attempt, so that there is an older one.
func situations(t testing.TB) map[string]campaign.Record {
	t.Helper()
	second := []campaign.Event{campaigntest.Claim(), campaigntest.Postpone(1), campaigntest.Claim()}
	at := func(events ...campaign.Event) campaign.Record {
		return campaigntest.Become(t, append(second, events...)...)
	}
	return map[string]campaign.Record{
		"planned":     {},
		"claimed":     at(),
		"retrying":    at(campaigntest.Postpone(2)),
		"accepted":    at(campaigntest.Accept(2)),
		"in_doubt":    at(campaigntest.Doubt(2)),
		"delivered":   at(campaigntest.Accept(2), campaigntest.ByWhatsApp(2)),
		"failed":      at(campaigntest.Accept(2), campaigntest.AllFailed(2)),
		"refused":     at(campaigntest.Refuse(2)),
		"suppressed":  campaigntest.Become(t, campaigntest.Suppress()),
		"canceled":    campaigntest.Become(t, campaigntest.Cancel()),
		"unconfirmed": at(campaigntest.Accept(2), campaigntest.Overdue()),
		// Another attempt was asked for, by what was known of the second.
		"retrying, was in_doubt":    at(campaigntest.Doubt(2), campaigntest.Resend()),
		"retrying, was failed":      at(campaigntest.Accept(2), campaigntest.AllFailed(2), campaigntest.Resend()),
		"retrying, was unconfirmed": at(campaigntest.Accept(2), campaigntest.Overdue(), campaigntest.Resend()),
		"unconfirmed, was in_doubt": at(campaigntest.Doubt(2), campaigntest.Resend(), campaigntest.Cancel()),
		"unconfirmed, as sent":      at(campaigntest.Doubt(2), campaigntest.AsSent()),
	}
}

// transitions says what each situation becomes by each event: a state; "." is
// not a bit changed; "!" is a TransitionError and nothing changed. A state that
// stays but learns something stands by its name.
const transitions = `
                          | claim   | accept   | defer    | throttle | doubt    | refuse  | overdue     | suppress    | cancel      | resend   | as sent
planned                   | claimed | accepted | !        | !        | in_doubt | refused | .           | suppressed  | canceled    | !        | !
claimed                   | !       | accepted | retrying | retrying | in_doubt | refused | in_doubt    | .           | .           | !        | !
retrying                  | claimed | accepted | .        | .        | .        | refused | .           | suppressed  | canceled    | .        | !
accepted                  | !       | .        | .        | .        | .        | .       | unconfirmed | .           | .           | !        | !
in_doubt                  | !       | accepted | retrying | retrying | .        | refused | in_doubt    | .           | .           | retrying | unconfirmed
delivered                 | !       | .        | .        | .        | .        | .       | .           | .           | .           | !        | !
failed                    | !       | .        | .        | .        | .        | .       | .           | .           | .           | retrying | !
refused                   | !       | refused  | .        | .        | .        | .       | .           | .           | .           | retrying | !
suppressed                | !       | !        | !        | !        | !        | !       | .           | .           | .           | !        | !
canceled                  | !       | !        | !        | !        | !        | !       | .           | .           | .           | !        | !
unconfirmed               | !       | .        | .        | .        | .        | .       | .           | .           | .           | retrying | !
retrying, was in_doubt    | claimed | accepted | .        | .        | .        | refused | .           | unconfirmed | unconfirmed | .        | !
retrying, was failed      | claimed | .        | .        | .        | .        | refused | .           | unconfirmed | unconfirmed | .        | !
retrying, was unconfirmed | claimed | .        | .        | .        | .        | refused | .           | unconfirmed | unconfirmed | .        | !
unconfirmed, was in_doubt | !       | unconfirmed | .        | .        | .        | .       | .           | .           | .           | retrying | !
unconfirmed, as sent      | !       | unconfirmed | .        | .        | .        | .       | .           | .           | .           | retrying | .

                          | under way   | whatsapp  | sms       | failed   | read      | unknown code | old failed | old delivered | new attempt | foreign   | bare foreign
planned                   | accepted    | delivered | delivered | failed   | delivered | accepted     | !          | !             | accepted    | delivered | !
claimed                   | accepted    | delivered | delivered | failed   | delivered | accepted     | .          | delivered     | accepted    | delivered | !
retrying                  | accepted    | delivered | delivered | failed   | delivered | accepted     | .          | delivered     | accepted    | delivered | !
accepted                  | accepted    | delivered | delivered | failed   | delivered | accepted     | .          | delivered     | accepted    | !         | !
in_doubt                  | accepted    | delivered | delivered | failed   | delivered | accepted     | .          | delivered     | accepted    | delivered | !
delivered                 | .           | .         | delivered | delivered | delivered | .           | .          | delivered     | delivered   | !         | !
failed                    | .           | delivered | delivered | .        | delivered | .            | .          | delivered     | accepted    | !         | !
refused                   | refused     | delivered | delivered | refused  | delivered | refused      | .          | delivered     | accepted    | delivered | !
suppressed                | accepted    | delivered | delivered | failed   | delivered | accepted     | !          | !             | accepted    | delivered | !
canceled                  | accepted    | delivered | delivered | failed   | delivered | accepted     | !          | !             | accepted    | delivered | !
unconfirmed               | unconfirmed | delivered | delivered | failed   | delivered | unconfirmed  | .          | delivered     | accepted    | !         | !
retrying, was in_doubt    | accepted    | delivered | delivered | failed   | delivered | accepted     | .          | delivered     | accepted    | delivered | !
retrying, was failed      | .           | delivered | delivered | .        | delivered | .            | .          | delivered     | accepted    | !         | !
retrying, was unconfirmed | retrying    | delivered | delivered | retrying | delivered | retrying     | .          | delivered     | accepted    | !         | !
unconfirmed, was in_doubt | unconfirmed | delivered | delivered | failed   | delivered | unconfirmed  | .          | delivered     | accepted    | delivered | !
unconfirmed, as sent      | unconfirmed | delivered | delivered | failed   | delivered | unconfirmed  | .          | delivered     | accepted    | delivered | !
`

// cells are the table above by situation and event.
func cells(t testing.TB) map[[2]string]string {
	t.Helper()
	all := map[[2]string]string{}
	var header []string
	for line := range strings.Lines(transitions) {
		row := strings.Split(strings.TrimSpace(line), "|")
		for i := range row {
			row[i] = strings.TrimSpace(row[i])
		}
		switch {
		case len(row) == 1:
		case row[0] == "":
			header = row
		case len(row) != len(header):
			t.Fatalf("row %q has %d cells, its header %d", row[0], len(row), len(header))
		default:
			for i, cell := range row[1:] {
				all[[2]string{row[0], header[i+1]}] = cell
			}
		}
	}
	return all
}

func outcome(was, is campaign.Record, err error) string {
	var refused *campaign.TransitionError
	switch {
	case errors.As(err, &refused):
		return "!"
	case err != nil:
		return err.Error()
	case was == is:
		return "."
	}
	return is.State.String()
}

func TestNext_EverySituationByEveryEvent(t *testing.T) {
	t.Parallel()
	want := cells(t)
	for situation, r := range situations(t) {
		for _, h := range campaigntest.Happenings {
			name := [2]string{situation, h.Name}
			cell, ok := want[name]
			if !ok {
				t.Errorf("%q by %q has no cell", situation, h.Name)
				continue
			}
			next, err := campaign.Next(r, h.Make(max(1, r.Attempt)))
			if got := outcome(r, next, err); got != cell {
				t.Errorf("%q by %q: %s, want %s", situation, h.Name, got, cell)
			}
			if err != nil && next != r {
				t.Errorf("%q by %q: an error and a change: %s", situation, h.Name, cmp.Diff(r, next))
			}
			delete(want, name)
		}
	}
	for name := range want {
		t.Errorf("the table has %q by %q, and nobody knows it", name[0], name[1])
	}
}

func TestNext_TheTableHasEveryStateAndEvent(t *testing.T) {
	t.Parallel()
	have := situations(t)
	for _, s := range campaign.States() {
		if r, ok := have[s.String()]; !ok || r.State != s {
			t.Errorf("state %s has no row of its own", s)
		}
	}
	for k := campaign.EventKind(0); !strings.HasPrefix(k.String(), "EventKind("); k++ {
		if !slices.ContainsFunc(campaigntest.Happenings, func(h campaigntest.Happening) bool { return h.Kind == k && h.Make(1).Kind == k }) {
			t.Errorf("event %s has no column", k)
		}
	}
}

func TestNext_EveryEventMayHappenTwice(t *testing.T) {
	t.Parallel()
	for situation, r := range situations(t) {
		for _, h := range campaigntest.Happenings {
			e := h.Make(max(1, r.Attempt))
			once, err := campaign.Next(r, e)
			if err != nil {
				continue
			}
			twice, err := campaign.Next(once, e)
			if h.Kind == campaign.EventClaim {
				if err == nil {
					t.Errorf("%q: claimed twice", situation)
				}
				continue
			}
			if h.Kind == campaign.EventOverdue && once.State == campaign.InDoubt {
				continue // first a stale claim, then an unsettled doubt
			}
			if err != nil || twice != once {
				t.Errorf("%q by %q twice: %v%s", situation, h.Name, err, cmp.Diff(once, twice))
			}
		}
	}
}

// Walks over all situations and two further events: whatever happens, these
// hold.
func TestNext_GoldenRules(t *testing.T) {
	t.Parallel()
	for situation, start := range situations(t) {
		for _, h1 := range campaigntest.Happenings {
			r, err := campaign.Next(start, h1.Make(max(1, start.Attempt)))
			if err != nil {
				continue
			}
			for _, h2 := range campaigntest.Happenings {
				for _, attempt := range []int{1, 2, 3} {
					next, _ := campaign.Next(r, h2.Make(attempt))
					if r.State == campaign.Delivered {
						if next.State != campaign.Delivered {
							t.Fatalf("%q, %q, %q: delivered became %s", situation, h1.Name, h2.Name, next.State)
						}
						if was, is := r.DeliveredBy(), next.DeliveredBy(); was != is && is != campaign.ByBoth && is != campaign.ByOther && was != campaign.ByOther {
							t.Fatalf("%q, %q, %q: delivered by %s became by %s", situation, h1.Name, h2.Name, was, is)
						}
						if r.Read() && !next.Read() {
							t.Fatalf("%q, %q, %q: unread again", situation, h1.Name, h2.Name)
						}
						if !next.SettledAt.Equal(r.SettledAt) {
							t.Fatalf("%q, %q, %q: settled again", situation, h1.Name, h2.Name)
						}
					}
					if r.State.Final() && !next.State.Final() && h2.Kind != campaign.EventResend && next.Attempt == r.Attempt {
						t.Fatalf("%q, %q, %q: %s became %s", situation, h1.Name, h2.Name, r.State, next.State)
					}
					if next.Attempt < r.Attempt && h2.Kind != campaign.EventDefer {
						t.Fatalf("%q, %q, %q: attempt %d became %d", situation, h1.Name, h2.Name, r.Attempt, next.Attempt)
					}
					if forgotten := next.Reason == campaign.ReasonLostClaim || start.State == campaign.Planned; !forgotten &&
						(next.Claim != 0) != (next.State == campaign.Claimed || next.State == campaign.InDoubt) &&
						next.Attempt == r.Attempt {
						t.Fatalf("%q, %q, %q: %s with claim %x", situation, h1.Name, h2.Name, next.State, next.Claim)
					}
				}
			}
		}
	}
}

func TestNext_DeliveredOnlyGrows(t *testing.T) {
	t.Parallel()
	r := campaigntest.Become(t, campaigntest.Claim(), campaigntest.Accept(1), campaigntest.BySMS(1))
	for _, step := range []struct {
		event campaign.Event
		by    campaign.DeliveredBy
		read  bool
	}{
		{campaigntest.UnderWay(1), campaign.BySMS, false},
		{campaigntest.AllFailed(1), campaign.BySMS, false},
		{campaigntest.ByWhatsApp(1), campaign.ByBoth, false},
		{campaigntest.Read(1), campaign.ByBoth, true},
		{campaigntest.ByWhatsApp(1), campaign.ByBoth, true},
		{campaigntest.AllFailed(1), campaign.ByBoth, true},
	} {
		var err error
		if r, err = campaign.Next(r, step.event); err != nil {
			t.Fatal(err)
		}
		if r.State != campaign.Delivered || r.DeliveredBy() != step.by || r.Read() != step.read {
			t.Errorf("after %v: %s by %s, read %v", step.event.Status, r.State, r.DeliveredBy(), r.Read())
		}
	}
	if want := campaigntest.Noon.Add(time.Minute); !r.SettledAt.Equal(want) {
		t.Errorf("settled at %v, want %v", r.SettledAt, want)
	}
}

func TestNext_DeliveryByAnotherChannelIsOther(t *testing.T) {
	t.Parallel()
	r := campaigntest.Become(t, campaigntest.Claim(), campaigntest.Receipt(1, campaign.RankDelivered, 3000, campaigntest.Leg("viber", campaign.RankDelivered, 3000)))
	if r.DeliveredBy() != campaign.ByOther || r.Legs[campaign.Viber].Code != 3000 {
		t.Errorf("by %s, %+v", r.DeliveredBy(), r.Legs)
	}
	r = campaigntest.Become(t, campaigntest.Claim(), campaigntest.Receipt(1, campaign.RankDelivered, 3000))
	if r.State != campaign.Delivered || r.DeliveredBy() != campaign.ByOther {
		t.Errorf("without legs: %s by %s", r.State, r.DeliveredBy())
	}
}

func TestNext_AcceptAfterResendMeansThatItIsNotSentAgain(t *testing.T) {
	t.Parallel()
	r := campaigntest.Become(t, campaigntest.Claim(), campaigntest.Doubt(1), campaigntest.Resend(), campaigntest.Accept(1))
	if r.State != campaign.Accepted || r.Attempt != 1 || r.Reference != campaigntest.Reference(1) {
		t.Fatalf("%s, attempt %d, reference %q", r.State, r.Attempt, r.Reference)
	}
	if _, err := campaign.Next(r, campaigntest.Claim()); err == nil {
		t.Error("it can be claimed again")
	}
	if want := (campaign.Leg{Rank: campaign.RankProgress, Code: 3001}); r.Status != want {
		t.Errorf("status %v, want %v: the doubt's own code is history", r.Status, want)
	}
}

func TestNext_DuplicatedReceiptDoesNotTakeBackAResend(t *testing.T) {
	t.Parallel()
	for _, news := range []campaign.Event{campaigntest.AllFailed(1), campaigntest.UnderWay(1), campaigntest.Accept(1)} {
		r := campaigntest.Become(t, campaigntest.Claim(), campaigntest.Accept(1), campaigntest.UnderWay(1), campaigntest.AllFailed(1), campaigntest.Resend(), news)
		if r.State != campaign.Retrying {
			t.Errorf("%s: %s, want retrying", news.Kind, r.State)
		}
	}
	r := campaigntest.Become(t, campaigntest.Claim(), campaigntest.Accept(1), campaigntest.AllFailed(1), campaigntest.Resend(), campaigntest.ByWhatsApp(1))
	if r.State != campaign.Delivered {
		t.Errorf("a delivery after all: %s, want delivered", r.State)
	}
}

func TestNext_AnswersToAnOldAttemptLeaveTheNewOneAlone(t *testing.T) {
	t.Parallel()
	r := campaigntest.Become(t, campaigntest.Claim(), campaigntest.Doubt(1), campaigntest.Resend(), campaigntest.Claim())
	for _, e := range []campaign.Event{
		campaigntest.Accept(1), campaigntest.Postpone(1), campaigntest.Throttle(1), campaigntest.Doubt(1), campaigntest.Refuse(1), campaigntest.UnderWay(1), campaigntest.AllFailed(1),
		{Kind: campaign.EventOverdue, Attempt: 1, At: campaigntest.Noon.Add(time.Hour)},
		{Kind: campaign.EventResend, Attempt: 1, At: campaigntest.Noon.Add(time.Hour)},
	} {
		next, err := campaign.Next(r, e)
		if err != nil || next != r {
			t.Errorf("%s: %v%s", e.Kind, err, cmp.Diff(r, next))
		}
	}
}

func TestNext_ThrottledAttemptGivesItsNumberBack(t *testing.T) {
	t.Parallel()
	r := campaigntest.Become(t, campaigntest.Claim(), campaigntest.Throttle(1))
	if r.State != campaign.Retrying || r.Attempt != 0 || r.Faults != 0 {
		t.Fatalf("%s, attempt %d, faults %d", r.State, r.Attempt, r.Faults)
	}
	if again := campaigntest.Become(t, campaigntest.Claim(), campaigntest.Throttle(1), campaigntest.Throttle(1)); again != r {
		t.Errorf("twice: %s", cmp.Diff(r, again))
	}
	if r := campaigntest.Become(t, campaigntest.Claim(), campaigntest.Throttle(1), campaigntest.Claim()); r.Attempt != 1 {
		t.Errorf("the next attempt is %d, want 1", r.Attempt)
	}
	// With an attempt before it whose receipts may still come, it keeps it.
	r = campaigntest.Become(t, campaigntest.Claim(), campaigntest.Accept(1), campaigntest.AllFailed(1), campaigntest.Resend(), campaigntest.Claim(), campaigntest.Throttle(2))
	next, err := campaign.Next(r, campaigntest.AllFailed(1))
	if err != nil || next != r || r.State != campaign.Retrying {
		t.Errorf("%s, attempt %d: %v%s", r.State, r.Attempt, err, cmp.Diff(r, next))
	}
}

func TestNext_RepeatedDeferDoesNotUndoAnothersClaim(t *testing.T) {
	t.Parallel()
	first := campaigntest.Claim()
	answer := campaigntest.Throttle(1)
	answer.Claim = first.Claim
	second := campaigntest.Claim()
	second.Claim = 0xC1A2

	for name, since := range map[string][]campaign.Event{"claimed": {second}, "in doubt": {second, campaigntest.Doubt(1)}} {
		r := campaigntest.Become(t, append([]campaign.Event{first, answer}, since...)...)
		next, err := campaign.Next(r, answer)
		if err != nil || next != r {
			t.Errorf("%s by another: %v%s", name, err, cmp.Diff(r, next))
		}
	}
}

func TestNext_FaultsCountWhatIsAFault(t *testing.T) {
	t.Parallel()
	r := campaigntest.Become(t, campaigntest.Claim(), campaigntest.Postpone(1), campaigntest.Claim(), campaigntest.Throttle(2), campaigntest.Claim(), campaigntest.Postpone(3))
	if r.Faults != 2 {
		t.Errorf("%d faults, want 2", r.Faults)
	}
	if r := campaigntest.Become(t, campaigntest.Claim(), campaigntest.Postpone(1), campaigntest.Claim(), campaigntest.Doubt(2), campaigntest.Resend()); r.Faults != 0 {
		t.Errorf("%d faults after a resend, want 0", r.Faults)
	}
}

func TestNext_TheTimeToGiveUpRunsFromTheFirstPutOff(t *testing.T) {
	t.Parallel()
	at := func(e campaign.Event, minute int) campaign.Event {
		e.At = campaigntest.Noon.Add(time.Duration(minute) * time.Minute)
		return e
	}
	account := func(attempt int) campaign.Event {
		e := campaigntest.Throttle(attempt)
		e.Reason = campaign.ReasonAccount
		return e
	}
	const none = -1
	for name, c := range map[string]struct {
		events []campaign.Event
		minute int
	}{
		"never":                      {[]campaign.Event{campaigntest.Claim()}, none},
		"put off":                    {[]campaign.Event{campaigntest.Claim(), at(campaigntest.Postpone(1), 1)}, 1},
		"again and again":            {[]campaign.Event{campaigntest.Claim(), at(campaigntest.Postpone(1), 1), campaigntest.Claim(), at(campaigntest.Postpone(2), 2), campaigntest.Claim(), at(campaigntest.Postpone(3), 3), campaigntest.Claim()}, 1},
		"throttled":                  {[]campaign.Event{campaigntest.Claim(), at(campaigntest.Throttle(1), 1), campaigntest.Claim(), at(campaigntest.Throttle(1), 2)}, none},
		"a stalled worker":           {[]campaign.Event{campaigntest.Claim(), at(campaigntest.Postpone(1), 1), campaigntest.Claim(), campaigntest.Doubt(2), at(campaigntest.Postpone(2), 3)}, 1},
		"a fault of the account":     {[]campaign.Event{campaigntest.Claim(), at(account(1), 1)}, none},
		"after one":                  {[]campaign.Event{campaigntest.Claim(), at(campaigntest.Postpone(1), 1), campaigntest.Claim(), at(account(2), 2)}, none},
		"and put off again":          {[]campaign.Event{campaigntest.Claim(), at(campaigntest.Postpone(1), 1), campaigntest.Claim(), at(account(2), 2), campaigntest.Claim(), at(campaigntest.Postpone(3), 9)}, 9},
		"accepted":                   {[]campaign.Event{campaigntest.Claim(), at(campaigntest.Postpone(1), 1), campaigntest.Claim(), campaigntest.Accept(2)}, none},
		"accepted by a receipt":      {[]campaign.Event{campaigntest.Claim(), at(campaigntest.Postpone(1), 1), campaigntest.Claim(), campaigntest.Doubt(2), campaigntest.UnderWay(2)}, none},
		"resent":                     {[]campaign.Event{campaigntest.Claim(), at(campaigntest.Postpone(1), 1), campaigntest.Claim(), campaigntest.Doubt(2), campaigntest.Resend()}, none},
		"given up":                   {[]campaign.Event{campaigntest.Claim(), at(campaigntest.Postpone(1), 1), campaigntest.Claim(), campaigntest.Refuse(2)}, none},
		"given up, resent, put off":  {[]campaign.Event{campaigntest.Claim(), at(campaigntest.Postpone(1), 1), campaigntest.Claim(), campaigntest.Refuse(2), campaigntest.Resend(), campaigntest.Claim(), at(campaigntest.Postpone(3), 8)}, 8},
		"a claim that was forgotten": {[]campaign.Event{campaigntest.Claim(), at(campaigntest.Postpone(1), 1), campaigntest.Doubt(2)}, 1},
	} {
		r := campaigntest.Become(t, c.events...)
		want := time.Time{}
		if c.minute != none {
			want = campaigntest.Noon.Add(time.Duration(c.minute) * time.Minute)
		}
		if !r.PutOffAt.Equal(want) {
			t.Errorf("%s: %s, want %s", name, r.PutOffAt, want)
		}
	}
}

func TestNext_WhatHasBeenAnsweredIsNotOverdue(t *testing.T) {
	t.Parallel()
	stale := campaigntest.Overdue()
	stale.At = campaigntest.Noon.Add(30 * time.Minute) // the claim was stale, the new deadline is in an hour
	for name, r := range map[string]campaign.Record{
		"accepted": campaigntest.Become(t, campaigntest.Claim(), campaigntest.Accept(1)),
		"in doubt": campaigntest.Become(t, campaigntest.Claim(), campaigntest.Doubt(1)),
	} {
		if next, err := campaign.Next(r, stale); err != nil || next != r {
			t.Errorf("%s meanwhile: %v%s", name, err, cmp.Diff(r, next))
		}
	}
}

func TestNext_ReceiptForAForgottenAttemptIsBelieved(t *testing.T) {
	t.Parallel()
	r := campaigntest.Become(t, campaigntest.Claim(), campaigntest.Postpone(1), campaigntest.UnderWay(3))
	want := campaign.Record{
		State: campaign.Accepted, Reason: campaign.ReasonLostClaim, Attempt: 3, Reference: campaigntest.Reference(3),
		Status: campaign.Leg{Rank: campaign.RankGateway, Code: 3002}, Legs: campaign.Legs{campaign.WhatsApp: {Rank: campaign.RankGateway, Code: 3002, At: campaigntest.UnderWay(3).At}},
		ClaimedAt: campaigntest.Noon, DueAt: campaigntest.Noon.Add(2 * time.Hour),
	}
	if d := cmp.Diff(want, r); d != "" {
		t.Error(d)
	}
}

func TestNext_ReceiptsProveThatARequestWasAccepted(t *testing.T) {
	t.Parallel()
	for name, events := range map[string][]campaign.Event{
		"claimed":  {campaigntest.Claim(), campaigntest.UnderWay(1)},
		"in doubt": {campaigntest.Claim(), campaigntest.Doubt(1), campaigntest.UnderWay(1)},
	} {
		r := campaigntest.Become(t, events...)
		if r.State != campaign.Accepted || r.Reference != campaigntest.Reference(1) || r.Reason != campaign.NoReason || r.Claim != 0 {
			t.Errorf("%s: %+v", name, r)
		}
	}
	// Found by its reference alone, it is the latest attempt's.
	e := campaigntest.ByWhatsApp(0)
	e.Reference = campaigntest.Reference(1)
	if r := campaigntest.Become(t, campaigntest.Claim(), campaigntest.Accept(1), e); r.State != campaign.Delivered {
		t.Errorf("by its reference: %s", r.State)
	}
}

func TestNext_KeepsOnlyWhatARecordCanHold(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 5000)
	e := campaigntest.Receipt(1, campaign.RankGateway, 1<<60, campaigntest.Leg("whatsapp", campaign.RankNone, 7), campaigntest.Leg(long, campaign.RankFailed, -5))
	e.Reference, e.At = long, campaigntest.Noon.Add(123456789)
	r := campaigntest.Become(t, campaigntest.Claim(), e)
	back, err := campaign.DecodeRecord(r.Encode())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(r, back); d != "" {
		t.Error(d)
	}
	if r.State != campaign.Accepted || len(r.Reference) != 128 || r.Status.Code != 0 || r.Legs[campaign.WhatsApp] != (campaign.Leg{}) {
		t.Errorf("%+v", r)
	}
}

func TestTransitionError_SaysWhatAndWhy(t *testing.T) {
	t.Parallel()
	_, err := campaign.Next(campaigntest.Become(t, campaigntest.Claim()), campaigntest.Claim())
	if got, want := err.Error(), "claim isn't possible while claimed"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	_, err = campaign.Next(campaigntest.Become(t, campaigntest.Claim()), campaigntest.Accept(7))
	if got, want := err.Error(), "accept while claimed: unknown attempt"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	_, err = campaign.Next(campaign.Record{}, campaign.Event{Kind: 200})
	if got, want := err.Error(), "EventKind(200) while planned: unknown event"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestNames_UnknownOnesAreShownAndNeverPanic(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ got, want string }{
		{campaign.State(200).String(), "State(200)"},
		{campaign.Reason(200).String(), "Reason(200)"},
		{campaign.DeliveredBy(200).String(), "DeliveredBy(200)"},
		{campaign.EventKind(200).String(), "EventKind(200)"},
		{campaign.NoReason.String(), ""},
		{campaign.ByBoth.String(), "both"},
		{campaign.ReasonLostClaim.String(), "claim lost"},
	} {
		if tt.got != tt.want {
			t.Errorf("%q, want %q", tt.got, tt.want)
		}
	}
	for _, s := range campaign.States() {
		if back, ok := campaign.ParseState(s.String()); !ok || back != s {
			t.Errorf("state %s reads back as %s, %v", s, back, ok)
		}
	}
	if s, ok := campaign.ParseState("lost"); ok {
		t.Errorf("lost is a state: %s", s)
	}
}
