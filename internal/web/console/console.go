// Package console is the operators' pages: server-rendered HTML that works
// without JavaScript, and htmx on top for what moves by itself. It judges
// nothing: what became of everyone comes from the ledger, who may do what from
// internal/web/access. No build step, and nothing from another host.
//
// README.md beside this file says how a page is added, and what a form, a template and
// an error may do.
package console

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/internal/audit"
	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/phone"
	"github.com/handout-dev/handout/internal/report"
	"github.com/handout-dev/handout/internal/sealed"
	"github.com/handout-dev/handout/internal/web/access"
	"github.com/handout-dev/handout/internal/web/oidc"
)

// Options are what a console needs. Redis, Gate and Logger are required.
type Options struct {
	Redis           redis.UniversalClient // stays the caller's to close
	MasterKeys      *sealed.Ring          // of the installation; nil: none
	Gate            *access.Gate
	Logger          *slog.Logger
	Region          string                        // the country whose numbers may stand in lists in national form
	AccountRate     float64                       // the default account's limit in messages per second where no person has set it
	Telesign        *operations.Telesign          // is asked about the default account's templates; may be nil
	Accounts        map[string]operations.Account // beside the default, by their names
	PrivateWebhooks bool                          // webhooks may lead to private addresses, and by http
	Route           *operations.Route             // to them; nil: straight
	Destination     string                        // where messages go, after "Messages go to"; empty: it isn't said
	Provider        *oidc.Provider                // people may log in through it; nil: by keys alone
	Audit           *audit.Log                    // nil: one in the same Redis, with the usual length and age

	Every      time.Duration // how often what moves by itself is looked at; 0: 1 s
	UploadLife time.Duration // how long uploaded files wait to be confirmed; 0: an hour
	MaxUpload  int64         // the longest uploaded list, in bytes; 0: 128 MB
}

const (
	// maxForm is the longest form, in bytes.
	maxForm = 1 << 20
	// pageTime is how long a page may take.
	pageTime = 20 * time.Second
)

// Console answers requests for pages.
type Console struct {
	o       Options
	reports *report.Reader
	ops     *operations.Operations
	pages   map[string]*template.Template
	mux     *http.ServeMux
	handler http.Handler
	kept    outcomeCache
	uploads uploads
	asks    map[string]func(*visit) (string, any, error) // the pages that ask before a verb
	// normalize brings a number into E.164 form; its error is in words.
	normalize func(phone string) (string, error)

	ctx  context.Context // ends what outlives a request
	stop context.CancelFunc
}

// New is a console on the ledger in o.Redis.
func New(o Options) (*Console, error) {
	if o.Redis == nil || o.Gate == nil || o.Logger == nil {
		return nil, errors.New("console: Redis, Gate and Logger are required")
	}
	o.Every, o.UploadLife, o.MaxUpload = cmp.Or(o.Every, time.Second), cmp.Or(o.UploadLife, uploadLife), cmp.Or(o.MaxUpload, maxUpload)
	normalize, err := phone.Normalizer(o.Region)
	if err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	pages, err := parsePages()
	if err != nil {
		return nil, err
	}
	if o.Audit == nil {
		o.Audit = audit.New(o.Redis, audit.Options{})
	}
	c := &Console{o: o, reports: report.NewReader(o.Redis, o.AccountRate).Sealed(o.MasterKeys).OfAccounts(operations.Rates(o.Accounts)).Traced(o.Audit),
		ops: operations.New(o.Redis, operations.Options{MasterKeys: o.MasterKeys, Region: o.Region, AccountRate: o.AccountRate, PrivateWebhooks: o.PrivateWebhooks, Route: o.Route, Telesign: o.Telesign, Accounts: o.Accounts, Audit: o.Audit}), pages: pages, mux: http.NewServeMux(), normalize: normalize,
		asks: make(map[string]func(*visit) (string, any, error))}
	c.ctx, c.stop = context.WithCancel(context.Background())
	c.routes()
	crossOrigin := http.NewCrossOriginProtection()
	if origin := o.Gate.Site.Origin(); origin != "" { // a proxy may have put another Host into the request
		if err := crossOrigin.AddTrustedOrigin(origin); err != nil {
			return nil, fmt.Errorf("console: %w", err)
		}
	}
	crossOrigin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.fail(w, r, nil, refuse(http.StatusForbidden, "Another site's page made the browser send this. Nothing was done."))
	}))
	c.handler = crossOrigin.Handler(c.mux)
	return c, nil
}

// ServeHTTP answers a request.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secure(w.Header())
	c.handler.ServeHTTP(w, r)
}

// Error answers a browser that asked for a page which stands beside these and isn't
// there, or not for its key.
func (c *Console) Error(w http.ResponseWriter, r *http.Request, status int, detail string) {
	secure(w.Header())
	err := refuse(status, "%s", sentence(detail))
	if status == http.StatusUnauthorized {
		w.Header().Del("WWW-Authenticate") // turnAway knows who is to be asked for what
		err = access.ErrRefused
	}
	v, wrong := c.enter(w, r, access.Read)
	if wrong != nil {
		v = nil
	}
	c.fail(w, r, v, err)
}

