//go:build unix

package schedule

import (
	"os"
	"os/exec"
	"syscall"
)

// ownGroup puts a program into a process group of its own, so that all that it
// starts can be ended with it.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	tie(cmd.SysProcAttr)
}

func signalGroup(cmd *exec.Cmd, kill bool) error {
	s := syscall.SIGTERM
	if kill {
		s = syscall.SIGKILL
	}
	if err := syscall.Kill(-cmd.Process.Pid, s); err != nil {
		return os.ErrProcessDone
	}
	return nil
}
