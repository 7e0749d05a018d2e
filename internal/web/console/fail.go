package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/web/access"
)

// refusal is an error of a page's own, in words for the visitor.
type refusal struct {
	status int
	text   string
}

func (r *refusal) Error() string { return r.text }

// refuse is an answer with this status, and a text that is shown.
func refuse(status int, format string, args ...any) error {
	if len(args) > 0 {
		format = fmt.Sprintf(format, args...)
	}
	return &refusal{status, format}
}

var (
	errNoPage = refuse(http.StatusNotFound, "There is no such page.")
	errAway   = refuse(http.StatusServiceUnavailable, "The ledger in Redis can't be reached. Nothing is lost: workers wait for it too. Load the page again in a moment.")
)

// judge is the one switch from errors to what a visitor reads.
func (c *Console) judge(ctx context.Context, err error) *refusal {
	var own *refusal
	if errors.As(err, &own) {
		return own
	}
	status, ok := statuses[operations.KindOf(err)]
	switch {
	case status == http.StatusServiceUnavailable:
		c.o.Logger.WarnContext(ctx, "the ledger can't be reached", "error", err)
		return errAway.(*refusal)
	case !ok:
		c.o.Logger.ErrorContext(ctx, "a page failed", "error", err)
		return &refusal{http.StatusInternalServerError, "Something went wrong here; the console's log says what."}
	}
	return &refusal{status, sentence(err.Error())}
}

// statuses are what each kind of error is answered with.
var statuses = map[operations.Kind]int{
	operations.NotFound: http.StatusNotFound, operations.WrongPhase: http.StatusConflict, operations.Stale: http.StatusConflict,
	operations.Refused: http.StatusUnprocessableEntity, operations.OtherContent: http.StatusConflict, operations.Ambiguous: http.StatusConflict,
	operations.Busy: http.StatusConflict, operations.Unavailable: http.StatusServiceUnavailable,
}

// sentence makes an error's text a sentence.
func sentence(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + strings.TrimSuffix(s[1:], ".") + "."
}

// failure is what the error page shows.
type failure struct {
	Status int
	Title  string
	Text   string
}

// fail answers with an error: the login page for visitors without a key, a page
// of words for everyone else. v may be nil.
func (c *Console) fail(w http.ResponseWriter, r *http.Request, v *visit, err error) {
	if errors.Is(err, access.ErrRefused) {
		c.turnAway(w, r)
		return
	}
	told := c.judge(r.Context(), err)
	if told.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "5")
	}
	c.render(w, v, told.status, "error", failure{told.status, http.StatusText(told.status), told.text})
}

// turnAway answers who has no key, or a wrong one.
func (c *Console) turnAway(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Header.Get("Authorization") != "":
		w.Header().Set("WWW-Authenticate", `Basic realm="handout: a key as the password", charset="UTF-8"`)
		c.render(w, nil, http.StatusUnauthorized, "error", failure{http.StatusUnauthorized, "Wrong key", "This key isn't good, or was revoked."})
	case r.Header.Get("HX-Request") != "":
		w.Header().Set("HX-Redirect", "/login")
		w.WriteHeader(http.StatusUnauthorized)
	case r.Method == http.MethodGet && r.Header.Get("Sec-Fetch-Site") == "cross-site":
		// A link on another site's page: the browser keeps the session's cookie
		// back until a page of ours asks.
		to := inside(r.URL.RequestURI())
		w.Header().Set("Refresh", "0; url="+to)
		c.render(w, nil, http.StatusOK, "moment", to)
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		http.Redirect(w, r, "/login?next="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
	default:
		c.render(w, nil, http.StatusUnauthorized, "error", failure{http.StatusUnauthorized, "Not logged in", "The session has ended. Nothing was done: log in and try again."})
	}
}
