package store_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/handout-dev/handout/internal/orderhistory/store"
	"github.com/handout-dev/handout/internal/outbound"
	"github.com/handout-dev/handout/internal/s3keys"
	"github.com/handout-dev/handout/internal/secret"
	"github.com/handout-dev/handout/test/proxytest"
	"github.com/handout-dev/handout/test/s3test"
)

const xlsx = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

func options(s *s3test.Server) store.S3Options {
	return store.S3Options{
		Endpoint: s.Endpoint, Region: "us-east-1", Bucket: s3test.Bucket,
		Keys: s3keys.Keys{AccessKey: s3test.AccessKey, SecretKey: secret.New(s3test.SecretKey)}, Connections: 4,
	}
}

func openS3(t *testing.T, o store.S3Options) *store.S3 {
	t.Helper()
	s, err := store.OpenS3(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func get(t *testing.T, link string) (*http.Response, string) {
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
	return resp, string(body)
}

func TestS3_WhatWasPutIsThereAndTheLinkBringsIt(t *testing.T) {
	t.Parallel()
	s := openS3(t, options(s3test.Start(t)))
	content := []byte("PK content")
	o := &store.Object{Name: "a/b.xlsx", Size: int64(len(content)), Type: xlsx, SHA256: store.Sum(content), SaveAs: "orders.xlsx"}
	if _, err := s.Stat(t.Context(), o.Name); !errors.Is(err, store.ErrMissing) {
		t.Errorf("before: %v", err)
	}
	if err := s.Put(t.Context(), o, content); err != nil {
		t.Fatal(err)
	}
	has, err := s.Stat(t.Context(), o.Name)
	if err != nil || has.Size != o.Size || has.Type != xlsx || has.SHA256 != o.SHA256 {
		t.Errorf("%+v, %v", has, err)
	}
	link, err := s.Link(t.Context(), o.Name, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	resp, body := get(t, link)
	if resp.StatusCode != 200 || body != "PK content" || resp.Header.Get("Content-Type") != xlsx ||
		resp.Header.Get("Content-Disposition") != `attachment; filename="orders.xlsx"` {
		t.Errorf("%d %q %v", resp.StatusCode, body, resp.Header)
	}
	if resp, _ := get(t, strings.Replace(link, "b.xlsx", "c.xlsx", 1)); resp.StatusCode != http.StatusForbidden {
		t.Errorf("another file by the same signature: HTTP status %d", resp.StatusCode)
	}
	if _, err := s.Link(t.Context(), o.Name, store.MaxLinkLife+time.Second); err == nil {
		t.Error("a link for longer than S3 has")
	}
}

// TestS3_LargeFilesGoInParts puts more than the client sends in one request.
func TestS3_LargeFilesGoInParts(t *testing.T) {
	t.Parallel()
	s := openS3(t, options(s3test.Start(t)))
	content := bytes.Repeat([]byte("0123456789abcdef"), 20<<16)
	o := &store.Object{Name: "large.xlsx", Size: int64(len(content)), Type: xlsx, SHA256: store.Sum(content)}
	if err := s.Put(t.Context(), o, content); err != nil {
		t.Fatal(err)
	}
	has, err := s.Stat(t.Context(), o.Name)
	if err != nil || has.Size != o.Size || has.SHA256 != o.SHA256 {
		t.Errorf("%+v, %v", has, err)
	}
}

func TestOpenS3_SaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	for says, change := range map[string]func(*store.S3Options){
		"no bucket other":  func(o *store.S3Options) { o.Bucket = "other" },
		"with temporary":   func(o *store.S3Options) { o.SessionToken = secret.New("token") },
		"HTTP 403":         func(o *store.S3Options) { o.SecretKey = secret.New("hunter2hunter2") },
		"endpoint must be": func(o *store.S3Options) { o.Endpoint = "127.0.0.1:9" },
		"refused":          func(o *store.S3Options) { o.Endpoint = "http://127.0.0.1:9" },
	} {
		o := options(server)
		change(&o)
		_, err := store.OpenS3(t.Context(), o)
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", says, err)
		}
	}
}

func TestS3_LinksMayLeadToAnotherEndpoint(t *testing.T) {
	t.Parallel()
	o := options(s3test.Start(t))
	o.PublicEndpoint = "https://files.example.com"
	link, err := openS3(t, o).Link(t.Context(), "a.xlsx", time.Hour)
	if err != nil || !strings.HasPrefix(link, "https://files.example.com/files/a.xlsx?") {
		t.Errorf("%s, %v", link, err)
	}
}

func TestFolder_WhatWasPutIsThereAndTheLinkBringsIt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	handler, err := store.OpenFolder(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	defer handler.Close()
	server := httptest.NewServer(handler)
	defer server.Close()
	f, err := store.OpenFolder(dir, server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	content := []byte("PK content")
	o := &store.Object{Name: "a/b.xlsx", Size: int64(len(content)), Type: xlsx, SHA256: store.Sum(content)}
	if _, err := f.Stat(t.Context(), o.Name); !errors.Is(err, store.ErrMissing) {
		t.Errorf("before: %v", err)
	}
	if err := f.Put(t.Context(), o, content); err != nil {
		t.Fatal(err)
	}
	has, err := f.Stat(t.Context(), o.Name)
	if err != nil || *has != *o {
		t.Errorf("%+v, %v", has, err)
	}
	link, err := f.Link(t.Context(), o.Name, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if resp, body := get(t, link); resp.StatusCode != 200 || body != "PK content" || resp.Header.Get("Content-Type") != xlsx {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
}

func TestS3_IsReachedThroughAProxyWithAnAuthorityOfItsOwn(t *testing.T) {
	t.Parallel()
	real := s3test.Start(t)
	to, err := url.Parse(real.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	ca, proxy := proxytest.NewCA(t), proxytest.Start(t)
	// The host stays as it was signed.
	front := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = to.Scheme, to.Host, r.In.Host
	}}
	proxy.Lead("s3.example.com:443", ca.Serve(t, front, "s3.example.com"))
	o := options(real)
	o.Endpoint = "https://s3.example.com"
	if o.Route, err = outbound.NewRoute(proxy.URL(), "", ca.Pool); err != nil {
		t.Fatal(err)
	}
	content := []byte("PK content")
	if err := openS3(t, o).Put(t.Context(), &store.Object{Name: "b.xlsx", Size: int64(len(content)), Type: xlsx, SHA256: store.Sum(content)}, content); err != nil {
		t.Error(err)
	}
	if asked := proxy.Asked(); len(asked) == 0 {
		t.Error("the proxy was asked for nothing")
	}
}
