package store

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// FolderPath is where the files of a folder are served.
const FolderPath = "/files/"

// keyFile is the name of the key's file. No link leads there: names that begin
// with a dot aren't served.
const (
	keyFile = ".key"
	keySize = 32
)

// Folder is the store in a folder of this machine, and the handler that serves it by
// links that expire. The files may be written and served by different processes,
// which share the folder and, in it, the key that signs the links:
//
//	/files/order-history/2026-11-23/4kq2….xlsx?expires=1795564800&signature=…
//
// A link holds for one file until its moment, and nothing is listed: without a
// signature every path is 404.
type Folder struct {
	root *os.Root
	key  []byte
	base string
}

// OpenFolder makes the folder and its key where they're missing. base is the address of
// the server that serves it, as in http://127.0.0.1:8060; one that only serves has none.
func OpenFolder(dir, base string) (*Folder, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open folder: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open folder: %w", err)
	}
	key, err := readKey(dir)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open folder: %w", err), root.Close())
	}
	return &Folder{root: root, key: key, base: strings.TrimSuffix(base, "/")}, nil
}

// Close lets go of the folder.
func (f *Folder) Close() error { return f.root.Close() }

// readKey reads the key, and makes one first if there is none. Of two processes
// that do so at once, both get the one whose link came first.
func readKey(dir string) ([]byte, error) {
	name := filepath.Join(dir, keyFile)
	key, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeKey(dir, name); err != nil {
			return nil, err
		}
		key, err = os.ReadFile(name)
	}
	if err != nil {
		return nil, err
	}
	if len(key) != keySize {
		return nil, fmt.Errorf("%s isn't a key of %d bytes", name, keySize)
	}
	return key, nil
}

func makeKey(dir, name string) error {
	draft, err := os.CreateTemp(dir, keyFile+"-")
	if err != nil {
		return err
	}
	defer os.Remove(draft.Name()) // a leftover does no harm
	key := make([]byte, keySize)
	_, _ = rand.Read(key) // never fails, says its documentation
	_, err = draft.Write(key)
	if err := errors.Join(err, draft.Sync(), draft.Close()); err != nil {
		return err
	}
	if err := os.Link(draft.Name(), name); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// Put makes the file appear as a whole, or not at all. A file that stands there is
// replaced.
func (f *Folder) Put(_ context.Context, o *Object, content []byte) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("write file: %w", withoutName(err))
		}
	}()
	if !served(o.Name) {
		return fs.ErrInvalid
	}
	if err := f.root.MkdirAll(path.Dir(o.Name), 0o700); err != nil {
		return err
	}
	draft := path.Join(path.Dir(o.Name), "."+rand.Text())
	file, err := f.root.OpenFile(draft, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	// What the state says is there must be there after a power cut, too.
	if err = errors.Join(err, file.Sync(), file.Close()); err == nil {
		err = f.root.Rename(draft, o.Name)
	}
	if err != nil {
		_ = f.root.Remove(draft)
	}
	return err
}

// Stat returns what is in the folder, by reading the whole file, or ErrMissing.
func (f *Folder) Stat(_ context.Context, name string) (*Object, error) {
	file, err := f.open(name)
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
		return nil, fmt.Errorf("read back a file: %w", withoutName(err))
	}
	return &Object{Name: name, Size: size, Type: typeOf(name), SHA256: hex.EncodeToString(sum.Sum(nil))}, nil
}

func (f *Folder) open(name string) (*os.File, error) {
	if !served(name) {
		return nil, fs.ErrNotExist
	}
	file, err := f.root.Open(name)
	if err != nil {
		return nil, withoutName(err)
	}
	return file, nil
}

// served says whether a name is one of a file that may be written and served.
func served(name string) bool {
	return fs.ValidPath(name) && name != "." && !strings.HasPrefix(name, ".") && !strings.Contains(name, "/.")
}

// withoutName keeps a file's name, which is half of a link, out of errors.
func withoutName(err error) error {
	if at := (*fs.PathError)(nil); errors.As(err, &at) {
		return at.Err
	}
	if at := (*os.LinkError)(nil); errors.As(err, &at) {
		return at.Err
	}
	return err
}

// Link returns where a file can be fetched until lifetime from now.
func (f *Folder) Link(_ context.Context, name string, lifetime time.Duration) (string, error) {
	return f.link(name, time.Now().Add(lifetime))
}

// link returns the same link for the same arguments.
func (f *Folder) link(name string, until time.Time) (string, error) {
	if !served(name) {
		return "", fs.ErrInvalid
	}
	expires := strconv.FormatInt(until.Unix(), 10)
	query := "?expires=" + expires + "&signature=" + f.sign(name, expires)
	return f.base + FolderPath + (&url.URL{Path: name}).EscapedPath() + query, nil
}

func (f *Folder) sign(name, expires string) string {
	mac := hmac.New(sha256.New, f.key)
	_, _ = io.WriteString(mac, expires+"\n"+name)
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:16])
}

// ServeHTTP serves GET and HEAD of the links under [FolderPath]. A link that has expired
// is 410, everything else that isn't right 404.
func (f *Folder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET,HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	name, ok := strings.CutPrefix(r.URL.Path, FolderPath)
	expires := r.URL.Query().Get("expires")
	if !ok || !hmac.Equal([]byte(f.sign(name, expires)), []byte(r.URL.Query().Get("signature"))) {
		http.NotFound(w, r)
		return
	}
	at, err := strconv.ParseInt(expires, 10, 64)
	if err != nil || time.Now().Unix() >= at {
		http.Error(w, "this link has expired", http.StatusGone)
		return
	}
	file, err := f.open(name)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", typeOf(name))
	w.Header().Set("Cache-Control", "private, no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	http.ServeContent(w, r, "", info.ModTime(), file)
}

// types are those of documents, which a machine may lack in its own table.
var types = map[string]string{
	".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
	".pdf":  "application/pdf",
	".txt":  "text/plain; charset=utf-8",
}

// typeOf is the content type that a file is served as, by its name's ending.
func typeOf(name string) string {
	ending := strings.ToLower(path.Ext(name))
	if t, ok := types[ending]; ok {
		return t
	}
	if t := mime.TypeByExtension(ending); t != "" {
		return t
	}
	return "application/octet-stream"
}
