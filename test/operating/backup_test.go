package operating_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/handout-dev/handout/internal/redisx"
)

func TestBackup_KilledLeavesNothingUnderItsNameAndIsNoRestore(t *testing.T) {
	t.Parallel()
	r := newRig(t, "10")
	r.submit(300, "10")
	rdb, err := redisx.Open(r.vars["REDIS_URL"], "handout")
	if err != nil {
		t.Fatal(err)
	}
	defer rdb.Close()
	slowly := func(microseconds string) {
		if err := rdb.ConfigSet(t.Context(), "rdb-key-save-delay", microseconds).Err(); err != nil {
			t.Fatal(err)
		}
	}
	slowly("20000") // for each key, while the copy is written
	dir := filepath.Join(t.TempDir(), "b")
	p := r.start("backup", dir)
	r.await("Redis writes the copy", func() bool {
		return strings.Contains(rdb.Info(t.Context(), "persistence").Val(), "rdb_bgsave_in_progress:1")
	})
	p.kill()
	if _, err := os.Stat(dir); !os.IsNotExist(err) || p.cmd.ProcessState.Exited() {
		t.Errorf("it was killed, and %s: %v", dir, err)
	}
	slowly("0")
	r.shell.run("back up again", "handout backup "+dir+"\nhandout backup --verify "+dir+"\n")
	if out := r.shell.run("recover", "handout recover\n"); !strings.Contains(out, "no recovery is open") {
		t.Error(out)
	}
}
