package tasks_test

import (
	"errors"
	"flag"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hibiken/asynq"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/queue"
	"github.com/handout-dev/handout/tasks"
	"github.com/handout-dev/handout/test/redistest"
)

var update = flag.Bool("update", false, "write the golden files of testdata anew")

const salt = "k3v7q2m5"

const longest = campaign.ID("a23456789-123456789_123456789-123456789_12345678")

func TestPayloads_AreTheGoldenBytes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		file string
		note *asynq.Task
	}{
		{"send.v1.json", tasks.NewSend(campaign.Attempt{Campaign: "order-history-2026-11", Salt: salt, Place: campaign.Place{Page: 12, Index: 7}, Number: 3})},
		{"send-first.v1.json", tasks.NewSend(campaign.Attempt{Campaign: "0", Salt: salt, Place: campaign.Place{}, Number: 1})},
		{"send-largest.v1.json", tasks.NewSend(campaign.Attempt{Campaign: longest, Salt: salt, Place: campaign.Place{Page: 99_999_999, Index: 99}, Number: 1})},
		{"send-several.v1.json", tasks.NewSends(campaign.Attempt{Campaign: "order-history-2026-11", Salt: salt, Place: campaign.Place{Page: 12, Index: 75}, Number: 1}, 25, nil)},
		{"poll.v1.json", tasks.NewPoll(campaign.Attempt{Campaign: "order-history-2026-11", Salt: salt, Place: campaign.Place{Page: 12, Index: 7}, Number: 3})},
		{"deliver.v1.json", tasks.NewDeliver("order-history-2026-11", "k3v7q2m5x8za", 1795348800)},
	} {
		path := filepath.Join("testdata", c.file)
		if *update {
			if err := os.WriteFile(path, c.note.Payload(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(c.note.Payload())); diff != "" {
			t.Errorf("%s: the payload has changed; written notes must stay readable (-golden +now):\n%s", c.file, diff)
		}
	}
}

func TestPayloads_OfEveryVersionAreRead(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]tasks.Send{
		"send.v1.json":         {Campaign: "order-history-2026-11", Salt: salt, Place: campaign.Place{Page: 12, Index: 7}, Count: 1},
		"send-first.v1.json":   {Campaign: "0", Salt: salt, Count: 1},
		"send-several.v1.json": {Campaign: "order-history-2026-11", Salt: salt, Place: campaign.Place{Page: 12, Index: 75}, Count: 25},
		"send-largest.v1.json": {Campaign: longest, Salt: salt, Place: campaign.Place{Page: 99_999_999, Index: 99}, Count: 1},
	} {
		got, err := tasks.ParseSend(read(t, file))
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: error %v (-want +got):\n%s", file, err, diff)
		}
	}
	if got, err := tasks.ParseDeliver(read(t, "deliver.v1.json")); got != (tasks.Deliver{Campaign: "order-history-2026-11", Endpoint: "k3v7q2m5x8za"}) || err != nil {
		t.Errorf("deliver.v1.json: %v, error %v", got, err)
	}
	if got, err := tasks.ParsePoll(read(t, "poll.v1.json")); got != (tasks.Poll{Campaign: "order-history-2026-11", Place: campaign.Place{Page: 12, Index: 7}}) || err != nil {
		t.Errorf("poll.v1.json: %v, error %v", got, err)
	}
}

