package redisx_test

import (
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/handout-dev/handout/internal/redisx"
	"github.com/handout-dev/handout/test/redistest"
)

func TestOpen_ReadsASingleServer(t *testing.T) {
	t.Parallel()
	opts := single(t, "rediss://ann:s%40cret@redis.example:7000/3?pool_size=42").Options()
	if opts.Addr != "redis.example:7000" || opts.DB != 3 || opts.PoolSize != 42 {
		t.Errorf("addr %q, database %d, pool %d", opts.Addr, opts.DB, opts.PoolSize)
	}
	if opts.Username != "ann" || opts.Password != "s@cret" {
		t.Errorf("user %q, password %q", opts.Username, opts.Password)
	}
	if opts.TLSConfig == nil || opts.TLSConfig.ServerName != "redis.example" {
		t.Error("rediss without TLS to that name")
	}
}

func TestOpen_SetsTimeoutsThatTheURLLeavesOut(t *testing.T) {
	t.Parallel()
	opts := single(t, "redis://h?read_timeout=9s").Options()
	if opts.ReadTimeout != 9*time.Second {
		t.Errorf("the URL's read timeout became %s", opts.ReadTimeout)
	}
	if opts.DialTimeout != 5*time.Second || opts.WriteTimeout != 5*time.Second {
		t.Errorf("dial %s, write %s", opts.DialTimeout, opts.WriteTimeout)
	}
	if !opts.ContextTimeoutEnabled {
		t.Error("a context's deadline doesn't end a call")
	}
}

func TestOpen_AsksForNoMaintenanceNotifications(t *testing.T) {
	t.Parallel()
	if got := single(t, "redis://h").Options().MaintNotificationsConfig.Mode; got != maintnotifications.ModeDisabled {
		t.Errorf("mode %v", got)
	}
	if got := clusterOf(t, "redis+cluster://h").Options().MaintNotificationsConfig.Mode; got != maintnotifications.ModeDisabled {
		t.Errorf("mode %v in a cluster", got)
	}
}

func TestOpen_ReadsACluster(t *testing.T) {
	t.Parallel()
	for _, u := range []string{
		"rediss+cluster://ann:pw@a.example:7000?addr=b.example:7001",
		"rediss://ann:pw@a.example:7000?addr=b.example:7001",
	} {
		opts := clusterOf(t, u).Options()
		if got := strings.Join(opts.Addrs, " "); got != "a.example:7000 b.example:7001" {
			t.Errorf("%s: addresses %s", u, got)
		}
		if opts.Username != "ann" || opts.Password != "pw" || opts.TLSConfig == nil {
			t.Errorf("%s: user %q, password %q, TLS %v", u, opts.Username, opts.Password, opts.TLSConfig != nil)
		}
	}
}

func TestOpen_ReadsSentinel(t *testing.T) {
	t.Parallel()
	for _, u := range []string{
		"redis+sentinel://:pw@a.example:26380/2?master_name=main",
		"redis://:pw@a.example:26380/2?master_name=main&addr=b.example:26379",
		"redis+sentinel://a.example?master_name=main&username=ann&password=pw&db=2",
	} {
		opts := single(t, u).Options()
		if opts.Addr != "FailoverClient" || opts.DB != 2 || opts.Password != "pw" {
			t.Errorf("%s: addr %q, database %d, password %q", u, opts.Addr, opts.DB, opts.Password)
		}
	}
}

func TestOpen_TheServersBehindSentinelMayHaveTheirOwnPassword(t *testing.T) {
	t.Parallel()
	if got := single(t, "redis+sentinel://:sentinels@h?master_name=m&password=servers").Options().Password; got != "servers" {
		t.Errorf("password %q", got)
	}
	if got := single(t, "redis+sentinel://:sentinels@h?master_name=m&password=").Options().Password; got != "" {
		t.Errorf("password %q where none was wanted", got)
	}
}

func TestOpen_ConnectsToAUnixSocket(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	client := open(t, server.URL()+"?db=1")
	if err := redisx.Ping(t.Context(), client); err != nil {
		t.Error(err)
	}
}

func TestPing_FailsWithoutAServer(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	client := open(t, server.URL()+"?max_retries=-1")
	server.Kill()
	if err := redisx.Ping(t.Context(), client); err == nil {
		t.Error("a killed server answers")
	}
}

