package callbacks_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/handout-dev/handout/test/redistest"
)

// from returns an inbound message as if it came from another number, or from none.
func from(body, phone string) string {
	return strings.NewReplacer(`"+`+person+`"`, `"`+phone+`"`, `"`+person+`"`, `"`+phone+`"`).Replace(body)
}

// named returns an inbound message with a reference of its own.
func named(body, reference string) string {
	return strings.Replace(body, "0123456789ABCDEF0123456789ABCDEF", reference, 1)
}

// A WhatsApp ID isn't always the number that was dialled.
func TestStop_IsOfTheNumberThatWasDialled(t *testing.T) {
	t.Parallel()
	for writes, dialled := range map[string]string{
		"5215512345678": "+525512345678", "551187654321": "+5511987654321", "541123456789": "+5491123456789",
		"12015550123": "+12015550123", "22507345678": "+2250707345678", "+5215512345678": "+525512345678",
	} {
		t.Run(writes, func(t *testing.T) {
			t.Parallel()
			r := setup(t)
			for shape, body := range map[string]func(action string, at time.Time) string{
				"sms": sms, "whatsapp": func(action string, at time.Time) string { return whatsApp(action, "", at) },
			} {
				minute := time.Now().Add(-time.Minute).Truncate(time.Second)
				if shape == "sms" {
					minute = minute.Add(10 * time.Second)
				}
				r.hear(from(body("stop", minute), writes))
				for _, number := range []string{dialled, "+" + strings.TrimPrefix(writes, "+")} {
					if got := r.listedNumber(number); got != "stop" {
						t.Errorf("%s: a form of it is listed as %q", shape, got)
					}
				}
				if n, err := r.suppressions.Count(t.Context()); n != 1 || err != nil {
					t.Errorf("%d numbers are listed, %v", n, err)
				}
			}
		})
	}
}

// A START in one form takes back the STOP in another.
func TestStart_IsOfTheNumberThatWasDialled(t *testing.T) {
	t.Parallel()
	r := setup(t)
	r.hear(from(whatsApp("STOP", "", time.Now().Add(-time.Minute)), "5215512345678"))
	r.hear(from(sms("start", time.Now()), "525512345678"))
	if n, err := r.suppressions.Count(t.Context()); n != 0 || err != nil {
		t.Errorf("%d numbers are listed, %v", n, err)
	}
}

// A STOP without a number, from a WhatsApp user name, or from a number that is none, is
// of the recipient whose message it answers.
func TestStop_WithoutANumberIsOfTheRecipientItAnswers(t *testing.T) {
	t.Parallel()
	for _, sender := range []string{"", "US.13491208655302741918", "US.134912086553", "null", "0", "0041790000000", "417900000001234567890", "none"} {
		t.Run(sender, func(t *testing.T) {
			t.Parallel()
			r := setup(t)
			r.sent(r.stand("c", 3), 2, 1)
			if got := r.result(from(whatsApp("STOP", reference(1), time.Now().Add(-time.Minute)), sender)); got != "stop" {
				t.Errorf("counted as %q", got)
			}
			if got := r.listed(2); got != "stop c" {
				t.Errorf("listed as %q", got)
			}
			r.counts(1, 0)
			if got := r.result(from(whatsApp("START", reference(1), time.Now()), sender)); got != "start" || r.listed(2) != "" {
				t.Errorf("START counted as %q, listed as %q", got, r.listed(2))
			}
		})
	}
}

