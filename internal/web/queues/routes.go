package queues

import (
	"net/http"
	"regexp"
	"strings"
)

// verdict says whether a request is allowed.
type verdict int

const (
	never  verdict = iota // it does harm, or nothing useful here
	look                  // it only reads
	change                // it changes one thing, which the ledger repairs
)

// route is one of asynqmon's routes, below the path where it is mounted.
type route struct {
	method, path string
	verdict      verdict
	why          string // why never
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
	noPrometheus = "these pages have no Prometheus to ask; see /metrics"
)

// routes are all routes of asynqmon, in its own order: the first that matches counts. A
// test fails when asynqmon has others.
var routes = []route{
	{http.MethodGet, "/api/queues", look, ""},
	{http.MethodGet, "/api/queues/{qname}", look, ""},
	{http.MethodDelete, "/api/queues/{qname}", never, losesQueue},
	{http.MethodPost, "/api/queues/{qname}:pause", change, ""},
	{http.MethodPost, "/api/queues/{qname}:resume", change, ""},
	{http.MethodGet, "/api/queue_stats", look, ""},
	{http.MethodGet, "/api/queues/{qname}/active_tasks", look, ""},
	{http.MethodPost, "/api/queues/{qname}/active_tasks/{task_id}:cancel", never, cancels},
	{http.MethodPost, "/api/queues/{qname}/active_tasks:cancel_all", never, bulk},
	{http.MethodPost, "/api/queues/{qname}/active_tasks:batch_cancel", never, bulk},
	{http.MethodGet, "/api/queues/{qname}/pending_tasks", look, ""},
	{http.MethodDelete, "/api/queues/{qname}/pending_tasks/{task_id}", change, ""},
	{http.MethodDelete, "/api/queues/{qname}/pending_tasks:delete_all", never, bulk},
	{http.MethodPost, "/api/queues/{qname}/pending_tasks:batch_delete", never, bulk},
	{http.MethodPost, "/api/queues/{qname}/pending_tasks/{task_id}:archive", never, archives},
	{http.MethodPost, "/api/queues/{qname}/pending_tasks:archive_all", never, archives},
	{http.MethodPost, "/api/queues/{qname}/pending_tasks:batch_archive", never, archives},
	{http.MethodGet, "/api/queues/{qname}/scheduled_tasks", look, ""},
	{http.MethodDelete, "/api/queues/{qname}/scheduled_tasks/{task_id}", change, ""},
	{http.MethodDelete, "/api/queues/{qname}/scheduled_tasks:delete_all", never, bulk},
	{http.MethodPost, "/api/queues/{qname}/scheduled_tasks:batch_delete", never, bulk},
	{http.MethodPost, "/api/queues/{qname}/scheduled_tasks/{task_id}:run", change, ""},
	{http.MethodPost, "/api/queues/{qname}/scheduled_tasks:run_all", never, bulk},
	{http.MethodPost, "/api/queues/{qname}/scheduled_tasks:batch_run", never, bulk},
	{http.MethodPost, "/api/queues/{qname}/scheduled_tasks/{task_id}:archive", never, archives},
	{http.MethodPost, "/api/queues/{qname}/scheduled_tasks:archive_all", never, archives},
	{http.MethodPost, "/api/queues/{qname}/scheduled_tasks:batch_archive", never, archives},
	{http.MethodGet, "/api/queues/{qname}/retry_tasks", look, ""},
	{http.MethodDelete, "/api/queues/{qname}/retry_tasks/{task_id}", change, ""},
	{http.MethodDelete, "/api/queues/{qname}/retry_tasks:delete_all", never, bulk},
	{http.MethodPost, "/api/queues/{qname}/retry_tasks:batch_delete", never, bulk},
	{http.MethodPost, "/api/queues/{qname}/retry_tasks/{task_id}:run", change, ""},
	{http.MethodPost, "/api/queues/{qname}/retry_tasks:run_all", never, bulk},
	{http.MethodPost, "/api/queues/{qname}/retry_tasks:batch_run", never, bulk},
	{http.MethodPost, "/api/queues/{qname}/retry_tasks/{task_id}:archive", never, archives},
	{http.MethodPost, "/api/queues/{qname}/retry_tasks:archive_all", never, archives},
	{http.MethodPost, "/api/queues/{qname}/retry_tasks:batch_archive", never, archives},
	{http.MethodGet, "/api/queues/{qname}/archived_tasks", look, ""},
	{http.MethodDelete, "/api/queues/{qname}/archived_tasks/{task_id}", change, ""},
	{http.MethodDelete, "/api/queues/{qname}/archived_tasks:delete_all", never, archives},
	{http.MethodPost, "/api/queues/{qname}/archived_tasks:batch_delete", never, archives},
	{http.MethodPost, "/api/queues/{qname}/archived_tasks/{task_id}:run", change, ""},
	{http.MethodPost, "/api/queues/{qname}/archived_tasks:run_all", never, archives},
	{http.MethodPost, "/api/queues/{qname}/archived_tasks:batch_run", never, archives},
	{http.MethodGet, "/api/queues/{qname}/completed_tasks", look, ""},
	{http.MethodDelete, "/api/queues/{qname}/completed_tasks/{task_id}", never, unused},
	{http.MethodDelete, "/api/queues/{qname}/completed_tasks:delete_all", never, bulk},
	{http.MethodPost, "/api/queues/{qname}/completed_tasks:batch_delete", never, bulk},
	{http.MethodGet, "/api/queues/{qname}/groups/{gname}/aggregating_tasks", look, ""},
	{http.MethodDelete, "/api/queues/{qname}/groups/{gname}/aggregating_tasks/{task_id}", never, unused},
	{http.MethodDelete, "/api/queues/{qname}/groups/{gname}/aggregating_tasks:delete_all", never, bulk},
	{http.MethodPost, "/api/queues/{qname}/groups/{gname}/aggregating_tasks:batch_delete", never, bulk},
	{http.MethodPost, "/api/queues/{qname}/groups/{gname}/aggregating_tasks/{task_id}:run", never, unused},
	{http.MethodPost, "/api/queues/{qname}/groups/{gname}/aggregating_tasks:run_all", never, bulk},
	{http.MethodPost, "/api/queues/{qname}/groups/{gname}/aggregating_tasks:batch_run", never, bulk},
	{http.MethodPost, "/api/queues/{qname}/groups/{gname}/aggregating_tasks/{task_id}:archive", never, archives},
	{http.MethodPost, "/api/queues/{qname}/groups/{gname}/aggregating_tasks:archive_all", never, archives},
	{http.MethodPost, "/api/queues/{qname}/groups/{gname}/aggregating_tasks:batch_archive", never, archives},
	{http.MethodGet, "/api/queues/{qname}/tasks/{task_id}", look, ""},
	{http.MethodGet, "/api/queues/{qname}/groups", look, ""},
	{http.MethodGet, "/api/servers", look, ""},
	{http.MethodGet, "/api/scheduler_entries", look, ""},
	{http.MethodGet, "/api/scheduler_entries/{entry_id}/enqueue_events", look, ""},
	{http.MethodGet, "/api/redis_info", look, ""},
	{http.MethodGet, "/api/metrics", never, noPrometheus},

	{http.MethodGet, "/", look, ""},
	{http.MethodGet, "/settings", look, ""},
	{http.MethodGet, "/servers", look, ""},
	{http.MethodGet, "/schedulers", look, ""},
	{http.MethodGet, "/redis", look, ""},
	{http.MethodGet, "/queues/{qname}", look, ""},
	{http.MethodGet, "/queues/{qname}/tasks/{task_id}", look, ""},
}

// pattern returns the expression that asynqmon's router makes of a path.
func pattern(path string) *regexp.Regexp {
	parts := regexp.MustCompile(`\{[a-z_]+\}`).Split(path, -1)
	for i, p := range parts {
		parts[i] = regexp.QuoteMeta(p)
	}
	return regexp.MustCompile("^" + strings.Join(parts, "[^/]+") + "$")
}

var patterns = func() []*regexp.Regexp {
	all := make([]*regexp.Regexp, len(routes))
	for i, r := range routes {
		all[i] = pattern(r.path)
	}
	return all
}()

// find returns the route that a request takes, and whether there is one.
func find(method, path string) (route, bool) {
	for i, p := range patterns {
		if routes[i].method == method && p.MatchString(path) {
			return routes[i], true
		}
	}
	return route{}, false
}

// isPage reports whether a path is one of the pages, which are all the same file.
func isPage(path string) bool { return !strings.HasPrefix(path, "/api/") }
