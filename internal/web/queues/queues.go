// Package queues serves asynqmon, the pages of the queues, made safe.
//
// asynqmon by itself asks nobody for a key, does what any other site's page makes
// a browser send, and has buttons that stop Redis for seconds and lose tasks for
// good. Here its routes stand in a table that says of each whether it may be
// called; everything else is refused. By default it only shows.
package queues

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"

	"github.com/hibiken/asynq"
	"github.com/hibiken/asynqmon"
	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/internal/web/access"
)

// Options are what the pages need; all but Write are required.
type Options struct {
	Redis redis.UniversalClient // stays the caller's to close
	// Root is the path that the pages stand under, as in /queues.
	Root string
	// Key tells who asks. Errors: [access.ErrRefused], and those of Redis.
	Key    func(*http.Request) (*access.Key, error)
	Logger *slog.Logger
	// Write lets keys with the scope control change what does no harm: pause and
	// resume a queue, run or delete one task.
	Write bool
}

// mostTasks is how many tasks one answer has, at most. asynqmon has no bound.
const mostTasks = 100

// pages serves them. The two asynqmons differ in whether they show buttons.
type pages struct {
	o              Options
	shown, changed *frontend
}

// sharedClient gives asynqmon the client that we have already.
type sharedClient struct{ rdb redis.UniversalClient }

func (s sharedClient) MakeRedisClient() any { return s.rdb }

var _ asynq.RedisConnOpt = sharedClient{}

// New is a handler for everything under o.Root. It lets in who has the scope
// read.
func New(o Options) (http.Handler, error) {
	if o.Redis == nil || o.Key == nil || o.Logger == nil || !strings.HasPrefix(o.Root, "/") {
		return nil, errors.New("queues: Redis, Root, Key and Logger are required")
	}
	// Never closed: closing asynqmon would close the client that we share with it.
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
	crossOrigin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusForbidden, "another site's page made the browser send this")
	}))
	return crossOrigin.Handler(p), nil
}

func (p *pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secure(w.Header())
	key, err := p.o.Key(r)
	switch {
	case errors.Is(err, access.ErrRefused):
		w.Header().Set("WWW-Authenticate", `Basic realm="handout: a key as the password", charset="UTF-8"`)
		refuse(w, http.StatusUnauthorized, "a key is needed")
		return
	case err != nil:
		refuse(w, http.StatusServiceUnavailable, "Redis can't be reached")
		return
	case !key.May(access.Read):
		refuse(w, http.StatusForbidden, "the key has not the scope read")
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
	at, under := strings.CutPrefix(r.URL.Path, p.o.Root)
	to, found := find(method, at)
	found = found && under && path.Clean(at) == at // asynqmon would clean it
	switch {
	case method == http.MethodGet && show.file(w, at):
	case method == http.MethodGet && !found:
		refuse(w, http.StatusNotFound, "there is no such page")
	case !found:
		refuse(w, http.StatusForbidden, "the queues' pages know nothing of the sort")
	case to.verdict == never:
		refuse(w, http.StatusForbidden, to.why)
	case to.verdict == look && isPage(to.path):
		show.index(w)
	case to.verdict == look:
		show.monitor.ServeHTTP(w, bounded(r))
	case !p.o.Write:
		refuse(w, http.StatusForbidden, "these pages only show: HANDOUT_QUEUES_WRITE is false")
	case !may:
		refuse(w, http.StatusForbidden, "the key has not the scope control")
	default:
		p.o.Logger.InfoContext(r.Context(), "a queue is changed", "by", key.Name, "method", r.Method, "path", at)
		show.monitor.ServeHTTP(w, r)
	}
}

// bounded is a request for at most mostTasks tasks, and at least one: asynq takes
// 0 for all of them.
func bounded(r *http.Request) *http.Request {
	q := r.URL.Query()
	if !q.Has("size") && !q.Has("page") {
		return r
	}
	for name, most := range map[string]int{"size": mostTasks, "page": 1_000_000} {
		if n, err := strconv.Atoi(q.Get(name)); err == nil {
			q.Set(name, strconv.Itoa(min(max(n, 1), most)))
		} else {
			q.Del(name) // asynqmon takes its default
		}
	}
	clone := *r
	u := url.URL{Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: q.Encode()}
	clone.URL = &u
	return &clone
}

// refuse answers with a problem, as the API does.
func refuse(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"title": http.StatusText(status), "status": status, "detail": detail})
}
