package console

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/handout-dev/handout/internal/web/access"
	"github.com/handout-dev/handout/internal/web/oidc"
)

type loginForm struct {
	Next     string
	Wrong    string
	Shut     bool   // no key is to be entered here; Wrong says why
	Provider string // the host of the OpenID Connect provider; empty: there is none
}

// loginForm is the form of a login that leads to next.
func (c *Console) loginForm(next string) loginForm {
	form := loginForm{Next: inside(next)}
	if c.o.Provider != nil {
		form.Provider = c.o.Provider.Host()
	}
	return form
}

func (c *Console) loginPage(w http.ResponseWriter, r *http.Request) {
	form := c.loginForm(r.URL.Query().Get("next"))
	if c.shut(w, r, form) {
		return
	}
	if token := r.URL.Query().Get("token"); token != "" && c.o.Gate.Open != "" { // the link that was printed at the start
		c.logIn(w, r, token, form)
		return
	}
	c.render(w, nil, http.StatusOK, "login", form)
}

// shut answers where no key is to be entered: before it has travelled, if the page can
// tell.
func (c *Console) shut(w http.ResponseWriter, r *http.Request, form loginForm) bool {
	form.Wrong, form.Shut = c.o.Gate.Site.Refuses(r), true
	if form.Wrong != "" {
		c.render(w, nil, http.StatusForbidden, "login", form)
	}
	return form.Wrong != ""
}

func (c *Console) login(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := badForm(r.ParseForm()); err != nil {
		c.fail(w, r, nil, err)
		return
	}
	form := c.loginForm(r.PostForm.Get("next"))
	if !c.shut(w, r, form) {
		c.logIn(w, r, strings.TrimSpace(r.PostForm.Get("key")), form)
	}
}

func (c *Console) logIn(w http.ResponseWriter, r *http.Request, token string, form loginForm) {
	switch err := c.o.Gate.Enter(w, r, token); {
	case errors.Is(err, access.ErrRefused):
		form.Wrong = "This key isn't good, or was revoked, or has ended."
		c.render(w, nil, http.StatusUnauthorized, "login", form)
	case err != nil:
		c.fail(w, r, nil, err)
	default:
		http.Redirect(w, r, form.Next, http.StatusSeeOther)
	}
}

// loginCookie keeps the secret of a login through the provider, and where it leads, until
// the browser comes back.
const loginCookie = "handout_login"

// loginSeconds is how long someone has to log in at the provider.
const loginSeconds = 15 * 60

// beginLogin sends a browser to the provider.
func (c *Console) beginLogin(w http.ResponseWriter, r *http.Request) {
	form := c.loginForm(r.URL.Query().Get("next"))
	if c.shut(w, r, form) {
		return
	}
	address, secret, err := c.o.Provider.Begin(r.Context())
	if err != nil {
		c.notIn(w, r, form, err)
		return
	}
	c.o.Gate.Site.Set(w, loginCookie, secret+"."+base64.RawURLEncoding.EncodeToString([]byte(form.Next)), loginSeconds)
	w.Header().Set("Location", address)
	w.WriteHeader(http.StatusSeeOther)
}

// finishLogin takes what a browser brings back from the provider.
func (c *Console) finishLogin(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Sec-Fetch-Site") == "cross-site" { // without our cookies, see turnAway
		c.moment(w, r)
		return
	}
	secret, text, _ := strings.Cut(c.o.Gate.Site.Cookie(r, loginCookie), ".")
	next, _ := base64.RawURLEncoding.DecodeString(text)
	form := c.loginForm(string(next))
	c.o.Gate.Site.Set(w, loginCookie, "", -1) // it was good once
	if c.shut(w, r, form) {
		return
	}
	person, err := c.o.Provider.Finish(r.Context(), secret, r.URL.Query())
	if err != nil {
		c.notIn(w, r, form, c.o.Gate.Refuse(r, "", err))
		return
	}
	var stranger *access.NoGroupError
	switch err := c.o.Gate.EnterPerson(w, r, person); {
	case errors.As(err, &stranger):
		form.Wrong = "You are logged in there as " + stranger.Person.Name + ", who is in no group that may use handout. The person who runs handout can say which groups may."
		c.render(w, nil, http.StatusForbidden, "login", form)
	case err != nil:
		c.fail(w, r, nil, err)
	default:
		http.Redirect(w, r, form.Next, http.StatusSeeOther)
	}
}

// notIn shows the login again with why the provider let no one in.
func (c *Console) notIn(w http.ResponseWriter, r *http.Request, form loginForm, err error) {
	c.o.Logger.WarnContext(r.Context(), "a login through the provider failed", "error", err)
	status := http.StatusBadGateway
	if errors.Is(err, access.ErrRefused) {
		status = http.StatusUnauthorized
	}
	form.Wrong = "This login failed."
	var why *oidc.Error
	if errors.As(err, &why) {
		form.Wrong = "You aren't logged in: " + why.Text + "."
	}
	if status == http.StatusBadGateway {
		form.Wrong += " A key lets you in meanwhile."
	}
	c.render(w, nil, status, "login", form)
}

func (c *Console) logout(w http.ResponseWriter, r *http.Request) {
	if err := c.o.Gate.Leave(w, r); err != nil {
		c.fail(w, r, nil, err)
		return
	}
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

// inside is an address to go to after the login, if it is one of this host.
func inside(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") {
		return "/campaigns"
	}
	return next
}
