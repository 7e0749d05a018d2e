package console

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/phone"
	"github.com/handout-dev/handout/internal/report"
	"github.com/handout-dev/handout/internal/web/access"
)

// Options are what a console needs. Redis, Gate and Logger are required.
type Options struct {
	Redis  redis.UniversalClient // stays the caller's to close
	Gate   *access.Gate
	Logger *slog.Logger
	// Region is the country whose numbers may stand in lists in national form.
	Region string
	// AccountRate is the account's limit in messages per second, as configured.
	AccountRate float64
	// PlainHTTP: other machines reach the console over plain HTTP, so that a
	// session's cookie can't be marked Secure.
	PlainHTTP bool
	// Every is how often what moves by itself is looked at; 0: 2 s.
	Every time.Duration
	// UploadLife is how long uploaded files wait to be confirmed; 0: an hour.
	UploadLife time.Duration
	// MaxUpload is the longest uploaded list, in bytes; 0: 128 MB.
	MaxUpload int64
}

const (
	defaultEvery = 2 * time.Second

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
	if o.Every == 0 {
		o.Every = defaultEvery
	}
	if o.UploadLife == 0 {
		o.UploadLife = uploadLife
	}
	if o.MaxUpload == 0 {
		o.MaxUpload = maxUpload
	}
	normalize, err := phone.Normalizer(o.Region)
	if err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	pages, err := parsePages()
	if err != nil {
		return nil, err
	}
	c := &Console{o: o, reports: report.NewReader(o.Redis, o.AccountRate),
		ops: operations.New(o.Redis, operations.Options{Region: o.Region, AccountRate: o.AccountRate}), pages: pages, mux: http.NewServeMux(), normalize: normalize}
	c.ctx, c.stop = context.WithCancel(context.Background())
	c.routes()
	crossOrigin := http.NewCrossOriginProtection()
	crossOrigin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.fail(w, r, nil, refuse(http.StatusForbidden, "Another site's page made the browser send this. Nothing was done."))
	}))
	c.handler = crossOrigin.Handler(c.mux)
	return c, nil
}

// ServeHTTP answers a request.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	// Not no-referrer: browsers would then say of our own forms that their
	// origin is null.
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	c.handler.ServeHTTP(w, r)
}

// policy lets a page load from here alone: no inline script or style, and no
// page of another site may frame it.
const policy = "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"

// Close ends the streams under way, so that a server can stop.
func (c *Console) Close() { c.stop() }

// page registers a page: it only shows.
func (c *Console) page(pattern string, scope access.Scope, show func(*visit) (name string, data any, err error)) {
	c.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		v, err := c.enter(w, r, scope)
		if err == nil && r.Method == http.MethodPost {
			r.Body = http.MaxBytesReader(w, r.Body, maxForm)
			err = badForm(r.ParseForm())
		}
		if err != nil {
			c.fail(w, r, v, err)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), pageTime)
		defer cancel()
		v.Request = r.WithContext(ctx)
		name, data, err := show(v)
		if err != nil {
			c.fail(w, r, v, err)
			return
		}
		c.render(w, v, http.StatusOK, name, data)
	})
}

// form registers what a form does; it returns the address to go to then.
func (c *Console) form(pattern string, scope access.Scope, do func(*visit) (to string, err error)) {
	c.upload(pattern, scope, maxForm, do)
}

// upload is form for bodies of up to most bytes, which aren't read yet if they
// are multipart.
func (c *Console) upload(pattern string, scope access.Scope, most int64, do func(*visit) (to string, err error)) {
	c.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		v, err := c.enter(w, r, scope)
		if err == nil {
			r.Body = http.MaxBytesReader(w, r.Body, most)
			err = badForm(r.ParseForm())
		}
		to := ""
		if err == nil {
			to, err = do(v)
		}
		if err != nil {
			c.fail(w, r, v, err)
			return
		}
		http.Redirect(w, r, to, http.StatusSeeOther)
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
	v := &visit{Request: r, w: w, key: key, secure: c.secure(r)}
	if err := key.Require(scope); err != nil {
		return v, refuse(http.StatusForbidden, "%s", sentence(err.Error()))
	}
	return v, nil
}

// secure says whether cookies are to be marked so. Behind a proxy that ends TLS
// the connection doesn't tell; a browser that is on this machine needs no TLS.
func (c *Console) secure(r *http.Request) bool {
	return r.TLS != nil || (!c.o.PlainHTTP && !access.LoopbackHost(r.Host))
}
