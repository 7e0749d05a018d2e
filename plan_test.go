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
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/handout-dev/handout"

// kind is what a room does.
type kind string

const (
	// pure: values in, values out. No Redis, no network, no clock of its own, no
	// goroutine, no log.
	pure kind = "pure"
	// tool: runs what others give it, and knows nothing of what that is.
	tool kind = "tool"
	// client: speaks to others over the network, and keeps nothing.
	client kind = "client"
	// store: keeps its part in Redis, and is the only room that knows those keys.
	store kind = "store"
	// mover: takes work and does it.
	mover kind = "mover"
	// verbs: what operators do and ask, each once, for all faces.
	verbs kind = "verbs"
	// face: what people and programs touch. It decodes, calls and renders.
	face kind = "face"
	// kit: only tests import it, and commands.
	kit kind = "kit"
)

// room is one package's row in the plan.
type room struct {
	kind kind
	// imports are the rooms that its code imports, of ours; its tests may import
	// any but commands.
	imports []string
}

var everything = []string{"*"}

// plan is who may import whom. What sends, hears and tells (worker, callbacks,
// internal/webhook) never import each other or what starts work: they meet in
// Redis and in cmd. What starts work (internal/schedule, internal/orderhistory)
// submits through producer, as other Go programs do.
var plan = map[string]room{
	"campaign":              {pure, nil},
	"tasks":                 {pure, []string{"campaign"}},
	"internal/campaignfile": {pure, []string{"campaign", "telesign", "internal/translate"}},
	"internal/accounts":     {pure, []string{"campaign", "telesign", "internal/secret"}},
	"internal/listfile":     {pure, nil},
	"internal/phone":        {pure, nil},
	"internal/secret":       {pure, nil},
	"internal/seen":         {pure, nil},
	"internal/templates":    {pure, []string{"campaign", "telesign"}},
	"internal/vendorreport": {pure, []string{"telesign", "internal/listfile", "internal/phone"}},
	"internal/translate":    {pure, []string{"campaign", "telesign"}},
	"internal/version":      {pure, nil},

	"internal/batch":    {tool, nil},
	"internal/manual":   {tool, nil},
	"internal/terminal": {tool, nil},
	"internal/usage":    {tool, nil},

	"telesign":           {client, nil},
	"internal/outbound":  {client, nil},
	"internal/tracing":   {client, []string{"campaign"}},
	"internal/filecheck": {client, []string{"internal/outbound"}},
	"internal/probe":     {client, []string{"telesign", "internal/outbound"}},
	"internal/redisx":    {client, nil},
	"internal/s3keys":    {client, []string{"internal/outbound", "internal/secret"}},

	"internal/audit":           {store, []string{"campaign", "internal/redisx", "internal/web/access"}},
	"internal/pacing":          {store, []string{"campaign", "internal/redisx"}},
	"internal/suppression":     {store, []string{"campaign", "telesign", "internal/batch", "internal/phone", "internal/redisx"}},
	"internal/sealed":          {store, []string{"campaign", "internal/installation", "internal/redisx"}},
	"internal/webhook/outbox":  {store, []string{"campaign", "internal/redisx", "internal/sealed", "internal/secret"}},
	"internal/queue":           {store, []string{"internal/redisx"}},
	"internal/backup":          {client, []string{"internal/installation", "internal/redisx"}},
	"internal/installation":    {store, []string{"internal/redisx"}},
	"internal/proposal":        {store, []string{"campaign", "internal/redisx"}},
	"internal/references":      {store, []string{"campaign", "internal/redisx"}},
	"internal/unverified":      {store, []string{"internal/redisx"}},
	"internal/templates/cache": {store, []string{"telesign", "internal/redisx"}},
	"ledger":                   {store, []string{"campaign", "internal/batch", "internal/pacing", "internal/proposal", "internal/redisx", "internal/sealed", "internal/webhook/outbox", "internal/references"}},

	"producer":          {mover, []string{"tasks", "campaign", "ledger", "telesign", "internal/installation", "internal/sealed", "internal/campaignfile", "internal/listfile", "internal/phone", "internal/queue", "internal/seen", "internal/translate", "internal/tracing"}},
	"worker":            {mover, []string{"tasks", "campaign", "ledger", "telesign", "internal/installation", "internal/sealed", "internal/filecheck", "internal/outbound", "internal/pacing", "internal/queue", "internal/suppression", "internal/translate", "internal/tracing"}},
	"callbacks":         {mover, []string{"campaign", "ledger", "telesign", "internal/sealed", "internal/phone", "internal/suppression", "internal/templates", "internal/translate", "internal/references", "internal/unverified", "internal/tracing"}},
	"internal/webhook":  {mover, []string{"tasks", "campaign", "ledger", "internal/sealed", "internal/outbound", "internal/phone", "internal/queue", "internal/secret", "internal/translate", "internal/webhook/outbox", "internal/tracing"}},
	"internal/recount":  {mover, []string{"campaign", "ledger", "internal/references", "internal/sealed", "internal/suppression"}},
	"internal/schedule": {mover, []string{"producer", "tasks", "campaign", "ledger", "internal/audit", "internal/sealed", "internal/outbound", "internal/phone", "internal/queue", "internal/redisx", "internal/s3keys", "internal/suppression"}},

	"internal/orderhistory":          {mover, []string{"producer", "campaign", "ledger", "internal/phone", "internal/orderhistory/shop", "internal/orderhistory/sheet", "internal/orderhistory/state", "internal/orderhistory/store"}},
	"internal/orderhistory/decimal":  {pure, nil},
	"internal/orderhistory/database": {client, nil},
	"internal/orderhistory/shop":     {client, []string{"internal/orderhistory/database", "internal/orderhistory/decimal"}},
	"internal/orderhistory/sheet":    {pure, []string{"internal/orderhistory/decimal"}},
	"internal/orderhistory/state":    {client, []string{"internal/orderhistory/database"}},
	"internal/orderhistory/store":    {client, []string{"internal/outbound", "internal/s3keys"}},

	"internal/operations": {verbs, []string{"producer", "campaign", "ledger", "telesign", "internal/audit", "internal/listfile", "internal/outbound", "internal/phone", "internal/proposal", "internal/sealed", "internal/suppression", "internal/templates", "internal/templates/cache", "internal/translate", "internal/web/access", "internal/webhook", "internal/webhook/outbox", "internal/backup", "internal/installation", "internal/vendorreport"}},
	"internal/report":     {verbs, []string{"campaign", "ledger", "internal/sealed", "internal/audit", "internal/web/access", "internal/phone", "internal/proposal", "internal/suppression", "internal/translate", "internal/unverified"}},

	"internal/demoredis":   {client, []string{"internal/redisx"}},
	"internal/examples":    {pure, nil},
	"internal/config":      {face, []string{"campaign", "telesign", "worker", "internal/accounts", "internal/installation", "internal/operations", "internal/outbound", "internal/redisx", "internal/sealed", "internal/secret", "internal/version", "internal/web/access", "internal/web/oidc"}},
	"internal/doctor":      {face, []string{"campaign", "telesign", "internal/installation", "internal/outbound", "internal/phone", "internal/probe", "internal/redisx", "internal/report", "internal/sealed", "internal/secret", "internal/version"}},
	"internal/metrics":     {face, []string{"campaign", "tasks", "internal/queue", "internal/redisx", "internal/report"}},
	"internal/rescue":      {face, []string{"campaign", "internal/backup", "internal/operations", "internal/report", "internal/terminal", "internal/vendorreport"}},
	"internal/web/access":  {store, []string{"campaign", "internal/redisx"}},
	"internal/web/api":     {face, []string{"internal/tracing", "producer", "campaign", "internal/audit", "internal/operations", "internal/phone", "internal/report", "internal/sealed", "internal/translate", "internal/web/access"}},
	"internal/web/console": {face, []string{"producer", "campaign", "internal/audit", "internal/operations", "internal/phone", "internal/report", "internal/sealed", "internal/translate", "internal/web/access", "internal/web/oidc"}},
	"internal/web/oidc":    {client, []string{"internal/outbound", "internal/web/access"}},
	"internal/web/queues":  {face, []string{"internal/redisx", "internal/web/access"}},

	// It ties everything together, and knows no store: what it does and asks of one
	// goes through internal/operations and internal/report.
	"cmd/handout": {face, []string{
		"callbacks", "campaign", "producer", "telesign", "telesign/simulator", "worker", "internal/accounts", "internal/audit", "internal/config",
		"internal/demoredis", "internal/doctor", "internal/examples", "internal/installation", "internal/manual", "internal/metrics", "internal/operations", "internal/orderhistory/store", "internal/phone",
		"internal/probe", "internal/recount", "internal/redisx", "internal/report", "internal/rescue", "internal/s3keys", "internal/schedule", "internal/sealed", "internal/secret", "internal/terminal",
		"internal/tracing", "internal/translate", "internal/usage", "internal/version", "internal/web/access", "internal/web/api", "internal/web/console", "internal/web/oidc", "internal/web/queues",
		"internal/webhook",
	}},
	"cmd/orderhistory": {face, everything},

	"telesign/simulator": {kit, []string{"telesign"}},
	"test/campaigntest":  {kit, []string{"campaign"}},
	"test/program":       {kit, nil},
	"test/process":       {kit, nil},
	"test/redistest":     {kit, nil},
	"test/browsertest":   {kit, nil},
	"test/postgrestest":  {kit, nil},
	"test/s3test":        {kit, nil},
	"test/proxytest":     {kit, nil},
	"test/accounts":      {kit, nil}, // tests alone, as below
	"test/bench":         {kit, nil},
	"test/operating":     {kit, nil},
	"test/chaos":         {kit, nil},
	"test/compose":       {kit, nil}, // tests alone, with the build tag compose
	"test/search":        {kit, nil},
	"test/reference":     {kit, nil},
	// Modules of their own, of tests alone.
	"deploy/alertstest":  {kit, nil},
	"deploy/charttest":   {kit, nil},
	"deploy/pintest":     {kit, nil},
	"deploy/releasetest": {kit, nil},
}