// refusals are URLs that Open doesn't take, each with "hush" for a password
// where it has one, and a word that the error has to name.
var refusals = []struct{ url, names string }{
	{"", "empty"},
	{"localhost:6379", "can't be read"},
	{"http://user:hush@h", "scheme"},
	{"redis://user:hush@", "host"},
	{"unix://user:hush@tmp/s", "three slashes"},
	{"redis://user:hush@h/notanumber", "database"},
	{"redis://user:hush@h/1/2", "path"},
	{"redis://user:hush@h?pool_size=many", "pool_size"},
	{"redis://user:hush@h?pool_size=3000000000", "pool_size"},
	{"redis://user:hush@h?pol_size=3", "pol_size"},
	{"redis://h?password=hush", "password"},
	{"redis://user:hush@h:port", "can't be read"},
	{"redis://user:hush%zz@h", "can't be read"},
	{"redis://user:hush\x7f@h", "can't be read"},
	{"redis://user:a/hush@h", "percent-encoded"},
	{"redis://user:1/hush@h", "percent-encoded"},
	{"redis://user:1?hush@h", "percent-encoded"},
	{"redis://user:1#hush@h", "percent-encoded"},
	{"redis://user:hush%2@h", "percent-encoded"},
	{"redis://h#hush", "percent-encoded"},
	{"redis+sentinel://user:hush@h", "master_name"},
	{"redis+sentinel://user:hush@h?master_name=m&password=hush&route_randomly=1", "replicas"},
	{"redis+sentinel://user:hush@h/x?master_name=m&password=hush", "database"},
	{"redis+sentinel://h?master_name=m&password=hush%zz", "can't be read"},
	{"redis+cluster://user:hush@h/3", "database 0"},
	{"redis+cluster://user:hush@h?addr=b", "addr"},
	{"redis+cluster://user:hush@h?read_only=true", "replicas"},
}

func TestOpen_RefusesAndNamesTheFault(t *testing.T) {
	t.Parallel()
	for _, tt := range refusals {
		client, err := redisx.Open(tt.url, redisx.DefaultPrefix)
		if err == nil {
			_ = client.Close()
			t.Errorf("%q was accepted", tt.url)
			continue
		}
		if !strings.Contains(err.Error(), tt.names) {
			t.Errorf("%q: the error doesn't say %q: %v", tt.url, tt.names, err)
		}
	}
}

func TestOpen_NoErrorShowsThePassword(t *testing.T) {
	t.Parallel()
	for _, tt := range refusals {
		_, err := redisx.Open(tt.url, redisx.DefaultPrefix)
		if err == nil {
			continue // reported by the test above
		}
		if strings.Contains(err.Error(), "hush") {
			t.Errorf("%q: the error shows the password: %v", tt.url, err)
		}
		if shown := redisx.Describe(tt.url); strings.Contains(shown, "hush") {
			t.Errorf("%q: its description shows the password: %s", tt.url, shown)
		}
	}
}

func TestOpen_NoErrorOfAConnectionShowsThePassword(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Password("right"))
	err := redisx.Ping(t.Context(), open(t, strings.Replace(server.URL(), "right", "hush", 1)))
	if err == nil {
		t.Fatal("a wrong password was accepted")
	}
	if strings.Contains(err.Error(), "hush") {
		t.Errorf("the error shows the password: %v", err)
	}
}

func TestDescribe_KeepsTheAddressAlone(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"redis://user:hush@h:6379/2?pool_size=3":                         "redis://h:6379/2",
		"redis://h":                                                      "redis://h",
		"rediss://:hush@[::1]:6379":                                      "rediss://[::1]:6379",
		"unix://user:hush@/run/redis.sock?db=1":                          "unix:///run/redis.sock?db=1",
		"redis+sentinel://:hush@a?master_name=m&password=hush&addr=b:1":  "redis+sentinel://a:26379?addr=b:1&master_name=m",
		"redis://:hush@a?master_name=m":                                  "redis+sentinel://a:26379?master_name=m",
		"rediss+cluster://:hush@a:1?addr=b:2&addr=c:3&client_name=other": "rediss+cluster://a:1?addr=b:2&addr=c:3",
		"redis://user:1/hush@h":                                          "an unreadable Redis URL",
		"":                                                               "an unreadable Redis URL",
	} {
		if got := redisx.Describe(in); got != want {
			t.Errorf("Describe(%q) = %q, want %q", in, got, want)
		}
	}
}

func open(t *testing.T, url string) redis.UniversalClient {
	t.Helper()
	client, err := redisx.Open(url, redisx.DefaultPrefix)
	if err != nil {
		t.Fatalf("open %s: %v", url, err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func single(t *testing.T, url string) *redis.Client {
	t.Helper()
	client, ok := open(t, url).(*redis.Client)
	if !ok {
		t.Fatalf("%s isn't opened as a single server", url)
	}
	return client
}

func clusterOf(t *testing.T, url string) *redis.ClusterClient {
	t.Helper()
	client, ok := open(t, url).(*redis.ClusterClient)
	if !ok {
		t.Fatalf("%s isn't opened as a cluster", url)
	}
	return client
}
