package store

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func open(t *testing.T, dir, base string) *Folder {
	t.Helper()
	f, err := OpenFolder(dir, base)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func write(t *testing.T, f *Folder, name, content string) error {
	t.Helper()
	return f.Put(t.Context(), &Object{Name: name}, []byte(content))
}

// withFile is a folder with one file, and a link to it.
func withFile(t *testing.T) (dir, base, link string, f *Folder) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "files")
	server := httptest.NewServer(open(t, dir, "")) // another process has the same key
	t.Cleanup(server.Close)
	f = open(t, dir, server.URL)
	if err := write(t, f, "a b/c.xlsx", "PK content"); err != nil {
		t.Fatal(err)
	}
	link, err := f.Link(t.Context(), "a b/c.xlsx", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return dir, server.URL, link, f
}

func get(t *testing.T, link string) (int, string, http.Header) {
	t.Helper()
	resp, err := http.Get(link)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body), resp.Header
}

func TestLink_BringsTheFileAsADocument(t *testing.T) {
	t.Parallel()
	_, _, link, _ := withFile(t)
	status, body, header := get(t, link)
	if status != 200 || body != "PK content" || header.Get("Content-Length") != "10" ||
		header.Get("Content-Type") != "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" {
		t.Errorf("%d %q %v", status, body, header)
	}
}

func TestLink_HoldsForOneFileAndUntilItsMoment(t *testing.T) {
	t.Parallel()
	dir, base, link, f := withFile(t)
	if err := write(t, f, "other.xlsx", "x"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(dir), "outside"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	old, err := f.Link(t.Context(), "a b/c.xlsx", -time.Second)
	if err != nil {
		t.Fatal(err)
	}
	_, query, _ := strings.Cut(link, "?")
	for url, want := range map[string]int{
		old:        http.StatusGone,
		link + "x": http.StatusNotFound,
		strings.Replace(link, "expires=", "expires=9", 1): http.StatusNotFound,
		base + "/files/other.xlsx?" + query:               http.StatusNotFound,
		base + "/files/other.xlsx":                        http.StatusNotFound,
		base + "/files/":                                  http.StatusNotFound,
		base + "/files/.key?" + query:                     http.StatusNotFound,
		base + "/files/..%2foutside?" + query:             http.StatusNotFound,
	} {
		if status, body, _ := get(t, url); status != want {
			t.Errorf("%s: %d %q, want %d", url, status, body, want)
		}
	}
	for _, name := range []string{".key", "../outside", "/etc/passwd", "a/.b", "", "."} {
		if _, err := f.Link(t.Context(), name, time.Hour); err == nil {
			t.Errorf("a link to %q", name)
		}
		if err := write(t, f, name, "x"); err == nil {
			t.Errorf("%q was written", name)
		}
	}
	resp, err := http.Post(link, "text/plain", strings.NewReader("x"))
	if err != nil || resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %v, %v", resp, err)
	}
	_ = resp.Body.Close()
}

func TestLink_IsTheSameForTheSameMoment(t *testing.T) {
	t.Parallel()
	dir, base, link, _ := withFile(t)
	at := time.Now().Add(time.Hour)
	a, _ := open(t, dir, base).link("a b/c.xlsx", at)
	b, _ := open(t, dir, base).link("a b/c.xlsx", at)
	c, _ := open(t, t.TempDir(), base).link("a b/c.xlsx", at)
	if a != b || a == c || link == "" {
		t.Errorf("%s, %s, %s", a, b, c)
	}
}

func TestOpenFolder_ManyAtOnceAgreeOnTheKey(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new")
	at := time.Now().Add(time.Hour)
	links := make([]string, 20)
	var all sync.WaitGroup
	for i := range links {
		all.Go(func() {
			f, err := OpenFolder(dir, "http://x")
			if err != nil {
				t.Error(err)
				return
			}
			defer f.Close()
			links[i], _ = f.link("a.pdf", at)
		})
	}
	all.Wait()
	for _, l := range links {
		if l != links[0] || l == "" {
			t.Errorf("%q and %q", l, links[0])
		}
	}
	if key, err := os.Stat(filepath.Join(dir, ".key")); err != nil || key.Mode().Perm() != 0o600 || key.Size() != 32 {
		t.Errorf("%v, %v", key, err)
	}
}

func TestPut_NoHalfFile(t *testing.T) {
	t.Parallel()
	dir, _, link, f := withFile(t)
	if err := os.Mkdir(filepath.Join(dir, "a b", "taken.xlsx"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := write(t, f, "a b/taken.xlsx", "x"); err == nil || strings.Contains(err.Error(), "taken") {
		t.Errorf("error: %v", err)
	}
	if _, body, _ := get(t, link); body != "PK content" {
		t.Errorf("%q", body)
	}
	left, err := os.ReadDir(filepath.Join(dir, "a b"))
	if err != nil || len(left) != 2 {
		t.Errorf("%v, %v", left, err)
	}
}