// mostLines is how long a file may be that isn't a test.
const mostLines = 400

// mostRoomLines is how long a room's code may be, without tests.
const mostRoomLines = 4000

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
	t.Run("packages are small", func(t *testing.T) { checkSizes(t, all) })
	t.Run("pure rooms are pure", func(t *testing.T) { checkPure(t, files, all) })
	t.Run("keys stand in their stores", func(t *testing.T) { checkKeys(t, files, all) })
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
			case plan[room].kind == kit && !s.test && !isCommand(s.room):
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
			t.Errorf("folder %s has no row in the plan: write into plan_test.go what it may import, and what kind it is", room)
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

func checkSizes(t *testing.T, all []source) {
	t.Helper()
	lines := make(map[string]int)
	for _, s := range all {
		if !s.test {
			lines[s.room] += s.lines
		}
	}
	for room, n := range lines {
		if n > mostRoomLines {
			t.Errorf("%s has %d lines, over %d: it holds two ideas", room, n, mostRoomLines)
		}
	}
}

// clock are the functions of package time that read the machine's clock, or wait.
var clock = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}

func checkPure(t *testing.T, files *token.FileSet, all []source) {
	t.Helper()
	for _, s := range all {
		if s.test || plan[s.room].kind != pure {
			continue
		}
		for _, path := range s.imports() {
			if slices.Contains([]string{"log", "log/slog", "net/http", "github.com/redis/go-redis/v9"}, path) {
				t.Errorf("%s imports %s: a pure room has values in and values out", s.path, path)
			}
		}
		for _, at := range goroutines(s.file) {
			t.Errorf("%s starts a goroutine: a pure room leaves that to those who act", files.Position(at))
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if f, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := f.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains(clock, f.Sel.Name) {
					t.Errorf("%s calls time.%s: a pure room is given the time", files.Position(f.Pos()), f.Sel.Name)
				}
			}
			return true
		})
	}
}