// counts checks how many numbers are on the list, and how many STOPs wait for a person.
func (r *rig) counts(listed, unresolved int) {
	r.t.Helper()
	n, err := r.suppressions.Count(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	u, err := r.suppressions.CountUnresolved(r.t.Context())
	if n != listed || u != unresolved || err != nil {
		r.t.Errorf("%d listed, %d unresolved, %v; want %d and %d", n, u, err, listed, unresolved)
	}
}

// Whatever else the number is that a reply comes from: the recipient whose message it
// answers isn't written to again either.
func TestStop_IsOfBothIfTheNumbersDiffer(t *testing.T) {
	t.Parallel()
	r := setup(t)
	r.sent(r.standOf("c", "+819012345678"), 0, 1)
	r.hear(whatsApp("STOP", reference(1), time.Now()))
	if r.listed(0) != "stop c" || r.listedNumber("+819012345678") != "stop c" {
		t.Errorf("listed as %q and %q", r.listed(0), r.listedNumber("+819012345678"))
	}
	r.counts(2, 0)
}

// What can't be resolved is kept once, with all that is known of it.
func TestStop_ThatCannotBeResolvedIsKept(t *testing.T) {
	t.Parallel()
	r := setup(t)
	r.stand("c", 3)
	body := from(whatsApp("STOP", reference(9), time.Now()), "US.13491208655302741918")
	for range 2 {
		if got := r.result(body); got != "unresolved" {
			t.Errorf("counted as %q", got)
		}
	}
	r.hear(strings.Replace(from(sms("stop", time.Now()), ""), `"reference_id":"0123456789ABCDEF0123456789ABCDEF",`, "", 1))
	r.counts(0, 2)
	all, err := r.suppressions.Unresolved(t.Context())
	if err != nil || len(all) != 2 || all[0].User != "US.13491208655302741918" || all[0].Original != reference(9) || len(all[1].ID) != 32 {
		t.Errorf("%+v, %v", all, err)
	}
	if !strings.Contains(r.log.String(), "settled by a person") {
		t.Error("the log doesn't have it")
	}
	if there, err := r.suppressions.Settle(t.Context(), all[0].ID); !there || err != nil {
		t.Error(there, err)
	}
	r.hear(body) // a copy
	r.counts(0, 1)
	if got := r.result(from(sms("start", time.Now()), "")); got != "inbound" {
		t.Errorf("START without a number: counted as %q", got)
	}
}

// The message that a STOP answers may become known later, as a receipt's.
func TestStop_IsResolvedOnceItsMessageIsKnown(t *testing.T) {
	t.Parallel()
	r := setup(t)
	info := r.stand("c", 3)
	r.hear(from(whatsApp("STOP", reference(1), time.Now()), ""))
	r.counts(0, 1)
	r.sent(info, 2, 1)
	r.replay()
	r.until("it is on the list", func() bool { return r.listed(2) == "stop c" })
	r.until("it is settled", func() bool {
		n, err := r.suppressions.CountUnresolved(t.Context())
		return err == nil && n == 0
	})
}

// A STOP with a number whose message can't be looked up is recorded at once, and its
// message looked up later.
func TestStop_IsOfBothAlsoIfTheLedgerCannotSay(t *testing.T) {
	t.Parallel()
	r := setup(t)
	r.sent(r.standOf("c", "+819012345678"), 0, 1)
	kept, err := r.rdb.Dump(t.Context(), "handout:campaigns").Result()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.rdb.Set(t.Context(), "handout:campaigns", "broken", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if got := r.result(whatsApp("STOP", reference(1), time.Now())); got != "stop" || r.listed(0) != "stop" {
		t.Errorf("counted as %q, listed as %q", got, r.listed(0))
	}
	r.counts(1, 0) // no person is needed
	if err := r.rdb.RestoreReplace(t.Context(), "handout:campaigns", 0, kept).Err(); err != nil {
		t.Fatal(err)
	}
	r.replay()
	r.until("the recipient is on the list", func() bool { return r.listedNumber("+819012345678") == "stop c" })
	r.until("nothing is kept", func() bool {
		all, err := r.suppressions.Unresolved(t.Context())
		return err == nil && len(all) == 0
	})
}

// A STOP that was answered with 200 stands, whatever dies afterwards.
func TestStop_ThatWasAnsweredStands(t *testing.T) {
	t.Parallel()
	r := setup(t, redistest.AppendOnly("always"))
	r.sent(r.stand("c", 3), 2, 1)
	r.hear(sms("stop", time.Now()))
	r.hear(named(from(whatsApp("STOP", reference(1), time.Now()), ""), reference(50)))
	r.hear(named(from(whatsApp("STOP", reference(9), time.Now()), ""), reference(51)))
	r.server.Kill()
	r.server.Restart()
	if r.listed(0) != "stop" || r.listed(2) != "stop c" {
		t.Errorf("listed as %q and %q", r.listed(0), r.listed(2))
	}
	r.counts(2, 1)
}

// The listener may die between any two of its writes: it hasn't answered then, and
// the same STOP again comes to the same.
func TestStop_CutOffAnywhereComesAgain(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"with a number":          whatsApp("STOP", reference(1), time.Now()),
		"without":                from(whatsApp("STOP", reference(1), time.Now()), ""),
		"without, and unknown":   from(whatsApp("STOP", reference(9), time.Now()), ""),
		"without number or time": from(whatsApp("STOP", reference(1), time.Time{}), ""),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := setup(t)
			r.sent(r.stand("c", 3), 2, 1)
			cut := &cutter{}
			r.rdb.AddHook(cut)
			answered := false
			for n := 1; !answered && n < 50; n++ {
				cut.after(n)
				answered = r.call(http.MethodPost, body, signed(t, body)) == http.StatusOK
			}
			cut.after(0)
			r.hear(body)
			want := map[string][2]int{"with a number": {2, 0}, "without, and unknown": {0, 1}}[name]
			if want == [2]int{} {
				want = [2]int{1, 0}
			}
			r.replay() // what couldn't be looked up in time
			r.until("nothing but what is unknown waits", func() bool {
				n, err := r.suppressions.Count(t.Context())
				u, err2 := r.suppressions.CountUnresolved(t.Context())
				return err == nil && err2 == nil && n == want[0] && u == want[1]
			})
		})
	}
}

// Each case of the list of Latin America: a STOP from the ID that WhatsApp has.
func TestStop_CasesOfLatinAmerica(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/latam.csv")
	if err != nil {
		t.Fatal(err)
	}
	var phones []string
	for _, row := range strings.Split(strings.TrimSpace(string(text)), "\n")[1:] {
		phones = append(phones, strings.Split(row, ",")[1])
	}
	r := setup(t)
	info := r.standOf("c", phones...)
	for i, writes := range []string{"5215512345678", "551187654321", "541123456789", "12015550123"} {
		r.sent(info, i, i)
		r.hear(named(from(whatsApp("STOP", "", time.Now()), writes), fmt.Sprintf("%032d", i)))
		if got := r.listedNumber(phones[i]); got != "stop" {
			t.Errorf("%d is listed as %q", i, got)
		}
	}
}
