package webhook_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/handout-dev/handout/internal/sealed"
	"github.com/handout-dev/handout/internal/webhook"
)

func TestRotate_BothSecretsSignUntilTheOverlapHasPassed(t *testing.T) {
	t.Parallel()
	for name, masterKey := range map[string]string{"sealed": sealed.NewMasterKey(), "in clear": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := setup(t)
			ring, err := sealed.NewRing(masterKey, "")
			if err != nil {
				t.Fatal(err)
			}
			r.ledger.Seal(ring)
			var header http.Header
			var body []byte
			server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
				header = q.Header
				body, _ = io.ReadAll(q.Body)
			}))
			t.Cleanup(server.Close)
			e := r.add(server.URL)
			box := r.ledger.Outbox()
			client := webhook.NewClient(true, nil)
			t.Cleanup(client.Close)
			// signs is how many signatures a delivery now has, and by which secrets.
			signs := func(secrets ...string) (n int, by string) {
				t.Helper()
				all, err := box.Endpoints(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if d, err := webhook.Test(t.Context(), box, client, all.Find(e.ID), time.Now()); err != nil || d.Error != "" {
					t.Fatalf("%+v, %v", d, err)
				}
				for _, s := range secrets {
					verifier, err := standardwebhooks.NewWebhook(s)
					if err != nil {
						t.Fatal(err)
					}
					by += map[bool]string{true: "y", false: "n"}[verifier.Verify(body, header) == nil]
				}
				return len(strings.Fields(header.Get("webhook-signature"))), by
			}
			first, second, third := e.Secret, webhook.NewSecret(), webhook.NewSecret()
			check := func(when string, want int, wantBy string) {
				t.Helper()
				if n, by := signs(first.Reveal(), second.Reveal(), third.Reveal()); n != want || by != wantBy {
					t.Errorf("%s: %d signatures, by %s", when, n, by)
				}
			}
			check("before", 1, "ynn")
			for range 2 { // the answer to the first may have been lost
				if err := box.Rotate(t.Context(), e.ID, second, time.Hour, time.Now()); err != nil {
					t.Fatal(err)
				}
				check("in the overlap", 2, "yyn")
			}
			if stored := r.rdb.HGet(t.Context(), "handout:webhooks", e.ID).Val(); strings.Contains(stored, "whsec_") != (masterKey == "") {
				t.Errorf("it is stored as %s", stored)
			}
			if err := box.Rotate(t.Context(), e.ID, third, time.Hour, time.Now().Add(-time.Hour)); err != nil {
				t.Fatal(err)
			}
			check("once it has passed", 1, "nny")
			if err := box.Rotate(t.Context(), e.ID, first, 0, time.Now()); err != nil {
				t.Fatal(err)
			}
			check("without one", 1, "ynn")
		})
	}
}
