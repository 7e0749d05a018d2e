package ledger_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/test/campaigntest"
)

var allPhases = []campaign.Phase{
	campaign.Draft, campaign.Running, campaign.Paused, campaign.Held, campaign.Ended, campaign.Settling, campaign.Done,
}

// force puts a campaign into a phase without asking.
func (b *bundle) force(t testing.TB, id campaign.ID, p campaign.Phase) {
	t.Helper()
	if err := b.rdb.HSet(t.Context(), key(id, "meta"), "state", string(p)).Err(); err != nil {
		t.Fatal(err)
	}
}

// steering says what each phase becomes by each verb: a phase; "." is not
// changed; "!" is a PhaseError and not changed.
const steering = `
         | pause  | hold | resume  | cancel   | reopen  | settle   | finish
draft    | !      | .    | !       | !        | .       | .        | .
running  | paused | held | .       | canceled | .       | settling | .
paused   | .      | .    | running | canceled | .       | .        | .
held     | paused | .    | running | canceled | .       | .        | .
canceled | !      | .    | !       | .        | .       | settling | .
settling | !      | .    | !       | !        | running | .        | done
done     | !      | .    | !       | !        | running | .        | .
`

func (b *bundle) verbs(t testing.TB, id campaign.ID) map[string]func() error {
	t.Helper()
	ctx := t.Context()
	return map[string]func() error{
		"pause": func() error {
			return b.ledger.Pause(ctx, id, campaign.Actor{Name: "ann", Why: "lunch"}, campaigntest.Noon)
		},
		"hold":   func() error { return b.ledger.Hold(ctx, id, "no money", campaigntest.Noon) },
		"resume": func() error { return b.ledger.Resume(ctx, id, campaign.Actor{Name: "ann"}, campaigntest.Noon) },
		"cancel": func() error {
			return b.ledger.Cancel(ctx, id, campaign.Actor{Name: "ann", Why: "wrong file"}, campaigntest.Noon)
		},
		"reopen": func() error { return b.ledger.Reopen(ctx, id) },
		"settle": func() error { return b.ledger.Settle(ctx, id) },
		"finish": func() error { return b.ledger.Finish(ctx, id, campaigntest.Noon) },
	}
}

func TestPhase_EveryPhaseByEveryVerb(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.stand(t, "c", 10)
	verbs := b.verbs(t, "c")
	var header []string
	rows := 0
	for line := range strings.Lines(strings.TrimPrefix(steering, "\n")) {
		cells := strings.Split(line, "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if header == nil {
			header = cells
			continue
		}
		rows++
		from := campaign.Phase(cells[0])
		if !slices.Contains(allPhases, from) {
			t.Errorf("%q is no phase", from)
		}
		for i, cell := range cells[1:] {
			verb := header[i+1]
			want := from
			if cell != "." && cell != "!" {
				want = campaign.Phase(cell)
			}
			b.force(t, "c", from)
			if err := b.rdb.HDel(t.Context(), "handout:{c}:meta", "canceled").Err(); err != nil {
				t.Fatal(err)
			}
			err := verbs[verb]()
			var phaseError *campaign.PhaseError
			if isErr := errors.As(err, &phaseError); isErr != (cell == "!") || (err != nil && !isErr) {
				t.Errorf("%s %s: %v", verb, from, err)
			}
			if got := b.phase(t, "c"); got != want {
				t.Errorf("%s %s: %s, want %s", verb, from, got, want)
			}
			// Every call may be made twice.
			_ = verbs[verb]()
			if got := b.phase(t, "c"); got != want {
				t.Errorf("%s %s twice: %s, want %s", verb, from, got, want)
			}
		}
	}
	if rows != len(allPhases) || len(header)-1 != len(verbs) {
		t.Errorf("%d rows for %d phases, %d columns for %d verbs", rows, len(allPhases), len(header)-1, len(verbs))
	}
}

