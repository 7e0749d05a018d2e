// Package queues serves asynqmon, the pages of the queues, made safe.
//
// asynqmon itself asks for no key, obeys requests that another site's page makes a
// browser send, and has buttons that stop Redis for seconds and lose tasks for good.
// Here a table says for each of its routes whether it may be called; all others are
// refused. By default the pages are read-only.
package queues

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/hibiken/asynq"
	"github.com/hibiken/asynqmon"
	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/internal/redisx"
	"github.com/handout-dev/handout/internal/web/access"
)

// Options are what the pages need; all but Origin and Write are required.
type Options struct {
	Redis  redis.UniversalClient                    // stays the caller's to close
	Root   string                                   // the path that the pages stand under, as in /queues
	Origin string                                   // of the pages, as browsers send it; empty: that of the request's Host
	Key    func(*http.Request) (*access.Key, error) // errors: [access.ErrRefused], and those of Redis
	Logger *slog.Logger
	// Fail answers a browser that asked for a page which it doesn't get; nil: as programs
	// are answered.
	Fail func(w http.ResponseWriter, r *http.Request, status int, detail string)
	// Changing is called with who is about to change something, and what; its error, after
	// which nothing is done, says that it can't be traced. May be nil.
	Changing func(ctx context.Context, by *access.Key, what string) error
	Write    bool // allow keys with the scope control to pause and resume a queue, and to run or delete one task
}

// maxTasks is how many tasks one answer has. asynqmon has no limit.
const maxTasks = 100

type pages struct {
	o              Options
	shown, changed *frontend
}

type sharedClient struct{ rdb redis.UniversalClient }

func (s sharedClient) MakeRedisClient() any { return s.rdb }

var _ asynq.RedisConnOpt = sharedClient{}

// New returns a handler for everything under o.Root. It takes a key with the scope
// read.
func New(o Options) (http.Handler, error) {
	if o.Redis == nil || o.Key == nil || o.Logger == nil || !strings.HasPrefix(o.Root, "/") {
		return nil, errors.New("queues: Redis, Root, Key and Logger are required")
	}
	// Never closed: that would close the client that asynqmon shares with us.
	monitor := func(readOnly bool) (*frontend, error) {
		return newFrontend(o.Root, asynqmon.New(asynqmon.Options{RootPath: o.Root, RedisConnOpt: sharedClient{o.Redis}, ReadOnly: readOnly}))
	}
	p := &pages{o: o}
	var err error
	if p.shown, err = monitor(true); err != nil {
		return nil, err
	}
	if p.changed, err = monitor(false); err != nil {
		return nil, err
	}
	crossOrigin := http.NewCrossOriginProtection()
	if o.Origin != "" {
		if err := crossOrigin.AddTrustedOrigin(o.Origin); err != nil {
			return nil, err
		}
	}
	crossOrigin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusForbidden, "another site's page made the browser send this")
	}))
	return crossOrigin.Handler(p), nil
}

func (p *pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secure(w.Header())
	refuse := refuse
	at, under := strings.CutPrefix(r.URL.Path, p.o.Root)
	if p.o.Fail != nil && r.Method == http.MethodGet && strings.Contains(r.Header.Get("Accept"), "text/html") && !strings.HasPrefix(at, "/api/") {
		refuse = func(w http.ResponseWriter, status int, detail string) { p.o.Fail(w, r, status, detail) }
	}
	key, err := p.o.Key(r)
	switch {
	case errors.Is(err, access.ErrRefused):
		w.Header().Set("WWW-Authenticate", `Basic realm="handout: a key as the password", charset="UTF-8"`)
		refuse(w, http.StatusUnauthorized, "a key is needed")
		return
	case err != nil:
		refuse(w, http.StatusServiceUnavailable, "Redis can't be reached")
		return
	}
	if err := key.Require(access.Read); err != nil {
		refuse(w, http.StatusForbidden, err.Error())
		return
	}
	if err := key.See("what stands in the queues", "", ""); err != nil { // it is of all campaigns
		refuse(w, http.StatusForbidden, err.Error())
		return
	}
	may := p.o.Write && key.May(access.Control)
	show := p.shown
	if may {
		show = p.changed
	}
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	to, found := find(method, at)
	found = found && under && path.Clean(at) == at // asynqmon would clean it
	if of, ok := strings.CutPrefix(at, "/api/queues/"); ok && !strings.HasPrefix(of, redisx.Prefix(p.o.Redis)+":") {
		refuse(w, http.StatusNotFound, "that queue is another installation's, or another application's")
		return
	}
	switch {
	case method == http.MethodGet && show.file(w, at):
	case method == http.MethodGet && !found:
		refuse(w, http.StatusNotFound, "there is no such page")
	case !found:
		refuse(w, http.StatusForbidden, "these pages have no such request")
	case to.verdict == never:
		refuse(w, http.StatusForbidden, to.why)
	case to.verdict == look && to.paths == pagePaths:
		show.index(w)
	case to.verdict == look:
		show.monitor.ServeHTTP(w, bounded(r))
	case !p.o.Write:
		refuse(w, http.StatusForbidden, "these pages are read-only: HANDOUT_QUEUES_WRITE is false")
	case !may:
		refuse(w, http.StatusForbidden, key.Require(access.Control).Error())
	default:
		if p.o.Changing != nil {
			if err := p.o.Changing(r.Context(), key, r.Method+" "+at); err != nil {
				p.o.Logger.WarnContext(r.Context(), "a queue isn't changed", "by", key.Name, "error", err)
				refuse(w, http.StatusServiceUnavailable, "nothing was done, since it can't be traced")
				return
			}
		}
		p.o.Logger.InfoContext(r.Context(), "a queue is changed", "by", key.Name, "method", r.Method, "path", at)
		show.monitor.ServeHTTP(w, r)
	}
}