// keyPrefix begins every key of ours in Redis.
const keyPrefix = "handout:"

// checkKeys holds that a key stands in its store alone: in one file of it.
func checkKeys(t *testing.T, files *token.FileSet, all []source) {
	t.Helper()
	for _, s := range all {
		if s.test || plan[s.room].kind == kit || filepath.Base(s.path) == "keys.go" {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
				text, err := strconv.Unquote(l.Value)
				if rest, ok := strings.CutPrefix(text, keyPrefix); err == nil && ok && rest != "" && rest[0] != ' ' {
					t.Errorf("%s: the key %q stands outside its store's keys.go", files.Position(l.Pos()), text)
				}
			}
			return true
		})
	}
	for name, r := range plan {
		if _, err := os.Stat(filepath.Join(name, "keys.go")); err == nil && r.kind != store && name != "internal/schedule" {
			t.Errorf("%s has a keys.go and is no store", name)
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

// inTour is a function or type that docs/tour.md names, and its file.
var inTour = regexp.MustCompile("\\[`(\\w+)`\\]\\(\\.\\./([^)]+\\.go)\\)")

func TestTour_NamesWhatIsThere(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("docs/tour.md")
	if err != nil {
		t.Fatal(err)
	}
	names := inTour.FindAllStringSubmatch(string(page), -1)
	if len(names) < 20 {
		t.Errorf("the tour names %d functions", len(names))
	}
	for _, m := range names {
		name, path := m[1], m[2]
		text, err := os.ReadFile(path)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !regexp.MustCompile(`(?m)^(func (\([^)]*\) )?|type )` + name + `\b`).Match(text) {
			t.Errorf("docs/tour.md names %s in %s, which hasn't one", name, path)
		}
	}
}
