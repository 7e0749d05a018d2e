package api

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"html/template"
	"maps"
	"net/http"
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
	document, err := a.openapi()
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
			h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
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
	Operations []docsOperation
}

// docsOperation is an operation as the page shows it.
type docsOperation struct {
	*huma.Operation
	Scopes  string
	Bodies  []docsBody
	Answers []docsAnswer
}

type docsBody struct{ Media, Schema, Example string }

type docsAnswer struct {
	Status, About string
	Bodies        []docsBody
}

type docsSchema struct {
	Name   string
	Fields []docsField
}

type docsField struct {
	Name, Type, About, Example string
	Required                   bool
}

type docsKind struct {
	Name, Title, About string
	Status             int
}

// docsPage is the document for people: no script, and nothing from other hosts.
// The operations come in the order in which they were registered.
func docsPage(o *huma.OpenAPI, order []string) ([]byte, error) {
	schemas := o.Components.Schemas.Map()
	data := struct {
		Info          *huma.Info
		Prefix        string
		Groups        []docsGroup
		Schemas       []docsSchema
		Always, Kinds []docsKind
	}{Info: o.Info, Prefix: Prefix, Groups: docsGroups(o, order)}
	for _, k := range always {
		data.Always = append(data.Always, docsKind{k.name, k.title, k.about, k.status})
	}
	for _, name := range slices.Sorted(maps.Keys(schemas)) {
		data.Schemas = append(data.Schemas, docsFields(name, schemas[name]))
	}
	for _, k := range kinds {
		data.Kinds = append(data.Kinds, docsKind{k.name, k.title, k.about, k.status})
	}
	page, err := template.New("docs").Funcs(template.FuncMap{
		"words": docsWords,
		"typed": func(name string) template.HTML { return docsType(name, schemas) },
	}).Parse(docsText)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = page.Execute(&b, data)
	return b.Bytes(), err
}

func docsGroups(o *huma.OpenAPI, order []string) []docsGroup {
	byID := make(map[string]*huma.Operation)
	for _, item := range o.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Delete} {
			if op != nil {
				byID[op.OperationID] = op
			}
		}
	}
	var groups []docsGroup
	for _, id := range order {
		op := byID[id]
		at := slices.IndexFunc(groups, func(g docsGroup) bool { return g.Name == op.Tags[0] })
		if at < 0 {
			at, groups = len(groups), append(groups, docsGroup{Name: op.Tags[0]})
		}
		groups[at].Operations = append(groups[at].Operations, docsOf(op))
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

// docsType is a type's name, which leads to the object if it is one's.
func docsType(name string, schemas map[string]*huma.Schema) template.HTML {
	words := strings.Split(name, " ")
	for i, word := range words {
		words[i] = template.HTMLEscapeString(word)
		if s := schemas[word]; s != nil && len(s.Properties) > 0 {
			words[i] = `<a href="#schema-` + words[i] + `">` + words[i] + "</a>"
		}
	}
	return template.HTML(strings.Join(words, " ")) // escaped above
}

func docsOf(op *huma.Operation) docsOperation {
	d := docsOperation{Operation: op, Scopes: strings.Join(op.Security[0][securityScheme], ", ")}
	if op.RequestBody != nil {
		d.Bodies = docsBodies(op.RequestBody.Content)
	}
	for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
		if slices.ContainsFunc(always, func(k *kind) bool { return strconv.Itoa(k.status) == status }) {
			continue
		}
		r := op.Responses[status]
		d.Answers = append(d.Answers, docsAnswer{status, r.Description, docsBodies(r.Content)})
	}
	return d
}

func docsBodies(content map[string]*huma.MediaType) []docsBody {
	var bodies []docsBody
	for _, media := range slices.Sorted(maps.Keys(content)) {
		b := docsBody{Media: media}
		if s := content[media].Schema; s != nil {
			b.Schema = schemaName(s)
		}
		if text, ok := content[media].Example.(string); ok {
			b.Example = text
		}
		bodies = append(bodies, b)
	}
	return bodies
}

func docsFields(name string, s *huma.Schema) docsSchema {
	d := docsSchema{Name: name}
	for _, field := range slices.Sorted(maps.Keys(s.Properties)) {
		p := s.Properties[field]
		f := docsField{Name: field, Type: typeName(p), About: limits(p), Required: slices.Contains(s.Required, field)}
		if len(p.Examples) > 0 {
			if b, err := json.Marshal(p.Examples[0]); err == nil {
				f.Example = string(b)
			}
		}
		d.Fields = append(d.Fields, f)
	}
	return d
}

// limits are a field's description with its bounds.
func limits(s *huma.Schema) string {
	parts := []string{}
	if s.Description != "" {
		parts = append(parts, s.Description)
	}
	if len(s.Enum) > 0 {
		values := make([]string, len(s.Enum))
		for i, v := range s.Enum {
			values[i], _ = v.(string)
		}
		parts = append(parts, "one of: "+strings.Join(values, ", "))
	}
	for _, bound := range []struct {
		words string
		n     *int
	}{{"at least %d characters", s.MinLength}, {"at most %d characters", s.MaxLength}, {"at least %d items", s.MinItems}, {"at most %d items", s.MaxItems}} {
		if bound.n != nil {
			parts = append(parts, strings.Replace(bound.words, "%d", strconv.Itoa(*bound.n), 1))
		}
	}
	for _, bound := range []struct {
		words string
		n     *float64
	}{{"at least ", s.Minimum}, {"at most ", s.Maximum}} {
		if bound.n != nil && (*bound.n != 0 || bound.n == s.Maximum) { // "at least 0" is left out
			parts = append(parts, bound.words+strconv.FormatFloat(*bound.n, 'g', -1, 64))
		}
	}
	return strings.Join(parts, "; ")
}

func typeName(s *huma.Schema) string {
	switch {
	case s.Ref != "":
		return schemaName(s)
	case s.Type == huma.TypeArray && s.Items != nil:
		return "list of " + typeName(s.Items)
	case len(s.OneOf) > 0:
		names := make([]string, len(s.OneOf))
		for i, one := range s.OneOf {
			names[i] = typeName(one)
		}
		return strings.Join(names, " or ")
	case s.Format == "date-time":
		return "time, RFC 3339"
	}
	return s.Type
}

func schemaName(s *huma.Schema) string {
	if _, name, ok := strings.Cut(s.Ref, "/schemas/"); ok {
		return name
	}
	return s.Type
}
