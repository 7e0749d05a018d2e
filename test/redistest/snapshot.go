package redistest

import (
	"errors"
	"os"
	"path/filepath"
)

// Snapshot copies what the server has on disk, once it has written everything
// down, and returns how to put it back: that kills the server and starts it
// again with the state of the snapshot.
func (s *Server) Snapshot() (restore func()) {
	s.t.Helper()
	if err := s.Client().Save(s.t.Context()).Err(); err != nil {
		s.t.Fatalf("redistest: save: %v", err)
	}
	kept := tempDir(s.t)
	s.copyData(kept, s.dir)
	return func() {
		s.t.Helper()
		s.stop()
		for _, name := range dataFiles {
			if err := os.RemoveAll(filepath.Join(s.dir, name)); err != nil {
				s.t.Fatalf("redistest: restore: %v", err)
			}
		}
		s.copyData(s.dir, kept)
		s.start()
	}
}

// dataFiles are what Redis keeps in its directory: the snapshot, which it reads
// at its start when it has no append-only file, and the folder of that one.
var dataFiles = []string{"dump.rdb", "appendonlydir"}

func (s *Server) copyData(to, from string) {
	s.t.Helper()
	for _, name := range dataFiles {
		stat, err := os.Stat(filepath.Join(from, name))
		switch {
		case errors.Is(err, os.ErrNotExist):
			continue
		case err == nil && stat.IsDir():
			err = os.CopyFS(filepath.Join(to, name), os.DirFS(filepath.Join(from, name)))
		case err == nil:
			var content []byte
			if content, err = os.ReadFile(filepath.Join(from, name)); err == nil {
				err = os.WriteFile(filepath.Join(to, name), content, 0o600)
			}
		}
		if err != nil {
			s.t.Fatalf("redistest: copy %s: %v", name, err)
		}
	}
}
