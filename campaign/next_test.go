package campaign_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/campaign"
)

// The events of these tests; attempt is filled in where it matters.

func claim() campaign.Event {
	return campaign.Event{Kind: campaign.EventClaim, At: noon, Claim: 0xC1A1}
}

func accept(attempt int) campaign.Event {
	return campaign.Event{
		Kind: campaign.EventAccept, At: noon.Add(time.Second), Attempt: attempt, Code: 3001,
		Reference: reference(attempt), DueAt: noon.Add(time.Hour),
	}
}

func postpone(attempt int) campaign.Event {
	return campaign.Event{
		Kind: campaign.EventDefer, At: noon.Add(time.Second), Attempt: attempt, Code: 3500,
		Reason: campaign.ReasonUnavailable, DueAt: noon.Add(time.Minute),
	}
}

func throttle(attempt int) campaign.Event {
	e := postpone(attempt)
	e.Code, e.Reason, e.Uncounted = 3204, campaign.ReasonThrottled, true
	return e
}

func doubt(attempt int) campaign.Event {
	return campaign.Event{
		Kind: campaign.EventDoubt, At: noon.Add(time.Second), Attempt: attempt, Code: 5000,
		Reason: campaign.ReasonTimeout, DueAt: noon.Add(time.Hour),
	}
}

func refuse(attempt int) campaign.Event {
	return campaign.Event{Kind: campaign.EventRefuse, At: noon.Add(time.Second), Attempt: attempt, Code: 3101, Reason: campaign.ReasonRefused}
}

func receipt(attempt int, rank campaign.Rank, code int, legs ...campaign.ChannelLeg) campaign.Event {
	return campaign.Event{
		Kind: campaign.EventReceipt, At: noon.Add(time.Minute), Attempt: attempt, Reference: reference(attempt),
		DueAt: noon.Add(2 * time.Hour), Status: campaign.Leg{Rank: rank, Code: code}, Legs: legs,
		Final: rank == campaign.RankFailed,
	}
}

func leg(channel string, rank campaign.Rank, code int) campaign.ChannelLeg {
	return campaign.ChannelLeg{Channel: channel, Leg: campaign.Leg{Rank: rank, Code: code}}
}

func underWay(attempt int) campaign.Event {
	return receipt(attempt, campaign.RankGateway, 3002, leg("whatsapp", campaign.RankGateway, 3002))
}

func byWhatsApp(attempt int) campaign.Event {
	return receipt(attempt, campaign.RankDelivered, 3000, leg("whatsapp", campaign.RankDelivered, 3000))
}

func bySMS(attempt int) campaign.Event {
	return receipt(attempt, campaign.RankDelivered, 3000,
		leg("whatsapp", campaign.RankFailed, 3056), leg("sms", campaign.RankDelivered, 3000))
}

func allFailed(attempt int) campaign.Event {
	return receipt(attempt, campaign.RankFailed, 3003,
		leg("whatsapp", campaign.RankFailed, 3056), leg("sms", campaign.RankFailed, 3003))
}

func read(attempt int) campaign.Event {
	return receipt(attempt, campaign.RankRead, 3005, leg("whatsapp", campaign.RankRead, 3005))
}

func overdue() campaign.Event {
	return campaign.Event{Kind: campaign.EventOverdue, At: noon.Add(3 * time.Hour), Reason: campaign.ReasonNoReceipt, DueAt: noon.Add(4 * time.Hour)}
}

func suppress() campaign.Event { return campaign.Event{Kind: campaign.EventSuppress, At: noon} }
func cancel() campaign.Event   { return campaign.Event{Kind: campaign.EventCancel, At: noon} }
func resend() campaign.Event {
	return campaign.Event{Kind: campaign.EventResend, At: noon.Add(3 * time.Hour)}
}

func asSent() campaign.Event {
	return campaign.Event{Kind: campaign.EventAcceptAsSent, At: noon.Add(3 * time.Hour)}
}

