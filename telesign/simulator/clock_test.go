package simulator_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/telesign/simulator"
)

// The tests of this file are about time, so they run on a clock of their own
// and call the handler directly: a real connection would wait in real time.

func call(t *testing.T, s *simulator.Simulator, method, path string, body []byte) reply {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(string(body)))
	r.Header = basic()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	got := reply{status: w.Code, header: w.Header(), body: w.Body.String()}
	_ = json.Unmarshal(w.Body.Bytes(), &got)
	return got
}

func newSilent(t *testing.T, o simulator.Options) *simulator.Simulator {
	t.Helper()
	o.CustomerID, o.APIKey, o.NoCallbacks, o.Polling = customerID, apiKey, true, true
	s, err := simulator.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestRate_HoldsInEveryOneSecondWindow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSilent(t, simulator.Options{Rate: 3})
		body := encode(t, message("15550000000"))
		var taken []time.Duration
		begin := time.Now()
		for range 40 { // every 100 ms for four seconds
			got := call(t, s, http.MethodPost, "/v1/omnichannel", body)
			switch {
			case got.status == 200:
				taken = append(taken, time.Since(begin))
			case got.status != 429 || got.Status.Code != 3204 || got.Reference != "" || got.header.Get("Retry-After") != "":
				t.Errorf("over the rate: %d %s", got.status, got.body)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if len(taken) != 12 {
			t.Errorf("%d requests were taken in 4 s, want 12: what is refused must not count", len(taken))
		}
		for i := 3; i < len(taken); i++ {
			if taken[i]-taken[i-3] < time.Second {
				t.Errorf("four requests were taken from %v to %v", taken[i-3], taken[i])
			}
		}
		stats := s.Stats()
		if stats.Requests != 40 || stats.MaxPerSecond != 10 || stats.Accepted != 12 || stats.ByAnswer["429/3204"] != 28 {
			t.Errorf("%+v", stats)
		}
		if len(s.Accepted()) != 12 {
			t.Errorf("the log has %d messages, want 12", len(s.Accepted()))
		}
	})
}

func TestRate_EvenSpacingAtTheLimitIsNeverRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSilent(t, simulator.Options{Rate: 10})
		body := encode(t, message("15550000000"))
		for range 100 {
			if got := call(t, s, http.MethodPost, "/v1/omnichannel", body); got.status != 200 {
				t.Fatalf("got %d", got.status)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if got := s.Stats().MaxPerSecond; got != 10 {
			t.Errorf("busiest second: %d, want 10", got)
		}
	})
}

// Another application takes half of the rate in bursts; what we sent counts on.
func TestRate_AnotherApplicationTakesHalfInBursts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSilent(t, simulator.Options{Rate: 10, Bursts: 5 * time.Second})
		body := encode(t, message("15550000000"))
		var taken [20]int // by second
		for i := range 200 {
			if got := call(t, s, http.MethodPost, "/v1/omnichannel", body); got.status == 200 {
				taken[i/10]++
			}
			time.Sleep(100 * time.Millisecond)
		}
		for second, n := range taken {
			want := 10
			if second/5%2 == 1 {
				want = 5
			}
			if first := second%5 == 0; n != want && !(first && n >= 5) { // the second slides
				t.Errorf("second %d: %d requests were taken, want %d", second, n, want)
			}
		}
		if got := s.Stats().Elsewhere; got != 50 {
			t.Errorf("another application made %d requests, want 50", got)
		}
	})
}

func TestRate_SomeAreDeniedByChance(t *testing.T) {
	t.Parallel()
	deny := func(share float64) (denied int) {
		s := newSilent(t, simulator.Options{Denies: share, Seed: 7})
		body := encode(t, message("15550000000"))
		for range 1000 {
			if got := call(t, s, http.MethodPost, "/v1/omnichannel", body); got.Status.Code == 3204 {
				denied++
			}
		}
		return denied
	}
	if n := deny(0.05); n < 25 || n > 75 || n != deny(0.05) {
		t.Errorf("%d of 1000 requests were denied, want some 50, and the same ones each time", n)
	}
	if n := deny(1); n != 1000 {
		t.Errorf("%d of 1000 requests were denied", n)
	}
}

func TestStatus_FollowsTheStoryInTime(t *testing.T) {
	t.Parallel()
	type at struct {
		after time.Duration
		want  string
	}
	const second = time.Second
	for _, tt := range []struct {
		phone string
		speed float64
		steps []at
	}{
		{"15550000000", 1, []at{ // 2 s for WhatsApp: the third digit from the end is 0
			{0, "3001 whatsapp: whatsapp 3001"}, {second, "3002 whatsapp: whatsapp 3002"},
			{3*second - 1, "3002 whatsapp: whatsapp 3002"}, {3 * second, "3000 whatsapp: whatsapp 3000"},
		}},
		{"15550000335", 1, []at{ // 5 s
			{6*second - 1, "3002 whatsapp: whatsapp 3002"}, {6 * second, "3000 whatsapp: whatsapp 3000"},
			{16 * second, "3005 whatsapp: whatsapp 3005"},
		}},
		{"15550000050", 1, []at{
			{599 * second, "3002 whatsapp: whatsapp 3002"}, {600 * second, "3002 whatsapp: whatsapp 3056"},
			{601 * second, "3002 sms: whatsapp 3056, sms 3002"}, {606 * second, "3000 sms: whatsapp 3056, sms 3000"},
		}},
		{"15550000067", 50, []at{
			{12 * second, "3002 whatsapp: whatsapp 3056"}, {606 * second / 50, "3000 sms: whatsapp 3056, sms 3000"},
			{611 * second / 50, "3000 whatsapp: whatsapp 3000, sms 3000"},
		}},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newSilent(t, simulator.Options{Speed: tt.speed})
			ref := call(t, s, http.MethodPost, "/v1/omnichannel", encode(t, message(tt.phone))).Reference
			begin := time.Now()
			for _, step := range tt.steps {
				time.Sleep(step.after - time.Since(begin))
				got := call(t, s, http.MethodGet, "/v1/omnichannel/"+ref, nil)
				if got.status != 200 || got.outline() != step.want {
					t.Errorf("%s after %v: %d %q, want %q", tt.phone, step.after, got.status, got.outline(), step.want)
				}
			}
		})
	}
}

func TestStatus_ReferenceExpires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSilent(t, simulator.Options{Speed: 1000})
		ref := call(t, s, http.MethodPost, "/v1/omnichannel", encode(t, message("15550000000"))).Reference
		var got []int
		for _, wait := range []time.Duration{12 * time.Hour, 1} {
			time.Sleep(wait)
			got = append(got, call(t, s, http.MethodGet, "/v1/omnichannel/"+ref, nil).Status.Code)
		}
		if diff := cmp.Diff([]int{3000, -10004}, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestStatus_HasARateOfItsOwn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSilent(t, simulator.Options{Rate: 1})
		ref := call(t, s, http.MethodPost, "/v1/omnichannel", encode(t, message("15550000000"))).Reference
		var got []int
		for range 2 {
			got = append(got, call(t, s, http.MethodGet, "/v1/omnichannel/"+ref, nil).status)
		}
		if diff := cmp.Diff([]int{200, 429}, got); diff != "" {
			t.Error(diff)
		}
	})
}
