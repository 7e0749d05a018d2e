// Package backup copies the Redis of an installation to files, by Redis's own means, and
// says what stands in a copy.
//
// A backup is a folder: manifest.json, and a snapshot (RDB) of each master. A snapshot is
// of one moment of its master. In a cluster the masters' moments are seconds apart: a
// campaign is whole all the same, since all its keys are on one master; only lists that
// lead to campaigns may lack what was made within these seconds.
package backup

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/internal/installation"
	"github.com/handout-dev/handout/internal/redisx"
)

// Manifest says what stands in a backup. It has no secret, and nothing of people's. Its
// JSON form is a contract.
type Manifest struct {
	Form         int               `json:"form"` // of this object: 1
	At           time.Time         `json:"at"`   // no copy is older
	Installation string            `json:"installation"`
	Prefix       string            `json:"prefix"`
	Format       int               `json:"format"` // of what handout stores; see handout doctor
	OldestReader int               `json:"oldest_reader"`
	Accounts     map[string]string `json:"accounts"`             // digests, by name
	MasterKey    string            `json:"master_key,omitempty"` // the ID of the one that encrypts
	KeyStore     string            `json:"key_store,omitempty"`  // the ID in the stamp of the Redis that has the campaigns' keys, which aren't here
	Redis        string            `json:"redis"`                // its version
	Files        []File            `json:"files"`
	Campaigns    []Campaign        `json:"campaigns"` // as they stood just before At, the newest first
}

// File is a master's snapshot.
type File struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"` // in bytes
	SHA256 string `json:"sha256"`
	Master string `json:"master,omitempty"` // its address; of a cluster alone
}

// Campaign is one that stands in a backup.
type Campaign struct {
	ID     string         `json:"id"`
	Phase  string         `json:"phase"`
	Total  int            `json:"total"`
	Counts map[string]int `json:"counts"` // recipients by state
}

// manifestName is the manifest's file in a backup.
const manifestName = "manifest.json"

// takes is how often a copy is asked for.
const takes = 3

// errUnmarked means that a copy is from before the mark, as one that Redis was already
// writing for a replica, or from after it, as another backup's end took it away.
var errUnmarked = errors.New("no copy was of this backup's time: another backup is being made, or Redis was writing copies for replicas; try again")

// Make writes a backup to the folder dir, which must not exist yet: it is there with all
// its files, or not at all. progress, if not nil, is called with the bytes of all copies
// together, from several goroutines one at a time.
//
// Errors: [os.ErrExist], [*RefusedError].
func Make(ctx context.Context, rdb redis.UniversalClient, dir string, campaigns []Campaign, progress func(done, all int64)) (_ *Manifest, err error) {
	dir = filepath.Clean(dir)
	if _, err := os.Lstat(dir); err == nil {
		return nil, fmt.Errorf("%s: %w", dir, os.ErrExist)
	}
	stamp, there, err := installation.Read(ctx, rdb)
	if err == nil && !there {
		err = errors.New("there is no installation in this Redis")
	}
	if err != nil {
		return nil, err
	}
	info, err := redisx.Inspect(ctx, rdb)
	if err != nil {
		return nil, err
	}
	partial, err := os.MkdirTemp(filepath.Dir(dir), "."+filepath.Base(dir)+".partial-") // 0700
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(partial)
		}
	}()
	m := &Manifest{
		Form: 1, Installation: stamp.ID, Prefix: redisx.Prefix(rdb), Format: stamp.Format, OldestReader: stamp.OldestReader,
		Accounts: stamp.Accounts, MasterKey: stamp.MasterKey, KeyStore: stamp.KeyStore, Redis: info.Version, Campaigns: campaigns,
	}
	err = errUnmarked
	for try := 0; try < takes && errors.Is(err, errUnmarked); try++ {
		var mark string
		if mark, m.At, err = installation.BeginBackup(ctx, rdb); err != nil {
			return nil, err
		}
		m.Files, err = takeAll(ctx, rdb, partial, mark, progress)
		err = errors.Join(err, unmark(ctx, rdb))
	}
	if err != nil {
		return nil, err
	}
	return m, m.keep(partial, dir)
}

// unmarkTime bounds the mark's removal, which an interrupt doesn't keep from being done.
const unmarkTime = 5 * time.Second

func unmark(ctx context.Context, rdb redis.UniversalClient) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), unmarkTime)
	defer cancel()
	return installation.EndBackup(ctx, rdb)
}

// master is one to be copied.
type master struct {
	node  *redis.Client
	file  File
	marks bool // it has the mark
}

