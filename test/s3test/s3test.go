// Package s3test gives a test a bucket of its own on a real S3 server: Versity's
// gateway, https://github.com/versity/versitygw, in front of a directory.
//
// A missing server fails the test and never skips it. Only tests import this
// package.
package s3test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Version is the gateway's.
const Version = "v1.8.0"

const (
	startTimeout = 60 * time.Second
	missing      = "s3test: versitygw is neither in the PATH nor in %s: run `make s3`, which builds it there"
)

// The keys of all tests' servers.
const (
	AccessKey = "test"
	SecretKey = "nobody's secret key"
)

// Bucket is the name of the only bucket.
const Bucket = "files"

// Server is a running server.
type Server struct {
	Endpoint string // its URL
	Dir      string // where the objects are, by their names
}

// binary finds the server where make s3 has put it.
func binary() (string, error) {
	if path, err := exec.LookPath("versitygw"); err == nil {
		return path, nil
	}
	cache := os.Getenv("XDG_CACHE_HOME")
	if cache == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		cache = filepath.Join(home, ".cache")
	}
	path := filepath.Join(cache, "handout", "versitygw-"+Version, "versitygw")
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf(missing, filepath.Dir(path))
	}
	return path, nil
}

// Start runs a server with an empty bucket until the test ends.
func Start(t testing.TB) *Server {
	t.Helper()
	bin, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	s := &Server{Dir: filepath.Join(dir, "data", Bucket)}
	side := filepath.Join(dir, "side")
	for _, d := range []string{s.Dir, side} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatalf("s3test: %v", err)
		}
	}
	addr := freeAddress(t)
	// As in redistest, the shell ends the server when this process dies.
	cmd := exec.Command("/bin/sh", "-c", `"$@" & server=$!; read -r _; kill -9 "$server"; wait`, "sh",
		bin, "--access", AccessKey, "--secret", SecretKey, "--port", addr, "--quiet", "--keep-alive",
		"posix", "--sidecar", side, filepath.Join(dir, "data"))
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatalf("s3test: %v", err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("s3test: %v", err)
	}
	t.Cleanup(func() {
		_ = input.Close()
		_ = cmd.Wait() // killed on purpose
	})
	s.Endpoint = "http://" + addr
	for deadline := time.Now().Add(startTimeout); ; time.Sleep(10 * time.Millisecond) {
		resp, err := http.Get(s.Endpoint + "/")
		if err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			return s
		}
		if time.Now().After(deadline) {
			t.Fatalf("s3test: the server doesn't answer: %v", err)
		}
	}
}

// freeAddress is one that had no listener a moment ago: the server doesn't
// say which port it was given.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("s3test: %v", err)
	}
	defer l.Close()
	return l.Addr().String()
}
