package listfile

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// sharedTexts are the texts that a workbook's cells refer to by number. A list of a
// million people has millions: they stand in a file without a name, of which the
// blocks last used are kept.
type sharedTexts struct {
	file    *os.File
	ends    []uint32 // of each text in the file
	written int64
	tail    []byte // not yet written: the last block

	blocks [cachedBlocks]struct {
		number int64 // plus one
		data   []byte
	}
}

const (
	blockSize    = 64 << 10
	cachedBlocks = 128 // 8 MB
	// Limits: what a workbook of a million rows and a hundred columns may have.
	maxSharedBytes = 2 << 30
	maxShared      = 32 << 20
)

const errShared = FileError("the workbook has more texts than a list of a million rows")

func newSharedTexts() (*sharedTexts, error) {
	f, err := os.CreateTemp("", "handout-texts-*") // mode 0600
	if err != nil {
		return nil, fmt.Errorf("keep a workbook's texts: %w", err)
	}
	_ = os.Remove(f.Name()) // where a system can't, it goes with its temporary files
	return &sharedTexts{file: f}, nil
}

func (s *sharedTexts) close() {
	if s != nil {
		_ = s.file.Close()
	}
}

func (s *sharedTexts) add(text []byte) error {
	end := s.written + int64(len(s.tail)+len(text))
	if end > maxSharedBytes || len(s.ends) == maxShared {
		return errShared
	}
	s.tail = append(s.tail, text...)
	s.ends = append(s.ends, uint32(end))
	if len(s.tail) < blockSize {
		return nil
	}
	return s.flush()
}

func (s *sharedTexts) flush() error {
	n, err := s.file.Write(s.tail)
	s.written += int64(n)
	s.tail = s.tail[:0]
	if err != nil {
		return fmt.Errorf("keep a workbook's texts: %w", err)
	}
	return nil
}

// get returns a text; ok is false for a number that the workbook hasn't.
func (s *sharedTexts) get(i int) (text string, ok bool, err error) {
	if s == nil || i < 0 || i >= len(s.ends) {
		return "", false, nil
	}
	from, to := int64(0), int64(s.ends[i])
	if i > 0 {
		from = int64(s.ends[i-1])
	}
	number := from / blockSize
	data, err := s.block(number)
	if err != nil {
		return "", false, err
	}
	at := from - number*blockSize
	if n := to - from; at+n <= int64(len(data)) {
		return string(data[at : at+n]), true, nil
	}
	long := make([]byte, to-from) // over the end of a block
	if _, err := s.file.ReadAt(long, from); err != nil {
		return "", false, fmt.Errorf("read a workbook's texts: %w", err)
	}
	return string(long), true, nil
}

func (s *sharedTexts) block(number int64) ([]byte, error) {
	b := &s.blocks[number%cachedBlocks]
	if b.number == number+1 {
		return b.data, nil
	}
	if b.data == nil {
		b.data = make([]byte, blockSize)
	}
	n, err := s.file.ReadAt(b.data[:blockSize], number*blockSize)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read a workbook's texts: %w", err)
	}
	b.number, b.data = number+1, b.data[:n]
	return b.data, nil
}

// readSharedTexts reads the part sharedStrings.xml.
func readSharedTexts(r io.Reader) (*sharedTexts, error) {
	s, err := newSharedTexts()
	if err != nil {
		return nil, err
	}
	x := newXMLReader(r)
	var text []byte
	for err = x.next(); err == nil; err = x.next() {
		if x.kind != startTag || x.name != "si" {
			continue
		}
		if text, err = richText(x, "si", text[:0]); err == nil {
			err = s.add(text)
		}
		if err != nil {
			break
		}
	}
	if errors.Is(err, io.EOF) {
		err = s.flush()
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// richText appends the text of an element up to its end: that of its elements t, but
// for the pronunciation in rPh.
func richText(x *xmlReader, element string, to []byte) ([]byte, error) {
	spoken := false
	for {
		if err := x.next(); err != nil {
			return to, unexpected(err)
		}
		switch {
		case x.name == "rPh":
			spoken = x.kind == startTag
		case x.name == "t" && x.kind == endTag && !spoken:
			to = x.appendText(to)
			if len(to) > maxText {
				to = to[:maxText]
			}
		case x.name == element && x.kind == endTag:
			return escapes(to), nil
		}
	}
}
