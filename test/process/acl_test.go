package process_test

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"go.yaml.in/yaml/v3"

	"github.com/handout-dev/handout/test/redistest"
)

// aclUsers gives a Redis the users of deploy/redis.acl, with their names for passwords.
func aclUsers(t *testing.T, server *redistest.Server) (names []string) {
	t.Helper()
	text, err := os.ReadFile("../../deploy/redis.acl")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 3 || fields[0] != "user" {
			continue
		}
		do := []any{"acl", "setuser", fields[1], "reset", ">" + fields[1]}
		for _, right := range fields[2:] {
			do = append(do, right)
		}
		if err := server.Client().Do(t.Context(), do...).Err(); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		names = append(names, fields[1])
	}
	return names
}

// Each process does all of its work under the user that deploy/redis.acl has for it.
func TestRedis_EachProcessHasAUserWithTheRightsItNeeds(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.AppendOnly("always"))
	aclUsers(t, server)
	defer func() { // also where the test fails before its end: it says why
		denied, err := server.Client().Do(t.Context(), "acl", "log").Slice()
		if err != nil || len(denied) > 0 {
			t.Errorf("denied: %v, %v", denied, err)
		}
	}()
	as := func(e env, user string) env {
		return e.with("REDIS_URL", strings.Replace(server.URL(), "unix://", "unix://"+user+":"+user+"@", 1))
	}
	e := quick(server.URL()).with("HANDOUT_QUEUES_WRITE", "true", "HANDOUT_WEBHOOK_ALLOW_PRIVATE", "true",
		"HANDOUT_MASTER_KEY", strings.TrimSpace(done(t, bare(), "master-key", "create")))
	listen := serve(t, as(e, "listen"), "listen")
	e = e.with("HANDOUT_SIMULATE_CALLBACK_URL", listen.url+"/callbacks/telesign")
	simulate := serve(t, e.with("REDIS_URL", ""), "simulate")
	e = e.with("TELESIGN_URL", simulate.url)
	work := serve(t, as(e, "work"), "work")
	console := serve(t, as(e, "console"), "console")
	cli := as(e, "cli")

	key := strings.TrimSpace(done(t, cli, "key", "create", "--name", "olga", "--scopes", "read,submit,control,people"))
	done(t, cli, "webhook", "add", work.url+"/healthz", "--events", "recipients")
	list := listFile(t, numbers(40, func(int, int) bool { return true }))
	done(t, cli, "submit", campaignFile(t, "spring"), list)
	olga := &caller{t, console.url, key}
	for _, page := range []string{
		"/campaigns", "/campaigns/spring", "/campaigns/spring/people", "/doubt", "/suppression", "/templates", "/webhooks", "/keys", "/audit", "/queues/", "/api/v1/campaigns", "/readyz",
	} {
		olga.ask(http.StatusOK, "GET", page, "", nil)
	}
	olga.ask(http.StatusNoContent, "POST", "/queues/api/queues/handout:bulk:pause", "", nil)
	olga.ask(http.StatusNoContent, "POST", "/queues/api/queues/handout:bulk:resume", "", nil)
	olga.ask(http.StatusCreated, "PUT", "/api/v1/suppression/+12015550123", "application/json", strings.NewReader(`{"why":"by letter"}`))
	olga.ask(http.StatusOK, "PUT", "/api/v1/account/rate", "application/json", strings.NewReader(`{"rate":400}`))
	send, err := http.NewRequestWithContext(t.Context(), http.MethodPost, console.url+"/api/v1/sends", strings.NewReader(
		`{"phone":"+12015550100","recipient":"a","message_type":"ARN","channels":[{"channel":"sms","template":"text","parameters":{"text":"Hello"}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	send.Header = http.Header{"Authorization": {"Bearer " + key}, "Idempotency-Key": {"one"}, "Content-Type": {"application/json"}}
	if resp, err := http.DefaultClient.Do(send); err != nil || resp.StatusCode >= 300 {
		t.Fatalf("a one-off send: %v, %v", resp, err)
	} else {
		_ = resp.Body.Close()
	}
	for _, action := range []string{"stop", "start"} {
		resp, err := http.Post(simulate.url+"/simulator/inbound", "application/json", strings.NewReader(`{"phone_number": "+12015550101", "channel": "sms", "action": "`+action+`"}`))
		if err != nil || resp.StatusCode >= 300 {
			t.Fatalf("%s: %v, %v", action, resp, err)
		}
		_ = resp.Body.Close()
	}
	folder := scheduled(t, "schedules:\n  - {name: nightly, cron: \"*/2 * * * * *\", campaign: campaign.yaml, list: list.csv}\n"+
		"  - {name: gone, cron: \"*/2 * * * * *\", list: list.csv, suppress: deactivated}\n", numbers(3, plainly))
	scheduling := as(e, "schedule").with("HANDOUT_SCHEDULES", filepath.Join(folder, "schedules.yaml"))
	schedule := serve(t, scheduling, "schedule")
	for _, name := range []string{"nightly", "gone"} {
		await(t, "a tick of "+name+" is done", func() bool {
			return slices.ContainsFunc(ticksOf(t, scheduling, name), func(tick shownTick) bool { return tick.State == "done" })
		})
	}
	schedule.stop()
	if trail := done(t, cli, "audit"); !strings.Contains(trail, "schedule nightly (program) run a schedule schedule nightly, campaign nightly-") ||
		!strings.Contains(trail, "change a queue POST /api/queues/handout:bulk:pause") {
		t.Errorf("the trail: %s", trail)
	}
	untilDone(t, cli, "spring")
	for _, command := range [][]string{
		{"audit", "verify"}, {"verify", "spring"}, {"backup", filepath.Join(t.TempDir(), "copy")}, {"export", "spring"}, {"retry", "spring", "--only", "failed", "--yes"}, {"suppress", "list"}, {"rate", "--account", "300"},
		{"webhook", "list"}, {"key", "rotate", "olga"},
	} {
		done(t, cli, command...)
	}
	handout(t, cli, "doctor") // what it thinks of this house is another test's
	untilDone(t, cli, "spring")
	done(t, cli, "purge", "spring", "--yes")
	for _, p := range []*process{work, listen, console} {
		p.metrics(t)
		p.stop()
	}
}

// What one process's user may is nothing of another's.
func TestRedis_AUserMayNotDoWhatIsAnothers(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	aclUsers(t, server)
	dry := func(user string, command ...any) string {
		t.Helper()
		said, err := server.Client().Do(t.Context(), append([]any{"acl", "dryrun", user}, command...)...).Text()
		if err != nil {
			t.Fatal(err)
		}
		return said
	}
	for _, user := range []string{"work", "listen", "schedule"} {
		for _, command := range [][]any{
			{"hgetall", "handout:keys"}, {"hset", "handout:keys", "eve", "{}"}, {"get", "handout:session:1"}, {"set", "handout:session:1", "{}"},
			{"get", "another:key"}, {"get", "shop:{c}:meta"},
		} {
			if said := dry(user, command...); said == "OK" {
				t.Errorf("%s may do %v", user, command)
			}
		}
	}
	for _, user := range []string{"work", "listen"} {
		for _, command := range [][]any{{"xadd", "handout:audit:{trail}", "*", "entry", "{}"}, {"xrange", "handout:audit:{trail}", "-", "+"}, {"del", "handout:audit:{trail}:head"}} {
			if said := dry(user, command...); said == "OK" {
				t.Errorf("%s may do %v", user, command)
			}
		}
	}
	for _, command := range [][]any{
		{"hgetall", "handout:webhooks"}, {"set", "handout:{spring}:page:0", "x"}, {"hset", "handout:{spring}:proposed", "spec", "x"},
		{"lpush", "asynq:{handout:bulk}:pending", "x"}, {"del", "asynq:{handout:bulk}:pending"}, {"info"}, {"publish", "asynq:cancel", "x"},
	} {
		if said := dry("listen", command...); said == "OK" {
			t.Errorf("listen may do %v", command)
		}
	}
	if said := dry("work", "bgrewriteaof"); said != "OK" {
		t.Error("a worker may not have Redis write its file anew after a purge:", said)
	}
	if said := dry("schedule", "lpush", "asynq:{handout:bulk}:pending", "x"); said == "OK" {
		t.Error("schedule may put sends into the queue")
	}
	for _, user := range []string{"work", "listen", "schedule", "console", "cli"} {
		for _, command := range [][]any{{"flushall"}, {"flushdb"}, {"keys", "*"}, {"config", "set", "appendonly", "no"}, {"acl", "list"}, {"shutdown"}, {"debug", "sleep", "1"}, {"monitor"}, {"replicaof", "no", "one"}} {
			if said := dry(user, command...); said == "OK" {
				t.Errorf("%s may do %v", user, command)
			}
		}
	}
}

// As docker-compose.yml starts it.
func TestRedis_StartsWithThePasswordsOfItsUsers(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	var compose struct {
		Services map[string]struct {
			Environment map[string]string
		}
	}
	if err := yaml.Unmarshal(text, &compose); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	socket := filepath.Join(dir, "s")
	start := func() (kill func()) {
		cmd := exec.Command("sh", "../../deploy/redis-start.sh", "../../deploy/redis.acl", filepath.Join(dir, "users.acl"), "../../deploy/redis.conf",
			"--port", "0", "--unixsocket", socket, "--dir", dir)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
		for name := range compose.Services["redis"].Environment {
			cmd.Env = append(cmd.Env, name+"=secret of "+name)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }
	}
	kill := start()
	t.Cleanup(func() { kill() })
	client := func(user, password string) *redis.Client {
		c := redis.NewClient(&redis.Options{Network: "unix", Addr: socket, Username: user, Password: password, MaxRetries: -1, DisableIdentity: true, Protocol: 2})
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	health := client("health", "any")
	await(t, "Redis answers", func() bool { return health.Ping(t.Context()).Err() == nil })
	for _, in := range []struct {
		client *redis.Client
		says   string
	}{{health, "NOPERM"}, {client("", ""), "NOAUTH"}, {client("default", "any"), "WRONGPASS"}} {
		if err := in.client.Get(t.Context(), "handout:installation").Err(); err == nil || !strings.HasPrefix(err.Error(), in.says) {
			t.Errorf("without a password: %v, want %s", err, in.says)
		}
	}
	// A restart loses nothing of what scripts and transactions have written: Redis drops
	// from its append-only file what its user default may not do.
	work := client("work", "secret of REDIS_PASSWORD_WORK")
	if err := redis.NewScript("return redis.call('MSET', KEYS[1], '1', KEYS[2], '2')").Run(t.Context(), work, []string{"handout:{c}:a", "handout:{c}:b"}).Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := work.TxPipelined(t.Context(), func(p redis.Pipeliner) error {
		p.Set(t.Context(), "handout:{c}:c", "3", 0)
		return p.HSet(t.Context(), "handout:{c}:d", "f", "4").Err()
	}); err != nil {
		t.Fatal(err)
	}
	kill()
	kill = start()
	await(t, "Redis answers again", func() bool { return health.Ping(t.Context()).Err() == nil })
	if n, err := work.Exists(t.Context(), "handout:{c}:a", "handout:{c}:b", "handout:{c}:c", "handout:{c}:d").Result(); n != 4 || err != nil {
		t.Errorf("of 4 keys %d are there after Redis was killed, %v", n, err)
	}
	for name, service := range compose.Services {
		to, found := service.Environment["REDIS_URL"]
		if name == "redis" || name == "simulate" {
			if found {
				t.Errorf("%s is told of a Redis", name)
			}
			continue
		}
		variable := "REDIS_PASSWORD_" + strings.ToUpper(name)
		if want := "redis://" + name + ":${" + variable + "}@redis:6379"; to != want {
			t.Errorf("%s has REDIS_URL=%s, and not %s", name, to, want)
		}
		if err := client(name, "secret of "+variable).HGetAll(t.Context(), "handout:installation").Err(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := client(name, "secret of REDIS_PASSWORD").HGetAll(t.Context(), "handout:installation").Err(); err == nil {
			t.Errorf("%s gets in with another password", name)
		}
	}
	if _, found := compose.Services["schedule"].Environment["TELESIGN_API_KEY"]; found {
		t.Error("the scheduler has the vendor's key, and sends nothing itself")
	}
	kept, err := os.ReadFile(filepath.Join(dir, "users.acl"))
	if err != nil || strings.Contains(string(kept), "secret") {
		t.Errorf("a password stands in the file: %s, %v", kept, err)
	}
}

// The user that docs/redis.md names has all the rights that handout needs, and no key
// of others.
func TestRedis_AUserWithLeastRightsIsEnough(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.AppendOnly("always"))
	do := []any{"acl", "setuser", "handout", "on", ">secret"}
	for _, right := range strings.Fields("~handout:* ~asynq:* &asynq:* +@all -@dangerous +info +bgrewriteaof +config|get") {
		do = append(do, right)
	}
	if err := server.Client().Do(t.Context(), do...).Err(); err != nil {
		t.Fatal(err)
	}
	e := bare().with("REDIS_URL", strings.Replace(server.URL(), "unix://", "unix://handout:secret@", 1))
	done(t, e, "demo", "--json", "--recipients", "100")
	done(t, e, "suppress", "add", "+12015550123", "--why", "a test")
	done(t, e, "suppress", "list")
	done(t, e, "rate", "--account", "20")
	done(t, e, "list")
	for _, key := range server.Client().Keys(t.Context(), "*").Val() {
		if !strings.HasPrefix(key, "handout:") && !strings.HasPrefix(key, "asynq:") {
			t.Errorf("a key doesn't begin with the prefix: %s", key)
		}
	}
	denied, err := server.Client().Do(t.Context(), "acl", "log").Slice()
	if err != nil || len(denied) > 0 {
		t.Errorf("denied: %v, %v", denied, err)
	}
}