func TestPayloads_HoldNothingOfAPerson(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"send.v1.json", "poll.v1.json", "deliver.v1.json"} {
		if b := string(read(t, file)); strings.ContainsAny(b, "+@/") || strings.Contains(b, "phone") {
			t.Errorf("%s: %s", file, b)
		}
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestParseSend_RefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ payload, why string }{
		"a negative version":    {`{"v":-1,"campaign":"a","page":0,"index":0}`, "version -1"},
		"no version":            {`{"campaign":"a","page":0,"index":0}`, "version 0"},
		"nothing":               {``, ""},
		"null":                  {`null`, "version 0"},
		"no JSON":               {`send 0.0 of a`, ""},
		"half of it":            {`{"v":1,"campaign":"a","page":0,"ind`, ""},
		"two of them":           {`{"v":1,"campaign":"a","page":0,"index":0}{}`, ""},
		"a list":                {`[1,"a",0,0]`, ""},
		"a version in text":     {`{"v":"1","campaign":"a","page":0,"index":0}`, ""},
		"no campaign":           {`{"v":1,"page":0,"index":0}`, "campaign ID"},
		"a bad campaign":        {`{"v":1,"campaign":"../a","page":0,"index":0}`, "campaign ID"},
		"a campaign with a tag": {`{"v":1,"campaign":"a}:meta{","page":0,"index":0}`, "campaign ID"},
		"a long campaign":       {`{"v":1,"campaign":"` + strings.Repeat("a", 49) + `","page":0,"index":0}`, "campaign ID"},
		"no page":               {`{"v":1,"campaign":"a","index":0}`, "place"},
		"no index":              {`{"v":1,"campaign":"a","page":0}`, "place"},
		"a null index":          {`{"v":1,"campaign":"a","page":0,"index":null}`, "place"},
		"a negative page":       {`{"v":1,"campaign":"a","page":-1,"index":0}`, "place"},
		"a negative index":      {`{"v":1,"campaign":"a","page":0,"index":-1}`, "place"},
		"an index too high":     {`{"v":1,"campaign":"a","page":0,"index":100}`, "place"},
		"a page past all lists": {`{"v":1,"campaign":"a","page":184467440737095516,"index":20}`, "place"},
		"a page past int":       {`{"v":1,"campaign":"a","page":92233720368547758079,"index":20}`, ""},
		"a count of none":       {`{"v":1,"campaign":"a","page":0,"index":0,"count":0}`, "place"},
		"a negative count":      {`{"v":1,"campaign":"a","page":0,"index":0,"count":-1}`, "place"},
		"a count past the page": {`{"v":1,"campaign":"a","page":0,"index":76,"count":25}`, "place"},
		"a count past int":      {`{"v":1,"campaign":"a","page":0,"index":1,"count":9223372036854775807}`, "place"},
		"a fraction":            {`{"v":1,"campaign":"a","page":0.5,"index":0}`, ""},
		"no place":              {`{"v":1,"campaign":"a"}`, "place"},
	} {
		got, err := tasks.ParseSend([]byte(c.payload))
		if !errors.Is(err, tasks.ErrUnreadable) || !strings.Contains(err.Error(), c.why) {
			t.Errorf("%s: error %v, want one that says %q", name, err, c.why)
		}
		if got != (tasks.Send{}) {
			t.Errorf("%s: a task comes with the error: %v", name, got)
		}
	}
}

// A worker that is older than the program that wrote them leaves them to newer ones.
func TestParse_GivesBackWhatANewerProgramWrote(t *testing.T) {
	t.Parallel()
	for payload, why := range map[string]string{
		`{"v":2,"campaign":"a","page":0,"index":0}`:                     "version 2",
		`{"v":4711,"places":["a"]}`:                                     "version 4711",
		`{"v":1,"campaign":"a","page":0,"index":0,"account":"b"}`:       "account",
		`{"v":1,"campaign":"a","endpoint":"k","format":"v2"}`:           "format",
		`{"v":1,"schedule":"a","period":"2026-11-23T02:00Z","hold":""}`: "hold",
	} {
		_, send := tasks.ParseSend([]byte(payload))
		_, poll := tasks.ParsePoll([]byte(payload))
		_, deliver := tasks.ParseDeliver([]byte(payload))
		_, tick := tasks.ParseTick([]byte(payload))
		for _, err := range []error{send, poll, deliver, tick} {
			if !errors.Is(err, campaign.ErrNewer) || errors.Is(err, tasks.ErrUnreadable) || errors.Is(tasks.Unread(err), asynq.SkipRetry) {
				t.Errorf("%s: %v", payload, err)
			}
		}
		if !strings.Contains(send.Error()+tick.Error(), why) {
			t.Errorf("%s: %v, %v, want %q", payload, send, tick, why)
		}
	}
	if _, err := tasks.ParseSend([]byte(`{`)); !errors.Is(tasks.Unread(err), asynq.SkipRetry) {
		t.Errorf("junk isn't archived: %v", err)
	}
}

func TestParsePoll_RefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	for name, payload := range map[string]string{
		"nothing": ``, "junk": `{`,
		"no place": `{"v":1,"campaign":"a"}`, "a bad campaign": `{"v":1,"campaign":"A","page":0,"index":0}`,
	} {
		got, err := tasks.ParsePoll([]byte(payload))
		if !errors.Is(err, tasks.ErrUnreadable) || got != (tasks.Poll{}) {
			t.Errorf("%s: %v, error %v", name, got, err)
		}
	}
}

func TestParseDeliver_RefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	for name, payload := range map[string]string{
		"nothing": ``, "no campaign": `{"v":1,"endpoint":"k"}`,
		"no endpoint": `{"v":1,"campaign":"a"}`, "a bad endpoint": `{"v":1,"campaign":"a","endpoint":"k:now"}`,
		"the generation": `{"v":1,"campaign":"a","endpoint":"*"}`, "no endpoint at all": `{"v":1,"campaign":"a"}`,
	} {
		if got, err := tasks.ParseDeliver([]byte(payload)); !errors.Is(err, tasks.ErrUnreadable) || got != (tasks.Deliver{}) {
			t.Errorf("%s: %v, error %v", name, got, err)
		}
	}
}

