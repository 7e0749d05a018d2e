package queues

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strings"

	"github.com/hibiken/asynqmon"
)

// frontend is an asynqmon: its files, as they are served here, and its API.
type frontend struct {
	monitor http.Handler
	page    []byte // with noncePlace in it
	policy  string // the page's, with noncePlace in it
	files   map[string]file
}

type file struct {
	media   string
	content []byte
}

// icons are the files that asynqmon's own list of its files leaves out.
var icons = []string{
	"/favicon.ico", "/favicon-16x16.png", "/favicon-32x32.png", "/apple-touch-icon.png",
	"/android-chrome-192x192.png", "/android-chrome-512x512.png",
}

// noncePlace stands where each answer gets a nonce of its own.
const noncePlace = "NONCE"

var (
	// otherHosts matches stylesheets of other hosts, for fonts that the pages can do
	// without, and the manifest, which browsers request without a key.
	otherHosts   = regexp.MustCompile(`<link rel="(stylesheet" href="https?:|manifest")[^>]*>`)
	inlineScript = regexp.MustCompile(`(?s)<script>(.*?)</script>`)
)

// newFrontend takes asynqmon's files, and changes its page: it loads nothing from
// another host, and runs only its own scripts.
func newFrontend(root string, monitor *asynqmon.HTTPHandler) (*frontend, error) {
	f := &frontend{monitor: monitor, files: make(map[string]file)}
	page, err := f.take(root + "/")
	if err != nil {
		return nil, err
	}
	if err := f.takeFiles(root, page); err != nil {
		return nil, err
	}
	page = otherHosts.ReplaceAll(page, nil)
	// Material UI marks the styles that it inserts with this nonce.
	page = bytes.Replace(page, []byte("<title>"), []byte(`<meta property="csp-nonce" content="`+noncePlace+`"><title>`), 1)
	scripts := []string{"script-src 'self'"}
	for _, s := range inlineScript.FindAllSubmatch(page, -1) {
		sum := sha256.Sum256(s[1])
		scripts = append(scripts, "'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'")
	}
	// asynqmon fills the whole window: the way back lies over it, in a corner.
	page = bytes.Replace(page, []byte(`</head>`), []byte(`<style nonce="`+noncePlace+`">#back{position:fixed;right:1rem;bottom:1rem;z-index:9999;padding:.5rem 1rem;border-radius:.4rem;background:#1d4ed8;color:#fff;font:600 1rem system-ui,sans-serif;text-decoration:none}#back:focus{outline:3px solid #000}</style></head>`), 1)
	page = bytes.Replace(page, []byte(`<div id="root">`), []byte(`<a id="back" href="`+root[:strings.LastIndex(root, "/")]+`/campaigns">← handout</a><div id="root">`), 1)
	f.page = page
	f.policy = strings.Join([]string{
		"default-src 'none'", strings.Join(scripts, " "), "style-src 'nonce-" + noncePlace + "'", "img-src 'self' data:",
		"connect-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
	}, "; ")
	return f, nil
}

// takeFiles keeps the files that the page loads, by asynqmon's own list.
func (f *frontend) takeFiles(root string, page []byte) error {
	list, err := f.take(root + "/asset-manifest.json")
	if err != nil {
		return err
	}
	var manifest struct {
		Files map[string]string `json:"files"`
	}
	if err := json.Unmarshal(list, &manifest); err != nil {
		return fmt.Errorf("queues: asynqmon's list of its files: %w", err)
	}
	names := icons
	for _, name := range manifest.Files {
		_, name, _ = strings.Cut(name, "]]") // after the place of the root
		if ext := path.Ext(name); ext == ".js" || ext == ".svg" || ext == ".css" {
			names = append(names, name)
		}
	}
	for _, name := range names {
		content, err := f.take(root + name)
		if err != nil {
			return err
		}
		if bytes.Equal(content, page) { // its answer for what it doesn't have
			return fmt.Errorf("queues: asynqmon has no %s", name)
		}
		media := mime.TypeByExtension(path.Ext(name))
		if path.Ext(name) == ".ico" {
			media = "image/x-icon"
		}
		f.files[name] = file{media, content}
	}
	return nil
}

func (f *frontend) take(path string) ([]byte, error) {
	a := answer{header: make(http.Header)}
	f.monitor.ServeHTTP(&a, &http.Request{Method: http.MethodGet, URL: &url.URL{Path: path}, Header: http.Header{}, Body: http.NoBody})
	if a.status != http.StatusOK && a.status != 0 || a.body.Len() == 0 {
		return nil, errors.New("queues: asynqmon has no " + path)
	}
	return a.body.Bytes(), nil
}

// answer is a http.ResponseWriter that keeps the answer.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }

// secure sets the headers of all answers; the page replaces the policy.
func secure(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
}

func (f *frontend) file(w http.ResponseWriter, name string) bool {
	one, ok := f.files[name]
	if ok {
		w.Header().Set("Content-Type", one.media)
		w.Header().Set("Cache-Control", "private, max-age=3600")
		_, _ = w.Write(one.content) // an error means that the client is gone
	}
	return ok
}

func (f *frontend) index(w http.ResponseWriter) {
	nonce := rand.Text()
	w.Header().Set("Content-Security-Policy", strings.ReplaceAll(f.policy, noncePlace, nonce))
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(bytes.Replace(f.page, []byte(noncePlace), []byte(nonce), -1)) // likewise
}
