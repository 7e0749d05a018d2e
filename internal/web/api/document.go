package api

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"html/template"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

//go:embed docs.html
var docsText string

// document serves the OpenAPI document, and a page made of it. Both are made
// once, hold no one's data, and need no key.
func (a *API) document(mux *http.ServeMux) error {
	document, err := json.Marshal(a.huma.OpenAPI())
	if err != nil {
		return err
	}
	page, err := docsPage(a.huma.OpenAPI(), a.order)
	if err != nil {
		return err
	}
	serve := func(media string, content []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			h := w.Header()
			h.Set("Content-Type", media)
			h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
			h.Set("X-Content-Type-Options", "nosniff")
			h.Set("Referrer-Policy", "same-origin")
			_, _ = w.Write(content) // a client that hung up asks again
		}
	}
	mux.HandleFunc("GET "+Prefix+"/openapi.json", serve("application/json", document))
	mux.HandleFunc("GET "+Prefix+"/docs", serve("text/html; charset=utf-8", page))
	return nil
}

// docsGroup are operations under one heading.
type docsGroup struct {
	Name       string
	Operations []*huma.Operation
}

// docsPage is the document for people: no script, and nothing from other hosts.
func docsPage(o *huma.OpenAPI, order []string) ([]byte, error) {
	shown, err := readExamples()
	if err != nil {
		return nil, err
	}
	at := o.Servers[0].URL
	if strings.HasPrefix(at, "/") { // where the console is reached isn't configured
		at = "http://127.0.0.1:8090" + at
	}
	page, err := template.New("docs").Funcs(template.FuncMap{
		"words": docsWords,
		"base":  path.Base,
		"curl":  curl,
		"lines": indented,
		"json": func(v any) (string, error) {
			b, err := json.Marshal(v)
			return string(b), err
		},
		"requires": func(s *huma.Schema, field string) bool { return slices.Contains(s.Required, field) },
		"usual": func(status string) bool {
			return slices.ContainsFunc(always, func(k *kind) bool { return strconv.Itoa(k.Status) == status })
		},
	}).Parse(docsText)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = page.Execute(&b, map[string]any{
		"Info": o.Info, "At": at, "Problem": shown.Answers["Problem"], "Prefix": Prefix, "Groups": docsGroups(o, order), "Schemas": o.Components.Schemas.Map(), "Always": always, "Kinds": kinds,
	})
	return b.Bytes(), err
}

// docsGroups are all operations, in the order in which they were registered.
func docsGroups(o *huma.OpenAPI, order []string) []docsGroup {
	byID := operationsOf(o)
	var groups []docsGroup
	for _, id := range order {
		op := byID[id]
		at := slices.IndexFunc(groups, func(g docsGroup) bool { return g.Name == op.Tags[0] })
		if at < 0 {
			at, groups = len(groups), append(groups, docsGroup{Name: op.Tags[0]})
		}
		groups[at].Operations = append(groups[at].Operations, op)
	}
	return groups
}

// docsWords is a text with `code` in it.
func docsWords(text string) template.HTML {
	var b strings.Builder
	for i, part := range strings.Split(text, "`") {
		if part = template.HTMLEscapeString(part); i%2 == 1 {
			part = "<code>" + part + "</code>"
		}
		b.WriteString(part)
	}
	return template.HTML(b.String()) // escaped above
}
