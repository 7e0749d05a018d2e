package console

import (
	"encoding/base64"
	"net/http"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/phone"
	"github.com/handout-dev/handout/internal/web/access"
)

// visit is a request whose key has been checked.
type visit struct {
	*http.Request
	w      http.ResponseWriter
	key    *access.Key
	secure bool // cookies
}

// may reports whether the visitor has a scope.
func (v *visit) may(s access.Scope) bool { return v.key.May(s) }

// actor is the visitor in a campaign's history.
func (v *visit) actor(why string) campaign.Actor { return campaign.Actor{Name: v.key.Name, Why: why} }

// phone is a number as the visitor may see it.
func (v *visit) phone(e164 string) string {
	if v.may(access.People) {
		return e164
	}
	return phone.Mask(e164)
}

// name is a recipient's name as the visitor may see it.
func (v *visit) name(name, e164 string) string {
	if v.may(access.People) {
		return name
	}
	return phone.MaskName(name, e164)
}

// id is the campaign of the path.
func (v *visit) id() (campaign.ID, error) {
	id, err := campaign.ParseID(v.PathValue("id"))
	if err != nil {
		return "", refuse(http.StatusNotFound, "There is no such campaign.")
	}
	return id, nil
}

// partial says whether htmx asks for a part of a page.
func (v *visit) partial() bool { return v.Header.Get("HX-Request") == "true" }

// flashCookie holds words for the next page.
const flashCookie = "handout_flash"

// flash shows a line on the next page, once. It travels in a cookie: nothing of
// people may stand in it.
func (v *visit) flash(text string) {
	http.SetCookie(v.w, &http.Cookie{
		Name: flashCookie, Value: base64.RawURLEncoding.EncodeToString([]byte(text)), Path: "/", MaxAge: 60,
		HttpOnly: true, Secure: v.secure, SameSite: http.SameSiteStrictMode,
	})
}

// flashed is what flash has left, which is gone then.
func (v *visit) flashed() string {
	c, err := v.Cookie(flashCookie)
	if err != nil || c.Value == "" {
		return ""
	}
	http.SetCookie(v.w, &http.Cookie{Name: flashCookie, Path: "/", MaxAge: -1, HttpOnly: true, Secure: v.secure, SameSite: http.SameSiteStrictMode})
	text, err := base64.RawURLEncoding.DecodeString(c.Value)
	if err != nil {
		return ""
	}
	return string(text)
}
