package queues

import (
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/mux"
	"github.com/hibiken/asynqmon"

	"github.com/handout-dev/handout/test/redistest"
)

// route is a route of asynqmon, or a page, as the rules judge it.
type route struct {
	method, path string
	rule
}

// routes walks asynqmon's own router, which it keeps to itself: an update that brings
// a route fails here until a rule judges it.
func routes(t *testing.T) []route {
	t.Helper()
	monitor := asynqmon.New(asynqmon.Options{RootPath: "/queues", RedisConnOpt: sharedClient{redistest.Start(t).Client()}})
	field := reflect.ValueOf(monitor).Elem().FieldByName("router")
	if field.Type() != reflect.TypeFor[*mux.Router]() {
		t.Fatalf("asynqmon's router is a %s", field.Type())
	}
	var all []route
	err := (*mux.Router)(field.UnsafePointer()).Walk(func(r *mux.Route, _ *mux.Router, _ []*mux.Route) error {
		path, err := r.GetPathTemplate()
		if err != nil || r.GetHandler() == nil {
			return nil // a part of paths
		}
		methods, err := r.GetMethods()
		for _, method := range methods {
			all = append(all, route{method: method, path: strings.TrimPrefix(path, "/queues")})
		}
		return err // a route for all methods has no place in the rules
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 50 {
		t.Fatalf("asynqmon has %d routes", len(all))
	}
	for _, page := range []string{"/", "/settings", "/servers", "/schedulers", "/redis", "/queues/{qname}", "/queues/{qname}/tasks/{task_id}"} {
		all = append(all, route{method: http.MethodGet, path: page})
	}
	for i := range all {
		r, ok := &all[i], false
		if r.rule, ok = find(r.method, regexp.MustCompile(`\{[a-z_]+\}`).ReplaceAllString(r.path, "x")); !ok {
			t.Errorf("no rule judges %s %s", r.method, r.path)
		}
	}
	return all
}

func TestRoutes_OnlyOneThingMayBeChanged(t *testing.T) {
	t.Parallel()
	var may []string
	for _, r := range routes(t) {
		switch r.verdict {
		case look:
			if r.method != http.MethodGet {
				t.Errorf("%s %s isn't a look", r.method, r.path)
			}
		case change:
			may = append(may, r.method+" "+strings.TrimPrefix(r.path, "/api/queues/{qname}"))
		}
		if (r.why != "") != (r.verdict == never) {
			t.Errorf("%s %s: why %q", r.method, r.path, r.why)
		}
	}
	want := []string{
		"POST :pause", "POST :resume", "DELETE /pending_tasks/{task_id}",
		"DELETE /scheduled_tasks/{task_id}", "POST /scheduled_tasks/{task_id}:run",
		"DELETE /retry_tasks/{task_id}", "POST /retry_tasks/{task_id}:run",
		"DELETE /archived_tasks/{task_id}", "POST /archived_tasks/{task_id}:run",
	}
	if diff := cmp.Diff(want, may); diff != "" {
		t.Error(diff)
	}
}

func TestFind_TakesNothingForAnother(t *testing.T) {
	t.Parallel()
	for request, want := range map[string]verdict{
		"GET /api/queues/bulk":                             look,
		"POST /api/queues/bulk:pause":                      change,
		"DELETE /api/queues/bulk/pending_tasks/a":          change,
		"DELETE /api/queues/bulk/pending_tasks:delete_all": never,
		"DELETE /api/queues/bulk/archived_tasks/a":         change,
		"POST /api/queues/bulk/archived_tasks/a:run":       change,
		"GET /queues/bulk/tasks/x":                         look,
	} {
		method, path, _ := strings.Cut(request, " ")
		if r, ok := find(method, path); r.verdict != want || !ok {
			t.Errorf("%s: %v, %v, want %v", request, r, ok, want)
		}
	}
	for _, request := range []string{
		"POST /api/queues/a/b:pause", "POST /api/queues/bulk/x:pause", "DELETE /api/queues/bulk/pending_tasks/a/b",
		"DELETE /api/queues/bulk/active_tasks/a", "POST /api/queues/bulk/archived_tasks/a:run\n:delete", "PUT /api/queues/bulk:pause",
		"GET /api/queues/bulk/pending_tasks/x", "GET /nothing", "GET ", "GET /queues", "GET /queues/",
	} {
		method, path, _ := strings.Cut(request, " ")
		if r, ok := find(method, path); ok {
			t.Errorf("%s: %v", request, r)
		}
	}
}
