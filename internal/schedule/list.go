package schedule

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"

	"github.com/minio/minio-go/v7"

	"github.com/handout-dev/handout/internal/outbound"
	"github.com/handout-dev/handout/internal/s3keys"
	"github.com/handout-dev/handout/producer"
)

// Lists is how lists are fetched.
type Lists struct {
	// Private allows private and loopback addresses, and http beside https.
	Private bool
	Route   *outbound.Route // nil: straight
	// MaxBytes is how large a list may be.
	MaxBytes int64
	S3       S3
	// Environment is what programs may get, see [Schedule.Env]; HANDOUT_PERIOD they all get.
	Environment []string
	// Errors is the standard error of programs.
	Errors *os.File
}

// S3 is where lists named s3://bucket/key are.
type S3 struct {
	Endpoint, Region string // the endpoint is a URL
	s3keys.Keys
}

func (l *Lists) outbound() outbound.Options {
	return outbound.Options{Private: l.Private, HTTP: l.Private, Redirects: 3, Header: headerTime, Route: l.Route}
}

// open returns the reader of a tick's list. ctx bounds all of the reading.
func (l *Lists) open(ctx context.Context, s *Schedule, p Period) *reader {
	r := &reader{max: l.MaxBytes, format: s.Format}
	switch text := s.fill(s.List, p); {
	case len(s.Command) > 0:
		args := s.fillAll(s.Command, p)
		r.name = path.Base(args[0])
		r.open = func() (io.ReadCloser, error) { return l.run(ctx, args, s.Env, p) }
	case strings.HasPrefix(text, "s3://"):
		r.name = text
		r.open = func() (io.ReadCloser, error) { return l.object(ctx, strings.TrimPrefix(text, "s3://")) }
	case strings.Contains(text, "://"):
		r.name = stripped(text)
		r.open = func() (io.ReadCloser, error) { return l.fetch(ctx, outbound.New(l.outbound()), text, r) }
	default:
		r.name = text
		r.open = func() (io.ReadCloser, error) { return os.Open(text) }
	}
	if format, err := producer.FormatOf(r.name); r.format == "" && err == nil {
		r.format = format
	}
	return r
}

// stripped returns a URL without user and query, which may be secret.
func stripped(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "the list's URL"
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

// reader reads a list. It opens the list at the first read, and again after a Seek to
// the start.
type reader struct {
	name   string
	format producer.Format
	open   func() (io.ReadCloser, error)
	max    int64

	in    io.ReadCloser
	bytes int64
}

// list returns the producer's list. If only the server's answer has the format, it
// opens the list for that.
func (r *reader) list() (producer.List, error) {
	if r.format == "" {
		if err := r.begin(); err != nil {
			return producer.List{}, &producer.ReadError{List: r.name, Err: err}
		}
	}
	if r.format == "" {
		return producer.List{}, producer.ErrUnknownFormat
	}
	return producer.ListReader(r.name, r.format, r), nil
}

func (r *reader) begin() error {
	if r.in != nil {
		return nil
	}
	in, err := r.open()
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err // the name stands before it already
	}
	if err == nil {
		r.in = in
	}
	return err
}

// Read reads the list, up to its limit.
func (r *reader) Read(b []byte) (int, error) {
	if err := r.begin(); err != nil {
		return 0, err
	}
	n, err := r.in.Read(b)
	if r.bytes += int64(n); r.bytes > r.max {
		return 0, fmt.Errorf("longer than %d MB", r.max>>20)
	}
	return n, err
}

// Seek goes to the start; it supports nothing else.
func (r *reader) Seek(offset int64, whence int) (int64, error) {
	if offset != 0 || whence != io.SeekStart {
		return 0, errors.ErrUnsupported
	}
	r.close()
	r.bytes = 0
	return 0, nil
}

func (r *reader) close() {
	if r.in != nil {
		_ = r.in.Close() // read to the end, or given up
		r.in = nil
	}
}

// fetch gets a list over HTTP; the client's connections end with it.
func (l *Lists) fetch(ctx context.Context, client *http.Client, text string, r *reader) (io.ReadCloser, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("not a URL")
	}
	if err := outbound.Allowed(u, l.outbound()); err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, text, nil)
	if err != nil {
		return nil, errors.New("not a URL")
	}
	req.Header.Set("User-Agent", "handout")
	resp, err := client.Do(req)
	if err != nil {
		client.CloseIdleConnections()
		return nil, reason(ctx, err)
	}
	body := &fetched{resp.Body, client, ctx}
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")) // without one it is empty
	switch {
	case resp.StatusCode != http.StatusOK:
		err = fmt.Errorf("the server answers %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	case kind == "text/html":
		err = errors.New("the server answers with a page, as of a login, and not with a list")
	case resp.ContentLength < 0 && len(resp.TransferEncoding) == 0 && resp.ProtoMajor == 1:
		err = errors.New("the server doesn't say where the list ends: half of it would look whole")
	case r.format == "" && kind == "text/csv":
		r.format = producer.CSV
	case r.format == "" && (kind == "application/x-ndjson" || kind == "application/jsonl"):
		r.format = producer.NDJSON
	case r.format == "" && kind == "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet":
		r.format = producer.XLSX
	}
	if err != nil {
		_ = body.Close()
		return nil, err
	}
	return body, nil
}

// fetched is an answer that closes its connections with itself.
type fetched struct {
	io.ReadCloser
	client *http.Client
	ctx    context.Context
}

func (f *fetched) Read(b []byte) (int, error) {
	n, err := f.ReadCloser.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		err = reason(f.ctx, err)
	}
	return n, err
}

// reason returns what went wrong: ctx's error if that is done.
func reason(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return outbound.Reason(err)
}

func (f *fetched) Close() error {
	err := f.ReadCloser.Close()
	f.client.CloseIdleConnections()
	return err
}

// object gets a list from S3; name is bucket/key.
func (l *Lists) object(ctx context.Context, name string) (io.ReadCloser, error) {
	bucket, key, _ := strings.Cut(name, "/")
	endpoint, err := url.Parse(l.S3.Endpoint)
	if err != nil || endpoint.Host == "" {
		return nil, errors.New("the endpoint of S3 isn't a URL")
	}
	if err := outbound.Allowed(endpoint, l.outbound()); err != nil {
		return nil, err
	}
	transport := outbound.Transport(l.outbound())
	core, err := minio.NewCore(endpoint.Host, &minio.Options{
		Creds:  l.S3.Credentials(l.Route),
		Secure: endpoint.Scheme == "https", Region: l.S3.Region, Transport: transport, MaxRetries: 3,
	})
	if err != nil {
		return nil, fmt.Errorf("s3: %w", err)
	}
	body, _, _, err := core.GetObject(ctx, bucket, key, minio.GetObjectOptions{})
	if err != nil {
		transport.CloseIdleConnections()
		if code := minio.ToErrorResponse(err).Code; code != "" {
			return nil, fmt.Errorf("s3 answers %s", code)
		}
		return nil, reason(ctx, err)
	}
	return &fetched{body, &http.Client{Transport: transport}, ctx}, nil
}