// bounded returns a request for 1 to maxTasks tasks: asynq takes 0 for all of them.
func bounded(r *http.Request) *http.Request {
	q := r.URL.Query()
	if !q.Has("size") && !q.Has("page") {
		return r
	}
	for name, limit := range map[string]int{"size": maxTasks, "page": 1_000_000} {
		if n, err := strconv.Atoi(q.Get(name)); err == nil {
			q.Set(name, strconv.Itoa(min(max(n, 1), limit)))
		} else {
			q.Del(name) // asynqmon takes its default
		}
	}
	clone := *r
	u := url.URL{Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: q.Encode()}
	clone.URL = &u
	return &clone
}

func refuse(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"title": http.StatusText(status), "status": status, "detail": detail})
}

type verdict int

const (
	never  verdict = iota // it does harm, or nothing useful here
	look                  // it only reads
	change                // it changes one thing, which the ledger repairs
)

// rule judges routes of asynqmon, below the path where it is mounted.
type rule struct {
	method, paths string // paths is a regular expression in which * is one segment
	verdict       verdict
	why           string // why never
}

// Why a request is refused, for the person who has pressed the button.
const (
	bulk = "it changes many tasks at once, and Redis answers no other request meanwhile; " +
		"handout pause and handout cancel stop a campaign"
	archives = "an archived task keeps its ID, and the task for its recipients could never be written again; " +
		"for many tasks, it also blocks Redis, and leaves most of them in no list"
	losesQueue   = "it deletes a whole queue; handout pause and handout cancel stop a campaign"
	cancels      = "a running task may have sent already; handout pause stops those that follow"
	unused       = "handout has no such tasks"
	noPrometheus = "these pages have no Prometheus to ask; see HANDOUT_CONSOLE_METRICS_ADDR"
)

const (
	pagePaths   = "/(settings|servers|schedulers|redis|queues/*(/tasks/*)?)?"
	queue       = "/api/queues/*"
	aggregating = "groups/*/aggregating"
)

// rules judge every route of asynqmon: a test fails when it has others.
var rules = []rule{
	{http.MethodGet, pagePaths, look, ""},
	{http.MethodGet, "/api/(queues|queue_stats|servers|scheduler_entries|scheduler_entries/*/enqueue_events|redis_info)", look, ""},
	{http.MethodGet, queue + "(/groups|/tasks/*)?", look, ""},
	{http.MethodGet, queue + "/(active|pending|scheduled|retry|archived|completed|" + aggregating + ")_tasks", look, ""},
	{http.MethodGet, "/api/metrics", never, noPrometheus},

	{http.MethodPost, queue + ":(pause|resume)", change, ""},
	{http.MethodDelete, queue + "/(pending|scheduled|retry|archived)_tasks/*", change, ""},
	{http.MethodPost, queue + "/(scheduled|retry|archived)_tasks/*:run", change, ""},

	{http.MethodDelete, queue, never, losesQueue},
	{http.MethodPost, queue + "/active_tasks/*:cancel", never, cancels},
	{http.MethodPost, queue + "/active_tasks:(cancel_all|batch_cancel)", never, bulk},
	{http.MethodPost, queue + "/(pending|scheduled|retry|" + aggregating + ")_tasks(/*:archive|:archive_all|:batch_archive)", never, archives},
	{http.MethodDelete, queue + "/archived_tasks:delete_all", never, archives},
	{http.MethodPost, queue + "/archived_tasks:(batch_delete|run_all|batch_run)", never, archives},
	{http.MethodDelete, queue + "/(pending|scheduled|retry|completed|" + aggregating + ")_tasks:delete_all", never, bulk},
	{http.MethodPost, queue + "/(pending|scheduled|retry|completed|" + aggregating + ")_tasks:(batch_delete|run_all|batch_run)", never, bulk},
	{http.MethodDelete, queue + "/(completed|" + aggregating + ")_tasks/*", never, unused},
	{http.MethodPost, queue + "/" + aggregating + "_tasks/*:run", never, unused},
}

var patterns = func() []*regexp.Regexp {
	all := make([]*regexp.Regexp, len(rules))
	for i, r := range rules {
		all[i] = regexp.MustCompile("^" + strings.ReplaceAll(r.paths, "*", "[^/]+") + "$")
	}
	return all
}()

func find(method, path string) (rule, bool) {
	for i, p := range patterns {
		if rules[i].method == method && p.MatchString(path) {
			return rules[i], true
		}
	}
	return rule{}, false
}
