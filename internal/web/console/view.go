package console

import (
	"bytes"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"path"
	"strings"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/phone"
	"github.com/handout-dev/handout/internal/web/access"
)

//go:embed templates/*.html
var templates embed.FS

// shared are the files of every page: the frame around it, and parts.
var shared = []string{"templates/layout.html", "templates/parts.html"}

func parsePages() (map[string]*template.Template, error) {
	files, err := templates.ReadDir("templates")
	if err != nil {
		return nil, err
	}
	base, err := template.New("").Funcs(functions).ParseFS(templates, shared...)
	if err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	pages := make(map[string]*template.Template)
	for _, f := range files {
		file := path.Join("templates", f.Name())
		if file == shared[0] || file == shared[1] {
			continue
		}
		page, err := base.Clone()
		if err == nil {
			page, err = page.ParseFS(templates, file)
		}
		if err != nil {
			return nil, fmt.Errorf("console: %w", err)
		}
		pages[strings.TrimSuffix(f.Name(), ".html")] = page
	}
	return pages, nil
}

type view struct {
	Data  any
	Actor string // the visitor's name; empty for one without a key
	Local bool   // in without a key
	Flash string
	Nav   []navEntry
	Live  bool // the page changes by itself: without JavaScript it is loaded anew

	key *access.Key
}

// May says whether the visitor has a scope.
func (v *view) May(scope string) bool { return v.key != nil && v.key.May(access.Scope(scope)) }

// live is implemented by the data of pages that change by themselves.
type live interface{ Live() bool }

// render writes a page, or with name#part a part of it. v is nil for a visitor
// without a key.
func (c *Console) render(w http.ResponseWriter, v *visit, status int, name string, data any) {
	text, err := c.text(v, name, data)
	if err != nil {
		c.o.Logger.Error("a page can't be made", "page", name, "error", err)
		http.Error(w, "This page can't be made.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(text) // a browser that hung up asks again
}

func (c *Console) text(v *visit, name string, data any) ([]byte, error) {
	name, part, isPart := strings.Cut(name, "#")
	page := c.pages[name]
	if page == nil {
		return nil, fmt.Errorf("there is no page %q", name)
	}
	about := &view{Data: data}
	if l, ok := data.(live); ok {
		about.Live = l.Live()
	}
	if v != nil {
		about.key, about.Actor, about.Local = v.key, v.key.Name, v.key.Name == access.Local
		about.Nav = navFor(v)
		if !isPart {
			about.Flash = v.flashed()
		}
	}
	if !isPart {
		part = "layout"
	}
	var b bytes.Buffer
	err := page.ExecuteTemplate(&b, part, about)
	return b.Bytes(), err
}

var nav = []navEntry{
	{Path: "/campaigns", Text: "Campaigns", scope: access.Read},
	{Path: "/new", Text: "New", scope: access.Submit},
	{Path: "/people", Text: "People", scope: access.Read},
	{Path: "/doubt", Text: "In doubt", scope: access.Read},
	{Path: "/suppression", Text: "Suppressed", scope: access.Read},
	{Path: "/keys", Text: "Keys", scope: access.All},
	{Path: "/queues/", Text: "Queues", scope: access.Read},
	{Path: "/api/v1/docs", Text: "API", scope: access.Read},
}

// navEntry is a page in the navigation, and the scope that it takes.
type navEntry struct {
	Path, Text string
	scope      access.Scope
	Here       bool // the page is this one
}

func navFor(v *visit) []navEntry {
	var entries []navEntry
	for _, e := range nav {
		if e.Here = v.URL.Path == e.Path || strings.HasPrefix(v.URL.Path, e.Path+"/"); v.may(e.scope) {
			entries = append(entries, e)
		}
	}
	return entries
}

type visit struct {
	*http.Request
	w      http.ResponseWriter
	key    *access.Key
	secure bool // cookies
}

func (v *visit) may(s access.Scope) bool { return v.key.May(s) }

func (v *visit) actor(why string) campaign.Actor { return campaign.Actor{Name: v.key.Name, Why: why} }

// author is actor with the reason of a form, shortened to what a history keeps.
func (v *visit) author() campaign.Actor {
	why := []rune(strings.Join(strings.Fields(v.PostFormValue("why")), " "))
	return v.actor(string(why[:min(len(why), 500)]))
}

func (v *visit) phone(e164 string) string {
	if v.may(access.People) {
		return e164
	}
	return phone.Mask(e164)
}

func (v *visit) name(name, e164 string) string {
	if v.may(access.People) {
		return name
	}
	return phone.MaskName(name, e164)
}

func (v *visit) id() (campaign.ID, error) {
	id, err := campaign.ParseID(v.PathValue("id"))
	if err != nil {
		return "", refuse(http.StatusNotFound, "There is no such campaign.")
	}
	return id, nil
}

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
