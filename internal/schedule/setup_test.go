package schedule

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/test/redistest"
)

const template = `
id: "[[id]]"
message_type: MKT
channels:
  - channel: sms
    template: text
    parameters: {text: "Your order history of [[day]] is at {{.url}}."}
`

// people is a list of n.
func people(n int) string {
	var b strings.Builder
	b.WriteString("recipient,phone,url\n")
	for i := range n {
		fmt.Fprintf(&b, "customer-%d,+1201555%04d,https://files.example.com/%d.xlsx\n", i, i, i)
	}
	return b.String()
}

// room is a Redis, and a folder for files.
type room struct {
	t      *testing.T
	redis  *redistest.Server
	rdb    *redis.Client
	folder string
	log    *lines
}

func newRoom(t *testing.T) *room {
	t.Helper()
	m := &room{t: t, redis: redistest.Start(t), folder: t.TempDir(), log: &lines{}}
	m.rdb = m.redis.Client()
	m.write("campaign.yaml", template)
	return m
}

func (m *room) write(name, content string) string {
	m.t.Helper()
	path := filepath.Join(m.folder, name)
	if err := os.WriteFile(path, []byte(content), 0o700); err != nil {
		m.t.Fatal(err)
	}
	return path
}

func (m *room) read(name string) string {
	m.t.Helper()
	b, err := os.ReadFile(filepath.Join(m.folder, name))
	if err != nil && !os.IsNotExist(err) {
		m.t.Fatal(err)
	}
	return string(b)
}

// runner is one on a file with one schedule, nightly, with these keys beside.
func (m *room) runner(keys string) (*Runner, *Schedule) {
	m.t.Helper()
	if !strings.Contains(keys, "export:") && !strings.Contains(keys, "suppress:") {
		keys = "campaign: campaign.yaml\n" + keys
	}
	if strings.Contains(keys, "FOLDER") && !strings.Contains(keys, "env:") {
		keys = strings.TrimSpace(keys) + "\nenv: [FOLDER]"
	}
	text := "schedules:\n  - name: nightly\n    " + strings.ReplaceAll(strings.TrimSpace(keys), "\n", "\n    ") + "\n"
	all, err := Load(m.write("schedules.yaml", text))
	if err != nil {
		m.t.Fatal(err)
	}
	r, err := New(Options{
		Redis: m.rdb, Schedules: all, Logger: slog.New(slog.NewTextHandler(m.log, nil)), Metrics: prometheus.NewRegistry(),
		Lists: Lists{Private: true, MaxBytes: 1 << 20, Environment: []string{"PATH=" + os.Getenv("PATH"), "FOLDER=" + m.folder}, Errors: os.Stderr},
	})
	if err != nil {
		m.t.Fatal(err)
	}
	return r, all[0]
}

// start runs it until the test ends.
func (m *room) start(r *Runner) *Runner {
	m.t.Helper()
	if err := r.Start(m.t.Context()); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() {
		if err := r.Stop(); err != nil {
			m.t.Error(err)
		}
	})
	return r
}

// byHand does a tick.
func (m *room) byHand(r *Runner, s *Schedule, p Period, h Hand) *Tick {
	m.t.Helper()
	t, err := r.ByHand(m.t.Context(), s, p, h)
	if err != nil {
		m.t.Fatal(err)
	}
	return t
}

func (m *room) tick(p Period) *Tick {
	m.t.Helper()
	for _, t := range m.ticks() {
		if t.Period == p {
			return t
		}
	}
	return &Tick{}
}

func (m *room) ticks() []*Tick {
	m.t.Helper()
	all, err := NewStore(m.rdb).Ticks(context.Background(), "nightly")
	if err != nil {
		m.t.Fatal(err)
	}
	return all
}

// campaigns are the IDs of all that stand, and of drafts.
func (m *room) campaigns() []string {
	m.t.Helper()
	var ids []string
	for _, key := range m.rdb.Keys(m.t.Context(), "handout:{*}:meta").Val() {
		ids = append(ids, strings.TrimSuffix(strings.TrimPrefix(key, "handout:{"), "}:meta"))
	}
	return ids
}

// end makes a campaign done, as a worker would.
func (m *room) end(id campaign.ID) {
	m.t.Helper()
	if err := m.rdb.HSet(m.t.Context(), "handout:{"+string(id)+"}:meta", "state", "done", "finished", time.Now().UnixMilli()).Err(); err != nil {
		m.t.Fatal(err)
	}
}

func (m *room) await(what string, so func() bool) {
	m.t.Helper()
	for deadline := time.Now().Add(time.Minute); !so(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			m.t.Fatalf("not within a minute: %s\n%s", what, m.log)
		}
	}
}

// counted is a counter's value.
func counted(t *testing.T, c prometheus.Counter) float64 {
	t.Helper()
	var d dto.Metric
	if err := c.Write(&d); err != nil {
		t.Fatal(err)
	}
	return d.GetCounter().GetValue()
}

// lines collects a log.
type lines struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
