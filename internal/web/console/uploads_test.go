package console_test

import (
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/handout-dev/handout/internal/web/access"
)

const boundary = "----WebKitFormBoundary7MA4YWxkTrZu0gW"

// manyParts is a form of n fields of so many bytes each.
func manyParts(n, bytes int, name func(i int) string) func(w io.Writer) {
	return func(w io.Writer) {
		m := multipart.NewWriter(w)
		_ = m.SetBoundary(boundary)
		text := []byte(strings.Repeat("a", bytes))
		for i := range n {
			field, err := m.CreateFormFile(name(i), "x.yaml")
			if err == nil {
				_, err = field.Write(text)
			}
			if err != nil {
				return // refused meanwhile
			}
		}
		_ = m.Close()
	}
}

// One request filled 663 MB: each of any number of fields was kept, and a form without
// files was read to its end.
func TestUpload_TakesNoMemoryWhateverIsSent(t *testing.T) { // alone: it measures memory
	h := open(t, nil)
	b := h.login(t, "olga", access.Read, access.Submit, access.Control)
	const much = 300 << 20
	for name, c := range map[string]struct {
		media string
		write func(w io.Writer)
		want  int
	}{
		"many fields":          {"multipart/form-data; boundary=" + boundary, manyParts(much>>20, 1<<20-1, func(i int) string { return fmt.Sprint("field", i) }), http.StatusRequestEntityTooLarge},
		"one field many times": {"multipart/form-data; boundary=" + boundary, manyParts(much>>20, 1<<20-1, func(int) string { return "campaign" }), http.StatusRequestEntityTooLarge},
		"many small fields":    {"multipart/form-data; boundary=" + boundary, manyParts(3<<20, 10, func(i int) string { return fmt.Sprint("field", i) }), http.StatusBadRequest},
		"long names":           {"multipart/form-data; boundary=" + boundary, manyParts(much>>20, 1, func(i int) string { return strings.Repeat("n", 1<<20) + fmt.Sprint(i) }), http.StatusBadRequest},
		"a form without files": {"application/x-www-form-urlencoded", func(w io.Writer) {
			part := bytes.Repeat([]byte("a=b&"), 1<<16)
			for range much / len(part) {
				if _, err := w.Write(part); err != nil {
					return
				}
			}
		}, http.StatusBadRequest},
	} {
		for _, path := range []string{"/new", "/suppression/import", "/campaigns/spring/pause", "/login"} {
			status, grown := upload(t, b, path, c.media, c.write)
			if own := path == "/new" || path == "/suppression/import"; own && status != 0 && status != c.want || status >= 500 || status == http.StatusSeeOther {
				t.Errorf("%s, %s: %d, want %d", path, name, status, c.want)
			}
			if grown > 40<<20 {
				t.Errorf("%s, %s took %d MB", path, name, grown>>20)
			}
		}
	}
}

// upload sends what write writes, and returns by how much the memory grew; the status
// is 0 if the server has hung up before its answer could be read.
func upload(t *testing.T, b *browser, path, media string, write func(io.Writer)) (status int, grown int64) {
	t.Helper()
	body, in := io.Pipe()
	go func() { write(in); in.Close() }()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.h.url+path, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", media)
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var peak atomic.Uint64
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for ticker := time.NewTicker(2 * time.Millisecond); ; {
			select {
			case <-ticker.C:
				runtime.ReadMemStats(&now)
				peak.Store(max(peak.Load(), now.HeapAlloc))
			case <-stop:
				ticker.Stop()
				return
			}
		}
	}()
	resp, err := b.http.Do(req)
	close(stop)
	<-ended
	_ = body.Close()
	if err == nil {
		status = resp.StatusCode
		_ = resp.Body.Close()
	}
	return status, int64(peak.Load()) - int64(before.HeapAlloc)
}