// masters are those of a cluster, or the one Redis.
func masters(ctx context.Context, rdb redis.UniversalClient) ([]*master, error) {
	switch c := rdb.(type) {
	case *redis.Client:
		return []*master{{node: c, file: File{Name: "redis.rdb"}, marks: true}}, nil
	case *redis.ClusterClient:
		marked, err := installation.MarkedMaster(ctx, c)
		if err != nil {
			return nil, err
		}
		var mu sync.Mutex
		var all []*master
		err = c.ForEachMaster(ctx, func(_ context.Context, node *redis.Client) error {
			mu.Lock()
			defer mu.Unlock()
			addr := node.Options().Addr
			all = append(all, &master{node: node, file: File{Master: addr}, marks: addr == marked})
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("find the cluster's masters: %w", err)
		}
		slices.SortFunc(all, func(a, b *master) int { return cmp.Compare(a.file.Master, b.file.Master) })
		for i, m := range all {
			m.file.Name = fmt.Sprintf("redis-%d.rdb", i+1)
		}
		return all, nil
	}
	return nil, fmt.Errorf("a copy of %T isn't possible", rdb)
}

// takeAll takes the copies of all masters at once, so that their moments are close.
func takeAll(ctx context.Context, rdb redis.UniversalClient, dir, mark string, progress func(done, all int64)) ([]File, error) {
	all, err := masters(ctx, rdb)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var mu sync.Mutex
	var sum struct{ done, all int64 }
	var group sync.WaitGroup
	for _, m := range all {
		group.Go(func() {
			var was struct{ done, all int64 }
			err := m.take(ctx, dir, mark, func(done, size int64) {
				mu.Lock()
				defer mu.Unlock()
				sum.done, sum.all = sum.done+done-was.done, sum.all+size-was.all
				was.done, was.all = done, size
				if progress != nil {
					progress(sum.done, sum.all)
				}
			})
			if err != nil {
				cancel(fmt.Errorf("copy %s: %w", cmp.Or(m.file.Master, "Redis"), err))
			}
		})
	}
	group.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	files := make([]File, len(all))
	for i, m := range all {
		files[i] = m.file
	}
	return files, nil
}

// take takes the copy of one master.
func (m *master) take(ctx context.Context, dir, mark string, progress func(done, all int64)) error {
	f, err := os.OpenFile(filepath.Join(dir, m.file.Name), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	sum := newSum()
	marked, err := download(ctx, m.node, io.MultiWriter(f, sum), mark, progress)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = sum.check()
	}
	if err == nil && m.marks && !marked {
		err = errUnmarked
	}
	m.file.Size, m.file.SHA256 = sum.size, sum.hex()
	return err
}

// sum is what is known of a snapshot's bytes.
type sum struct {
	checker
	sha  hash.Hash
	size int64
}

func newSum() *sum { return &sum{sha: sha256.New()} }

func (s *sum) Write(p []byte) (int, error) {
	s.size += int64(len(p))
	_, _ = s.sha.Write(p) // never an error
	return s.checker.Write(p)
}

func (s *sum) hex() string { return hex.EncodeToString(s.sha.Sum(nil)) }

// keep writes the manifest and gives the backup its name. If the process dies before the
// name is given, a folder beside it is left that begins with a point and can be deleted.
func (m *Manifest) keep(partial, dir string) error {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(partial, manifestName), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(text, '\n'))
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := syncDir(partial); err != nil {
		return err
	}
	if err := os.Rename(partial, dir); err != nil { // fails where dir is there, with files in it
		return err
	}
	return syncDir(filepath.Dir(dir))
}

func syncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Verify reads a backup to its end, and returns its manifest, or why it isn't whole.
func Verify(ctx context.Context, dir string) (*Manifest, error) {
	text, err := os.ReadFile(filepath.Join(dir, manifestName))
	if err != nil {
		return nil, err
	}
	m := new(Manifest)
	if err := json.Unmarshal(text, m); err != nil || m.Form != 1 || len(m.Files) == 0 {
		return nil, fmt.Errorf("%s: not the manifest of a backup that this program can read", filepath.Join(dir, manifestName))
	}
	for _, f := range m.Files {
		if err := f.verify(ctx, dir); err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Join(dir, filepath.Base(f.Name)), err)
		}
	}
	return m, nil
}

func (f *File) verify(ctx context.Context, dir string) error {
	in, err := os.Open(filepath.Join(dir, filepath.Base(f.Name)))
	if err != nil {
		return err
	}
	defer in.Close()
	sum, buffer := newSum(), make([]byte, chunk)
	for ctx.Err() == nil {
		n, err := in.Read(buffer)
		_, _ = sum.Write(buffer[:n]) // never an error
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case sum.size != f.Size || sum.hex() != f.SHA256:
		return errors.New("it isn't what the manifest says: it was cut off, or changed")
	}
	return sum.check()
}
