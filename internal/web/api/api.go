// Package api is the REST API for other apps, under /api/v1: campaigns, lists,
// one-off sends, outcomes, exports and live progress.
//
// It judges nothing by itself: campaign files and lists go to the producer, and
// what became of them comes from the ledger, as on the command line. Who may do
// what is internal/web/access's to say. The operations are Go types, from which
// /api/v1/openapi.json is made: what isn't in it, isn't there.
//
// Lists and exports are streams in constant memory. Nothing is ever half done:
// a client that got no answer makes the same request again.
package api

import (
	"cmp"
	"context"
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

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/audit"
	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/report"
	"github.com/handout-dev/handout/internal/sealed"
	"github.com/handout-dev/handout/internal/tracing"
	"github.com/handout-dev/handout/internal/web/access"
)

// Prefix is where all of it stands.
const Prefix = "/api/v1"

// Options are what an API needs. Redis, Gate and Logger are required.
type Options struct {
	Redis       redis.UniversalClient // stays the caller's to close
	MasterKeys  *sealed.Ring          // of the installation; nil: none
	Gate        *access.Gate
	Logger      *slog.Logger
	Region      string                        // the country whose numbers may stand in lists in national form
	AccountRate float64                       // the default account's limit in messages per second where no person has set it
	Telesign    *operations.Telesign          // is asked about the default account's templates; may be nil
	Accounts    map[string]operations.Account // beside the default, by their names
	Audit       *audit.Log                    // nil: one in the same Redis, with the usual length and age

	PrivateWebhooks bool              // webhooks may lead to private addresses, and by http
	Route           *operations.Route // to them; nil: straight

	MaxList    int64         // the most bytes of a list; 0: 4 GiB
	Silence    time.Duration // how long a client may send, or take, nothing of a stream; 0: a minute
	AnswerTime time.Duration // bounds a JSON body, and an answer that isn't a stream; 0: 30 s
	Heartbeat  time.Duration // how often a quiet stream of events says that it lives; 0: 15 s
}

// maxBody is the longest JSON body, in bytes; a campaign file is far smaller.
const maxBody = 1 << 20

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
	o.MaxList, o.Silence = cmp.Or(o.MaxList, 4<<30), cmp.Or(o.Silence, time.Minute)
	o.AnswerTime, o.Heartbeat = cmp.Or(o.AnswerTime, 30*time.Second), cmp.Or(o.Heartbeat, 15*time.Second)
	if o.Audit == nil {
		o.Audit = audit.New(o.Redis, audit.Options{})
	}
	a := &API{o: o, reports: report.NewReader(o.Redis, o.AccountRate).Sealed(o.MasterKeys).OfAccounts(operations.Rates(o.Accounts)).Traced(o.Audit),
		ops: operations.New(o.Redis, operations.Options{MasterKeys: o.MasterKeys, Region: o.Region, AccountRate: o.AccountRate, PrivateWebhooks: o.PrivateWebhooks, Route: o.Route, Telesign: o.Telesign, Accounts: o.Accounts, Audit: o.Audit})}
	a.ctx, a.stop = context.WithCancel(context.Background())
	mux := http.NewServeMux()
	config := config()
	config.Servers = []*huma.Server{{URL: o.Gate.Site.Base() + Prefix}}
	a.huma = humago.NewWithPrefix(mux, Prefix, config)
	a.huma.UseMiddleware(a.authenticate)
	a.register()
	if err := a.illustrate(); err != nil {
		return nil, err
	}
	if err := a.document(mux); err != nil {
		return nil, err
	}
	mux.HandleFunc(Prefix+"/", func(w http.ResponseWriter, _ *http.Request) {
		notHere.write(w)
	})
	crossOrigin := http.NewCrossOriginProtection()
	if origin := o.Gate.Site.Origin(); origin != "" { // a proxy may have put another Host into the request
		if err := crossOrigin.AddTrustedOrigin(origin); err != nil {
			return nil, err
		}
	}
	crossOrigin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		problem(forbidden, "another site's page made the browser send this").write(w)
	}))
	a.handler = tracing.Requests(crossOrigin.Handler(mux))
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
	a.feeds.ended.Wait()
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

