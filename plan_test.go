// Package handout_test holds the plan of the rooms.
package handout_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/handout-dev/handout"

// room is one package's row in the plan.
type room struct {
	// imports are the rooms that its code imports, of ours; its tests may import
	// any but commands.
	imports []string
	// speaks: a vocabulary. It starts no goroutine and doesn't log.
	speaks bool
	// helps: only tests import it, and commands.
	helps bool
}

var everything = []string{"*"}

// plan is who may import whom. Acting rooms (producer, worker, callbacks) never
// import each other: they meet in Redis and in cmd.
var plan = map[string]room{
	"campaign": {speaks: true},
	"ledger":   {imports: []string{"campaign"}},
	"telesign": {speaks: true},
	"tasks":    {speaks: true, imports: []string{"campaign"}},

	"producer":  {imports: []string{"tasks", "campaign", "ledger", "telesign", "internal/message"}},
	"worker":    {imports: []string{"tasks", "campaign", "ledger", "telesign", "internal/message", "internal/verdict", "internal/outbound"}},
	"callbacks": {imports: []string{"campaign", "ledger", "telesign", "internal/verdict"}},

	"internal/message":     {imports: []string{"campaign", "ledger", "telesign"}},
	"internal/verdict":     {imports: []string{"campaign", "ledger", "telesign"}},
	"internal/report":      {imports: []string{"campaign", "ledger", "internal/verdict"}},
	"internal/redisx":      {},
	"internal/web/access":  {imports: []string{"campaign", "ledger"}},
	"internal/web/api":     {imports: []string{"producer", "campaign", "ledger", "internal/web/access", "internal/report", "internal/stoplist", "internal/verdict"}},
	"internal/stoplist":    {imports: []string{"producer", "campaign", "ledger"}},
	"internal/web/queues":  {imports: []string{"internal/web/access"}},
	"internal/metrics":     {imports: []string{"campaign", "ledger", "tasks", "internal/redisx", "internal/report"}},
	"internal/web/console": {imports: []string{"producer", "campaign", "ledger", "internal/web/access", "internal/report", "internal/stoplist", "internal/verdict"}},
	"internal/webhook":     {imports: []string{"campaign", "ledger", "tasks", "internal/report", "internal/verdict"}},
	"internal/outbound":    {},
	"internal/schedule":    {imports: []string{"producer", "tasks", "campaign", "ledger", "internal/outbound"}},

	"internal/orderhistory/folder":   {},
	"internal/orderhistory":          {imports: []string{"campaign", "ledger", "producer", "internal/orderhistory/shop", "internal/orderhistory/sheet", "internal/orderhistory/state", "internal/orderhistory/store"}},
	"internal/orderhistory/database": {},
	"internal/orderhistory/shop":     {imports: []string{"internal/orderhistory/database"}},
	"internal/orderhistory/sheet":    {},
	"internal/orderhistory/state":    {imports: []string{"internal/orderhistory/database"}},
	"internal/orderhistory/store":    {imports: []string{"internal/orderhistory/folder"}},

	"test/campaigntest":  {helps: true, imports: []string{"campaign"}},
	"test/redistest":     {helps: true},
	"test/browsertest":   {helps: true},
	"telesign/simulator": {helps: true, imports: []string{"telesign"}},

	"test/postgrestest": {helps: true},
	"test/s3test":       {helps: true},

	"cmd/handout":      {imports: everything},
	"cmd/orderhistory": {imports: everything},
	"bench":            {}, // tests alone, as below
	"chaos":            {},
	// A module of its own, of tests alone.
	"deploy/alertstest": {},
}

// mostLines is how long a file may be that isn't a test.
const mostLines = 400

// source is one parsed Go file.
type source struct {
	path, room string
	test       bool
	lines      int
	file       *ast.File
}

