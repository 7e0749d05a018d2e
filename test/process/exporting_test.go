package process_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/handout-dev/handout/internal/orderhistory/database"
	"github.com/handout-dev/handout/internal/orderhistory/store"
	"github.com/handout-dev/handout/internal/schedule"
	"github.com/handout-dev/handout/test/program"
	"github.com/handout-dev/handout/test/redistest"
	"github.com/handout-dev/handout/test/s3test"
)

// orderhistory is the program that schedules run in these tests.
var orderhistory = sync.OnceValues(func() (string, error) { return program.Find("orderhistory", filepath.Dir(binary)) })

// exported is a house whose schedules run orderhistory, each as a case of its
// own: with a shop, a state and settings in a file that its shell reads.
type exported struct {
	*house
	t         testing.TB
	redis     *redistest.Server
	folder    string
	due       time.Time // when all schedules tick, once
	schedules strings.Builder
}

// exporting opens one, with these variables beside the usual.
func exporting(t testing.TB, more ...string) *exported {
	t.Helper()
	program, err := orderhistory()
	if err != nil {
		t.Fatal(err)
	}
	x := &exported{t: t, redis: redistest.Start(t), folder: t.TempDir(), due: time.Now().UTC().Truncate(time.Minute)}
	x.schedules.WriteString("schedules:\n")
	e := quick(x.redis.URL()).with("HANDOUT_SIMULATE_FETCH", "true", "HANDOUT_CHECK_FILES_PRIVATE", "true", "HANDOUT_CHECK_FILES_RATE", "100",
		"HANDOUT_SCHEDULES", filepath.Join(x.folder, "schedules.yaml"), "CASES", x.folder, "ORDERHISTORY_PROGRAM", program)
	x.house = open(t, e.with(more...))
	return x
}

// add makes a schedule with a shop of so many customers, whose numbers are plain,
// and returns the case's environment, for its own commands; the pairs in more
// have the last word.
func (x *exported) add(name, shop string, customers int, more ...string) env {
	x.t.Helper()
	if shop == "" {
		shop = "sqlite:" + filepath.Join(x.folder, name+"-shop.db")
	}
	own := env{
		"ORDERHISTORY_SHOP": shop, "ORDERHISTORY_STATE": "sqlite:" + filepath.Join(x.folder, name+"-state.db"),
		"ORDERHISTORY_CAMPAIGN": filepath.Join(x.folder, name+".yaml"),
	}.with(more...)
	var lines strings.Builder
	for variable, value := range own {
		fmt.Fprintf(&lines, "export %s='%s'\n", variable, strings.ReplaceAll(value, "'", `'\''`))
	}
	x.write(name+".env", lines.String())
	x.write(name+".yaml", strings.Replace(campaignText(name), "\n", "\ncheck_files: sample\n", 1))
	// Its number is noted, and it is the program that the scheduler knows.
	fmt.Fprintf(&x.schedules, `  - name: %s
    cron: "%d %d %d %d *"
    export: [sh, -c, ". $CASES/%[1]s.env; echo $$ >>$CASES/%[1]s.pids; exec $ORDERHISTORY_PROGRAM run --period [[time]] --wait 2m --json --metrics-file $CASES/%[1]s.prom"]
    env: [CASES, "REDIS_URL*", "ORDERHISTORY_*"]
`, name, x.due.Minute(), x.due.Hour(), x.due.Day(), x.due.Month())
	x.write("schedules.yaml", x.schedules.String())
	if err := schedule.NewStore(x.redis.Client()).See(x.t.Context(), name, x.due.Add(-time.Second)); err != nil {
		x.t.Fatal(err)
	}
	own = own.with("REDIS_URL", x.redis.URL())
	x.orderhistory(own, 0, "generate", "--customers", strconv.Itoa(customers))
	var plain []string
	for i, phone := range numbers(customers, plainly) {
		plain = append(plain, fmt.Sprintf("UPDATE customers SET phone = '%s' WHERE id = %d", phone, i+1))
	}
	x.sql(shop, plain...)
	return own
}

// slow gives a schedule's campaign a rate at which it takes so long.
func (x *exported) slow(name string, customers int, takes time.Duration) {
	x.t.Helper()
	x.write(name+".yaml", campaignText(name)+fmt.Sprintf("rate: %.6f\n", float64(customers)/(0.98*takes.Seconds())))
}

// serves is a server of the files in a folder, and says where it is.
func (x *exported) serves(dir string) string {
	x.t.Helper()
	f, err := store.OpenFolder(dir, "")
	if err != nil {
		x.t.Fatal(err)
	}
	server := httptest.NewServer(f)
	x.t.Cleanup(func() { server.Close(); _ = f.Close() })
	return server.URL
}

// campaignOf is the one that a schedule's export opens.
func (x *exported) campaignOf(name string) string {
	return name + "-" + strings.ToLower(x.due.Format("2006-01-02T1504"))
}

func (x *exported) write(name, content string) string {
	x.t.Helper()
	path := filepath.Join(x.folder, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		x.t.Fatal(err)
	}
	return path
}