func TestPhase_CanceledIsForGood(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.stand(t, "c", 10)
	verbs := b.verbs(t, "c")
	for _, verb := range []string{"cancel", "settle", "finish", "reopen"} {
		if err := verbs[verb](); err != nil {
			t.Fatal(err)
		}
	}
	if got := b.phase(t, "c"); got != campaign.Ended {
		t.Errorf("reopened as %s, want %s", got, campaign.Ended)
	}
}

func TestPhase_OfNoCampaignIsNotFound(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, verb := range b.verbs(t, "nobody") {
		if err := verb(); !errors.Is(err, ledger.ErrNotFound) {
			t.Errorf("%s: %v, want ErrNotFound", name, err)
		}
	}
	if _, _, _, err := b.ledger.Phase(t.Context(), "nobody"); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("%v, want ErrNotFound", err)
	}
	if left := b.keys(t, "nobody"); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

func TestPhase_ReasonAndTimesGoWithIt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.stand(t, "c", 10)
	verbs := b.verbs(t, "c")
	for _, step := range []struct{ verb, reason string }{
		{"hold", "no money"}, {"pause", "paused by ann: lunch"}, {"resume", ""}, {"pause", "paused by ann: lunch"},
		{"cancel", "canceled by ann: wrong file"}, {"settle", "canceled by ann: wrong file"}, {"finish", "canceled by ann: wrong file"}, {"reopen", "canceled"},
	} {
		if err := verbs[step.verb](); err != nil {
			t.Fatal(err)
		}
		info, err := b.ledger.Info(t.Context(), "c")
		if err != nil {
			t.Fatal(err)
		}
		if info.Reason != step.reason {
			t.Errorf("%s: reason %q, want %q", step.verb, info.Reason, step.reason)
		}
		if finished := !info.FinishedAt.IsZero(); finished != (step.verb == "finish") {
			t.Errorf("%s: finished at %v", step.verb, info.FinishedAt)
		}
	}
}

