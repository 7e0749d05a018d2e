package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/handout-dev/handout/internal/outbound"
	"github.com/handout-dev/handout/internal/s3keys"
)

// MaxLinkLife is the longest that a presigned link of S3 can hold: the
// signature's own limit.
const MaxLinkLife = 7 * 24 * time.Hour

// sumKey is the checksum's name in a file's metadata, as S3 gives it back.
const sumKey = "Sha256"

// S3Options are the address of a bucket and the keys to it.
type S3Options struct {
	Endpoint string // https://host[:port]; http:// only within a network of one's own
	// PublicEndpoint is where people reach the bucket, if it isn't Endpoint.
	PublicEndpoint string
	// LinkBase is where people reach the objects of the bucket by their names
	// alone; empty: links are presigned.
	LinkBase string
	Region   string
	Bucket   string
	s3keys.Keys
	Route *outbound.Route // nil: straight
	// Connections is how many requests are under way at once.
	Connections int
}

// S3 is a bucket.
type S3 struct {
	client, public *minio.Client
	transport      *http.Transport
	keys           *credentials.Credentials
	bucket         string
	base           *url.URL // nil: links are presigned
}

// errTemporary is refused before the first file: such links end with their keys, which
// may be before the campaign begins.
var errTemporary = errors.New("links that are presigned with temporary keys end with these, within hours: set an access key that lasts, or links without a signature (LINK_BASE)")

// OpenS3 opens a bucket, and checks that it is there and the keys are right.
func OpenS3(ctx context.Context, o S3Options) (*S3, error) {
	s := &S3{bucket: o.Bucket, keys: o.Credentials(o.Route)}
	s.transport, _ = http.DefaultTransport.(*http.Transport)
	s.transport = o.Route.Through(s.transport.Clone())
	s.transport.MaxIdleConns, s.transport.MaxIdleConnsPerHost = o.Connections, o.Connections
	s.transport.DisableCompression = true
	var err error
	if o.LinkBase != "" {
		if s.base, err = url.Parse(o.LinkBase); err != nil {
			return nil, errors.New("the beginning of links must be an http or https URL")
		}
	}
	if keys, err := s.keys.GetWithContext(&credentials.CredContext{Context: ctx}); s.base == nil && err == nil && keys.SessionToken != "" {
		return nil, errTemporary
	}
	if s.client, err = s.dial(o, o.Endpoint); err != nil {
		return nil, err
	}
	s.public = s.client
	if o.PublicEndpoint != "" {
		if s.public, err = s.dial(o, o.PublicEndpoint); err != nil {
			return nil, err
		}
	}
	found, err := s.client.BucketExists(ctx, o.Bucket)
	if err != nil {
		return nil, fmt.Errorf("open bucket %s: %w", o.Bucket, withoutURL(err))
	}
	if !found {
		return nil, fmt.Errorf("there is no bucket %s", o.Bucket)
	}
	return s, nil
}

func (s *S3) dial(o S3Options, endpoint string) (*minio.Client, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || (u.Path != "" && u.Path != "/") || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, errors.New("an S3 endpoint must be an http or https URL without a path")
	}
	return minio.New(u.Host, &minio.Options{
		Creds:  s.keys,
		Secure: u.Scheme == "https", Transport: s.transport, Region: o.Region, MaxRetries: 4,
	})
}

// Close lets go of the connections.
func (s *S3) Close() error {
	s.transport.CloseIdleConnections()
	return nil
}

// Put uploads a file, or replaces it; the client splits a large one.
func (s *S3) Put(ctx context.Context, o *Object, content []byte) error {
	put := minio.PutObjectOptions{ContentType: o.Type, UserMetadata: map[string]string{sumKey: o.SHA256}}
	if o.SaveAs != "" {
		put.ContentDisposition = fmt.Sprintf("attachment; filename=%q", o.SaveAs)
	}
	_, err := s.client.PutObject(ctx, s.bucket, o.Name, bytes.NewReader(content), int64(len(content)), put)
	if err != nil {
		return fmt.Errorf("upload: %w", withoutURL(err))
	}
	return nil
}

// Stat returns what the store has, or ErrMissing. The checksum is the one that the
// file was uploaded with; the store checked it then.
func (s *S3) Stat(ctx context.Context, name string) (*Object, error) {
	info, err := s.client.StatObject(ctx, s.bucket, name, minio.StatObjectOptions{})
	if minio.ToErrorResponse(err).StatusCode == http.StatusNotFound {
		return nil, ErrMissing
	}
	if err != nil {
		return nil, fmt.Errorf("check an upload: %w", withoutURL(err))
	}
	return &Object{Name: name, Size: info.Size, Type: info.ContentType, SHA256: info.UserMetadata[sumKey]}, nil
}

// Link presigns a GET of the file. Two links of one file differ. One with a base
// holds for as long as the bucket has the file, whatever the lifetime.
func (s *S3) Link(ctx context.Context, name string, lifetime time.Duration) (string, error) {
	if s.base != nil {
		return s.base.JoinPath(name).String(), nil
	}
	u, err := s.public.PresignedGetObject(ctx, s.bucket, name, lifetime, nil)
	if err != nil {
		return "", fmt.Errorf("sign a link: %w", withoutURL(err))
	}
	return u.String(), nil
}

// withoutURL drops the address from an error of the transport, and the object
// from one of the store.
func withoutURL(err error) error {
	if at := (*url.Error)(nil); errors.As(err, &at) {
		return at.Err
	}
	if no := minio.ToErrorResponse(err); no.Code != "" {
		return fmt.Errorf("the store says %s (HTTP %d)", no.Code, no.StatusCode)
	}
	return err
}
