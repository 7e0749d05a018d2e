package console

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/phone"
	"github.com/handout-dev/handout/internal/report"
	"github.com/handout-dev/handout/internal/translate"
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
	Data        any
	Actor       string // the visitor's name; empty for one without a key
	Local       bool   // in without a key
	Person      bool   // in through the provider, without a key
	Flash       string
	Nav         []navEntry
	Destination string // where messages go
	Live        bool   // the page changes by itself: without JavaScript it is loaded anew

	key  *access.Key
	back *comeback // a form that comes back; nil: none
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
		about.Destination = c.o.Destination
		if v.back != nil && v.back.text != "" {
			about.back = v.back
		}
		about.key, about.Actor, about.Local, about.Person = v.key, v.key.Name, v.key.Name == access.Local, v.key.Subject != ""
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
	if base := c.o.Gate.Site.Base(); base != "" {
		return addresses.ReplaceAll(b.Bytes(), []byte("${1}"+base+"/${2}")), err
	}
	return b.Bytes(), err
}

// addresses are those of the console itself in a page: templates and handlers know
// nothing of the path under which a proxy has put it. In texts there is no quote that
// html/template hasn't escaped.
var addresses = regexp.MustCompile(`( (?:href|src|action|formaction|hx-get|hx-post|sse-connect)=")/([^/])`)

var nav = []navEntry{
	{Path: "/campaigns", Text: "Campaigns", scope: access.Read},
	{Path: "/new", Text: "New", scope: access.Submit},
	{Path: "/people", Text: "People", scope: access.Read},
	{Path: "/doubt", Text: "In doubt", scope: access.Read},
	{Path: "/suppression", Text: "Suppressed", scope: access.Read},
	{Path: "/templates", Text: "Templates", scope: access.Read},
	{Path: "/webhooks", Text: "Webhooks", scope: access.Read},
	{Path: "/keys", Text: "Keys", scope: access.All},
	{Path: "/audit", Text: "Audit", scope: access.All},
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
	w    http.ResponseWriter
	key  *access.Key
	site access.Site
	back *comeback // nil: a fault has a page of its own
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
	v.site.Set(v.w, flashCookie, base64.RawURLEncoding.EncodeToString([]byte(text)), 60)
}

// flashed is what flash has left, which is gone then.
func (v *visit) flashed() string {
	value := v.site.Cookie(v.Request, flashCookie)
	if value == "" {
		return ""
	}
	v.site.Set(v.w, flashCookie, "", -1)
	text, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil {
		return ""
	}
	return string(text)
}

var functions = template.FuncMap{
	"asset":   asset,
	"count":   campaign.Number,
	"percent": percent,
	"plural":  campaign.Count,
	"when":    when,
	"words":   words,
	"seconds": func(n int) string { return campaign.FormatDuration(time.Duration(n) * time.Second) },
	// about is the same view with other data, for a part of a page.
	"about": func(v *view, data any) *view {
		other := *v
		other.Data = data
		return &other
	},
	"states":  campaign.States,
	"means":   report.StateMeans,
	"channel": report.ChannelName,
	"said":    translate.Words,
	"lines":   operations.DuplicateLines,
	"zone":    operations.ZoneName,
	"indent": func(sample json.RawMessage) (string, error) {
		var b bytes.Buffer
		err := json.Indent(&b, sample, "", "  ")
		return b.String(), err
	},
	"future": func(t time.Time) bool { return t.After(time.Now()) },
}

// spaced is what a history's verb was done with, as pages write it: a time as when has it.
func spaced(about string) string {
	if at, err := time.Parse(time.RFC3339, about); err == nil {
		return when(at)
	}
	return about
}

// percent is a part of a whole; a part that isn't all is never said to be, nor
// one that is something nothing.
func percent(part, whole int) string {
	if whole == 0 {
		return "–"
	}
	p := 100 * float64(part) / float64(whole)
	switch {
	case part > 0 && p < 0.1:
		return "<0.1 %"
	case part < whole && p > 99.9:
		return ">99.9 %"
	}
	return strconv.FormatFloat(p, 'f', 1, 64) + " %"
}

func when(t time.Time) string { return report.Time(t) }

func words(state string) string { return strings.ReplaceAll(state, "_", " ") }

type bar struct {
	Parts []part
	Words string // for who doesn't see it
}

// part is one outcome in a bar. Key names its colour and pattern in console.css.
type part struct {
	Key, Name string
	Count     int
	X, Width  float64
}

// barOf is the bar of a balance: each person stands in one of its parts.
func barOf(b *campaign.Balance) bar {
	parts := []part{
		{Key: "whatsapp", Name: "WhatsApp", Count: b.By[campaign.ByWhatsApp]},
		{Key: "sms", Name: "SMS", Count: b.By[campaign.BySMS]},
		{Key: "both", Name: "both", Count: b.By[campaign.ByBoth]},
		{Key: "other", Name: "other channel", Count: b.By[campaign.ByOther]},
		{Key: "failed", Name: "failed or refused", Count: b.Of(campaign.Failed) + b.Of(campaign.Refused)},
		{Key: "unconfirmed", Name: "unconfirmed", Count: b.Of(campaign.Unconfirmed)},
		{Key: "doubt", Name: "in doubt", Count: b.Of(campaign.InDoubt)},
		{Key: "never", Name: "never sent", Count: b.Of(campaign.Suppressed) + b.Of(campaign.Canceled)},
		{Key: "way", Name: "under way", Count: b.Of(campaign.Claimed) + b.Of(campaign.Retrying) + b.Of(campaign.Accepted)},
		{Key: "planned", Name: "planned", Count: b.Of(campaign.Planned)},
	}
	total := b.Total()
	var out bar
	var said []string
	x := 0.0
	for _, p := range parts {
		if p.Count == 0 {
			continue
		}
		p.X, p.Width = x, 1000*float64(p.Count)/float64(total)
		x += p.Width
		out.Parts = append(out.Parts, p)
		said = append(said, p.Name+" "+campaign.Number(p.Count))
	}
	out.Words = "Of " + campaign.Count(total, "person") + ": " + strings.Join(said, ", ")
	return out
}

//go:embed assets
var assets embed.FS

// assetHandler serves what pages load. The addresses change with the content, so
// that browsers may keep it.
func assetHandler() http.Handler {
	files := http.FileServerFS(assets)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f, err := fs.Stat(assets, strings.TrimPrefix(r.URL.Path, "/")); err != nil || f.IsDir() {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		files.ServeHTTP(w, r)
	})
}

func asset(name string) (string, error) {
	content, err := assets.ReadFile("assets/" + name)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(content)
	return "/assets/" + name + "?" + hex.EncodeToString(sum[:6]), nil
}
