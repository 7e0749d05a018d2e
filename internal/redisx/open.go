package redisx

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Each of these may be set otherwise in the URL.
const (
	// dialTimeout is for a server that is gone without a word; one that is
	// merely down refuses at once.
	dialTimeout = 5 * time.Second

	// callTimeout is longer than any script of ours may take on a healthy
	// server and as long as Redis's own busy-reply-threshold.
	callTimeout = 5 * time.Second
)

// Open returns a client for the Redis at rawURL, of the installation with the prefix
// (see [Prefix]). It doesn't connect: the first command does.
func Open(rawURL, prefix string, with ...func(*tls.Config) error) (redis.UniversalClient, error) {
	return OpenGuarded(rawURL, prefix, nil, with...)
}

// OpenGuarded is [Open] for a client that uses a new connection only once admit has
// returned nil for it. In a cluster it is one to any node.
func OpenGuarded(rawURL, prefix string, admit func(context.Context, *redis.Conn) error, with ...func(*tls.Config) error) (redis.UniversalClient, error) {
	a, err := parse(rawURL)
	if err != nil {
		return nil, err
	}
	if a.url.Query().Has("client_name") {
		return nil, errors.New("redis URL: client_name is not supported: connections have the name of HANDOUT_PREFIX")
	}
	a.prefix, a.admit = prefix, admit
	switch a.kind {
	case sentinel:
		return openSentinel(a, with)
	case cluster:
		return openCluster(a, with)
	}
	return openSingle(a, with)
}

func secure(c *tls.Config, with []func(*tls.Config) error) error {
	for _, set := range with {
		if err := set(c); err != nil {
			return err
		}
	}
	return nil
}

func openSingle(a address, with []func(*tls.Config) error) (redis.UniversalClient, error) {
	opts, err := redis.ParseURL(a.url.String())
	if err != nil {
		return nil, a.wrong(err)
	}
	if err := secure(opts.TLSConfig, with); err != nil {
		return nil, err
	}
	timeouts(&opts.DialTimeout, &opts.ReadTimeout, &opts.WriteTimeout)
	opts.ContextTimeoutEnabled = true
	opts.ClientName, opts.OnConnect = a.prefix, a.admit
	opts.MaintNotificationsConfig = noMaintNotifications()
	return redis.NewClient(opts), nil
}

func openSentinel(a address, with []func(*tls.Config) error) (redis.UniversalClient, error) {
	opts, err := redis.ParseFailoverURL(a.url.String())
	if err != nil {
		return nil, a.wrong(err)
	}
	if opts.MasterName == "" {
		return nil, errors.New("redis URL: master_name is missing: Sentinel has to be asked for a master by its name")
	}
	if opts.RouteByLatency || opts.RouteRandomly || opts.ReplicaOnly {
		return nil, errReplicas
	}
	if query := a.url.Query(); !query.Has("username") && !query.Has("password") {
		opts.Username, opts.Password = opts.SentinelUsername, opts.SentinelPassword
	}
	if err := secure(opts.TLSConfig, with); err != nil {
		return nil, err
	}
	timeouts(&opts.DialTimeout, &opts.ReadTimeout, &opts.WriteTimeout)
	opts.ContextTimeoutEnabled = true
	opts.ClientName, opts.OnConnect = a.prefix, a.admit
	return redis.NewFailoverClient(opts), nil
}

// In a cluster, when a master is lost, only a newer map names the one that took over.
const (
	// clusterReload is how old a client's map of the cluster may get. go-redis has
	// a minute.
	clusterReload = 500 * time.Millisecond
	// clusterDials is how often a node that refuses is dialled in one try of a
	// command. go-redis has five, a tenth of a second apart, before it asks for a
	// newer map.
	clusterDials = 1
)

func openCluster(a address, with []func(*tls.Config) error) (redis.UniversalClient, error) {
	if strings.Trim(a.url.Path, "/") != "" {
		return nil, errors.New("redis URL: a cluster has only database 0: nothing may stand after the host")
	}
	opts, err := redis.ParseClusterURL(a.url.String())
	if err != nil {
		return nil, a.wrong(err)
	}
	if opts.ReadOnly || opts.RouteByLatency || opts.RouteRandomly {
		return nil, errReplicas
	}
	if opts.TLSConfig != nil {
		opts.TLSConfig.MinVersion = tls.VersionTLS12 // what go-redis sets for the other two
	}
	if err := secure(opts.TLSConfig, with); err != nil {
		return nil, err
	}
	timeouts(&opts.DialTimeout, &opts.ReadTimeout, &opts.WriteTimeout)
	opts.ContextTimeoutEnabled = true
	opts.ClientName, opts.OnConnect = a.prefix, a.admit
	opts.MaintNotificationsConfig = noMaintNotifications()
	if opts.ClusterStateReloadInterval == 0 {
		opts.ClusterStateReloadInterval = clusterReload
	}
	opts.DialerRetries = cmp.Or(opts.DialerRetries, clusterDials)
	return redis.NewClusterClient(opts), nil
}

// errReplicas: replicas lag behind, and the ledger reads what it has just written.
var errReplicas = errors.New("redis URL: reading from replicas (read_only, replica_only, route_by_latency, route_randomly) is not supported")

