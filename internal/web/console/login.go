package console

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/handout-dev/handout/internal/web/access"
)

// loginForm is what the login page shows.
type loginForm struct {
	Next  string
	Wrong string
}

func (c *Console) loginPage(w http.ResponseWriter, r *http.Request) {
	c.render(w, nil, http.StatusOK, "login", loginForm{Next: inside(r.URL.Query().Get("next"))})
}

// login makes a session out of a key.
func (c *Console) login(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := badForm(r.ParseForm()); err != nil {
		c.fail(w, r, nil, err)
		return
	}
	form := loginForm{Next: inside(r.PostFormValue("next"))}
	if c.secure(r) && r.TLS == nil && strings.HasPrefix(r.Header.Get("Origin"), "http://") {
		// The browser would throw the cookie away without a word.
		form.Wrong = "This page came over plain HTTP, where a session isn't safe. Put the console behind TLS; or, in a network that you trust, set HANDOUT_CONSOLE_PLAIN_HTTP=true."
		c.render(w, nil, http.StatusForbidden, "login", form)
		return
	}
	value, _, err := c.o.Gate.Keys.Login(r.Context(), strings.TrimSpace(r.PostFormValue("key")), time.Now())
	switch {
	case errors.Is(err, access.ErrRefused):
		form.Wrong = "This key isn't good, or was revoked."
		c.render(w, nil, http.StatusUnauthorized, "login", form)
	case err != nil:
		c.fail(w, r, nil, err)
	default:
		http.SetCookie(w, c.session(r, value, int(access.SessionLife/time.Second)))
		http.Redirect(w, r, form.Next, http.StatusSeeOther)
	}
}

// logout ends a session, if there is one.
func (c *Console) logout(w http.ResponseWriter, r *http.Request) {
	if cookie, err := r.Cookie(access.SessionCookie); err == nil {
		if err := c.o.Gate.Keys.Logout(r.Context(), cookie.Value); err != nil {
			c.fail(w, r, nil, err)
			return
		}
	}
	http.SetCookie(w, c.session(r, "", -1))
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

func (c *Console) session(r *http.Request, value string, age int) *http.Cookie {
	return &http.Cookie{
		Name: access.SessionCookie, Value: value, Path: "/", MaxAge: age,
		HttpOnly: true, Secure: c.secure(r), SameSite: http.SameSiteStrictMode,
	}
}

// inside is an address to go to after the login, if it is one of this host.
func inside(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") {
		return "/campaigns"
	}
	return next
}
