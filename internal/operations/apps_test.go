package operations_test

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/test/redistest"
)

func TestWebhooks_AStateSaysWhatTheLastDeliveryDid(t *testing.T) {
	t.Parallel()
	rdb := redistest.Start(t).Client()
	o := operations.New(rdb, operations.Options{PrivateWebhooks: true})
	box := ledger.New(rdb).Outbox()
	var status atomic.Int64
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(int(status.Load())) }))
	t.Cleanup(receiver.Close)
	added, err := o.AddWebhook(t.Context(), operations.NewWebhook{URL: receiver.URL, Events: "campaign"})
	if err != nil {
		t.Fatal(err)
	}
	state := func(want string) {
		t.Helper()
		all, err := o.Webhooks(t.Context())
		if err != nil || len(all) != 1 || all[0].State != want {
			t.Errorf("%+v, %v; want %q", all, err, want)
		}
	}
	deliver := func(code int) {
		t.Helper()
		status.Store(int64(code))
		_, _ = o.TestWebhook(t.Context(), added.ID) // the state says what came of it
	}
	state("ok") // nothing was delivered yet
	deliver(503)
	state("the last delivery failed: HTTP 503")
	deliver(204)
	state("ok")
	since := time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)
	if _, err := box.SetFailing(t.Context(), added.ID, since); err != nil {
		t.Fatal(err)
	}
	deliver(500)
	state("failing since 2026-11-01T08:00:00Z: HTTP 500")
	if err := box.Disable(t.Context(), added.ID, since); err != nil {
		t.Fatal(err)
	}
	state("gone since 2026-11-01T08:00:00Z")
}
