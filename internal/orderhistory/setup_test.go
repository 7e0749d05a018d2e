package orderhistory_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/orderhistory"
	"github.com/handout-dev/handout/internal/orderhistory/database"
	"github.com/handout-dev/handout/internal/orderhistory/sheet"
	"github.com/handout-dev/handout/internal/orderhistory/shop"
	"github.com/handout-dev/handout/internal/orderhistory/state"
	"github.com/handout-dev/handout/internal/orderhistory/store"
	"github.com/handout-dev/handout/internal/s3keys"
	"github.com/handout-dev/handout/internal/secret"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/producer"
	"github.com/handout-dev/handout/test/postgrestest"
	"github.com/handout-dev/handout/test/redistest"
	"github.com/handout-dev/handout/test/s3test"
)

func TestMain(m *testing.M) {
	code := m.Run()
	postgrestest.Stop()
	os.Exit(code)
}

// today ends every test's first period.
var today = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)

func period(t testing.TB, key string) orderhistory.Period {
	t.Helper()
	p, err := orderhistory.ParsePeriod(key, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// world is a shop, a store, a state and a Redis.
type world struct {
	t                 testing.TB
	shopURL, stateURL string
	redis             *redistest.Server
	ledger            *ledger.Ledger
	store             orderhistory.Store
	bucket            *s3test.Server // nil with a folder
	dir               string         // the folder
	x                 *orderhistory.Exporter
}

type parts struct {
	customers int
	orders    int // of each
	postgres  bool
	s3        bool
}

// begin makes a world with a generated shop.
func begin(t testing.TB, p parts) *world {
	t.Helper()
	w := &world{t: t, redis: redistest.Start(t)}
	dir := t.TempDir()
	w.shopURL, w.stateURL = "sqlite:"+filepath.Join(dir, "shop.db"), "sqlite:"+filepath.Join(dir, "state.db")
	if p.postgres {
		w.shopURL = postgrestest.URL(t)
		w.stateURL = w.shopURL
	}
	must(t, shop.Generate(t.Context(), w.shopURL, shop.GenerateOptions{Customers: p.customers, Orders: p.orders, Until: today, Seed: 1}))
	w.ledger = ledger.New(w.redis.Client())
	if p.s3 {
		w.bucket = s3test.Start(t)
		w.dir = w.bucket.Dir
		s, err := store.OpenS3(t.Context(), store.S3Options{
			Endpoint: w.bucket.Endpoint, Region: "us-east-1", Bucket: s3test.Bucket,
			Keys: s3keys.Keys{AccessKey: s3test.AccessKey, SecretKey: secret.New(s3test.SecretKey)}, Connections: 8,
		})
		must(t, err)
		t.Cleanup(func() { must(t, s.Close()) })
		w.store = s
	} else {
		w.dir = filepath.Join(dir, "files")
		server := httptest.NewServer(openFolder(t, w.dir))
		t.Cleanup(server.Close)
		s, err := store.OpenFolder(w.dir, server.URL)
		must(t, err)
		t.Cleanup(func() { must(t, s.Close()) })
		w.store = s
	}
	w.x = w.exporter(w.redis.Client())
	return w
}

func openFolder(t testing.TB, dir string) *store.Folder {
	t.Helper()
	f, err := store.OpenFolder(dir, "")
	must(t, err)
	t.Cleanup(func() { must(t, f.Close()) })
	return f
}

const campaignFile = `
id: order-history
message_type: MKT
channels:
  - channel: whatsapp
    fallback_time: 10m
    template: file
    parameters: {url: "{{.url}}", file_name: "{{.name}}.xlsx"}
`

// exporter opens the world's parts once more, as another process would.
func (w *world) exporter(rdb redis.UniversalClient) *orderhistory.Exporter {
	t := w.t
	t.Helper()
	from, err := shop.Open(t.Context(), w.shopURL, shop.Queries{})
	must(t, err)
	t.Cleanup(func() { must(t, from.Close()) })
	file, err := producer.ParseCampaign("campaign.yaml", []byte(campaignFile))
	must(t, err)
	return &orderhistory.Exporter{
		Shop: from, State: w.state(), Store: w.store, Producer: producer.New(rdb), Ledger: ledger.New(rdb),
		Campaign: *file.Spec, HTTP: http.DefaultClient, Zone: time.UTC, Currency: "USD", Words: sheet.English(), Prefix: "orders",
		LinkLife: 72 * time.Hour, Workers: 2, Uploads: 4, MaxDrift: 0.5, MaxBad: 0.05, TryLinks: 2,
	}
}

// state opens the state once more.
func (w *world) state() *state.State {
	w.t.Helper()
	s, err := state.Open(w.t.Context(), w.stateURL)
	must(w.t, err)
	w.t.Cleanup(func() { _ = s.Close() }) // some are closed before
	return s
}

func (w *world) run(key string, o orderhistory.RunOptions) (*orderhistory.Result, error) {
	w.t.Helper()
	return w.x.Run(w.t.Context(), period(w.t, key), o)
}

// rehearses runs a period dry, as the command does.
func (w *world) rehearses(key string, o orderhistory.RunOptions) (*orderhistory.Result, error) {
	w.t.Helper()
	s, err := state.Rehearse(w.t.Context(), w.stateURL)
	must(w.t, err)
	defer s.Close()
	x := *w.x
	x.State, o.DryRun = s, true
	return x.Run(w.t.Context(), period(w.t, key), o)
}

// runs runs a period that has to succeed.
func (w *world) runs(key string, o orderhistory.RunOptions) *orderhistory.Result {
	w.t.Helper()
	r, err := w.run(key, o)
	if err != nil {
		w.t.Fatalf("period %s: %v", key, err)
	}
	return r
}

// stopsBeforeItsCampaign runs a period whose producer reaches no Redis.
func (w *world) stopsBeforeItsCampaign(key string) {
	w.t.Helper()
	good := w.x.Producer
	nowhere := redis.NewClient(&redis.Options{Addr: "127.0.0.1:9", MaxRetries: -1})
	defer nowhere.Close()
	w.x.Producer = producer.New(nowhere)
	if _, err := w.run(key, orderhistory.RunOptions{}); err == nil {
		w.t.Fatal("it went on")
	}
	w.x.Producer = good
	if n := count(w.t, w.stateURL, "SELECT count(*) FROM orderhistory_exports WHERE phase = 'sending'"); n != 1 {
		w.t.Fatal("it isn't sending")
	}
}

// sql changes the shop.
func (w *world) sql(statements ...string) {
	w.t.Helper()
	db, err := database.Create(w.t.Context(), w.shopURL)
	must(w.t, err)
	defer db.Close()
	for _, s := range statements {
		if _, err := db.ExecContext(w.t.Context(), s); err != nil {
			w.t.Fatalf("%s: %v", s, err)
		}
	}
}

// stateSQL changes the state behind its back.
func (w *world) stateSQL(statement string) {
	w.t.Helper()
	db, err := database.Create(w.t.Context(), w.stateURL)
	must(w.t, err)
	defer db.Close()
	if _, err := db.ExecContext(w.t.Context(), statement); err != nil {
		w.t.Fatalf("%s: %v", statement, err)
	}
}

// recipients are the campaign's list, in order; nil when it doesn't stand.
func (w *world) recipients(id campaign.ID) []campaign.Recipient {
	w.t.Helper()
	ctx := context.WithoutCancel(w.t.Context())
	info, err := w.ledger.Info(ctx, id)
	if err != nil || info.Phase == campaign.Draft {
		return nil
	}
	var all []campaign.Recipient
	for page := 0; len(all) < info.Total; page++ {
		some, err := w.ledger.Recipients(ctx, id, page)
		must(w.t, err)
		all = append(all, some...)
	}
	return all
}

// files are the names of the finished files in the store.
func (w *world) files() []string {
	w.t.Helper()
	var names []string
	must(w.t, filepath.WalkDir(w.dir, func(path string, entry os.DirEntry, err error) error {
		if err == nil && filepath.Ext(path) == ".xlsx" {
			names = append(names, path)
		}
		return err
	}))
	slices.Sort(names)
	return names
}

// fetch gets a link.
func fetch(t testing.TB, link string) *http.Response {
	t.Helper()
	resp, err := http.Get(link)
	must(t, err)
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// count asks the shop or the state for a number.
func count(t testing.TB, url, query string) int {
	t.Helper()
	db, err := database.Create(t.Context(), url)
	must(t, err)
	defer db.Close()
	var n sql.NullInt64
	must(t, db.QueryRowContext(t.Context(), query).Scan(&n))
	return int(n.Int64)
}

// reasonOf is why an error refuses a run; empty for any other.
func reasonOf(err error) orderhistory.Reason {
	var no *orderhistory.Refusal
	if !errors.As(err, &no) {
		return ""
	}
	return no.Reason
}

func name(p parts) string {
	db, files := "SQLite", "folder"
	if p.postgres {
		db = "PostgreSQL"
	}
	if p.s3 {
		files = "S3"
	}
	return fmt.Sprintf("%s, %s", db, files)
}