func TestResume_OfADraftDoesNotStartIt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	o := b.open(t, "c")
	write(t, o, 1)
	if err := b.ledger.Resume(t.Context(), "c", campaign.Actor{Name: "ann"}, campaigntest.Noon); err == nil {
		t.Error("no error")
	}
	info, err := o.Commit(t.Context(), content(1, "digest"), campaign.Beginning{Hold: true})
	if err != nil || !info.StartedAt.IsZero() {
		t.Errorf("%+v, %v", info, err)
	}
	for range 2 {
		if err := b.ledger.Resume(t.Context(), "c", campaign.Actor{Name: "ann"}, campaigntest.Noon); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.ledger.Pause(t.Context(), "c", campaign.Actor{Name: "ann", Why: ""}, campaigntest.Noon); err != nil {
		t.Fatal(err)
	}
	if err := b.ledger.Resume(t.Context(), "c", campaign.Actor{Name: "ann"}, campaigntest.Noon.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if info, err = b.ledger.Info(t.Context(), "c"); err != nil || !info.StartedAt.Equal(campaigntest.Noon) {
		t.Errorf("started at %v, want when it first ran: %v", info.StartedAt, err)
	}
}

// Whose tasks came to nothing while the campaign was stopped is recalled, and no one
// else: in the same step the resume, or the cancel, asks for it.
func TestRecall_IsForThoseWhoStoodInTheQueue(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.stand(t, "c", 500)
	hour := campaigntest.Noon.Add(time.Hour)
	for page, at := range []time.Time{campaigntest.Noon.Add(30 * time.Second), ledger.Waits(), hour} {
		for _, line := range []ledger.Line{ledger.Watched, ledger.Unsent} {
			if err := b.ledger.Enlist(t.Context(), "c", line, at, page); err != nil {
				t.Fatal(err)
			}
		}
	}
	recalled := func(want int) {
		t.Helper()
		s, err := b.ledger.State(t.Context(), "c", campaigntest.Noon)
		if err != nil {
			t.Fatal(err)
		}
		if (s.Recall != "") != (want > 0) {
			t.Errorf("recall %q", s.Recall)
		}
		if err := b.ledger.Recall(t.Context(), "c", s, campaigntest.Noon); err != nil {
			t.Fatal(err)
		}
		for _, line := range []ledger.Line{ledger.Watched, ledger.Unsent} {
			due, err := b.ledger.Due(t.Context(), "c", line, campaigntest.Noon, -1)
			if err != nil || len(due) != want {
				t.Errorf("%d pages of line %d are due, want %d; error %v", len(due), line, want, err)
			}
		}
	}
	for _, c := range []struct {
		verb string
		want int
	}{{"pause", 0}, {"resume", 2}, {"cancel", 3}} {
		if err := b.verbs(t, "c")[c.verb](); err != nil {
			t.Fatal(err)
		}
		recalled(c.want)
	}
}

// retire takes a campaign out as a look does.
func (b *bundle) retire(t testing.TB, id campaign.ID) {
	t.Helper()
	due, err := b.ledger.DueCampaigns(t.Context(), time.Now(), -1)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range due {
		if d.ID == id {
			if err := b.ledger.Retire(t.Context(), d); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestActive_IsWhereWorkIsLeft(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.stand(t, "a", 1)
	b.stand(t, "b", 1)
	want := func(ids ...campaign.ID) {
		t.Helper()
		got, err := b.ledger.Active(t.Context())
		slices.Sort(got)
		if err != nil || !slices.Equal(got, ids) {
			t.Errorf("active %v, %v; want %v", got, err, ids)
		}
	}
	want("a", "b")
	for _, verb := range []string{"pause", "finish", "resume", "finish", "settle"} { // of these only one in settling ends it
		if err := b.verbs(t, "a")[verb](); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := b.ledger.Finish(t.Context(), "a", campaigntest.Noon); err != nil {
			t.Fatal(err)
		}
	}
	b.retire(t, "a")
	want("b")
	if err := b.ledger.Reopen(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	want("a", "b")
}

// A look that has read a campaign before a change can neither put it off nor take it
// out, and a change whose process dies in the middle is looked at later.
func TestDue_AChangeIsNeverOverlooked(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(b *bundle) error{
		"resume": func(b *bundle) error {
			return b.ledger.Resume(context.Background(), "c", campaign.Actor{Name: "ann"}, campaigntest.Noon)
		},
		"cancel": func(b *bundle) error {
			return b.ledger.Cancel(context.Background(), "c", campaign.Actor{Name: "ann"}, campaigntest.Noon)
		},
		"call": func(b *bundle) error {
			return b.ledger.CallDue(context.Background(), "c", ledger.Watched, time.Now().Add(-time.Second), 0)
		},
		"resend": func(b *bundle) error {
			info, err := b.ledger.Info(context.Background(), "c")
			if err != nil {
				return err
			}
			_, err = b.ledger.Apply(context.Background(), info, campaign.Place{}, ledger.Seen{}, campaigntest.Resend())
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			info := b.stand(t, "c", 1)
			if name == "resend" {
				b.apply(t, info, campaign.Place{}, campaigntest.Claim(), campaigntest.Refuse(1))
			}
			if err := b.verbs(t, "c")["pause"](); err != nil {
				t.Fatal(err)
			}
			look := b.dueCampaign(t)
			if _, err := b.ledger.PutOff(t.Context(), look, time.Now().Add(-time.Millisecond)); err != nil {
				t.Fatal(err)
			}
			look = b.dueCampaign(t) // whatever it was called by
			if err := change(b); err != nil {
				t.Fatal(err)
			}
			if _, err := b.ledger.PutOff(t.Context(), look, time.Time{}); err != nil {
				t.Fatal(err)
			}
			if err := b.ledger.Retire(t.Context(), look); err != nil {
				t.Fatal(err)
			}
			if again := b.dueCampaign(t); again.ID != "c" {
				t.Errorf("due: %v", again)
			}
		})
	}
}

func (b *bundle) dueCampaign(t testing.TB) ledger.DueCampaign {
	t.Helper()
	due, err := b.ledger.DueCampaigns(t.Context(), time.Now(), 1)
	if err != nil || len(due) != 1 {
		t.Fatalf("due: %v, %v", due, err)
	}
	return due[0]
}

// A person asks for another attempt at the very moment when the machine thinks
// that it is done.
func TestActive_ReopenAtTheMomentOfFinish(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.stand(t, "c", 1)
	for range 200 {
		b.force(t, "c", campaign.Settling)
		campaigntest.Together(3, func(i int) {
			var err error
			if i == 0 {
				err = b.ledger.Reopen(t.Context(), "c")
			} else {
				err = b.ledger.Finish(t.Context(), "c", campaigntest.Noon)
			}
			if err != nil {
				t.Error(err)
			}
		})
		active, err := b.ledger.Active(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(active) != 1 {
			t.Fatalf("%s, active %v", b.phase(t, "c"), active)
		}
	}
}

func TestInfo_SaysWhatIsBroken(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.stand(t, "c", 1)
	for field, broken := range map[string]string{"spec": "{", "columns": "no", "total": "many", "created": "noon"} {
		was := b.rdb.HGet(t.Context(), key("c", "meta"), field).Val()
		if err := b.rdb.HSet(t.Context(), key("c", "meta"), field, broken).Err(); err != nil {
			t.Fatal(err)
		}
		if info, err := b.ledger.Info(t.Context(), "c"); err == nil || errors.Is(err, ledger.ErrNotFound) {
			t.Errorf("%s: %+v, %v", field, info, err)
		}
		b.rdb.HSet(t.Context(), key("c", "meta"), field, was)
	}
	if _, err := b.ledger.Info(t.Context(), "nobody"); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("%v, want ErrNotFound", err)
	}
}

func TestErrors_SayWhichCampaign(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err  error
		want string
	}{
		{&campaign.PhaseError{ID: "c", Phase: campaign.Done, Verb: "paused"}, "campaign c is done and can't be paused"},
		{&ledger.StandsError{Info: &campaign.Info{ID: "c"}}, "campaign c stands already"},
	} {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}

func TestApply_WhoeverBecomesTheMachinesAgainIsLookedAfter(t *testing.T) {
	t.Parallel()
	for name, again := range map[string]campaign.Event{"receipt": campaigntest.UnderWay(1), "resend": campaigntest.Resend()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			info := b.stand(t, "c", 10)
			at := campaign.Place{Index: 3}
			var seen ledger.Seen
			for _, e := range []campaign.Event{campaigntest.Claim(), campaigntest.Doubt(1), {Kind: campaign.EventOverdue, At: campaigntest.Noon.Add(3 * time.Hour)}} {
				var err error
				if seen, err = b.ledger.Apply(t.Context(), info, at, seen, e); err != nil {
					t.Fatal(err)
				}
			}
			b.force(t, "c", campaign.Done)
			b.retire(t, "c")
			after, err := b.ledger.Apply(t.Context(), info, at, seen, again)
			if err != nil {
				t.Fatal(err)
			}
			if got := b.phase(t, "c"); got != campaign.Settling {
				t.Errorf("the campaign is %s, want %s", got, campaign.Settling)
			}
			next, err := b.nextDue(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if want := after.Record.DueAt; !next.Equal(want) {
				t.Errorf("settle looks at %v, want %v", next, want)
			}
			active, err := b.ledger.Active(t.Context())
			if err != nil || !slices.Contains(active, "c") {
				t.Errorf("active: %v, %v", active, err)
			}
		})
	}
}
