package tracing_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/tracing"
)

var spring = &campaign.Info{ID: "spring", Salt: "k3v7q2m5", Total: 10, Spec: new(campaign.Spec)}

// Another worker finds a claim whose worker was lost, and later that no receipt came.
func TestChanged_WritesTheAttemptOnceItHasGoneWrong(t *testing.T) {
	c := startCollector(t)
	stop := c.start(t, map[string]string{"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0"})
	at := time.Now().Add(-time.Minute).Truncate(time.Second)
	place := campaign.Place{Index: 3}
	doubt := campaign.Record{State: campaign.InDoubt, Reason: campaign.ReasonTimeout, Attempt: 2, ClaimedAt: at}
	tracing.Changed(t.Context(), "settle", time.Now(), spring, place, campaign.Claimed, doubt)
	never := doubt
	never.State = campaign.Unconfirmed
	tracing.Changed(t.Context(), "settle", time.Now(), spring, place, campaign.InDoubt, never)
	tracing.Changed(t.Context(), "settle", time.Now(), spring, campaign.Place{Index: 4}, campaign.Accepted, campaign.Record{State: campaign.Delivered, Attempt: 1})
	stop()
	sends, settles := of(c.all(), "send", "3"), of(c.all(), "settle", "3")
	if len(c.all()) != 3 || len(sends) != 1 || len(settles) != 2 {
		t.Fatalf("%d spans, %d of the attempt, %d of what became of it", len(c.all()), len(sends), len(settles))
	}
	send := sends[0]
	if int64(send.StartTimeUnixNano) != at.UnixNano() || send.about["handout.from"] != "record" || send.about["handout.attempt"] != "2" {
		t.Errorf("the attempt is %v", send)
	}
	for _, s := range settles {
		if s.parent != send.id || s.trace != send.trace || s.Status.GetCode() != 2 {
			t.Errorf("%v isn't of the attempt", s)
		}
	}
}

func TestSpans_OfARetryLeadToTheAttemptBefore(t *testing.T) {
	c := startCollector(t)
	stop := c.start(t, nil)
	for number := 1; number <= 2; number++ {
		a := tracing.Begin(t.Context())
		a.Step("slot")
		a.Claimed(t.Context(), spring, campaign.Place{Index: 3}, number)
		a.End(campaign.Record{State: campaign.Retrying, Attempt: number})
	}
	stop()
	var first, second *seen
	for _, s := range of(c.all(), "send", "3") {
		if s.about["handout.attempt"] == "1" {
			first = s
		} else {
			second = s
		}
	}
	if first == nil || second == nil || first.trace != second.trace || !linked(second, first) || first.id == second.id {
		t.Errorf("%v, %v", first, second)
	}
}

func TestSpans_OfWebhooksSayWhetherTheyWereTaken(t *testing.T) {
	c := startCollector(t)
	stop := c.start(t, nil)
	for i, status := range []int{200, 410, 0} {
		tracing.Delivered(time.Now(), spring, fmt.Sprint("hook", i), 5, status)
	}
	stop()
	all := of(c.all(), "webhook", "")
	if len(all) != 3 {
		t.Fatalf("%d spans", len(all))
	}
	for _, s := range all {
		if taken := s.about["handout.webhook"] == "hook0"; (s.Status.GetCode() == 2) == taken || s.about["handout.campaign"] != "spring" {
			t.Errorf("%v %v", s.about, s.Status)
		}
	}
}

func TestRequests_OutsideOfTheShareAreTracedWhenTheyFail(t *testing.T) {
	c := startCollector(t)
	stop := c.start(t, map[string]string{"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0"})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /people/{number}", func(w http.ResponseWriter, r *http.Request) {
		if r.PathValue("number") == "500" {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	for _, number := range []string{"200", "500"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/people/"+number, nil)
		if err != nil {
			t.Fatal(err)
		}
		tracing.Requests(mux).ServeHTTP(discard{}, r)
	}
	stop()
	if all := c.all(); len(all) != 1 || all[0].Name != "GET /people/{number}" || all[0].about["http.response.status_code"] != "500" {
		t.Errorf("%v", all)
	}
}

type discard struct{}

func (discard) Header() http.Header         { return make(http.Header) }
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) WriteHeader(int)             {}
