package callbacks_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/callbacks"
	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/telesign/simulator"
	"github.com/handout-dev/handout/test/redistest"
)

const person = "41790000000" // the first of stand's

// sms is an inbound SMS, written at a time; the zero time: it doesn't say.
func sms(action string, at time.Time) string {
	return fmt.Sprintf(`{"reference_id":"0123456789ABCDEF0123456789ABCDEF","status":{"code":1500,"description":"Delivered"%s},"sub_resource":"mo_sms","errors":{},`+
		`"user_response":{"sender_id":"55555","iso_country_code":"CH","action":"%s","keyword":"x","phone_number":"+%s","mo_message":"x","price":null}}`,
		stamp(at), action, person)
}

// whatsApp is an inbound WhatsApp message, which may answer one of ours.
func whatsApp(action, original string, at time.Time) string {
	if original != "" {
		original = `,"original_reference_id":"` + original + `"`
	}
	return fmt.Sprintf(`{"reference_id":"0123456789ABCDEF0123456789ABCDEF","status":{"code":1500%s},"phone_number":"%s","waba_phone_number":"41790000001",`+
		`"content":{"type":"text","content":{"body":"x"},"end_user_action":{"postback_data":"x","text":"x","action":"%s","keyword":"x"%s}}}`,
		stamp(at), person, action, original)
}

func stamp(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return `,"updated_on":"` + at.UTC().Format("2006-01-02T15:04:05.000000Z") + `"`
}

// listed is why the person with a place in stand's campaigns is on the list, and
// by which campaign; "" when they aren't.
func (r *rig) listed(position int) string {
	r.t.Helper()
	return r.listedNumber(fmt.Sprintf("+4179%07d", position))
}

// listedNumber is listed for any number.
func (r *rig) listedNumber(phone string) string {
	r.t.Helper()
	s, on, err := r.suppressions.Find(r.t.Context(), phone)
	if err != nil {
		r.t.Fatal(err)
	}
	if !on {
		return ""
	}
	if age := time.Since(s.At); age < 0 || s.By != "" {
		r.t.Errorf("the entry is %v old, by %q", age, s.By)
	}
	return strings.TrimSpace(s.Reason() + " " + string(s.Campaign))
}

func TestReply_StopAddsAndStartRemoves(t *testing.T) {
	t.Parallel()
	for shape, body := range map[string]func(action string, at time.Time) string{
		"sms":      sms,
		"whatsapp": func(action string, at time.Time) string { return whatsApp(action, "", at) },
	} {
		for _, write := range []func(string) string{strings.ToLower, strings.ToUpper} {
			t.Run(shape+" "+write("x"), func(t *testing.T) {
				t.Parallel()
				r := setup(t)
				for i, step := range []struct{ action, word, want string }{
					{"help", "inbound", ""}, {"generic", "inbound", ""}, {"start", "start", ""},
					{"stop", "stop", "stop"}, {"stop", "stop", "stop"}, {"help", "inbound", "stop"}, {"generic", "inbound", "stop"},
					{"start", "start", ""}, {"start", "start", ""}, {"stop", "stop", "stop"}, {"", "inbound", "stop"}, {"unstop", "inbound", "stop"},
				} {
					at := time.Now().Add(time.Duration(i-50) * time.Second)
					if got := r.result(body(write(step.action), at)); got != step.word || r.listed(0) != step.want {
						t.Errorf("%d %s: counted as %q, listed as %q; want %q, %q", i, step.action, got, r.listed(0), step.word, step.want)
					}
				}
			})
		}
	}
}

// A START that was said before the STOP, that doesn't say when, or that is captured
// and sent again, changes nothing, however old it is, and the log has it.
func TestReply_TheLastWordSaidHolds(t *testing.T) {
	t.Parallel()
	now := time.Now()
	at := func(d time.Duration) time.Time { return now.Add(-d) }
	month := 30 * 24 * time.Hour
	for name, c := range map[string]struct {
		bodies []string
		want   string
		logged string
	}{
		"a START before the STOP":        {[]string{sms("stop", at(time.Minute)), sms("start", at(time.Hour))}, "stop", "older"},
		"a START of June":                {[]string{sms("start", at(5*month)), sms("stop", at(time.Minute)), sms("start", at(5*month))}, "stop", "older"},
		"a START between two STOPs":      {[]string{sms("stop", at(30*time.Second)), sms("start", at(20*time.Second)), sms("stop", at(10*time.Second)), sms("start", at(20*time.Second))}, "stop", "older"},
		"a START without a time":         {[]string{sms("stop", at(time.Minute)), sms("start", time.Time{})}, "stop", "without a time"},
		"a START after the STOP":         {[]string{sms("stop", at(time.Hour)), whatsApp("START", "", at(time.Minute))}, "", "has taken"},
		"a STOP of before":               {[]string{sms("stop", at(5*month)), sms("start", at(month)), sms("stop", at(5*month))}, "", "has taken"},
		"a STOP that is late":            {[]string{sms("stop", at(5*month)), sms("start", at(10*time.Second)), sms("stop", at(20*time.Second))}, "", "has taken"},
		"a STOP without a time":          {[]string{sms("stop", time.Time{})}, "stop", ""},
		"a START after one without time": {[]string{sms("stop", time.Time{}), sms("start", now.Add(time.Minute))}, "stop", "older"},
		"a START after a long time":      {[]string{sms("stop", at(5*month)), sms("start", at(time.Minute))}, "", "has taken"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := setup(t)
			for _, body := range c.bodies {
				r.hear(body)
			}
			for i := range c.bodies[1:] { // all but the first again, in their order
				r.hear(c.bodies[i+1])
			}
			if got := r.listed(0); got != c.want {
				t.Errorf("listed as %q, want %q", got, c.want)
			}
			if !strings.Contains(r.log.String(), c.logged) {
				t.Errorf("the log has no %q", c.logged)
			}
		})
	}
}

