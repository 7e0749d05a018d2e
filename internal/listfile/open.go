package listfile

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Kind is what a file holds.
type Kind int

// The kinds.
const (
	Text Kind = iota
	Workbook
)

// File is an opened list. Read gives a text's lines; a workbook's bytes, unpacked.
type File struct {
	Kind Kind
	// Compression is gzip or zstd, or both; empty for none.
	Compression string
	// Encoding is the text's: UTF-8, UTF-16LE, UTF-16BE or Windows-1252. It is certain
	// once the text has been read to its end: a text begins as UTF-8 and turns out to
	// be Windows-1252 with its first character beyond ASCII.
	Encoding string
	// CR means that the lines end in carriage returns alone.
	CR bool

	source    io.Reader
	in        *bufio.Reader
	text      io.Reader
	undecided bool // all was ASCII up to here
	close     func()
}

const (
	// sampleSize is how much of a file is looked at before it is read, in bytes.
	sampleSize = 64 << 10
	// maxPacked is how often a file may be compressed: once by its owner, once for the
	// way.
	maxPacked = 2
	// maxWindow bounds zstd's memory; zstd -19 --long takes 128 MB, and all usual
	// levels at most 8.
	maxWindow = 32 << 20
)

// FileError is what is wrong with a file as a whole.
type FileError string

// Error is the text.
func (e FileError) Error() string { return string(e) }

const (
	errOldWorkbook = FileError("an old Excel workbook (.xls), or one with a password: save it as .xlsx without one")
	errUTF32       = FileError("neither text nor a workbook: it has zero bytes in it")
)

// Open looks at the beginning of a file.
func Open(r io.Reader) (*File, error) {
	f := &File{source: r, in: buffered(r), close: func() {}}
	for range maxPacked {
		name, err := f.unpack()
		if err != nil {
			f.Close()
			return nil, err
		}
		if name == "" {
			break
		}
		if f.Compression != "" {
			name = f.Compression + " and " + name
		}
		f.Compression = name
	}
	if err := f.look(); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Close frees what decompression holds; the reader that the file came from stays its
// owner's.
func (f *File) Close() { f.close() }

// unpack reads what follows through its decompression, and returns its name.
func (f *File) unpack() (string, error) {
	head, err := f.in.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	packed := &counter{r: f.in}
	switch {
	case bytes.HasPrefix(head, []byte("\x1f\x8b\x08")):
		g, err := gzip.NewReader(packed)
		if err != nil {
			return "", err
		}
		f.in = buffered(&guarded{r: g, packed: packed.count})
		return "gzip", nil
	case bytes.HasPrefix(head, []byte("\x28\xb5\x2f\xfd")):
		z, err := zstd.NewReader(packed, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return "", err
		}
		before := f.close
		f.close = func() { z.Close(); before() }
		f.in = buffered(&guarded{r: z, packed: packed.count})
		return "zstd", nil
	}
	return "", nil
}

// look finds out what the file holds.
func (f *File) look() error {
	head, err := f.in.Peek(sampleSize)
	switch {
	case len(head) == 0 && err != nil && !errors.Is(err, io.EOF), err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull):
		return err
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		f.Kind, f.text = Workbook, f.in
		return nil
	case bytes.HasPrefix(head, []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")):
		return errOldWorkbook
	}
	return f.lookAtText(head)
}

// Read reads the text.
func (f *File) Read(p []byte) (n int, err error) {
	if f.undecided {
		n, err = f.readUndecided(p)
	} else {
		n, err = f.text.Read(p)
	}
	if f.CR {
		for i, c := range p[:n] {
			if c == '\r' {
				p[i] = '\n'
			}
		}
	}
	return n, err
}

// Begins reports whether the first character of the text that isn't a space is this
// one.
func (f *File) Begins(c byte) bool {
	head, _ := f.in.Peek(sampleSize) // what can't be read is found when it is
	head = bytes.TrimLeft(head, " \t\r\n")
	return len(head) > 0 && head[0] == c
}

// buffered returns a reader in which can be looked ahead. bufio says an error once, to
// whom looks ahead, and would read on.
func buffered(r io.Reader) *bufio.Reader { return bufio.NewReaderSize(&sticky{r: r}, sampleSize) }

// sticky says an error again and again.
type sticky struct {
	r   io.Reader
	err error
}

func (s *sticky) Read(p []byte) (n int, err error) {
	if s.err != nil {
		return 0, s.err
	}
	n, s.err = s.r.Read(p)
	return n, s.err
}

// counter counts what is read.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

func (c *counter) count() int64 { return c.n }

// Limits of what is decompressed. Lists become 5 to 30 times as long, a workbook's
// sheets up to 60 times; one that becomes longer was made to fill a memory or a disk.
const (
	maxUnpacked = 16 << 30
	freeOfRatio = 64 << 20
	maxRatio    = 250
)

const errBomb = FileError("it becomes far too long when it is decompressed")

// guarded ends a stream that becomes too long.
type guarded struct {
	r      io.Reader
	packed func() int64
	n      int64
}

func (g *guarded) Read(p []byte) (int, error) {
	n, err := g.r.Read(p)
	g.n += int64(n)
	if g.n > maxUnpacked || g.n > freeOfRatio && g.n/maxRatio > g.packed() {
		return 0, errBomb
	}
	return n, err
}