func TestQueueOf_KnowsTheLanes(t *testing.T) {
	t.Parallel()
	for lane, want := range map[campaign.Lane]string{
		campaign.LaneBulk: "bulk", campaign.LaneUrgent: "urgent", "": "bulk", "express": "bulk",
	} {
		if got := tasks.QueueOf(lane); got != want {
			t.Errorf("lane %q: queue %q, want %q", lane, got, want)
		}
	}
}

// note is what asynq knows of a task in the queue.
type note struct {
	ID, Queue, Type, State string
	MaxRetry               int
	Timeout                time.Duration
}

func TestNotes_StandInTheQueueWithTheirOptions(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	queue := queue.New(server.Client())
	inspector := asynq.NewInspectorFromRedisClient(server.Client())
	place := campaign.Place{Page: 4, Index: 17}
	for _, c := range []struct {
		task *asynq.Task
		want note
	}{
		{tasks.NewSend(campaign.Attempt{Campaign: "a", Salt: salt, Place: place, Number: 1}), note{"a.k3v7q2m5.4.17.1", "bulk", "sendfile:send", "pending", 1000, 30 * time.Minute}},
		{tasks.NewSend(campaign.Attempt{Campaign: "a", Salt: salt, Place: place, Number: 2}), note{"a.k3v7q2m5.4.17.2", "urgent", "sendfile:send", "pending", 1000, 30 * time.Minute}},
		{tasks.NewPoll(campaign.Attempt{Campaign: "a", Salt: salt, Place: place, Number: 2}), note{"poll.a.k3v7q2m5.4.17.2", "polls", "receipt:poll", "pending", 1000, 30 * time.Minute}},
		{tasks.NewDeliver("a", "k3v7", 5), note{"deliver.a.k3v7.5", "webhooks", "webhook:deliver", "pending", 10, 5 * time.Minute}},
	} {
		if err := queue.Enqueue(t.Context(), c.want.Queue, c.task); err != nil {
			t.Fatal(err)
		}
		info, err := inspector.GetTaskInfo("handout:"+c.want.Queue, c.want.ID)
		if err != nil {
			t.Fatalf("%s: %v", c.want.ID, err)
		}
		got := note{info.ID, strings.TrimPrefix(info.Queue, "handout:"), info.Type, info.State.String(), info.MaxRetry, info.Timeout}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.want.ID, diff)
		}
		if diff := cmp.Diff(string(c.task.Payload()), string(info.Payload)); diff != "" {
			t.Errorf("%s: payload (-want +got):\n%s", c.want.ID, diff)
		}
		if !info.Deadline.IsZero() {
			t.Errorf("%s: there is a deadline, %v: a task may wait for its rate as long as it must", c.want.ID, info.Deadline)
		}
	}
}

func TestNewSend_AnIDIsTheAttemptsOwn(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	queue := queue.New(server.Client())
	all := []*asynq.Task{
		tasks.NewSend(campaign.Attempt{Campaign: "a", Salt: salt, Place: campaign.Place{Page: 1, Index: 11}, Number: 1}),
		tasks.NewSend(campaign.Attempt{Campaign: "a", Salt: salt, Place: campaign.Place{Page: 11, Index: 1}, Number: 1}),
		tasks.NewSend(campaign.Attempt{Campaign: "a", Salt: salt, Place: campaign.Place{Page: 1, Index: 11}, Number: 2}),
		tasks.NewSend(campaign.Attempt{Campaign: "a-1", Salt: salt, Place: campaign.Place{Page: 1, Index: 11}, Number: 1}),
		tasks.NewSend(campaign.Attempt{Campaign: "a", Salt: salt, Place: campaign.Place{Page: 1, Index: 1}, Number: math.MaxInt32}),
		tasks.NewSends(campaign.Attempt{Campaign: "a", Salt: salt, Place: campaign.Place{Page: 1, Index: 11}, Number: 1}, 2, nil),
		tasks.NewSends(campaign.Attempt{Campaign: "a", Salt: salt, Place: campaign.Place{Page: 1, Index: 11}, Number: 1}, 25, nil),
	}
	if added, err := queue.EnqueueAll(t.Context(), tasks.QueueBulk, all); err != nil || added != len(all) {
		t.Errorf("%d of %d have IDs of their own, error %v", added, len(all), err)
	}
}