// nextSecond waits until a START said now is later than a STOP said before: times
// are kept in seconds.
func nextSecond() { time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second))) }

// A STOP without a time is known by its reference.
func TestReply_AStopWithoutATimeCountsOnce(t *testing.T) {
	t.Parallel()
	r := setup(t)
	stop := sms("stop", time.Time{})
	r.hear(stop)
	nextSecond()
	r.hear(sms("start", time.Now()))
	r.hear(stop)
	if got := r.listed(0); got != "" {
		t.Errorf("listed as %q", got)
	}
	r.hear(strings.ReplaceAll(stop, "0123456789ABCDEF", "FEDCBA9876543210"))
	if got := r.listed(0); got != "stop" {
		t.Errorf("another STOP: listed as %q", got)
	}
}

func TestReply_SaysWhichCampaignItAnswers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ original, want string }{
		"ours":          {reference(1), "stop c"},
		"in lower case": {strings.ToLower(reference(1)), "stop c"},
		"nobody's":      {reference(99), "stop"},
		"none":          {"", "stop"},
		"no reference":  {"null", "stop"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := setup(t)
			r.stand("older", 3)
			r.sent(r.stand("c", 3), 2, 1)
			before := r.everything()
			r.hear(whatsApp("STOP", c.original, time.Now()))
			if got := r.listed(0); got != c.want {
				t.Errorf("listed as %q, want %q", got, c.want)
			}
			after := r.everything()
			delete(after, "handout:suppressed")
			if c.want == "stop c" {
				if got := r.listedNumber("+41790000002"); got != "stop c" {
					t.Errorf("the recipient is listed as %q", got)
				}
			}
			if diff := cmp.Diff(before, after); diff != "" {
				t.Errorf("something else has changed:\n%s", diff)
			}
		})
	}
}

// The STOP counts more than where it comes from: a ledger that can't say is no
// reason to lose it.
func TestReply_AStopIsKeptThoughItsCampaignCannotBeRead(t *testing.T) {
	t.Parallel()
	r := setup(t)
	r.sent(r.stand("c", 3), 2, 1)
	if err := r.rdb.Set(t.Context(), "handout:campaigns", "broken", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if got := r.result(whatsApp("STOP", reference(1), time.Now())); got != "stop" || r.listed(0) != "stop" {
		t.Errorf("counted as %q, listed as %q", got, r.listed(0))
	}
}

func TestReply_IsRefusedUnlessTelesignHasSignedIt(t *testing.T) {
	t.Parallel()
	r := setup(t)
	r.hear(sms("stop", time.Now()))
	before := r.everything()
	body := sms("start", time.Now().Add(time.Second))
	for name, header := range map[string]http.Header{
		"unsigned": nil, "another body's signature": signed(t, body+" "), "a wrong one": {"Authorization": {"TSA " + customerID + ":AAAA"}},
	} {
		if status := r.call(http.MethodPost, body, header); status != http.StatusUnauthorized {
			t.Errorf("%s: answered with %d", name, status)
		}
	}
	after := r.everything()
	delete(after, "handout:receipts:refused") // the warning
	if diff := cmp.Diff(before, after); diff != "" {
		t.Error(diff)
	}
}

// What isn't written isn't answered with 200, so that Telesign asks again.
func TestReply_IsAskedForAgainWhenItCannotBeWritten(t *testing.T) {
	t.Parallel()
	r := setup(t, redistest.AppendOnly("always"))
	info := r.stand("c", 2)
	r.sent(info, 0, 1)
	stop, blocked := sms("stop", time.Now()), receipt("c.0.1.1", 2, 3003, "sms 3046")
	r.sent(info, 1, 2)
	r.server.Kill()
	for _, body := range []string{stop, sms("start", time.Now()), whatsApp("STOP", reference(1), time.Now()), blocked} {
		if status := r.call(http.MethodPost, body, signed(t, body)); status != http.StatusServiceUnavailable {
			t.Errorf("answered with %d: %s", status, body)
		}
	}
	r.server.Restart()
	r.hear(stop)
	r.hear(blocked)
	if r.listed(0) != "stop" || r.listed(1) != "blocked (3046) c" {
		t.Errorf("listed as %q and %q", r.listed(0), r.listed(1))
	}
}

func TestOptOut_ACodeInAReceiptPutsTheNumberOnTheList(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ body, want string }{
		"status":              {receipt("c.0.0.1", 1, 3046), "blocked (3046) c"},
		"status, 3052":        {receipt("c.0.0.1", 1, 3052, "sms 3052"), "blocklist (3052) c"},
		"a leg":               {receipt("c.0.0.1", 1, 3003, "whatsapp 3046", "sms 3031"), "blocked (3046) c"},
		"the last leg":        {receipt("c.0.0.1", 1, 3003, "whatsapp 3055", "sms 3052"), "blocklist (3052) c"},
		"a leg of a delivery": {receipt("c.0.0.1", 1, 3000, "whatsapp 3046", "sms 3000"), "blocked (3046) c"},
		"on the way":          {receipt("c.0.0.1", 1, 3001, "whatsapp 3046"), "blocked (3046) c"},
		"by reference":        {receipt("", 1, 3003, "sms 3046"), "blocked (3046) c"},
		"another failure":     {receipt("c.0.0.1", 1, 3003, "whatsapp 3056", "sms 3053"), ""},
		"somebody else's":     {receipt("c.0.1.1", 2, 3003, "sms 3046"), ""},
		"another campaign's":  {receipt("d.0.0.1", 1, 3003, "sms 3046"), ""},
		"names that disagree": {receipt("c.0.0.9", 2, 3003, "sms 3046"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := setup(t)
			info := r.stand("c", 2)
			r.sent(info, 0, 1)
			r.sent(info, 1, 2)
			for range 2 { // it comes again
				r.hear(c.body)
				if got := r.listed(0); got != c.want {
					t.Errorf("listed as %q, want %q", got, c.want)
				}
			}
			r.closes(info)
		})
	}
}

