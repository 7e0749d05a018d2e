package redistest

import (
	"io"
	"os/exec"
	"strconv"
)

// Guard ends a process that a test has started when the test's own dies without
// running its cleanups, as after a test time-out: the shell's input closes with
// us.
type Guard struct {
	cmd   *exec.Cmd
	input io.Closer
}

// NewGuard guards a process.
func NewGuard(pid int) (*Guard, error) {
	cmd := exec.Command("/bin/sh", "-c", `read -r _; kill -9 "$1"`, "sh", strconv.Itoa(pid))
	input, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &Guard{cmd: cmd, input: input}, nil
}

// Dismiss ends the guard and leaves the process alone; of nil it does nothing.
func (g *Guard) Dismiss() {
	if g == nil {
		return
	}
	_ = g.cmd.Process.Kill()
	_ = g.cmd.Wait()
	_ = g.input.Close()
}