// become is the record after events on a planned recipient.
func become(t testing.TB, events ...campaign.Event) campaign.Record {
	t.Helper()
	var r campaign.Record
	for _, e := range events {
		var err error
		if r, err = campaign.Next(r, e); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// situations are records of every state. All that were sent to are at their
// second attempt, so that there is an older one.
func situations(t testing.TB) map[string]campaign.Record {
	t.Helper()
	second := []campaign.Event{claim(), postpone(1), claim()}
	at := func(events ...campaign.Event) campaign.Record { return become(t, append(second, events...)...) }
	return map[string]campaign.Record{
		"planned":     {},
		"claimed":     at(),
		"retrying":    at(postpone(2)),
		"accepted":    at(accept(2)),
		"in_doubt":    at(doubt(2)),
		"delivered":   at(accept(2), byWhatsApp(2)),
		"failed":      at(accept(2), allFailed(2)),
		"refused":     at(refuse(2)),
		"suppressed":  become(t, suppress()),
		"canceled":    become(t, cancel()),
		"unconfirmed": at(accept(2), overdue()),
		// Another attempt was asked for, by what was known of the second.
		"retrying, was in_doubt":    at(doubt(2), resend()),
		"retrying, was failed":      at(accept(2), allFailed(2), resend()),
		"retrying, was unconfirmed": at(accept(2), overdue(), resend()),
		"unconfirmed, was in_doubt": at(doubt(2), resend(), cancel()),
		"unconfirmed, as sent":      at(doubt(2), asSent()),
	}
}

type happening struct {
	name string
	kind campaign.EventKind
	make func(attempt int) campaign.Event
}

// happenings are all events, receipts by what they say. attempt is the
// record's own, or 1 where there was none.
var happenings = []happening{
	{"claim", campaign.EventClaim, func(int) campaign.Event { return claim() }},
	{"accept", campaign.EventAccept, accept},
	{"defer", campaign.EventDefer, postpone},
	{"throttle", campaign.EventDefer, throttle},
	{"doubt", campaign.EventDoubt, doubt},
	{"refuse", campaign.EventRefuse, refuse},
	{"overdue", campaign.EventOverdue, func(int) campaign.Event { return overdue() }},
	{"suppress", campaign.EventSuppress, func(int) campaign.Event { return suppress() }},
	{"cancel", campaign.EventCancel, func(int) campaign.Event { return cancel() }},
	{"resend", campaign.EventResend, func(int) campaign.Event { return resend() }},
	{"as sent", campaign.EventAcceptAsSent, func(int) campaign.Event { return asSent() }},

	{"under way", campaign.EventReceipt, underWay},
	{"whatsapp", campaign.EventReceipt, byWhatsApp},
	{"sms", campaign.EventReceipt, bySMS},
	{"failed", campaign.EventReceipt, allFailed},
	{"read", campaign.EventReceipt, read},
	{"unknown code", campaign.EventReceipt, func(a int) campaign.Event { return receipt(a, campaign.RankProgress, 3999) }},
	{"old failed", campaign.EventReceipt, func(a int) campaign.Event { return allFailed(a - 1) }},
	{"old delivered", campaign.EventReceipt, func(a int) campaign.Event { return bySMS(a - 1) }},
	{"new attempt", campaign.EventReceipt, func(a int) campaign.Event { return underWay(a + 1) }},
	{"foreign", campaign.EventReceipt, func(a int) campaign.Event {
		e := byWhatsApp(a)
		e.Reference = reference(99)
		return e
	}},
	{"bare foreign", campaign.EventReceipt, func(int) campaign.Event {
		e := byWhatsApp(0)
		e.Reference = reference(99)
		return e
	}},
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
		for _, h := range happenings {
			name := [2]string{situation, h.name}
			cell, ok := want[name]
			if !ok {
				t.Errorf("%q by %q has no cell", situation, h.name)
				continue
			}
			next, err := campaign.Next(r, h.make(max(1, r.Attempt)))
			if got := outcome(r, next, err); got != cell {
				t.Errorf("%q by %q: %s, want %s", situation, h.name, got, cell)
			}
			if err != nil && next != r {
				t.Errorf("%q by %q: an error and a change: %s", situation, h.name, cmp.Diff(r, next))
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
		if !slices.ContainsFunc(happenings, func(h happening) bool { return h.kind == k && h.make(1).Kind == k }) {
			t.Errorf("event %s has no column", k)
		}
	}
}

func TestNext_EveryEventMayHappenTwice(t *testing.T) {
	t.Parallel()
	for situation, r := range situations(t) {
		for _, h := range happenings {
			e := h.make(max(1, r.Attempt))
			once, err := campaign.Next(r, e)
			if err != nil {
				continue
			}
			twice, err := campaign.Next(once, e)
			if h.kind == campaign.EventClaim {
				if err == nil {
					t.Errorf("%q: claimed twice", situation)
				}
				continue
			}
			if h.kind == campaign.EventOverdue && once.State == campaign.InDoubt {
				continue // first a stale claim, then a doubt that nobody settled
			}
			if err != nil || twice != once {
				t.Errorf("%q by %q twice: %v%s", situation, h.name, err, cmp.Diff(once, twice))
			}
		}
	}
}

// Walks over all situations and two further events: whatever happens, these
// hold.
func TestNext_GoldenRules(t *testing.T) {
	t.Parallel()
	for situation, start := range situations(t) {
		for _, h1 := range happenings {
			r, err := campaign.Next(start, h1.make(max(1, start.Attempt)))
			if err != nil {
				continue
			}
			for _, h2 := range happenings {
				for _, attempt := range []int{1, 2, 3} {
					next, _ := campaign.Next(r, h2.make(attempt))
					if r.State == campaign.Delivered {
						if next.State != campaign.Delivered {
							t.Fatalf("%q, %q, %q: delivered became %s", situation, h1.name, h2.name, next.State)
						}
						if was, is := r.DeliveredBy(), next.DeliveredBy(); was != is && is != campaign.ByBoth && was != campaign.ByOther {
							t.Fatalf("%q, %q, %q: delivered by %s became by %s", situation, h1.name, h2.name, was, is)
						}
						if r.Read() && !next.Read() {
							t.Fatalf("%q, %q, %q: unread again", situation, h1.name, h2.name)
						}
						if !next.SettledAt.Equal(r.SettledAt) {
							t.Fatalf("%q, %q, %q: settled again", situation, h1.name, h2.name)
						}
					}
					if r.State.Final() && !next.State.Final() && h2.kind != campaign.EventResend && next.Attempt == r.Attempt {
						t.Fatalf("%q, %q, %q: %s became %s", situation, h1.name, h2.name, r.State, next.State)
					}
					if next.Attempt < r.Attempt && h2.kind != campaign.EventDefer {
						t.Fatalf("%q, %q, %q: attempt %d became %d", situation, h1.name, h2.name, r.Attempt, next.Attempt)
					}
					if forgotten := next.Reason == campaign.ReasonLostClaim || start.State == campaign.Planned; !forgotten &&
						(next.Claim != 0) != (next.State == campaign.Claimed || next.State == campaign.InDoubt) &&
						next.Attempt == r.Attempt {
						t.Fatalf("%q, %q, %q: %s with claim %x", situation, h1.name, h2.name, next.State, next.Claim)
					}
				}
			}
		}
	}
}

func TestNext_DeliveredOnlyGrows(t *testing.T) {
	t.Parallel()
	r := become(t, claim(), accept(1), bySMS(1))
	for _, step := range []struct {
		event campaign.Event
		by    campaign.DeliveredBy
		read  bool
	}{
		{underWay(1), campaign.BySMS, false},
		{allFailed(1), campaign.BySMS, false},
		{byWhatsApp(1), campaign.ByBoth, false},
		{read(1), campaign.ByBoth, true},
		{byWhatsApp(1), campaign.ByBoth, true},
		{allFailed(1), campaign.ByBoth, true},
	} {
		var err error
		if r, err = campaign.Next(r, step.event); err != nil {
			t.Fatal(err)
		}
		if r.State != campaign.Delivered || r.DeliveredBy() != step.by || r.Read() != step.read {
			t.Errorf("after %v: %s by %s, read %v", step.event.Status, r.State, r.DeliveredBy(), r.Read())
		}
	}
	if want := noon.Add(time.Minute); !r.SettledAt.Equal(want) {
		t.Errorf("settled at %v, want %v", r.SettledAt, want)
	}
}

func TestNext_DeliveryByAnotherChannelIsOther(t *testing.T) {
	t.Parallel()
	r := become(t, claim(), receipt(1, campaign.RankDelivered, 3000, leg("viber", campaign.RankDelivered, 3000)))
	if r.DeliveredBy() != campaign.ByOther || r.OtherChannel != "viber" {
		t.Errorf("by %s, channel %q", r.DeliveredBy(), r.OtherChannel)
	}
	r = become(t, claim(), receipt(1, campaign.RankDelivered, 3000))
	if r.State != campaign.Delivered || r.DeliveredBy() != campaign.ByOther {
		t.Errorf("without legs: %s by %s", r.State, r.DeliveredBy())
	}
}

func TestNext_AcceptAfterResendMeansThatItIsNotSentAgain(t *testing.T) {
	t.Parallel()
	r := become(t, claim(), doubt(1), resend(), accept(1))
	if r.State != campaign.Accepted || r.Attempt != 1 || r.Reference != reference(1) {
		t.Fatalf("%s, attempt %d, reference %q", r.State, r.Attempt, r.Reference)
	}
	if _, err := campaign.Next(r, claim()); err == nil {
		t.Error("it can be claimed again")
	}
	if want := (campaign.Leg{Rank: campaign.RankProgress, Code: 3001}); r.Status != want {
		t.Errorf("status %v, want %v: the doubt's own code is history", r.Status, want)
	}
}

func TestNext_DuplicatedReceiptDoesNotTakeBackAResend(t *testing.T) {
	t.Parallel()
	for _, news := range []campaign.Event{allFailed(1), underWay(1), accept(1)} {
		r := become(t, claim(), accept(1), underWay(1), allFailed(1), resend(), news)
		if r.State != campaign.Retrying {
			t.Errorf("%s: %s, want retrying", news.Kind, r.State)
		}
	}
	r := become(t, claim(), accept(1), allFailed(1), resend(), byWhatsApp(1))
	if r.State != campaign.Delivered {
		t.Errorf("a delivery after all: %s, want delivered", r.State)
	}
}

func TestNext_AnswersToAnOldAttemptLeaveTheNewOneAlone(t *testing.T) {
	t.Parallel()
	r := become(t, claim(), doubt(1), resend(), claim())
	for _, e := range []campaign.Event{
		accept(1), postpone(1), throttle(1), doubt(1), refuse(1), underWay(1), allFailed(1),
		{Kind: campaign.EventOverdue, Attempt: 1, At: noon.Add(time.Hour)},
		{Kind: campaign.EventResend, Attempt: 1, At: noon.Add(time.Hour)},
	} {
		next, err := campaign.Next(r, e)
		if err != nil || next != r {
			t.Errorf("%s: %v%s", e.Kind, err, cmp.Diff(r, next))
		}
	}
}

func TestNext_ThrottledAttemptGivesItsNumberBack(t *testing.T) {
	t.Parallel()
	r := become(t, claim(), throttle(1))
	if r.State != campaign.Retrying || r.Attempt != 0 || r.Faults != 0 {
		t.Fatalf("%s, attempt %d, faults %d", r.State, r.Attempt, r.Faults)
	}
	if again := become(t, claim(), throttle(1), throttle(1)); again != r {
		t.Errorf("twice: %s", cmp.Diff(r, again))
	}
	if r := become(t, claim(), throttle(1), claim()); r.Attempt != 1 {
		t.Errorf("the next attempt is %d, want 1", r.Attempt)
	}
	// With an attempt before it whose receipts may still come, it keeps it.
	r = become(t, claim(), accept(1), allFailed(1), resend(), claim(), throttle(2))
	next, err := campaign.Next(r, allFailed(1))
	if err != nil || next != r || r.State != campaign.Retrying {
		t.Errorf("%s, attempt %d: %v%s", r.State, r.Attempt, err, cmp.Diff(r, next))
	}
}

func TestNext_RepeatedDeferDoesNotUndoAnothersClaim(t *testing.T) {
	t.Parallel()
	first := claim()
	answer := throttle(1)
	answer.Claim = first.Claim
	second := claim()
	second.Claim = 0xC1A2

	for name, since := range map[string][]campaign.Event{"claimed": {second}, "in doubt": {second, doubt(1)}} {
		r := become(t, append([]campaign.Event{first, answer}, since...)...)
		next, err := campaign.Next(r, answer)
		if err != nil || next != r {
			t.Errorf("%s by another: %v%s", name, err, cmp.Diff(r, next))
		}
	}
}

func TestNext_FaultsCountWhatIsAFault(t *testing.T) {
	t.Parallel()
	r := become(t, claim(), postpone(1), claim(), throttle(2), claim(), postpone(3))
	if r.Faults != 2 {
		t.Errorf("%d faults, want 2", r.Faults)
	}
	if r := become(t, claim(), postpone(1), claim(), doubt(2), resend()); r.Faults != 0 {
		t.Errorf("%d faults after a resend, want 0", r.Faults)
	}
}

func TestNext_TheTimeToGiveUpRunsFromTheFirstPutOff(t *testing.T) {
	t.Parallel()
	at := func(e campaign.Event, minute int) campaign.Event {
		e.At = noon.Add(time.Duration(minute) * time.Minute)
		return e
	}
	account := func(attempt int) campaign.Event {
		e := throttle(attempt)
		e.Reason = campaign.ReasonAccount
		return e
	}
	const none = -1
	for name, c := range map[string]struct {
		events []campaign.Event
		minute int
	}{
		"never":                      {[]campaign.Event{claim()}, none},
		"put off":                    {[]campaign.Event{claim(), at(postpone(1), 1)}, 1},
		"again and again":            {[]campaign.Event{claim(), at(postpone(1), 1), claim(), at(postpone(2), 2), claim(), at(postpone(3), 3), claim()}, 1},
		"throttled":                  {[]campaign.Event{claim(), at(throttle(1), 1), claim(), at(throttle(1), 2)}, 1},
		"a stalled worker":           {[]campaign.Event{claim(), at(postpone(1), 1), claim(), doubt(2), at(postpone(2), 3)}, 1},
		"a fault of the account":     {[]campaign.Event{claim(), at(account(1), 1)}, none},
		"after one":                  {[]campaign.Event{claim(), at(postpone(1), 1), claim(), at(account(2), 2)}, none},
		"and put off again":          {[]campaign.Event{claim(), at(postpone(1), 1), claim(), at(account(2), 2), claim(), at(postpone(3), 9)}, 9},
		"accepted":                   {[]campaign.Event{claim(), at(postpone(1), 1), claim(), accept(2)}, none},
		"accepted by a receipt":      {[]campaign.Event{claim(), at(postpone(1), 1), claim(), doubt(2), underWay(2)}, none},
		"resent":                     {[]campaign.Event{claim(), at(postpone(1), 1), claim(), doubt(2), resend()}, none},
		"given up":                   {[]campaign.Event{claim(), at(postpone(1), 1), claim(), refuse(2)}, none},
		"given up, resent, put off":  {[]campaign.Event{claim(), at(postpone(1), 1), claim(), refuse(2), resend(), claim(), at(postpone(3), 8)}, 8},
		"a claim that was forgotten": {[]campaign.Event{claim(), at(postpone(1), 1), doubt(2)}, 1},
	} {
		r := become(t, c.events...)
		want := time.Time{}
		if c.minute != none {
			want = noon.Add(time.Duration(c.minute) * time.Minute)
		}
		if !r.PutOffAt.Equal(want) {
			t.Errorf("%s: %s, want %s", name, r.PutOffAt, want)
		}
	}
}

func TestNext_WhatHasBeenAnsweredIsNotOverdue(t *testing.T) {
	t.Parallel()
	stale := overdue()
	stale.At = noon.Add(30 * time.Minute) // the claim was stale, the new deadline is in an hour
	for name, r := range map[string]campaign.Record{
		"accepted": become(t, claim(), accept(1)),
		"in doubt": become(t, claim(), doubt(1)),
	} {
		if next, err := campaign.Next(r, stale); err != nil || next != r {
			t.Errorf("%s meanwhile: %v%s", name, err, cmp.Diff(r, next))
		}
	}
}

func TestNext_ReceiptForAForgottenAttemptIsBelieved(t *testing.T) {
	t.Parallel()
	r := become(t, claim(), postpone(1), underWay(3))
	want := campaign.Record{
		State: campaign.Accepted, Reason: campaign.ReasonLostClaim, Attempt: 3, Reference: reference(3),
		Status: campaign.Leg{Rank: campaign.RankGateway, Code: 3002}, WhatsApp: campaign.Leg{Rank: campaign.RankGateway, Code: 3002, At: underWay(3).At},
		ClaimedAt: noon, DueAt: noon.Add(2 * time.Hour),
	}
	if d := cmp.Diff(want, r); d != "" {
		t.Error(d)
	}
}

func TestNext_ReceiptsProveThatARequestWasAccepted(t *testing.T) {
	t.Parallel()
	for name, events := range map[string][]campaign.Event{
		"claimed":  {claim(), underWay(1)},
		"in doubt": {claim(), doubt(1), underWay(1)},
	} {
		r := become(t, events...)
		if r.State != campaign.Accepted || r.Reference != reference(1) || r.Reason != campaign.NoReason || r.Claim != 0 {
			t.Errorf("%s: %+v", name, r)
		}
	}
	// Found by its reference alone, it is the latest attempt's.
	e := byWhatsApp(0)
	e.Reference = reference(1)
	if r := become(t, claim(), accept(1), e); r.State != campaign.Delivered {
		t.Errorf("by its reference: %s", r.State)
	}
}

func TestNext_KeepsOnlyWhatARecordCanHold(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 5000)
	e := receipt(1, campaign.RankGateway, 1<<60, leg("whatsapp", campaign.RankNone, 7), leg(long, campaign.RankFailed, -5))
	e.Reference, e.At = long, noon.Add(123456789)
	r := become(t, claim(), e)
	back, err := campaign.DecodeRecord(r.Encode())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(r, back); d != "" {
		t.Error(d)
	}
	if r.State != campaign.Accepted || len(r.Reference) != 128 || r.Status.Code != 0 || r.WhatsApp != (campaign.Leg{}) {
		t.Errorf("%+v", r)
	}
}

func TestTransitionError_SaysWhatAndWhy(t *testing.T) {
	t.Parallel()
	_, err := campaign.Next(become(t, claim()), claim())
	if got, want := err.Error(), "claim isn't possible while claimed"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	_, err = campaign.Next(become(t, claim()), accept(7))
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