// An early receipt is heeded once it is known whose it is.
func TestOptOut_AnEarlyReceiptPutsTheNumberOnTheList(t *testing.T) {
	t.Parallel()
	r := setup(t)
	info := r.stand("c", 1)
	r.hear(receipt("", 1, 3003, "sms 3046"))
	if got := r.listed(0); got != "" {
		t.Errorf("listed as %q", got)
	}
	r.sent(info, 0, 1)
	r.replay()
	r.until("it is on the list", func() bool { return r.listed(0) == "blocked (3046) c" })
	r.until("it is recorded", func() bool { return r.record(info, 0).State == campaign.Failed })
}

// The number comes on the list before the receipt is recorded: a receipt whose
// record stands isn't looked at twice by anybody.
func TestOptOut_ComesBeforeTheRecord(t *testing.T) {
	t.Parallel()
	r := setup(t)
	info := r.stand("c", 1)
	r.sent(info, 0, 1)
	if err := r.rdb.Set(t.Context(), "handout:suppressed", "no hash", 0).Err(); err != nil {
		t.Fatal(err)
	}
	body := receipt("c.0.0.1", 1, 3003, "sms 3046")
	if status := r.call(http.MethodPost, body, signed(t, body)); status != http.StatusServiceUnavailable {
		t.Errorf("answered with %d", status)
	}
	if state := r.record(info, 0).State; state != campaign.Accepted {
		t.Errorf("the record says %s, and nobody is on the list", state)
	}
	if err := r.rdb.Del(t.Context(), "handout:suppressed").Err(); err != nil {
		t.Fatal(err)
	}
	r.hear(body)
	if state := r.record(info, 0).State; state != campaign.Failed || r.listed(0) == "" {
		t.Errorf("%s, listed as %q", state, r.listed(0))
	}
}

// The vendor's double writes as the vendor does.
func TestReply_AsTheSimulatorWritesIt(t *testing.T) {
	t.Parallel()
	r := setup(t)
	r.sent(r.stand("c", 3), 2, 1)
	vendor, err := simulator.New(simulator.Options{CustomerID: customerID, APIKey: apiKey, CallbackURL: r.http.URL + callbacks.Path, Speed: 1000})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(vendor)
	t.Cleanup(server.Close)
	t.Cleanup(vendor.Close)
	for _, step := range []struct{ channel, action, original, want string }{
		{"sms", "stop", "", "stop"}, {"whatsapp", "start", "", ""},
		{"whatsapp", "STOP", reference(1), "stop c"}, {"sms", "help", "", "stop c"}, {"sms", "START", "", ""},
	} {
		nextSecond()
		err := vendor.Receive(t.Context(), simulator.Inbound{Channel: step.channel, PhoneNumber: "+" + person, Action: step.action, OriginalReference: step.original})
		if got := r.listed(0); got != step.want || err != nil {
			t.Errorf("%s by %s: listed as %q, want %q; %v", step.action, step.channel, got, step.want, err)
		}
	}
	if n := r.counted(); n["stop"] != 2 || n["start"] != 2 || n["inbound"] != 1 {
		t.Errorf("counted %v", n)
	}
}