func secure(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	// Not no-referrer: browsers would then say of our own forms that their
	// origin is null.
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

// policy lets a page load from here alone: no inline script or style, and no
// page of another site may frame it.
const policy = "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"

// Close ends the streams under way, so that a server can stop.
func (c *Console) Close() { c.stop() }

// handle registers what answers visitors with a scope. Forms are read first, up to
// maxForm; those with files are left to [receive], up to maxBytes.
func (c *Console) handle(pattern string, scope access.Scope, maxBytes int64, do func(*visit) error) {
	c.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		v, err := c.enter(w, r, scope)
		if v != nil {
			r = v.Request
		}
		if err == nil && r.Method == http.MethodPost {
			r.Body = http.MaxBytesReader(w, r.Body, maxBytes)
			if maxBytes <= maxForm { // it would be in memory
				err = badForm(r.ParseForm())
			}
		}
		if err == nil {
			err = do(v)
		}
		if err != nil {
			c.fail(w, r, v, err)
		}
	})
}

func (c *Console) page(pattern string, scope access.Scope, show func(*visit) (name string, data any, err error)) {
	c.handle(pattern, scope, maxForm, func(v *visit) error {
		ctx, cancel := context.WithTimeout(v.Context(), pageTime)
		defer cancel()
		v.Request = v.WithContext(ctx)
		name, data, err := show(v)
		if err == nil {
			c.render(v.w, v, http.StatusOK, name, data)
		}
		return err
	})
}

// form registers what a form does; it returns the address to go to then.
func (c *Console) form(pattern string, scope access.Scope, do func(*visit) (to string, err error)) {
	c.upload(pattern, scope, maxForm, do)
}

// upload is form for bodies of up to maxBytes.
func (c *Console) upload(pattern string, scope access.Scope, maxBytes int64, do func(*visit) (to string, err error)) {
	c.handle(pattern, scope, maxBytes, func(v *visit) error {
		to, err := do(v)
		if err == nil {
			http.Redirect(v.w, v.Request, to, http.StatusSeeOther)
		}
		return err
	})
}

// ask registers a page that asks before a verb is done to a campaign.
func (c *Console) ask(verb string, ask func(*visit, *operations.Standing) (question, error)) {
	page := func(v *visit) (string, any, error) {
		s, err := c.standing(v)
		if err != nil {
			return "", nil, err
		}
		q, err := ask(v, s)
		return "ask", q, err
	}
	c.asks[verb] = page
	c.page("GET /campaigns/{id}/"+verb, access.Control, page)
}

// deed registers what is done to a campaign that look has read; do returns what to tell
// the visitor.
func (c *Console) deed(verb string, look func(*visit) (*operations.Standing, error), do func(*visit, *operations.Standing) (done string, err error)) {
	page := c.asks[verb] // nil for what isn't asked first
	c.form("POST /campaigns/{id}/"+verb, access.Control, func(v *visit) (string, error) {
		if page != nil {
			v.comesBack("ask", page, "at", "zone", "rate", "name", "why")
		}
		s, err := look(v)
		if err != nil {
			return "", err
		}
		done, err := do(v, s)
		if err != nil {
			return "", err
		}
		v.flash(done)
		return "/campaigns/" + string(s.Info.ID), nil
	})
}

func badForm(err error) error {
	var tooLong *http.MaxBytesError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &tooLong):
		return refuse(http.StatusRequestEntityTooLarge, "The form is too long.")
	}
	return refuse(http.StatusBadRequest, "The form can't be read.")
}

// enter finds out who asks and whether they may.
func (c *Console) enter(w http.ResponseWriter, r *http.Request, scope access.Scope) (*visit, error) {
	key, err := c.o.Gate.Browser(r)
	if err != nil {
		return nil, err
	}
	r = r.WithContext(access.With(r.Context(), key))
	v := &visit{Request: r, w: w, key: key, site: c.o.Gate.Site}
	if err := c.ops.Require(r.Context(), scope, r.Pattern); err != nil {
		return v, refuse(http.StatusForbidden, "%s", sentence(err.Error()))
	}
	return v, nil
}