// sources parses all Go files of the module.
func sources(t *testing.T, files *token.FileSet) []source {
	t.Helper()
	var all []source
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() {
			if path != "." && (strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || name == "testdata") {
				return fs.SkipDir // as the go command does
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(files, path, text, parser.ParseComments)
		if err != nil {
			return err
		}
		all = append(all, source{
			path: path, room: filepath.ToSlash(filepath.Dir(path)), test: strings.HasSuffix(name, "_test.go"),
			lines: strings.Count(string(text), "\n"), file: file,
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func (s source) imports() []string {
	var all []string
	for _, spec := range s.file.Imports {
		all = append(all, strings.Trim(spec.Path.Value, `"`))
	}
	return all
}

// ours are the rooms that a file imports.
func (s source) ours() []string {
	var rooms []string
	for _, path := range s.imports() {
		if path == module {
			rooms = append(rooms, ".")
		} else if room, ok := strings.CutPrefix(path, module+"/"); ok {
			rooms = append(rooms, room)
		}
	}
	return rooms
}

func TestPlan(t *testing.T) {
	t.Parallel()
	files := token.NewFileSet()
	all := sources(t, files)
	t.Run("every room imports only what it may", func(t *testing.T) { checkImports(t, all) })
	t.Run("every room has a row", func(t *testing.T) { checkRows(t, all) })
	t.Run("every room says what it is", func(t *testing.T) { checkComments(t, all) })
	t.Run("files are short", func(t *testing.T) { checkLengths(t, all) })
	t.Run("speaking rooms start nothing and log nothing", func(t *testing.T) { checkSpeakers(t, files, all) })
}

func isCommand(room string) bool { return strings.HasPrefix(room, "cmd/") }

func checkImports(t *testing.T, all []source) {
	t.Helper()
	for _, s := range all {
		may := plan[s.room].imports
		for _, room := range s.ours() {
			switch {
			case isCommand(room):
				t.Errorf("%s imports %s: nothing imports a command", s.path, room)
			case plan[room].helps && !s.test && !isCommand(s.room):
				t.Errorf("%s imports %s: only tests and commands may", s.path, room)
			case s.test || room == s.room || slices.Equal(may, everything) || slices.Contains(may, room):
			default:
				t.Errorf("%s imports %s: by the plan %s imports %s of ours; is the plan wrong, or the import?",
					s.path, room, s.room, list(may))
			}
		}
	}
}

func list(rooms []string) string {
	if len(rooms) == 0 {
		return "nothing"
	}
	return strings.Join(rooms, ", ")
}

func checkRows(t *testing.T, all []source) {
	t.Helper()
	rooms := make(map[string]bool)
	for _, s := range all {
		rooms[s.room] = true
	}
	delete(rooms, ".") // this test
	for _, room := range slices.Sorted(maps.Keys(rooms)) {
		if _, ok := plan[room]; !ok {
			t.Errorf("folder %s has no row in the plan: write into plan_test.go what it may import, and whether it speaks", room)
		}
	}
	for _, room := range slices.Sorted(maps.Keys(plan)) {
		if !rooms[room] {
			t.Errorf("the plan has a row for %s, which isn't there", room)
		}
	}
}

func checkComments(t *testing.T, all []source) {
	t.Helper()
	documented := make(map[string]bool)
	for _, s := range all {
		if !s.test {
			documented[s.room] = documented[s.room] || s.file.Doc != nil
		}
	}
	for room, ok := range documented {
		if !ok {
			t.Errorf("package %s has no package comment", room)
		}
	}
}

func checkLengths(t *testing.T, all []source) {
	t.Helper()
	for _, s := range all {
		if !s.test && s.lines > mostLines {
			t.Errorf("%s has %d lines, over %d: it holds two ideas", s.path, s.lines, mostLines)
		}
	}
}

func checkSpeakers(t *testing.T, files *token.FileSet, all []source) {
	t.Helper()
	for _, s := range all {
		if s.test || !plan[s.room].speaks {
			continue
		}
		for _, path := range s.imports() {
			if path == "log" || path == "log/slog" {
				t.Errorf("%s imports %s: a speaking room returns what went wrong, and others log it", s.path, path)
			}
		}
		for _, at := range goroutines(s.file) {
			t.Errorf("%s starts a goroutine: a speaking room leaves that to those who act", files.Position(at))
		}
	}
}

// goroutines are where a file starts one: by a go statement, or by a method Go
// as those of sync.WaitGroup and errgroup.
func goroutines(file *ast.File) []token.Pos {
	var found []token.Pos
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			found = append(found, n.Pos())
		case *ast.CallExpr:
			if f, ok := n.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "Go" {
				found = append(found, n.Pos())
			}
		}
		return true
	})
	return found
}

func TestPlan_SeesAGoroutineHoweverItIsStarted(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"go f()", "go func() {}()", "group.Go(f)", "for range 3 { defer g.wait.Go(f) }"} {
		text := fmt.Sprintf("package p\nfunc _() { %s }", body)
		file, err := parser.ParseFile(token.NewFileSet(), "p.go", text, 0)
		if err != nil {
			t.Fatal(err)
		}
		if len(goroutines(file)) != 1 {
			t.Errorf("%q: %d goroutines found", body, len(goroutines(file)))
		}
	}
}
