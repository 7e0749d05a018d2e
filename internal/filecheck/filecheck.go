// Package filecheck looks at the files that people are to get, before they do: whether
// each can be fetched, is what WhatsApp takes, and stays long enough.
package filecheck

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/handout-dev/handout/internal/outbound"
)

const (
	// fileTime bounds the check of one file.
	fileTime = 10 * time.Second
	// maxFileSize is how large a document may be, in bytes. Source: WhatsApp Business Platform, "Media",
	// documents: 100 MB.
	maxFileSize = 100 << 20
)

// fileTypes are those that WhatsApp takes as a document, with the endings of
// their names. Source: WhatsApp Business Platform, "Media", supported types.
var fileTypes = map[string][]string{
	"text/plain":                    {".txt", ".csv"},
	"application/pdf":               {".pdf"},
	"application/msword":            {".doc"},
	"application/vnd.ms-excel":      {".xls"},
	"application/vnd.ms-powerpoint": {".ppt"},
	"application/vnd.openxmlformats-officedocument.wordprocessingml.document":   {".docx"},
	"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet":         {".xlsx"},
	"application/vnd.openxmlformats-officedocument.presentationml.presentation": {".pptx"},
	"image/jpeg": {".jpg", ".jpeg"},
	"image/png":  {".png"},
	"video/mp4":  {".mp4"},
}

// unsaid are the types that stores give to files of unknown type.
var unsaid = []string{"", "application/octet-stream", "binary/octet-stream"}

// Verdict is what is wrong with a file.
type Verdict struct {
	Fault  string // never quotes the URL; empty: nothing
	Unsure bool   // its name or type is odd, and Telesign may take it all the same
}

// Checker checks files over HTTP.
type Checker struct {
	client  *http.Client
	options outbound.Options
}

// New returns a checker; private: files may be at private addresses, for rehearsals. A nil
// route is straight.
func New(private bool, route *outbound.Route) *Checker {
	o := outbound.Options{Private: private, HTTP: true, Redirects: 3, Header: fileTime, Route: route}
	return &Checker{client: outbound.New(o), options: o}
}

// Check judges one file: by HEAD, or by its first byte where HEAD isn't allowed
// or, as for a presigned link, signed. No fault quotes the URL.
func (f *Checker) Check(ctx context.Context, u *url.URL, name string, until time.Time) Verdict {
	if end, ok := linkEnd(u); ok && end.Before(until) {
		return Verdict{Fault: "the link ends before the campaign may"}
	}
	ctx, cancel := context.WithTimeout(ctx, fileTime)
	defer cancel()
	resp, err := f.ask(ctx, http.MethodHead, u)
	if err == nil && resp.StatusCode != http.StatusOK {
		resp, err = f.ask(ctx, http.MethodGet, u)
	}
	var proxy *outbound.ProxyError
	switch {
	case errors.Is(err, outbound.ErrPrivate):
		return Verdict{Fault: "a private address"}
	case errors.Is(err, outbound.ErrRedirects):
		return Verdict{Fault: "too many redirects"}
	case errors.As(err, &proxy):
		return Verdict{Fault: proxy.Error()}
	case err != nil && ctx.Err() != nil:
		return Verdict{Fault: "no answer in time"}
	case err != nil:
		return Verdict{Fault: "the server can't be reached"}
	}
	return judgeFile(resp, name)
}

// ask makes a request and reads no body.
func (f *Checker) ask(ctx context.Context, method string, u *url.URL) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, u.String(), nil)
	if err != nil {
		return nil, err
	}
	if method == http.MethodGet {
		req.Header.Set("Range", "bytes=0-0")
	}
	req.Header.Set("User-Agent", "handout")
	resp, err := f.client.Do(req)
	if err != nil {
		return nil, err
	}
	_ = resp.Body.Close() // unread: at worst it costs the connection
	return resp, nil
}

// judgeFile judges an answer by its header.
func judgeFile(resp *http.Response, name string) (v Verdict) {
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusPartialContent {
		return Verdict{Fault: fmt.Sprintf("%d %s", resp.StatusCode, http.StatusText(resp.StatusCode))}
	}
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")) // an unreadable one is unsaid
	endings, known := fileTypes[kind]
	switch {
	case kind == "text/html":
		return Verdict{Fault: "a page, as of a login, and not a file"}
	case slices.Contains(unsaid, kind):
		v.Unsure = true
	case !known:
		return Verdict{Fault: "WhatsApp takes no " + kind}
	}
	if fileSize(resp) > maxFileSize {
		return Verdict{Fault: "over 100 MB"}
	}
	if ending := strings.ToLower(path.Ext(name)); known && ending != "" && !slices.Contains(endings, ending) {
		v.Unsure = true
	}
	return v
}

// fileSize returns the whole file's size, also from an answer to a range; -1: unknown.
func fileSize(resp *http.Response) int64 {
	if resp.StatusCode == http.StatusPartialContent {
		_, whole, _ := strings.Cut(resp.Header.Get("Content-Range"), "/")
		if n, err := strconv.ParseInt(whole, 10, 64); err == nil {
			return n
		}
		return -1
	}
	return resp.ContentLength
}

// linkEnd returns when a presigned link ends.
func linkEnd(u *url.URL) (time.Time, bool) {
	q := u.Query()
	if begin, err := time.Parse("20060102T150405Z", q.Get("X-Amz-Date")); err == nil {
		if seconds, err := strconv.Atoi(q.Get("X-Amz-Expires")); err == nil {
			return begin.Add(time.Duration(seconds) * time.Second), true
		}
	}
	if at, err := strconv.ParseInt(q.Get("Expires"), 10, 64); err == nil {
		return time.Unix(at, 0), true
	}
	return time.Time{}, false
}

// Close closes its idle connections.
func (f *Checker) Close() { f.client.CloseIdleConnections() }