func (c *Console) routes() {
	c.mux.Handle("GET /assets/", assetHandler())
	c.mux.HandleFunc("GET /login", c.loginPage)
	c.mux.HandleFunc("POST /login", c.login)
	c.mux.HandleFunc("POST /logout", c.logout)
	if c.o.Provider != nil {
		c.mux.HandleFunc("GET /login/oidc", c.beginLogin)
		c.mux.HandleFunc("GET "+oidc.CallbackPath, c.finishLogin)
	}
	c.mux.Handle("GET /{$}", http.RedirectHandler("/campaigns", http.StatusSeeOther))
	c.mux.HandleFunc("/", c.nothing)

	c.page("GET /campaigns", access.Read, c.campaigns)
	c.page("GET /campaigns/{id}", access.Read, c.campaign)
	c.page("GET /campaigns/{id}/picture", access.Read, c.picture)
	c.mux.HandleFunc("GET /campaigns/{id}/live", c.watch)
	c.handle("GET /campaigns/{id}/export", access.Read, maxForm, c.export)
	c.deed("pause", c.standing, steer(c.ops.Pause, "The campaign is paused: {left}."))
	c.ask("resume", c.askResume)
	c.deed("resume", c.asked, steer(c.ops.Resume, "The campaign goes on: {left}."))
	c.ask("cancel", c.askCancel)
	c.deed("cancel", c.asked, steer(c.ops.Cancel, "The campaign is canceled."))
	c.ask("reschedule", c.askReschedule)
	c.deed("reschedule", c.asked, c.reschedule)
	c.ask("rate", c.askRate)
	c.deed("rate", c.standing, c.setRate)
	c.ask("purge", c.askPurge)
	c.deed("purge", c.standing, c.purge)
	c.page("GET /campaigns/{id}/retry", access.Control, c.askAll(operations.VerbResend))
	c.form("POST /campaigns/{id}/retry", access.Control, c.decideAll(operations.VerbResend, "To be sent to again: %s."))

	c.page("GET /people", access.Read, c.people)
	c.page("POST /people", access.Read, c.people) // what is looked for may be a number, and has no place in an address
	c.page("GET /campaigns/{id}/people", access.Read, c.campaignPeople)
	c.page("POST /campaigns/{id}/people", access.Read, c.campaignPeople)
	c.page("GET /campaigns/{id}/people/{place}", access.Read, c.person)
	c.page("GET /campaigns/{id}/people/{place}/resend", access.Control, c.askDecision(operations.VerbResend))
	c.form("POST /campaigns/{id}/people/{place}/resend", access.Control, c.decide(operations.VerbResend, "Recipient %s is to be sent to again."))
	c.page("GET /campaigns/{id}/people/{place}/accept", access.Control, c.askDecision(operations.VerbAccept))
	c.form("POST /campaigns/{id}/people/{place}/accept", access.Control, c.decide(operations.VerbAccept, "Recipient %s is taken as sent."))
	c.page("GET /doubt", access.Read, c.doubt)
	c.page("GET /doubt/{id}/accept", access.Control, c.askAll(operations.VerbAccept))
	c.form("POST /doubt/{id}/accept", access.Control, c.decideAll(operations.VerbAccept, "Taken as sent: %s."))

	c.page("GET /new", access.Submit, c.newCampaign)
	c.upload("POST /new", access.Submit, maxBody, c.takeUpload)
	c.page("GET /new/{token}", access.Submit, c.review)
	c.form("POST /new/{token}", access.Submit, c.confirm)

	c.page("GET /suppression", access.Read, c.suppression)
	c.page("POST /suppression/check", access.Read, c.checkSuppressed) // the number has no place in an address
	c.form("POST /suppression/add", access.Control, c.addSuppressed)
	c.page("POST /suppression/remove/ask", access.Control, c.askUnsuppress)
	c.form("POST /suppression/remove", access.Control, c.removeSuppressed)
	c.form("POST /suppression/settle", access.Control, c.settleOptOut)
	c.upload("POST /suppression/import", access.Control, maxBody, c.importSuppressed)
	c.page("GET /suppression/import/{token}", access.Control, c.imported)

	c.page("GET /templates", access.Read, c.templates)

	c.page("GET /webhooks", access.Read, c.webhooks)
	c.page("POST /webhooks", access.Control, c.addWebhook) // shows the secret, once, and goes nowhere
	c.page("GET /webhooks/{webhook}", access.Read, c.webhook)
	c.form("POST /webhooks/{webhook}/test", access.Control, c.testWebhook)
	c.page("POST /webhooks/{webhook}/rotate", access.Control, c.rotateWebhook) // likewise
	c.page("GET /webhooks/{webhook}/remove", access.Control, func(v *visit) (string, any, error) {
		_, data, err := c.webhook(v)
		return "removewebhook", data, err
	})
	c.form("POST /webhooks/{webhook}/remove", access.Control, c.removeWebhook)
	c.page("GET /audit", access.All, c.audit)

	c.page("GET /keys", access.All, c.keys)
	c.page("POST /keys", access.All, c.createKey) // shows the key, once, and goes nowhere
	c.page("GET /keys/{name}/revoke", access.All, c.askRevoke)
	c.form("POST /keys/{name}/revoke", access.All, c.revokeKey)
}

// nothing answers for paths that aren't there, and for methods that a path hasn't.
func (c *Console) nothing(w http.ResponseWriter, r *http.Request) {
	v, err := c.enter(w, r, access.Read)
	switch {
	case errors.Is(err, access.ErrRefused) && r.Header.Get("Authorization") == "" && r.Method == http.MethodGet:
		err = errNoPage // a login leads to nothing
	case err != nil:
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		err = refuse(http.StatusMethodNotAllowed, "Nothing takes a %s at this address.", r.Method)
	default:
		err = errNoPage
	}
	c.fail(w, r, v, err)
}
