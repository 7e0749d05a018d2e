// Package store keeps the files of an export where their recipients can fetch them:
// in a bucket of any S3-compatible store, or in a folder of this machine. Both make
// links that expire by themselves.
//
// No error holds the name of a file, which is half of a link.
package store

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
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
