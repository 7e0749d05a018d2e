package bench_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/handout-dev/handout/test/redistest"
)

// This file is the plain way.

const plainType = "send"

// plainTask is a task's payload: the message, but for the words that all have
// in common.
type plainTask struct {
	Recipient string `json:"recipient"`
	Phone     string `json:"phone"`
	FileName  string `json:"file_name"`
	URL       string `json:"url"`
}

func newPlainTask(p person) plainTask {
	return plainTask{Recipient: p.recipient, Phone: p.phone[1:], FileName: "order history.xlsx", URL: p.url}
}

func (t *plainTask) externalID() string { return "2026-11-" + t.Recipient }

// plainRequest and what follows are the vendor's request.
type plainRequest struct {
	Channels    []plainChannel          `json:"channels"`
	Recipient   plainRecipient          `json:"recipient"`
	Message     map[string]plainContent `json:"message"`
	MessageType string                  `json:"message_type"`
	ExternalID  string                  `json:"external_id"`
}

type plainChannel struct {
	Channel      string `json:"channel"`
	FallbackTime int    `json:"fallback_time,omitempty"`
}

type plainRecipient struct {
	PhoneNumber string `json:"phone_number"`
}

type plainContent struct {
	Template   string            `json:"template"`
	Parameters map[string]string `json:"parameters"`
}

func (t *plainTask) request() plainRequest {
	return plainRequest{
		Channels:  []plainChannel{{"whatsapp", 600}, {"sms", 0}},
		Recipient: plainRecipient{t.Phone},
		Message: map[string]plainContent{
			"whatsapp": {"file", map[string]string{"url": t.URL, "file_name": t.FileName}},
			"sms":      {"text", map[string]string{"text": "Your viatu.com order history is ready for download at " + t.URL + "."}},
		},
		MessageType: "MKT",
		ExternalID:  t.externalID(),
	}
}

// plainReceipt is as much of the vendor's receipt as is used.
type plainReceipt struct {
	ReferenceID string `json:"reference_id"`
	Status      struct {
		Code int `json:"code"`
	} `json:"status"`
}

// plain is the plain way on one Redis.
type plain struct {
	opt asynq.RedisConnOpt
	rdb *redis.Client

	client *http.Client
	url    string
	done   atomic.Int64 // sends recorded
}

func newPlain(b *testing.B, server *redistest.Server) *plain {
	b.Helper()
	u, err := url.Parse(server.URL())
	if err != nil {
		b.Fatal(err)
	}
	p := &plain{
		opt: asynq.RedisClientOpt{Network: "unix", Addr: u.Path},
		rdb: redis.NewClient(&redis.Options{
			Network: "unix", Addr: u.Path,
			MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		}),
	}
	b.Cleanup(func() { _ = p.rdb.Close() })
	return p
}

// enqueue puts a task for everyone into the queue, and returns how many per
// second.
func (p *plain) enqueue(b *testing.B, of iter.Seq[person]) float64 {
	b.Helper()
	client := asynq.NewClient(p.opt)
	defer client.Close()
	start, n := time.Now(), 0
	for who := range of {
		payload, err := json.Marshal(newPlainTask(who))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := client.Enqueue(asynq.NewTask(plainType, payload)); err != nil {
			b.Fatal(err)
		}
		n++
	}
	return float64(n) / time.Since(start).Seconds()
}

// send sends everything that stands in the queue, n tasks, and returns how many
// per second.
func (p *plain) send(b *testing.B, to *vendor, n, concurrency int) float64 {
	b.Helper()
	transport, _ := http.DefaultTransport.(*http.Transport)
	transport = transport.Clone()
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = concurrency, concurrency
	defer transport.CloseIdleConnections()
	first := &firstRequest{RoundTripper: transport}
	p.client = &http.Client{Transport: first, Timeout: 15 * time.Second}
	p.url = to.url + "/v1/omnichannel"
	p.done.Store(0)
	server := asynq.NewServer(p.opt, asynq.Config{Concurrency: concurrency, LogLevel: asynq.FatalLevel})
	mux := asynq.NewServeMux()
	mux.HandleFunc(plainType, p.handle)
	if err := server.Start(mux); err != nil {
		b.Fatal(err)
	}
	defer server.Shutdown()
	await(b, func() bool { return p.done.Load() == int64(n) })
	return float64(n) / first.since().Seconds()
}

func (p *plain) handle(ctx context.Context, t *asynq.Task) error {
	var task plainTask
	if err := json.Unmarshal(t.Payload(), &task); err != nil {
		return err
	}
	body, err := json.Marshal(task.request())
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.SetBasicAuth(customerID, apiKey)
	req.Header.Set("Content-Type", "application/json")
	resp, err := p.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	var answer plainReceipt
	if err := json.Unmarshal(text, &answer); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK || answer.Status.Code != 3001 {
		return fmt.Errorf("refused: %d, %d", resp.StatusCode, answer.Status.Code)
	}
	if err := p.recordSend(ctx, p.rdb, &task, answer.ReferenceID); err != nil {
		return err
	}
	p.done.Add(1)
	return nil
}

func plainRecipientKey(recipient string) string { return "recipient:" + recipient }
func plainReferenceKey(reference string) string { return "reference:" + reference }

// recordSend writes what a send came to.
func (p *plain) recordSend(ctx context.Context, rdb redis.Cmdable, t *plainTask, reference string) error {
	err := rdb.HSet(ctx, plainRecipientKey(t.Recipient),
		"state", "accepted", "reference", reference, "external_id", t.externalID(),
		"attempts", 1, "sent_at", time.Now().UTC().Format(time.RFC3339)).Err()
	if err != nil {
		return err
	}
	return rdb.Set(ctx, plainReferenceKey(reference), t.Recipient, 0).Err()
}

// ServeHTTP takes a receipt.
func (p *plain) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var receipt plainReceipt
	if err := json.NewDecoder(r.Body).Decode(&receipt); err != nil {
		http.Error(w, "malformed", http.StatusBadRequest)
		return
	}
	recipient, err := p.rdb.Get(r.Context(), plainReferenceKey(receipt.ReferenceID)).Result()
	if err == nil {
		err = p.recordReceipt(r.Context(), p.rdb, recipient, &receipt)
	}
	if err != nil {
		http.Error(w, "not recorded", http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusOK)
}

// recordReceipt writes an outcome.
func (p *plain) recordReceipt(ctx context.Context, rdb redis.Cmdable, recipient string, r *plainReceipt) error {
	state := "pending"
	switch r.Status.Code {
	case 3000:
		state = "delivered"
	case 3003:
		state = "failed"
	}
	return rdb.HSet(ctx, plainRecipientKey(recipient), "state", state, "code", r.Status.Code).Err()
}

// await waits until something is done. It looks rarely enough to cost nothing.
func await(b *testing.B, done func() bool) {
	b.Helper()
	const most = 3 * time.Minute
	for start := time.Now(); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Since(start) > most {
			b.Fatalf("not done after %s", most)
		}
	}
}
