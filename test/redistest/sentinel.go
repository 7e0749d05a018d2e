package redistest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// StartSentinel starts a Sentinel on this machine that watches the master on a port under
// the name main, with a quorum and more lines of its settings, and returns its port. It
// ends with the test; it may not answer yet.
func StartSentinel(t testing.TB, master string, quorum int, more string) (port string) {
	t.Helper()
	port = FreePort(t)
	file := filepath.Join(t.TempDir(), "sentinel.conf")
	conf := "bind 127.0.0.1\nport " + port + "\nsentinel monitor main 127.0.0.1 " + master + " " + strconv.Itoa(quorum) + "\n" + more
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("redis-server", file, "--sentinel")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	guard, err := NewGuard(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		guard.Dismiss()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return port
}
