// Package store keeps the files of an export where their recipients can fetch them:
// in a bucket of any S3-compatible store, or in a folder of this machine. Both make
// links that expire by themselves.
//
// No error holds the name of a file, which is half of a link.
package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/handout-dev/handout/internal/orderhistory/folder"
)

// Object is one file as it was written, or as the store has it.
type Object struct {
	Name   string // with slashes
	Size   int64  // bytes
	Type   string
	SHA256 string // hexadecimal
	// SaveAs is the name that a browser saves the file under.
	SaveAs string
}

// ErrMissing means that the store doesn't have the file.
var ErrMissing = errors.New("the store doesn't have the file")

// Sum returns the checksum of a content.
func Sum(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// Folder is the store in a folder of this machine, for which handout simulate,
// or any process with the handler of internal/orderhistory/folder, is the server.
type Folder struct {
	folder *folder.Folder
	base   string
}

// OpenFolder opens the store in dir. base is the address of the server that
// serves it.
func OpenFolder(dir, base string) (*Folder, error) {
	f, err := folder.Open(dir)
	if err != nil {
		return nil, err
	}
	return &Folder{folder: f, base: base}, nil
}

// Close lets go of the folder.
func (f *Folder) Close() error { return f.folder.Close() }

// Put writes a file, or replaces it.
func (f *Folder) Put(_ context.Context, o *Object, content []byte) error {
	return f.folder.Write(o.Name, bytes.NewReader(content))
}

// Stat returns what is in the folder, by reading the whole file, or ErrMissing.
func (f *Folder) Stat(_ context.Context, name string) (*Object, error) {
	file, err := f.folder.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrMissing
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	sum := sha256.New()
	size, err := io.Copy(sum, file)
	if err != nil {
		return nil, fmt.Errorf("read back a file: %w", err)
	}
	return &Object{Name: name, Size: size, Type: folder.TypeOf(name), SHA256: hex.EncodeToString(sum.Sum(nil))}, nil
}

// Link returns where a file can be fetched until lifetime from now.
func (f *Folder) Link(_ context.Context, name string, lifetime time.Duration) (string, error) {
	return f.folder.Link(f.base, name, time.Now().Add(lifetime))
}
