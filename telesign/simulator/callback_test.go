package simulator_test

import (
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/telesign/simulator"
)

func TestCallback_IsTriedFourTimesWithGrowingWaits(t *testing.T) {
	t.Parallel()
	const speed = 500 // waits of 10, 20 and 30 ms
	r := start(t, simulator.Options{Speed: speed})
	r.listener.answers(func(n int, w http.ResponseWriter, _ *http.Request) {
		if n <= 3 {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	m := message("15550000070") // a story with a single callback
	r.post(m)
	r.idle()
	heard := r.listener.callbacks()
	if len(heard) != 4 {
		t.Fatalf("%d attempts, want 4", len(heard))
	}
	for i, wait := range []time.Duration{5 * time.Second, 10 * time.Second, 15 * time.Second} {
		if gap := heard[i+1].at.Sub(heard[i].at); gap < wait/speed {
			t.Errorf("attempt %d came %v after the one before, want at least %v", i+2, gap, wait/speed)
		}
		if heard[i+1].body != heard[0].body {
			t.Errorf("attempt %d has another body", i+2)
		}
	}
	want := simulator.CallbackStats{Attempts: 4, Confirmed: 1, Failed: 3}
	if diff := cmp.Diff(want, r.vendor.Stats().Callbacks); diff != "" {
		t.Error(diff)
	}
}

func TestCallback_IsGivenUpAfterTheFourthAttempt(t *testing.T) {
	t.Parallel()
	r := start(t, simulator.Options{Speed: hurry})
	r.listener.answers(func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	r.post(message("15550000000"))
	r.idle()
	want := simulator.CallbackStats{Attempts: 8, Failed: 8, GivenUp: 2}
	if diff := cmp.Diff(want, r.vendor.Stats().Callbacks); diff != "" {
		t.Error(diff)
	}
}

func TestCallback_OnlyExactly200IsSuccess(t *testing.T) {
	t.Parallel()
	for _, status := range []int{201, 202, 204, 302, 400, 404, 503} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			t.Parallel()
			r := start(t, simulator.Options{Speed: hurry})
			r.listener.answers(func(n int, w http.ResponseWriter, _ *http.Request) {
				if n == 1 {
					w.Header().Set("Location", "/elsewhere")
					w.WriteHeader(status)
				}
			})
			r.post(message("15550000070"))
			r.idle()
			want := simulator.CallbackStats{Attempts: 2, Confirmed: 1, Failed: 1}
			if diff := cmp.Diff(want, r.vendor.Stats().Callbacks); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCallback_SlowListenerCountsAsFailed(t *testing.T) {
	t.Parallel()
	r := start(t, simulator.Options{Speed: hurry, CallbackTimeout: 50 * time.Millisecond})
	r.listener.answers(func(n int, _ http.ResponseWriter, req *http.Request) {
		if n == 1 {
			<-req.Context().Done() // until the simulator hangs up
		}
	})
	r.post(message("15550000070"))
	r.idle()
	want := simulator.CallbackStats{Attempts: 2, Confirmed: 1, Failed: 1}
	if diff := cmp.Diff(want, r.vendor.Stats().Callbacks); diff != "" {
		t.Error(diff)
	}
}

func TestCallback_GoesWhereTheRequestSaysWhenThatIsEnabled(t *testing.T) {
	t.Parallel()
	r := start(t, simulator.Options{Speed: hurry, AllowCallbackURL: true})
	other := listen(t)
	m := message("15550000000")
	m["callback_url"] = other.server.URL
	r.post(m)
	r.idle()
	if here, there := len(r.listener.callbacks()), len(other.callbacks()); here != 0 || there != 2 {
		t.Errorf("%d callbacks went to the account's URL, %d to the request's; want 0 and 2", here, there)
	}
}

func TestCallback_ListenerMayStartLater(t *testing.T) {
	t.Parallel()
	r := start(t, simulator.Options{Speed: 200}) // tried again after 25 ms
	url := r.listener.server.URL
	r.vendor.SetCallbackURL("")
	r.post(message("15550000070"))
	r.until(func() bool { return r.vendor.Stats().Callbacks.Failed > 0 })
	r.vendor.SetCallbackURL(url)
	r.idle()
	if got := r.vendor.Stats().Callbacks; got.Confirmed != 1 || len(r.listener.callbacks()) != 1 {
		t.Errorf("%+v", got)
	}
}

func TestCallback_EarlyOneThatFailsIsTriedAgainAfterTheAnswer(t *testing.T) {
	t.Parallel()
	r := start(t, simulator.Options{Speed: hurry})
	r.listener.answers(func(n int, w http.ResponseWriter, _ *http.Request) {
		if n == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	if got := r.post(message("15550000073")); got.status != 200 {
		t.Fatalf("got %d", got.status)
	}
	r.idle()
	want := simulator.CallbackStats{Attempts: 3, Confirmed: 2, Failed: 1}
	if diff := cmp.Diff(want, r.vendor.Stats().Callbacks); diff != "" {
		t.Error(diff)
	}
}

func TestSend_MessageIsTakenBeforeTheLatency(t *testing.T) {
	t.Parallel()
	r := start(t, simulator.Options{Latency: time.Hour, Speed: hurry})
	ctx, cancel := context.WithCancel(context.Background())
	lost := make(chan error, 1)
	go func() {
		_, err := r.try(ctx, http.MethodPost, "/v1/omnichannel", basic(), encode(t, message("15550000000")))
		lost <- err
	}()
	r.until(func() bool { return len(r.vendor.Accepted()) == 1 })
	cancel()
	if err := <-lost; err == nil {
		t.Error("the answer came without its latency")
	}
	r.idle()
	if n := len(r.listener.callbacks()); n != 2 {
		t.Errorf("%d callbacks, want 2", n)
	}
}

func TestClose_LetsGoOfEverything(t *testing.T) {
	t.Parallel()
	r := start(t, simulator.Options{Speed: 1000})
	called := make(chan struct{}, 10)
	r.listener.answers(func(_ int, _ http.ResponseWriter, req *http.Request) {
		called <- struct{}{}
		<-req.Context().Done()
	})
	r.post(message("15550000050")) // minutes of story left
	heldAnswer := make(chan error, 1)
	go func() {
		_, err := r.try(context.Background(), http.MethodPost, "/v1/omnichannel", basic(), encode(t, message("15550000085")))
		heldAnswer <- err
	}()
	<-called // one is under way
	r.until(func() bool { return len(r.vendor.Accepted()) == 2 })
	r.vendor.Close()
	r.vendor.Close() // twice does no harm
	if err := <-heldAnswer; err == nil {
		t.Error("the held answer came")
	}
	r.idle()
	if got := r.vendor.Stats().Callbacks.Pending; got != 0 {
		t.Errorf("%d callbacks are pending after Close", got)
	}
	if got := r.post(message("15550000000")); got.status != 503 || got.Status.Code != 3500 {
		t.Errorf("POST after Close: %d %s", got.status, got.body)
	}
	resp, err := r.server.Client().Get(r.server.URL + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("readyz after Close: %d", resp.StatusCode)
	}
}

func TestIdle_EndsWithItsContext(t *testing.T) {
	t.Parallel()
	r := start(t, simulator.Options{})
	if err := r.vendor.Idle(context.Background()); err != nil {
		t.Errorf("nothing is pending: %v", err)
	}
	r.post(message("15550000050"))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := r.vendor.Idle(ctx); err == nil {
		t.Error("two callbacks are pending, and Idle says nothing")
	}
}
