package queues

import (
	"net/http"
	"regexp"
	"strings"
)

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
	noPrometheus = "these pages have no Prometheus to ask; see /metrics"
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
