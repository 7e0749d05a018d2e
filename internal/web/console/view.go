package console

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"path"
	"strings"

	"github.com/handout-dev/handout/internal/web/access"
)

//go:embed templates/*.html
var templates embed.FS

// shared are the files of every page: the frame around it, and parts.
var shared = []string{"templates/layout.html", "templates/parts.html"}

// parsePages reads all pages, each with the shared files.
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

// view is what a template gets.
type view struct {
	Data  any
	Actor string // the visitor's name; empty for one without a key
	Local bool   // in without a key
	Flash string
	Nav   []navItem
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

// text is a page, or a part of it.
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
