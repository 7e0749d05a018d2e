package listfile_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/handout-dev/handout/internal/listfile"
)

func gzipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func zstdPacked(t *testing.T, text string) string {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(w.EncodeAll([]byte(text), nil))
}

func utf16(text string, big bool) string {
	var b strings.Builder
	for _, r := range text {
		if big {
			b.WriteByte(byte(r >> 8))
			b.WriteByte(byte(r))
		} else {
			b.WriteByte(byte(r))
			b.WriteByte(byte(r >> 8))
		}
	}
	return b.String()
}

func TestOpen_GivesUTF8AndSaysWhatItFound(t *testing.T) {
	t.Parallel()
	const text = "recipient,name\na,Müller\n"
	ascii := strings.Repeat("recipient,name\n", 10_000)
	for _, c := range []struct{ name, file, want, encoding, compression string }{
		{"plain", text, text, "UTF-8", ""},
		{"empty", "", "", "UTF-8", ""},
		{"ASCII alone", ascii, ascii, "UTF-8", ""},
		{"a mark", "\ufeff" + text, text, "UTF-8", ""},
		{"two marks", "\ufeff\ufeff" + text, text, "UTF-8", ""},
		{"UTF-16 with a mark", "\xff\xfe" + utf16(text, false), text, "UTF-16LE", ""},
		{"UTF-16 without one", utf16(text, false), text, "UTF-16LE", ""},
		{"UTF-16, big end first", "\xfe\xff" + utf16(text, true), text, "UTF-16BE", ""},
		{"the same without a mark", utf16(text, true), text, "UTF-16BE", ""},
		{"Windows-1252", "recipient,name\na,M\xfcller \x80\n", "recipient,name\na,Müller €\n", "Windows-1252", ""},
		{"Windows-1252 late", ascii + "M\xfcller", ascii + "Müller", "Windows-1252", ""},
		{"UTF-8 late", ascii + "Müller", ascii + "Müller", "UTF-8", ""},
		{"UTF-8 with a broken character", "é\xff è é\n", "é\xff è é\n", "UTF-8", ""},
		{"carriage returns", "a,b\rc,d\r", "a,b\nc,d\n", "UTF-8", ""},
		{"gzip", gzipped(t, text), text, "UTF-8", "gzip"},
		{"zstd", zstdPacked(t, text), text, "UTF-8", "zstd"},
		{"gzip on the way", gzipped(t, zstdPacked(t, text)), text, "UTF-8", "gzip and zstd"},
	} {
		for _, r := range []io.Reader{strings.NewReader(c.file), iotest.OneByteReader(strings.NewReader(c.file))} {
			f, err := listfile.Open(r)
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
				continue
			}
			got, err := io.ReadAll(f)
			f.Close()
			if err != nil || string(got) != c.want || f.Encoding != c.encoding || f.Compression != c.compression || f.Kind != listfile.Text {
				t.Errorf("%s: %q in %s, %s (%v)", c.name, got[:min(len(got), 100)], f.Encoding, f.Compression, err)
			}
		}
	}
}

func TestOpen_RefusesWhatIsNoList(t *testing.T) {
	t.Parallel()
	for name, file := range map[string]string{
		"an old workbook": "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1....",
		"zero bytes":      "a\x00\x00\x00b\x00\x00\x00",
		"half a gzip":     gzipped(t, strings.Repeat("x", 9999))[:20],
		"broken gzip":     "\x1f\x8b\x08",
	} {
		f, err := listfile.Open(strings.NewReader(file))
		if err == nil {
			_, err = io.ReadAll(f)
		}
		if err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestOpen_ABombEnds(t *testing.T) {
	t.Parallel()
	zeros := io.LimitReader(spaces{}, 200<<20)
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.Copy(w, zeros); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := listfile.Open(&b)
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, f)
	if err == nil || errors.Is(err, io.EOF) || n > 70<<20 {
		t.Errorf("%d bytes of a bomb are read: %v", n, err)
	}
}

type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

func TestRead_AnErrorIsSaidWhoeverLookedAhead(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for _, text := range []string{"", "recipient,phone\n", "M\xfcller", "\xff\xfea\x00"} {
		once := &onceBroken{r: strings.NewReader(text), err: broken}
		f, err := listfile.Open(once)
		if err == nil {
			f.Begins('{')
			_, err = io.ReadAll(f)
		}
		if !errors.Is(err, broken) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// onceBroken says its error once, and then that it is at its end.
type onceBroken struct {
	r   io.Reader
	err error
}

func (o *onceBroken) Read(p []byte) (int, error) {
	n, err := o.r.Read(p)
	if errors.Is(err, io.EOF) && o.err != nil {
		err, o.err = o.err, nil
	}
	return n, err
}
