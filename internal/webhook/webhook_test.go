package webhook_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hibiken/asynq"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/outbound"
	"github.com/handout-dev/handout/internal/secret"
	"github.com/handout-dev/handout/internal/webhook"
	"github.com/handout-dev/handout/internal/webhook/outbox"
	"github.com/handout-dev/handout/tasks"
	"github.com/handout-dev/handout/test/redistest"
)

func same(t testing.TB, what string, want, have any) {
	t.Helper()
	if d := cmp.Diff(want, have); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func TestServer_TellsWhatHappenedInOrder(t *testing.T) {
	t.Parallel()
	r := setup(t)
	plain, open, few := r.receiver(nil), r.receiver(nil), r.receiver(nil)
	plain.of(r.add(plain.url))
	open.of(r.add(open.url, func(e *outbox.Endpoint) { e.Phones, e.Events = true, []string{outbox.EventRecipients} }))
	few.of(r.add(few.url, func(e *outbox.Endpoint) { e.Prefix, e.Events = "sp", []string{outbox.EventCampaign} }))
	c := r.stand("c", 250)
	r.fail(c, 203)
	r.fail(c, 7)
	if err := r.ledger.Pause(t.Context(), "c", campaign.Actor{Name: "ann", Why: "lunch"}, noon); err != nil {
		t.Fatal(err)
	}
	r.apply(c, 7, receipt(campaign.RankDelivered, 3000)) // late: it is delivered anew
	r.start(true)
	r.emptied("c")
	all := plain.deliveries()
	same(t, "deliveries", []string{"running", "r203:failed r7:delivered", "paused", "r7:delivered"}, words(all))
	same(t, "a recipient", map[string]any{
		"recipient": "r7", "state": "delivered", "delivered_by": "sms", "read": false, "reason": "", "codes": map[string]any{"sms": 3000.0},
		"delivered_by_channels": []any{"sms"}, "channels": []any{map[string]any{"channel": "sms", "outcome": "delivered", "code": 3000.0}},
		"reference_id": reference(7), "external_id": c.ExternalID(campaign.Place{Index: 7}, 1), "attempts": 1.0, "settled_at": "2026-11-22T12:01:00Z",
	}, all[1].Data.Recipients[1])
	if d := all[2].Data; d.Campaign != "c" || d.State != "paused" || d.By != "ann" || d.Reason != "paused by ann: lunch" ||
		d.Balance["planned"] != 248 || d.Balance["failed"] != 1 || len(d.Balance) != len(campaign.States()) {
		t.Errorf("%+v", d)
	}
	if strings.Contains(all[1].body, "4179") {
		t.Errorf("nobody allowed it phone numbers: %s", all[1].body)
	}
	same(t, "of people alone", []string{"r203:failed r7:delivered", "r7:delivered"}, words(open.deliveries()))
	same(t, "a phone number", phone(203), open.deliveries()[0].Data.Recipients[0]["phone"].(string))
	same(t, "of another campaign", []string(nil), words(few.deliveries()))

	r.apply(c, 203, receipt(campaign.RankDelivered, 3000)) // while it runs
	same(t, "later", "r203:delivered", words(plain.told(5))[4])
}

func TestServer_TellsManyAtATime(t *testing.T) {
	t.Parallel()
	r := setup(t)
	app := r.receiver(nil)
	e := r.add(app.url, func(e *outbox.Endpoint) { e.Events = []string{outbox.EventRecipients} })
	app.of(e)
	c := r.stand("c", 450)
	for i := range 450 {
		r.fail(c, i)
	}
	r.start(true)
	r.emptied("c")
	sizes, seen := []int{}, map[any]int{}
	for _, g := range app.deliveries() {
		sizes = append(sizes, len(g.Data.Recipients))
		for _, p := range g.Data.Recipients {
			seen[p["recipient"]]++
		}
	}
	same(t, "sizes", []int{200, 200, 50}, sizes)
	if len(seen) != 450 {
		t.Errorf("%d people were told of", len(seen))
	}
	log := r.deliveryLog(e)
	if len(log) != 3 || log[0].Count != 50 || log[0].Status != 200 || log[0].Attempt != 1 || log[2].Message != app.deliveries()[0].ID {
		t.Errorf("%+v", log)
	}
}

// What may have been taken is delivered again as it was: what came meanwhile goes
// into another message, since a receiver drops what it knows by its ID.
func TestServer_TellsTheSameMessageAgainUntilItIsTaken(t *testing.T) {
	t.Parallel()
	r := setup(t)
	var down atomic.Bool
	down.Store(true)
	app := r.receiver(func(int, got) int {
		if down.Load() {
			return http.StatusBadGateway
		}
		return http.StatusNoContent
	})
	e := r.add(app.url, func(e *outbox.Endpoint) { e.Events = []string{outbox.EventRecipients} })
	app.of(e)
	c := r.stand("c", 10)
	r.fail(c, 1)
	r.fail(c, 2)
	r.start(true)
	app.told(1)
	r.fail(c, 3)
	app.told(2) // after 5 s
	down.Store(false)
	r.emptied("c")
	all := app.deliveries()
	n := len(all)
	same(t, "deliveries", []string{"r1:failed r2:failed", "r1:failed r2:failed", "r1:failed r2:failed", "r3:failed"}, words(all))
	if all[0].ID == "" || all[0].ID != all[1].ID || all[0].ID != all[n-2].ID || all[0].ID == all[n-1].ID {
		t.Errorf("%+v", all)
	}
	log := r.deliveryLog(e)
	if log[0].Attempt != 1 || log[1].Attempt != 3 || log[2].Error != "HTTP 502" || log[2].Status != 502 || log[3].Attempt != 1 {
		t.Errorf("%+v", log)
	}
	if first, second := log[3].At, log[2].At; second.Sub(first) < 4*time.Second {
		t.Errorf("tried again after %v", second.Sub(first))
	}
	archived(t, r)
}

// archived fails the test if a note was left behind.
func archived(t testing.TB, r *rig) {
	t.Helper()
	info, err := asynq.NewInspectorFromRedisClient(r.rdb).GetQueueInfo("handout:" + tasks.QueueWebhooks)
	if err != nil || info.Archived != 0 || info.Retry != 0 {
		t.Errorf("%+v, %v", info, err)
	}
}

// Redis dies after the receiver has taken the message and before that is noted.
func TestServer_TellsItAgainWhenNobodyCouldNoteIt(t *testing.T) {
	t.Parallel()
	r := setup(t, redistest.AppendOnly("always"))
	reached, killed := make(chan struct{}), make(chan struct{})
	app := r.receiver(func(n int, _ got) int {
		if n == 1 {
			close(reached)
			<-killed
		}
		return http.StatusOK
	})
	app.of(r.add(app.url, func(e *outbox.Endpoint) { e.Events = []string{outbox.EventRecipients} }))
	c := r.stand("c", 10)
	r.fail(c, 1)
	r.start(true)
	<-reached
	r.server.Kill()
	close(killed)
	await(t, "the server notices", func() bool { return strings.Contains(r.log.String(), "deliver to a webhook") })
	r.server.Restart()
	all := app.told(2)
	if all[0].ID != all[1].ID || words(all)[1] != "r1:failed" {
		t.Errorf("%+v", all)
	}
	r.emptied("c")
}

func TestServer_ASlowEndpointIsInNobodysWay(t *testing.T) {
	t.Parallel()
	r := setup(t)
	release := make(chan struct{})
	slow := r.receiver(func(int, got) int { <-release; return http.StatusOK })
	quick := r.receiver(nil)
	slow.of(r.add(slow.url))
	quick.of(r.add(quick.url))
	start := time.Now()
	r.start(true)
	t.Cleanup(func() { close(release) }) // before the server and the receivers end
	for i := range 12 {                  // more campaigns than deliveries can be under way
		c := r.stand(campaign.ID(fmt.Sprint("c", i)), 1)
		r.fail(c, 0)
	}
	quick.told(24)
	// One after the other: the next one begins when the last has had its ten seconds.
	most := 1 + int(time.Since(start)/(10*time.Second))
	if n := len(slow.deliveries()); n > most {
		t.Errorf("the slow one has %d deliveries after %s, want %d at most", n, time.Since(start), most)
	}
}

func TestServer_LeavesAloneWhoIsGone(t *testing.T) {
	t.Parallel()
	r := setup(t)
	app := r.receiver(func(int, got) int { return http.StatusGone })
	e := r.add(app.url)
	app.of(e)
	r.stand("c", 10)
	r.start(true)
	app.told(1)
	await(t, "it is noted", func() bool {
		all, err := r.ledger.Outbox().Endpoints(t.Context())
		return err == nil && !all.Find(e.ID).GoneAt.IsZero()
	})
	c := r.stand("d", 10)
	r.fail(c, 1)
	r.emptied("c")
	r.emptied("d")
	if n := len(app.deliveries()); n != 1 {
		t.Errorf("%d deliveries", n)
	}
}

func TestServer_CallsAnEndpointFailingAfterThreeDays(t *testing.T) {
	t.Parallel()
	r := setup(t)
	var down atomic.Bool
	down.Store(true)
	app := r.receiver(func(int, got) int {
		if down.Load() {
			return http.StatusInternalServerError
		}
		return http.StatusOK
	})
	e := r.add(app.url)
	app.of(e)
	r.stand("c", 10)
	since := time.Now().Add(-73 * time.Hour).UTC().Truncate(time.Millisecond)
	old := fmt.Sprintf(`{"message":"msg_old","count":1,"failed":80,"since":%q}`, since.Format(time.RFC3339Nano))
	if err := r.rdb.HSet(t.Context(), "handout:{c}:told", e.ID+":now", old).Err(); err != nil {
		t.Fatal(err)
	}
	stop := r.start(true)
	app.told(1)
	failing := map[string]time.Time{}
	await(t, "it is noted", func() bool {
		failing, _ = r.ledger.Outbox().Failing(t.Context())
		return len(failing) > 0
	})
	same(t, "failing", map[string]time.Time{e.ID: since}, failing)
	stop()
	if !strings.Contains(r.log.String(), "webhook is failing") || app.deliveries()[0].ID != "msg_old" {
		t.Errorf("%s", r.log)
	}
	// It goes on being tried, in an hour.
	var fields string
	if fields = r.rdb.HGet(t.Context(), "handout:{c}:told", e.ID+":now").Val(); !strings.Contains(fields, `"failed":81`) || !strings.Contains(fields, `"next"`) {
		t.Errorf("%s", fields)
	}
	if err := r.rdb.HSet(t.Context(), "handout:{c}:told", e.ID+":now", old).Err(); err != nil {
		t.Fatal(err)
	}
	down.Store(false)
	r.start(true)
	r.emptied("c")
	if failing, err := r.ledger.Outbox().Failing(t.Context()); err != nil || len(failing) != 0 {
		t.Error(failing, err)
	}
}

func TestServer_SpeaksToNoPrivateAddress(t *testing.T) {
	t.Parallel()
	r := setup(t)
	var called atomic.Int64
	inside := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called.Add(1) }))
	defer inside.Close()
	byName := strings.Replace(inside.URL, "127.0.0.1", "localhost", 1)
	plain := r.receiver(nil)
	var all []outbox.Endpoint
	for _, url := range []string{inside.URL, byName, plain.url} {
		all = append(all, r.add(url))
	}
	r.stand("c", 1)
	r.start(false)
	for i, e := range all {
		await(t, "it is refused", func() bool { return len(r.deliveryLog(e)) > 0 })
		want := outbound.ErrPrivate
		if i == 2 {
			want = webhook.ErrInsecure
		}
		if d := r.deliveryLog(e)[0]; !strings.Contains(d.Error, want.Error()) || d.Status != 0 {
			t.Errorf("%+v", d)
		}
	}
	if called.Load() != 0 || len(plain.deliveries()) != 0 {
		t.Error("it was called")
	}
}

