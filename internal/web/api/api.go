package api

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/report"
	"github.com/handout-dev/handout/internal/web/access"
)

// Prefix is where all of it stands.
const Prefix = "/api/v1"

// Options are what an API needs. Redis, Gate and Logger are required.
type Options struct {
	Redis  redis.UniversalClient // stays the caller's to close
	Gate   *access.Gate
	Logger *slog.Logger
	// Region is the country whose numbers may stand in lists in national form.
	Region string
	// AccountRate is the account's limit in messages per second where no person
	// has set it.
	AccountRate float64

	// MaxList is the most bytes of a list; 0: 4 GiB.
	MaxList int64
	// Silence is for how long a client may send, or take, nothing of a stream;
	// 0: a minute.
	Silence time.Duration
	// AnswerTime bounds a JSON body, and an answer that isn't a stream; 0: 30 s.
	AnswerTime time.Duration
	// Heartbeat is how often a quiet stream of events says that it lives, so
	// that nothing in between takes it for dead; 0: 15 s.
	Heartbeat time.Duration
}

const (
	defaultMaxList = 4 << 30
	defaultSilence = time.Minute
	defaultBeat    = 15 * time.Second
	defaultAnswer  = 30 * time.Second

	// maxBody is of JSON bodies; a campaign file is far smaller.
	maxBody = 1 << 20
)

// API answers requests under Prefix.
type API struct {
	o       Options
	reports *report.Reader
	ops     *operations.Operations
	huma    huma.API
	handler http.Handler
	feeds   feeds
	order   []string // operations, as they were registered

	ctx  context.Context // ends what outlives a request
	stop context.CancelFunc
}

// New is an API on the ledger in o.Redis.
func New(o Options) (*API, error) {
	if o.Redis == nil || o.Gate == nil || o.Logger == nil {
		return nil, errors.New("api: Redis, Gate and Logger are required")
	}
	if o.MaxList == 0 {
		o.MaxList = defaultMaxList
	}
	if o.Silence == 0 {
		o.Silence = defaultSilence
	}
	if o.AnswerTime == 0 {
		o.AnswerTime = defaultAnswer
	}
	if o.Heartbeat == 0 {
		o.Heartbeat = defaultBeat
	}
	a := &API{o: o, reports: report.NewReader(o.Redis, o.AccountRate),
		ops: operations.New(o.Redis, operations.Options{Region: o.Region, AccountRate: o.AccountRate})}
	a.ctx, a.stop = context.WithCancel(context.Background())
	mux := http.NewServeMux()
	a.huma = humago.NewWithPrefix(mux, Prefix, config())
	a.huma.UseMiddleware(a.authenticate)
	a.register()
	if err := a.document(mux); err != nil {
		return nil, err
	}
	mux.HandleFunc(Prefix+"/", func(w http.ResponseWriter, _ *http.Request) {
		notHere.write(w)
	})
	crossOrigin := http.NewCrossOriginProtection()
	crossOrigin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		problem(forbidden, "another site's page made the browser send this").write(w)
	}))
	a.handler = crossOrigin.Handler(mux)
	return a, nil
}

// ServeHTTP answers a request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// Each time: the deadline of the connection's last request may still stand.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(a.o.AnswerTime)) // streams set their own
	a.handler.ServeHTTP(w, r)
}

// Close ends streams and uploads under way, so that a server can stop.
func (a *API) Close() {
	a.stop()
	a.feeds.wait()
}

func config() huma.Config {
	c := huma.DefaultConfig("handout", "1")
	c.Info.Description = description
	c.Info.License = &huma.License{Name: "MIT", Identifier: "MIT"}
	c.OpenAPIPath, c.DocsPath, c.SchemasPath = "", "", ""
	c.CreateHooks = nil // no $schema in bodies
	c.Formats = map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat}
	c.RejectUnknownQueryParameters = true
	c.Transformers = []huma.Transformer{fromHuma}
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{securityScheme: {
		Type: "http", Scheme: "bearer", BearerFormat: "ho_<name>_<secret>",
		Description: "A key, made by `handout key create`. The scopes that an operation needs stand beside it.",
	}}
	return c
}

const securityScheme = "key"

const description = "Campaigns, lists, one-off sends, and what became of everyone.\n\n" +
	"Every request may be made again: the same campaign with the same list, and the same send with the same " +
	"Idempotency-Key, are done once. Errors are problem+json (RFC 9457) and name the field. Phone numbers are masked " +
	"to their last two digits unless the key has the scope people."

// operation describes one; the problems are those that it may answer with,
// beside a missing key, a missing scope and a Redis that is away.
func (a *API) operation(id, method, path string, scope access.Scope, summary, about string, problems ...*kind) huma.Operation {
	a.order = append(a.order, id)
	op := huma.Operation{
		Tags:        []string{group(method, path)},
		OperationID: id, Method: method, Path: path, Summary: summary, Description: about,
		MaxBodyBytes: maxBody, BodyReadTimeout: a.o.AnswerTime,
		Security:  []map[string][]string{{securityScheme: {string(scope)}}},
		Responses: map[string]*huma.Response{},
	}
	for _, k := range append(slices.Clone(always), problems...) {
		k.document(&op, a.schema(reflect.TypeFor[Problem]()))
	}
	return op
}

// always are the problems that each operation may answer with.
var always = []*kind{unauthorized, forbidden, unavailable}

// group is what an operation is about.
func group(method, path string) string {
	const outcomes = "What became of people"
	for _, g := range []struct{ part, name string }{
		{"/suppression", "Who is never sent to"}, {"/sends", "One person at a time"}, {"/rate", "How fast"},
		{"GET /campaigns/{id}/recipients", outcomes}, {"/{recipient}", outcomes}, {"/export", outcomes}, {"/accept-as-sent", outcomes}, {"/retry", outcomes},
		{"/recipients", "Lists"}, {"/dry-run", "Lists"},
	} {
		if strings.Contains(method+" "+path, g.part) {
			return g.name
		}
	}
	return "Campaigns"
}

func (a *API) schema(t reflect.Type) *huma.Schema {
	return a.huma.OpenAPI().Components.Schemas.Schema(t, true, "")
}

// also documents a success of an operation beside its usual one.
func (a *API) also(op *huma.Operation, status, about string, body reflect.Type) {
	op.Responses[status] = &huma.Response{
		Description: about, Content: map[string]*huma.MediaType{"application/json": {Schema: a.schema(body)}},
	}
}

func (a *API) register() {
	a.registerCampaigns()
	a.registerSteering()
	a.registerLists()
	a.registerSends()
	a.registerPeople()
	a.registerDoubt()
	a.registerStreams()
	a.registerRates()
	a.registerSuppression()
	a.registerPurge()
}

// openapi is the document.
func (a *API) openapi() ([]byte, error) { return json.Marshal(a.huma.OpenAPI()) }