// operation describes one; route is a method and a path. The problems are those that
// it may answer with, beside a missing key, a missing scope and a Redis that is away.
func (a *API) operation(id, route string, scope access.Scope, summary, about string, problems ...*kind) huma.Operation {
	a.order = append(a.order, id)
	method, path, _ := strings.Cut(route, " ")
	op := huma.Operation{
		Tags:        []string{group(route)},
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

type answer[T any] struct{ Body T }

// add registers an operation that answers with what do returns.
func add[I, T any](a *API, op huma.Operation, do func(context.Context, *I) (T, error)) {
	huma.Register(a.huma, op, func(ctx context.Context, in *I) (*answer[T], error) {
		body, err := do(ctx, in)
		if err != nil {
			return nil, a.problem(ctx, err)
		}
		return &answer[T]{body}, nil
	})
}

type statusAnswer[T any] struct {
	Status int
	Body   T
}

// addCreating is add for an operation that says whether it has created something: it
// answers with 201 then, else with 200, which means what again says.
func addCreating[I, T any](a *API, op huma.Operation, again string, do func(context.Context, *I) (T, bool, error)) {
	op.DefaultStatus = http.StatusCreated
	op.Responses["200"] = &huma.Response{
		Description: again, Content: map[string]*huma.MediaType{"application/json": {Schema: a.schema(reflect.TypeFor[T]())}},
	}
	huma.Register(a.huma, op, func(ctx context.Context, in *I) (*statusAnswer[T], error) {
		body, created, err := do(ctx, in)
		if err != nil {
			return nil, a.problem(ctx, err)
		}
		if created {
			return &statusAnswer[T]{http.StatusCreated, body}, nil
		}
		return &statusAnswer[T]{http.StatusOK, body}, nil
	})
}

// addStream registers an operation whose answer is a stream: do returns what writes it.
func addStream[I any](a *API, op huma.Operation, about string, media map[string]string, do func(context.Context, *I) (func(huma.Context), error)) {
	op.Responses["200"] = &huma.Response{Description: about, Content: texts(media)}
	huma.Register(a.huma, op, func(ctx context.Context, in *I) (*huma.StreamResponse, error) {
		write, err := do(ctx, in)
		if err != nil {
			return nil, a.problem(ctx, err)
		}
		return &huma.StreamResponse{Body: write}, nil
	})
}

// texts are bodies that aren't JSON, by their media types, with an example of each.
func texts(examples map[string]string) map[string]*huma.MediaType {
	content := make(map[string]*huma.MediaType)
	for media, example := range examples {
		content[media] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}, Example: example}
	}
	return content
}

// always are the problems that each operation may answer with: forbidden is also what a
// key's limits say.
var always = []*kind{unauthorized, forbidden, unavailable}

// group is the heading under which a route is documented.
func group(route string) string {
	const outcomes = "What became of people"
	for _, g := range []struct{ part, name string }{
		{"/suppression", "Who is never sent to"}, {"/optouts", "Who is never sent to"}, {"/sends", "One person at a time"}, {"/rate", "How fast"}, {"/audit", "Who did what"}, {"/templates", "Templates"}, {"/webhooks", "Webhooks"},
		{"GET /campaigns/{id}/recipients", outcomes}, {"/{recipient}", outcomes}, {"/export", outcomes}, {"/accept-as-sent", outcomes}, {"/retry", outcomes},
		{"/recipients", "Lists"}, {"/dry-run", "Lists"},
	} {
		if strings.Contains(route, g.part) {
			return g.name
		}
	}
	return "Campaigns"
}

func (a *API) schema(t reflect.Type) *huma.Schema {
	return a.huma.OpenAPI().Components.Schemas.Schema(t, true, "")
}

func (a *API) register() {
	a.registerCampaigns()
	a.registerSteering()
	a.registerLists()
	a.registerSends()
	a.registerPeople()
	a.registerStreams()
	a.registerRates()
	a.registerSuppression()
	a.registerTemplates()
	a.registerWebhooks()
	a.registerAudit()
}

func caller(ctx context.Context) *access.Key { return access.Caller(ctx) }

func actor(ctx context.Context, why string) campaign.Actor {
	return campaign.Actor{Name: caller(ctx).Name, Why: why}
}

// authenticate finds out who asks, and whether they may.
func (a *API) authenticate(ctx huma.Context, next func(huma.Context)) {
	r, w := humago.Unwrap(ctx)
	w.Header().Set("Cache-Control", "no-store")
	key, err := a.o.Gate.Bearer(r)
	switch {
	case errors.Is(err, access.ErrRefused):
		refusedKey(r, err).write(w)
		return
	case err != nil:
		a.problem(r.Context(), err).write(w)
		return
	}
	with := access.With(ctx.Context(), key)
	for _, scope := range ctx.Operation().Security[0][securityScheme] {
		if err := a.ops.Require(with, access.Scope(scope), ctx.Operation().OperationID); err != nil {
			problem(forbidden, err.Error()).write(w)
			return
		}
	}
	next(huma.WithContext(ctx, context.WithValue(with, exchangeKey{}, exchange{r, w})))
}

// field is a path within a request, without where in the request it stands.
func field(location string) string {
	for _, where := range []string{"body.", "query.", "path.", "header."} {
		if rest, ok := strings.CutPrefix(location, where); ok {
			return rest
		}
	}
	if location == "body" {
		return ""
	}
	return location
}
