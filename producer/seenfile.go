package producer

import (
	"fmt"
	"iter"
	"os"
)

// seenFile keeps the mixes that are too many for memory, in runs, in a temporary
// file. The zero value has none, and no file. It belongs to one goroutine.
type seenFile struct {
	file *os.File
	path string // where the system keeps the name of an open file
	size int64
	runs []*seenRun
	buf  [seenBlock * seenKey]byte
}

// seenError means that a list has more phone numbers than stand in memory, and
// the temporary file for them can't be made, written or read. There is no Unwrap:
// an errno looks like a network's, and the ledger would be taken to be away.
type seenError struct{ err error }

func (e *seenError) Error() string {
	return fmt.Sprintf("find duplicates among over %d phone numbers: %v; set TMPDIR to a directory with room for 8 bytes a row", seenMost, e.err)
}

// has reports whether the mix is in any run.
func (f *seenFile) has(key uint64) (bool, error) {
	for _, run := range f.runs {
		at, length := run.block(key)
		if length == 0 {
			continue
		}
		block := f.buf[:length]
		if _, err := f.file.ReadAt(block, at); err != nil {
			return false, &seenError{err}
		}
		if inBlock(block, key) {
			return true, nil
		}
	}
	return false, nil
}

// add writes a run of n mixes, which come in their order.
func (f *seenFile) add(n int, sorted iter.Seq[[]uint64]) error {
	if f.file == nil {
		if err := f.create(); err != nil {
			return &seenError{err}
		}
	}
	run := newSeenRun(f.size, n)
	var b []byte
	for keys := range sorted {
		b = run.add(b[:0], keys)
		if _, err := f.file.Write(b); err != nil {
			return &seenError{err}
		}
		f.size += int64(len(b))
	}
	f.runs = append(f.runs, run)
	return nil
}

// create makes the file: for this user alone, and without a name, so that nothing
// of it outlives the process.
func (f *seenFile) create() error {
	file, err := os.CreateTemp("", "handout-numbers-*") // mode 0600
	if err != nil {
		return err
	}
	f.file = file
	if os.Remove(file.Name()) != nil {
		f.path = file.Name() // the system keeps names of open files, and it goes later
	}
	return nil
}

// close lets go of the file, which is gone then.
func (f *seenFile) close() {
	if f.file == nil {
		return
	}
	_ = f.file.Close() // nobody wants what is in it
	if f.path != "" {
		_ = os.Remove(f.path)
	}
	f.file, f.path, f.runs = nil, "", nil
}