// orderhistory runs the program by hand, and holds it to an exit status.
func (x *exported) orderhistory(e env, code int, args ...string) string {
	x.t.Helper()
	program, err := orderhistory()
	if err != nil {
		x.t.Fatal(err)
	}
	cmd := exec.CommandContext(x.t.Context(), program, args...)
	cmd.Env = command(x.t.Context(), e).Env
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) || cmd.ProcessState.ExitCode() != code {
		x.t.Fatalf("orderhistory %s: %v\n%s", strings.Join(args, " "), err, out.String())
	}
	return out.String()
}

// sql changes a database.
func (x *exported) sql(url string, statements ...string) {
	x.t.Helper()
	db, err := database.Create(x.t.Context(), url)
	if err != nil {
		x.t.Fatal(err)
	}
	defer db.Close()
	for _, s := range statements {
		if _, err := db.ExecContext(x.t.Context(), s); err != nil {
			x.t.Fatalf("%s: %v", s, err)
		}
	}
}

// pids are the processes that a schedule's exports have been, in order.
func (x *exported) pids(name string) []int {
	x.t.Helper()
	text, err := os.ReadFile(filepath.Join(x.folder, name+".pids"))
	if err != nil && !os.IsNotExist(err) {
		x.t.Fatal(err)
	}
	var all []int
	for _, line := range strings.Fields(string(text)) {
		pid, err := strconv.Atoi(line)
		if err != nil {
			x.t.Fatal(err)
		}
		all = append(all, pid)
	}
	return all
}

// lives says whether a process does something yet: not one that has ended, and
// that no one has asked for its end.
func lives(pid int) bool {
	if runtime.GOOS != "linux" {
		return syscall.Kill(pid, 0) == nil
	}
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)) // gone is empty
	_, rest, _ := strings.Cut(string(stat), ") ")
	return rest != "" && rest[0] != 'Z' && rest[0] != 'X'
}

// bucket is an S3 store behind a door that counts, and can be kept shut.
type bucket struct {
	*s3test.Server
	url string

	mu     sync.Mutex
	puts   map[string]int // of each object
	before int            // the door is shut for the PUT after so many
	seen   int
	shut   chan struct{} // nil: open
	waits  int           // how many PUTs have come to the shut door
}

func newBucket(t testing.TB) *bucket {
	t.Helper()
	b := &bucket{Server: s3test.Start(t), puts: map[string]int{}}
	to, err := url.Parse(b.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	store := httputil.NewSingleHostReverseProxy(to)                         // leaves the host as it was signed
	store.ErrorHandler = func(http.ResponseWriter, *http.Request, error) {} // who asked was killed
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			b.put(r)
		}
		if r.Context().Err() == nil {
			store.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(func() { b.open(); server.Close() })
	b.url = server.URL
	return b
}

func (b *bucket) put(r *http.Request) {
	b.mu.Lock()
	b.puts[r.URL.Path]++
	b.seen++
	shut := b.shut
	if shut == nil || b.seen <= b.before {
		b.mu.Unlock()
		return
	}
	b.waits++
	b.mu.Unlock()
	select {
	case <-shut:
	case <-r.Context().Done():
	}
}

// shutAfter shuts the door after so many more PUTs.
func (b *bucket) shutAfter(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.before, b.shut = b.seen+n, make(chan struct{})
}

func (b *bucket) open() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.shut != nil {
		close(b.shut)
		b.shut = nil
	}
}

func (b *bucket) waiting() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.waits
}

// environment is what an export needs to use the bucket.
func (b *bucket) environment() []string {
	return []string{
		"ORDERHISTORY_S3_BUCKET", s3test.Bucket, "ORDERHISTORY_S3_ENDPOINT", b.url,
		"ORDERHISTORY_S3_ACCESS_KEY", s3test.AccessKey, "ORDERHISTORY_S3_SECRET_KEY", s3test.SecretKey,
	}
}

// objects are the finished files in it.
func (b *bucket) objects(t testing.TB) int {
	t.Helper()
	n := 0
	err := filepath.WalkDir(b.Dir, func(path string, _ os.DirEntry, err error) error {
		if filepath.Ext(path) == ".xlsx" {
			n++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// wire is a way to Redis that stands still when a text comes along, until it is
// let go.
type wire struct {
	url   string
	mu    sync.Mutex
	stop  []byte
	waits int
	open  chan struct{}
}

func newWire(t testing.TB, redisURL, stop string) *wire {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "wire-") // short, as the path of a socket has to be
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{url: "unix://" + filepath.Join(dir, "s"), stop: []byte(stop), open: make(chan struct{})}
	t.Cleanup(func() { _ = l.Close(); w.release(); _ = os.RemoveAll(dir) })
	go func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			to, err := net.Dial("unix", strings.TrimPrefix(redisURL, "unix://"))
			if err != nil {
				_ = from.Close()
				continue
			}
			go func() { _, _ = io.Copy(from, to); _ = from.Close() }()
			go w.carry(to, from)
		}
	}()
	return w
}

func (w *wire) carry(to, from net.Conn) {
	defer to.Close()
	b := make([]byte, 1<<16)
	for {
		n, err := from.Read(b)
		if err != nil {
			return
		}
		if bytes.Contains(b[:n], w.stop) {
			w.mu.Lock()
			w.waits++
			w.mu.Unlock()
			<-w.open
		}
		if _, err := to.Write(b[:n]); err != nil {
			return
		}
	}
}

func (w *wire) waiting() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.waits
}

func (w *wire) release() {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-w.open:
	default:
		close(w.open)
	}
}
