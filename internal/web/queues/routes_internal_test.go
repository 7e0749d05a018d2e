package queues

import (
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/mux"
	"github.com/hibiken/asynqmon"

	"github.com/handout-dev/handout/test/redistest"
)

// TestRoutes_AreAllOfAsynqmons walks asynqmon's own router, which it keeps to
// itself: an update that brings a route fails here until the table judges it.
func TestRoutes_AreAllOfAsynqmons(t *testing.T) {
	t.Parallel()
	monitor := asynqmon.New(asynqmon.Options{RootPath: "/queues", RedisConnOpt: sharedClient{redistest.Start(t).Client()}})
	field := reflect.ValueOf(monitor).Elem().FieldByName("router")
	if field.Type() != reflect.TypeFor[*mux.Router]() {
		t.Fatalf("asynqmon's router is a %s", field.Type())
	}
	var theirs, ours []string
	err := (*mux.Router)(field.UnsafePointer()).Walk(func(r *mux.Route, _ *mux.Router, _ []*mux.Route) error {
		path, err := r.GetPathTemplate()
		if err != nil || r.GetHandler() == nil {
			return nil // a part of paths
		}
		methods, err := r.GetMethods()
		for _, method := range methods {
			theirs = append(theirs, method+" "+strings.TrimPrefix(path, "/queues"))
		}
		return err // a route for all methods has no place in the table
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range routes {
		if !isPage(r.path) {
			ours = append(ours, r.method+" "+r.path)
		}
	}
	slices.Sort(theirs)
	slices.Sort(ours)
	if diff := cmp.Diff(theirs, ours); diff != "" || len(ours) < 50 {
		t.Errorf("asynqmon's routes, and those judged here:\n%s", diff)
	}
}

func TestRoutes_OnlyOneThingMayBeChanged(t *testing.T) {
	t.Parallel()
	var may []string
	for _, r := range routes {
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
	for request, want := range map[string]string{
		"GET /api/queues/bulk":                                "/api/queues/{qname}",
		"POST /api/queues/bulk:pause":                         "/api/queues/{qname}:pause",
		"POST /api/queues/a/b:pause":                          "",
		"POST /api/queues/bulk/x:pause":                       "",
		"DELETE /api/queues/bulk/pending_tasks/a":             "/api/queues/{qname}/pending_tasks/{task_id}",
		"DELETE /api/queues/bulk/pending_tasks/a/b":           "",
		"DELETE /api/queues/bulk/pending_tasks:delete_all":    "/api/queues/{qname}/pending_tasks:delete_all",
		"DELETE /api/queues/bulk/active_tasks/a":              "",
		"DELETE /api/queues/bulk/archived_tasks/a":            "/api/queues/{qname}/archived_tasks/{task_id}",
		"POST /api/queues/bulk/archived_tasks/a:run":          "/api/queues/{qname}/archived_tasks/{task_id}:run",
		"POST /api/queues/bulk/archived_tasks/a:run\n:delete": "",
		"PUT /api/queues/bulk:pause":                          "",
		"GET /api/queues/bulk/pending_tasks/x":                "",
		"GET /queues/bulk/tasks/x":                            "/queues/{qname}/tasks/{task_id}",
		"GET /nothing":                                        "",
		"GET ":                                                "",
	} {
		method, path, _ := strings.Cut(request, " ")
		if r, ok := find(method, path); r.path != want || ok != (want != "") {
			t.Errorf("%s: %q, want %q", request, r.path, want)
		}
	}
}