func timeouts(dial, read, write *time.Duration) {
	*dial, *read, *write = cmp.Or(*dial, dialTimeout), cmp.Or(*read, callTimeout), cmp.Or(*write, callTimeout)
}

// noMaintNotifications keeps go-redis from asking each new connection for a
// feature that only Redis's own cloud has, which any other counts as an error.
func noMaintNotifications() *maintnotifications.Config {
	return &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
}

// Describe is rawURL without user, password and options: for logs and pages.
func Describe(rawURL string) string {
	a, err := parse(rawURL)
	if err != nil {
		return "an unreadable Redis URL"
	}
	u := url.URL{Scheme: a.scheme(), Host: a.url.Host, Path: a.url.Path}
	if u.Scheme != "unix" && !database.MatchString(u.Path) {
		u.Path = ""
	}
	shown := url.Values{}
	for _, name := range []string{"addr", "master_name", "db"} {
		if values := a.url.Query()[name]; len(values) > 0 {
			shown[name] = values
		}
	}
	// Colons and slashes are what addresses are made of, and may stand here.
	u.RawQuery = strings.NewReplacer("%3A", ":", "%2F", "/", "%5B", "[", "%5D", "]").Replace(shown.Encode())
	return u.String()
}

var database = regexp.MustCompile(`^/[0-9]{0,4}$`)

type kind int

const (
	single kind = iota
	sentinel
	cluster
)

// address is a URL of which the form is known.
type address struct {
	kind   kind
	prefix string
	admit  func(context.Context, *redis.Conn) error // may be nil
	url    *url.URL                                 // its scheme is redis, rediss or unix
}

var (
	errNoURL   = errors.New("redis URL: it is empty")
	errNotAURL = errors.New("redis URL: it can't be read as a URL; the characters @ : / ? # % in a user or password have to be percent-encoded")
)

// parse never passes on what url.Parse says: its errors quote the URL, and a
// password that isn't encoded can end up in any part of it.
func parse(rawURL string) (address, error) {
	rawURL = strings.TrimSpace(rawURL)
	if rawURL == "" {
		return address{}, errNoURL
	}
	scheme, rest, found := strings.Cut(rawURL, "://")
	if !found {
		return address{}, errNotAURL
	}
	// An @ behind the host is that of a password with a slash or the like in it.
	if end := strings.IndexAny(rest, "/?#"); end >= 0 && strings.Contains(rest[end:], "@") {
		return address{}, errNotAURL
	}
	u, err := url.Parse(rawURL)
	if err != nil || u.Fragment != "" {
		return address{}, errNotAURL
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return address{}, errNotAURL
	}

	for name, values := range query {
		// go-redis panics where a size doesn't fit.
		if n, err := strconv.ParseInt(values[len(values)-1], 10, 64); err == nil && n > math.MaxInt32 && name != "password" {
			return address{}, fmt.Errorf("redis URL: %s is out of all proportion", name)
		}
	}

	a := address{url: u}
	switch strings.ToLower(scheme) {
	case "unix":
		if u.Host != "" || u.Path == "" {
			return address{}, errors.New("redis URL: a unix socket is written unix:///path/to/socket, with three slashes")
		}
		return a, nil
	case "redis", "rediss":
		if query.Has("master_name") {
			a.kind = sentinel
		} else if query.Has("addr") {
			a.kind = cluster
		}
	case "redis+sentinel", "rediss+sentinel":
		a.kind = sentinel
	case "redis+cluster", "rediss+cluster":
		a.kind = cluster
	default:
		return address{}, errors.New("redis URL: the scheme must be redis, rediss, unix, or redis or rediss with +sentinel or +cluster")
	}
	if u.Host == "" {
		return address{}, errors.New("redis URL: the host is missing")
	}
	u.Scheme, _, _ = strings.Cut(u.Scheme, "+")
	if a.kind == sentinel && u.Port() == "" {
		u.Host += ":26379" // go-redis would take 6379, which is never a Sentinel's
	}
	return a, nil
}

func (a address) scheme() string {
	return a.url.Scheme + map[kind]string{sentinel: "+sentinel", cluster: "+cluster"}[a.kind]
}

// wrong is what go-redis says about the URL, with its passwords blotted out. It
// isn't wrapped, so that the original is never printed.
func (a address) wrong(err error) error {
	text := strings.TrimPrefix(err.Error(), "redis: ")
	secrets := a.url.Query()["password"]
	if password, ok := a.url.User.Password(); ok {
		secrets = append(secrets, password)
	}
	for _, secret := range secrets {
		for _, form := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret)} {
			if form != "" {
				text = strings.ReplaceAll(text, form, "…")
			}
		}
	}
	return fmt.Errorf("redis URL: %s", text)
}

// Ping says whether the Redis answers, within ctx.
func Ping(ctx context.Context, client redis.UniversalClient) error {
	if err := client.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("ping redis: %w", err)
	}
	return nil
}

// SkipsVerify reports whether a Redis URL has TLS's certificates unchecked.
func SkipsVerify(rawURL string) bool {
	a, err := parse(rawURL)
	if err != nil {
		return false // which Open reports
	}
	value := a.url.Query().Get("skip_verify")
	is, err := strconv.ParseBool(value)
	return value != "" && (is || err != nil)
}
