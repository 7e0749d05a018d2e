package console

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/handout-dev/handout/producer"
)

const (
	// maxUpload is the longest list that a page takes, in bytes: a million short
	// rows. The API and the command take longer ones.
	maxUpload = 128 << 20
	// maxBody is how much of an upload is read before it is broken off: a browser
	// that is still sending wouldn't show the answer.
	maxBody = 1 << 30
	// maxParts is how many fields a form with files may have; ours have three.
	maxParts = 8
	// maxName is the longest name of a field or a file, in bytes; that of file systems.
	maxName = 255
	// maxUploads is how many lists wait for their confirmation at once; the oldest
	// gives way.
	maxUploads = 8
	// uploadLife is how long one waits.
	uploadLife = time.Hour
	// uploadSilence is for how long a browser may send nothing of an upload.
	uploadSilence = time.Minute
)

// parts are those of a form with files, by the fields' names: short texts, which
// together are as long as a campaign file, and a list.
type parts struct {
	text  map[string]string
	names map[string]string // of files
	list  *listFile
	size  int64 // of all texts
}

// listFile is a list on the disk, under no name: it goes with the process.
type listFile struct {
	file *os.File
	path string // empty: it is unlinked already
	size int64
}

func (l *listFile) reader() *io.SectionReader { return io.NewSectionReader(l.file, 0, l.size) }

func (l *listFile) drop() {
	if l == nil {
		return
	}
	_ = l.file.Close()
	if l.path != "" {
		_ = os.Remove(l.path)
	}
}

func tooLong(limit int64) error {
	return refuse(http.StatusRequestEntityTooLarge,
		"The file is longer than %d MB, and nothing of it was kept. The command takes longer ones, and for lists so does the API.", limit>>20)
}

// receive reads a form with files. The list goes to the disk as it comes.
func receive(v *visit, limit int64) (*parts, error) {
	r, err := v.MultipartReader()
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "The form can't be read.")
	}
	control := http.NewResponseController(v.w)
	alive := func() { // without deadlines there is nothing to move
		_ = control.SetReadDeadline(time.Now().Add(uploadSilence))
		_ = control.SetWriteDeadline(time.Now().Add(2 * uploadSilence))
	}
	p := &parts{text: map[string]string{}, names: map[string]string{}}
	for n := 0; ; n++ {
		alive()
		part, err := r.NextPart()
		if errors.Is(err, io.EOF) {
			return p, nil
		}
		if err == nil && n == maxParts {
			err = refuse(http.StatusBadRequest, "The form has too many fields. Nothing was kept.")
		}
		if err == nil {
			err = p.take(part, limit, alive)
		}
		if err != nil {
			p.list.drop()
			return nil, broken(err)
		}
	}
}

// broken returns what went wrong while an upload came in, in words.
func broken(err error) error {
	var own *refusal
	var disk *os.PathError
	switch {
	case errors.As(err, &own):
		return err
	case errors.As(err, &disk):
		return fmt.Errorf("keep an uploaded list: %w", err)
	}
	return refuse(http.StatusBadRequest, "The upload broke off. Nothing was kept.")
}

func (p *parts) take(part *multipart.Part, limit int64, alive func()) error {
	name, file := part.FormName(), part.FileName()
	if len(name) > maxName || len(file) > maxName {
		return refuse(http.StatusBadRequest, "A file's name is too long. Nothing was kept.")
	}
	p.names[name] = file
	if name != "list" {
		var b bytes.Buffer
		n, err := io.Copy(&b, io.LimitReader(part, producer.MaxCampaignFile-p.size+1))
		if p.size += n; p.size > producer.MaxCampaignFile {
			return refuse(http.StatusRequestEntityTooLarge, "A campaign file is at most 1 MB.")
		}
		p.text[name] = b.String()
		return err
	}
	if p.list != nil {
		return refuse(http.StatusBadRequest, "There are two lists.")
	}
	f, err := os.CreateTemp("", "handout-list-*") // mode 0600
	if err != nil {
		return err
	}
	p.list = &listFile{file: f, path: f.Name()}
	if os.Remove(f.Name()) == nil {
		p.list.path = "" // else the system keeps names of open files, and it goes later
	}
	p.list.size, err = io.Copy(f, io.LimitReader(moving{part, alive}, limit+1))
	if err == nil && p.list.size > limit {
		_, _ = io.Copy(io.Discard, moving{part, alive}) // so that the browser shows the answer
		err = tooLong(limit)
	}
	return err
}

// moving moves the deadlines with each read.
type moving struct {
	r     io.Reader
	alive func()
}

func (m moving) Read(b []byte) (int, error) {
	m.alive()
	return m.r.Read(b)
}

// uploads are the lists that wait for a person to confirm them.
type uploads struct {
	mu   sync.Mutex
	kept map[string]*upload
}

// put keeps an upload until life has passed, or ctx is done; the token is the way
// back to it.
func (u *uploads) put(ctx context.Context, up *upload, life time.Duration) (token string) {
	token = rand.Text()
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.kept == nil {
		u.kept = map[string]*upload{}
	}
	for len(u.kept) >= maxUploads {
		oldest := ""
		for t, other := range u.kept {
			if oldest == "" || other.at.Before(u.kept[oldest].at) {
				oldest = t
			}
		}
		u.drop(oldest)
	}
	u.kept[token] = up
	timer := time.AfterFunc(life, func() { u.forget(token) })
	ended := context.AfterFunc(ctx, func() { u.forget(token) })
	up.forgotten = func() { timer.Stop(); ended() }
	return token
}

func (u *uploads) forget(token string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.drop(token)
}

// drop deletes an upload, or has release delete it when it is in use. The lock is
// held.
func (u *uploads) drop(token string) {
	if up := u.kept[token]; up != nil {
		delete(u.kept, token)
		up.forgotten()
		up.gone = true
		if !up.busy {
			up.list.drop()
		}
	}
}

// get returns an upload that this key has made; nil for none.
func (u *uploads) get(token, owner string) *upload {
	u.mu.Lock()
	defer u.mu.Unlock()
	if up := u.kept[token]; up != nil && up.owner == owner {
		return up
	}
	return nil
}

// hold takes an upload for submitting it, until release gives it back; nil for none,
// and for one that is taken or submitted.
func (u *uploads) hold(token, owner string) *upload {
	u.mu.Lock()
	defer u.mu.Unlock()
	up := u.kept[token]
	if up == nil || up.owner != owner || up.busy || up.submitted {
		return nil
	}
	up.busy = true
	return up
}

// release gives an upload back; the list of one that was submitted is deleted.
func (u *uploads) release(up *upload, submitted bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	up.busy, up.submitted = false, submitted
	if submitted || up.gone {
		up.list.drop()
		up.list = nil
	}
}