func TestServer_FollowsNoRedirect(t *testing.T) {
	t.Parallel()
	r := setup(t)
	target := r.receiver(nil)
	var asked atomic.Int64
	detour := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		asked.Add(1)
		http.Redirect(w, req, target.url, http.StatusTemporaryRedirect)
	}))
	t.Cleanup(detour.Close)
	e := r.add(detour.URL)
	r.stand("c", 1)
	r.start(true)
	await(t, "it is refused", func() bool { return len(r.deliveryLog(e)) > 0 })
	if d := r.deliveryLog(e)[0]; d.Status != http.StatusTemporaryRedirect || d.Error != "HTTP 307" || len(target.deliveries()) != 0 || asked.Load() == 0 {
		t.Errorf("%+v", d)
	}
}

func TestServer_OfAOneOffSendTellsTheOutcomeAlone(t *testing.T) {
	t.Parallel()
	r := setup(t)
	app := r.receiver(nil)
	app.of(r.add(app.url))
	message := &campaign.Spec{ID: "m", Channels: []campaign.Channel{{Channel: "sms", Template: "text", Parameters: map[string]string{"text": "Yours."}}}}
	id, _, _, err := r.ledger.Append(t.Context(), "", "k", campaign.Recipient{ID: phone(1), Phone: phone(1)}, message, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	c, err := r.ledger.Info(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	r.fail(c, 0)
	r.finish(c)
	if err := r.ledger.Reopen(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	r.start(true)
	r.emptied(id)
	// Whose name is a phone number isn't named.
	same(t, "deliveries", []string{"+*********01:failed"}, words(app.deliveries()))
}

// A recipient who is sent to again has no outcome yet.
func TestServer_TellsOnlyOutcomes(t *testing.T) {
	t.Parallel()
	r := setup(t)
	app := r.receiver(nil)
	app.of(r.add(app.url, func(e *outbox.Endpoint) { e.Events = []string{outbox.EventRecipients} }))
	c := r.stand("c", 3)
	r.fail(c, 0)
	r.fail(c, 1)
	r.apply(c, 0, campaign.Event{Kind: campaign.EventResend, At: noon})
	r.start(true)
	r.emptied("c")
	same(t, "deliveries", []string{"r1:failed"}, words(app.deliveries()))
}

func TestTest_SaysWhatCameOfIt(t *testing.T) {
	t.Parallel()
	r := setup(t)
	app := r.receiver(nil)
	e := r.add(app.url)
	app.of(e)
	client := webhook.NewClient(true, nil)
	defer client.Close()
	d, err := webhook.Test(t.Context(), r.ledger.Outbox(), client, &e, time.Now())
	if err != nil || d.Error != "" || d.Status != 200 || app.deliveries()[0].Type != "webhook.test" {
		t.Errorf("%+v, %v", d, err)
	}
	e.Secret = secret.New("whsec_!s3cr3t")
	if d, err = webhook.Test(t.Context(), r.ledger.Outbox(), client, &e, time.Now()); err != nil || d.Error != "its secret can't be read" {
		t.Errorf("%+v, %v", d, err)
	}
	for range 120 {
		if _, err := webhook.Test(t.Context(), r.ledger.Outbox(), client, &e, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if log := r.deliveryLog(e); len(log) != 100 {
		t.Errorf("the log has %d lines", len(log))
	}
	if _, err := webhook.ParseEvents("campaign,everything"); err == nil || errors.Is(err, webhook.ErrBadURL) {
		t.Error(err)
	}
}

// An endpoint is down for so long that more waits than may: the oldest of the
// oldest campaign goes, and the endpoint learns so first when it is back.
func TestServer_DropsTheOldestBeyondTheBacklogAndTellsSo(t *testing.T) {
	t.Parallel()
	r := setup(t)
	var down atomic.Bool
	down.Store(true)
	app := r.receiver(func(int, got) int {
		if down.Load() {
			return http.StatusServiceUnavailable
		}
		return http.StatusOK
	})
	e := r.add(app.url)
	app.of(e)
	well := r.receiver(nil)
	well.of(r.add(well.url, func(e *outbox.Endpoint) { e.Prefix = "other" }))
	old := r.stand("old", 100)
	stop := r.startWith(true, 100)
	app.told(1) // in vain
	stop()
	for i := range 60 {
		r.fail(old, i)
	}
	young := r.stand("young", 100)
	for i := range 60 {
		r.fail(young, i)
	}
	r.stand("other", 1)
	// 122 and 1 wait, and 100 may: 33 go, that there be 90.
	stop = r.startWith(true, 100)
	await(t, "the log says so", func() bool {
		log := r.deliveryLog(e)
		return len(log) > 0 && log[0].Type == "webhook.dropped" || len(log) > 1 && log[1].Type == "webhook.dropped"
	})
	await(t, "the other is told", func() bool { return len(well.deliveries()) == 1 })
	stop()
	var line outbox.Delivery
	for _, d := range r.deliveryLog(e) {
		if d.Type == "webhook.dropped" && d.Message == "" {
			line = d
		}
	}
	if line.Campaign != "old" || line.Count != 33 || line.Error != "dropped: over 100 were pending" || !strings.Contains(r.log.String(), "level=ERROR") {
		t.Errorf("%+v\n%s", line, r.log)
	}
	dropped, err := r.ledger.Outbox().CountDiscarded(t.Context())
	if err != nil || len(dropped) != 1 || dropped[e.ID] != 33 {
		t.Error(dropped, err)
	}

	down.Store(false)
	before := len(app.deliveries())
	// What was tried in vain waits for some seconds.
	r.startWith(true, 100)
	r.emptied("old")
	r.emptied("young")
	var told []string
	people := 0
	for _, g := range app.deliveries()[before:] {
		if g.Data.Campaign != "old" {
			continue
		}
		if g.Type == "webhook.dropped" {
			told = append(told, words([]got{g})...)
			if d := g.Data; d.From.After(old.CreatedAt) || d.To.Before(line.At.Add(-time.Second)) || d.To.After(line.At.Add(2*time.Minute)) {
				t.Errorf("from %v to %v, and it was dropped at %v", d.From, d.To, line.At)
			}
			continue
		}
		told = append(told, "r")
		people += len(g.Data.Recipients)
	}
	same(t, "told", []string{"dropped 32+1", "r"}, told)
	if people != 28 {
		t.Errorf("%d people of 60 were told of, and 32 dropped", people)
	}
}

// An endpoint without recipients doesn't learn either that some of them were dropped.
func TestServer_TellsOfWhatWasAskedForAlone(t *testing.T) {
	t.Parallel()
	r := setup(t)
	app, all := r.receiver(nil), r.receiver(nil)
	app.of(r.add(app.url, func(e *outbox.Endpoint) { e.Events = []string{outbox.EventCampaign} }))
	all.of(r.add(all.url, func(e *outbox.Endpoint) { e.Events = []string{outbox.EventRecipients} }))
	c := r.stand("c", 100)
	for i := range 50 {
		r.fail(c, i)
	}
	r.startWith(true, 20)
	r.emptied("c")
	same(t, "of the campaign", []string{"dropped 0+1"}, words(app.deliveries()))
	same(t, "of people", "dropped 32+0", words(all.deliveries())[0])
}

func TestServer_WithoutRightsOnItsQueueAsksRedisSeldom(t *testing.T) {
	t.Parallel()
	r := setup(t)
	if err := r.rdb.Do(t.Context(), "acl", "setuser", "default", "resetkeys", "~handout:*").Err(); err != nil {
		t.Fatal(err)
	}
	r.start(true)
	r.server.CallsFewScripts()
}
